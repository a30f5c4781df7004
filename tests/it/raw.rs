//! A WebSocket client without manners: any bytes as frames, no pong, and no reading unless it is told to.

use std::convert::Infallible;
use std::future::pending;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, sink};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{V1, id_of};
use crate::http::read_head;
use crate::server::Site;
use crate::within;

/// A frame's first byte: the last fragment, and what it is.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// What a handshake has to have.
pub(crate) const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A peer that has been welcomed, and behaves as the test says.
pub(crate) struct Raw<S = TlsStream<TcpStream>> {
    pub(crate) stream: S,
    pub(crate) welcome: String,
    pub(crate) id: String,
}

impl Site {
    pub(crate) async fn raw(&self) -> Raw {
        Raw::open(self, self.tls().await, &[]).await
    }

    /// One that offers these subprotocols.
    pub(crate) async fn raw_offering(&self, offered: &str) -> Raw {
        Raw::open(self, self.tls().await, &[&offering(offered)]).await
    }

    /// One that won't read, and whose receive buffer is soon full.
    pub(crate) async fn stalled(&self) -> Raw {
        Raw::open(self, self.narrow_tls().await, &[]).await
    }

    /// One at another path, whose first frame is not read yet.
    pub(crate) async fn raw_at(&self, mut stream: TlsStream<TcpStream>, path: &str) -> Raw {
        let head = self.head("GET", path, &HANDSHAKE);
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        let answer = within("the upgrade", read_head(&mut stream)).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Raw { stream, welcome: String::new(), id: String::new() }
    }

    /// One whose session can be resumed.
    pub(crate) async fn stalled_v1(&self) -> Raw {
        Raw::open(self, self.narrow_tls().await, &[&offering(V1)]).await
    }
}

/// The header that offers these subprotocols.
pub(crate) fn offering(offered: &str) -> String {
    format!("Sec-WebSocket-Protocol: {offered}")
}

impl Raw {
    async fn open(site: &Site, mut stream: TlsStream<TcpStream>, headers: &[&str]) -> Self {
        let head = site.head("GET", "/ws", &[&HANDSHAKE, headers].concat());
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        Self::welcomed(stream).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// On a connection that has sent its handshake.
    pub(crate) async fn welcomed(mut stream: S) -> Self {
        let answer = within("the upgrade", read_head(&mut stream)).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let mut raw = Self { stream, welcome: String::new(), id: String::new() };
        raw.welcome = raw.text().await;
        raw.id = id_of(&raw.welcome);
        raw
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        within("the bytes to be sent", written).await.expect("the connection is open");
    }

    /// Sends one frame.
    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        self.write(&masked(first, payload)).await;
    }

    /// Sends a text and waits for the text that answers it.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(FIN | TEXT, text.as_bytes()).await;
        self.text().await
    }

    /// The next frame, which must be a text.
    pub(crate) async fn text(&mut self) -> String {
        let (first, payload) = self.frame().await;
        assert_eq!(first, FIN | TEXT);
        String::from_utf8(payload).expect("text")
    }

    /// The server's next frame: its first byte and its payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        within("a frame", read_frame(&mut self.stream)).await.expect("the connection is open")
    }

    /// The next frame that is no text.
    pub(crate) async fn frame_after_texts(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (first, payload) = self.frame().await;
            if first != FIN | TEXT {
                return (first, payload);
            }
        }
    }

    /// Sends these bytes again and again until the server says its close, whatever comes before it.
    pub(crate) async fn floods(self, bytes: &[u8]) -> (u16, String) {
        let (read, mut write) = tokio::io::split(self.stream);
        let flood = async {
            while write.write_all(bytes).await.is_ok() {}
            // What the server has said is still to be read.
            pending::<Infallible>().await
        };
        let mut heard = Raw { stream: tokio::io::join(read, sink()), welcome: self.welcome, id: self.id };
        let closed = async {
            tokio::select! {
                closed = heard.closed() => closed,
                never = flood => match never {},
            }
        };
        within("the server to have enough", closed).await
    }

    /// The server says this code, with a reason, whatever comes before it.
    pub(crate) async fn assert_closed(mut self, expected: u16, what: &str) {
        let (code, reason) = self.closed().await;
        assert_eq!(code, expected, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}: a close has a reason");
    }

    /// Waits for the server's close frame, whatever comes before it.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.frame().await;
            if first == FIN | CLOSE {
                let (code, reason) = payload.split_first_chunk().expect("a close by the server has a code");
                return (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("text"));
            }
        }
    }
}

/// A frame of the server's: its first byte and its payload.
pub(crate) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut payload).await?;
    Ok((first, payload))
}

/// A client's frame (RFC 6455, 5.2).
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = header(first, payload.len() as u64);
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A masked frame's beginning, without the mask.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    const MEDIUM: u8 = 126;
    const LONG: u8 = 127;
    let mut header = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..MEDIUM), _) => header.push(MASKED | short),
        (_, Ok(medium)) => {
            header.push(MASKED | MEDIUM);
            header.extend(medium.to_be_bytes());
        }
        _ => {
            header.push(MASKED | LONG);
            header.extend(length.to_be_bytes());
        }
    }
    header
}
