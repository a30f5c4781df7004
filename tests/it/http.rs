//! HTTP requests as text, so that nothing is made right on their way.

use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::server::Site;
use crate::within;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The code of the explanation that a refusal carries, after a look at its form.
    pub(crate) fn code(&self) -> String {
        let explanation: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert!(explanation["message"].as_str().is_some_and(|message| !message.is_empty()), "{explanation}");
        let seconds = explanation.get("retryAfter").map(ToString::to_string).unwrap_or_default();
        assert_eq!(self.header("retry-after"), seconds, "the header and the field agree");
        explanation["code"].as_str().expect("a code").to_owned()
    }
}

impl Site {
    /// One request on a connection of its own. `headers` are whole lines.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        exchange(&mut self.tls().await, &self.head(method, path, headers)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[]).await
    }

    /// A request's head as text.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &[&str]) -> String {
        let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address)
    }
}

/// Sends a request and reads its answer. The connection stays open.
pub(crate) async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> Answer {
    try_exchange(stream, request).await.expect("an answer")
}

/// The same where the server may have closed the connection instead.
pub(crate) async fn try_exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> io::Result<Answer> {
    let whole = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Answer::of(&read_head(stream).await?);
        let has_body = !request.starts_with("HEAD") && !matches!(answer.status, 101 | 204 | 304);
        if has_body {
            let length = answer.header("content-length").parse().expect("a length");
            answer.body.resize(length, 0);
            stream.read_exact(&mut answer.body).await?;
        }
        Ok(answer)
    };
    within("an answer", whole).await
}

/// Reads to the empty line, and no further.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).expect("a head is text"))
}

impl Answer {
    /// Without its body.
    pub(crate) fn of(head: &str) -> Self {
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Self { status: status.expect("a status"), headers, body: Vec::new() }
    }
}
