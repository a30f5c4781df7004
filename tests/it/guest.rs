//! A client of another server's: a WebSocket at any path, text frames, pings answered.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::Site;
use crate::within;

/// A client that is served.
pub(crate) struct Guest {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Site {
    /// A client at this path.
    pub(crate) async fn visit(&self, path: &str) -> Guest {
        self.try_visit(path, &[]).await.unwrap_or_else(|(status, body)| panic!("{status} {body}"))
    }

    /// The same where the server may refuse: the status and the code of its answer.
    pub(crate) async fn try_visit(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Guest, (u16, String)> {
        let mut request = format!("wss://{}{path}", self.address).into_client_request().expect("a path");
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value.parse().expect("a header"));
        }
        let tls = self.tls().await;
        // Boxed: tungstenite's handshake is 20 KB of future.
        match within("the upgrade", Box::pin(client_async(request, tls))).await {
            Ok((socket, _)) => Ok(Guest { socket }),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let explanation: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                Err((answer.status().as_u16(), explanation["code"].as_str().unwrap_or_default().to_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Guest {
    pub(crate) async fn say(&mut self, frame: impl Into<String>) {
        self.send(Message::text(frame.into())).await;
    }

    pub(crate) async fn say_binary(&mut self, message: &'static [u8]) {
        self.send(Message::binary(message)).await;
    }

    async fn send(&mut self, message: Message) {
        within("the frame to be sent", self.socket.send(message)).await.expect("the connection is open");
    }

    /// The next text frame.
    pub(crate) async fn hear(&mut self) -> String {
        match self.receive("a text frame").await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    /// Waits until the connection ends without a word.
    pub(crate) async fn is_cut(&mut self) {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => panic!("{frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }

    /// The next frame must be this text, to the byte.
    pub(crate) async fn hears(&mut self, frame: impl AsRef<str>) {
        assert_eq!(self.hear().await, frame.as_ref());
    }

    pub(crate) async fn ask(&mut self, frame: impl Into<String>) -> String {
        self.say(frame).await;
        self.hear().await
    }

    /// The server's close frame, which must come next.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.receive("a close frame").await {
            Message::Close(frame) => {
                let CloseFrame { code, reason } = frame.expect("a close by the server has a code");
                (code.into(), reason.to_string())
            }
            other => panic!("expected a close frame: {other:?}"),
        }
    }

    /// Closes with a close frame, and waits until the server is through with the connection.
    pub(crate) async fn leave(mut self) {
        self.send(Message::Close(None)).await;
        within("the connection's end", async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    async fn receive(&mut self, what: &str) -> Message {
        loop {
            let message = within(what, self.socket.next()).await;
            match message.unwrap_or_else(|| panic!("the connection ended before {what}")) {
                // tungstenite has answered it.
                Ok(Message::Ping(_)) => {}
                Ok(message) => return message,
                Err(error) => panic!("{error} before {what}"),
            }
        }
    }
}
