//! Servers of a few lines: what they say is written in the test.

use std::net::{Ipv4Addr, SocketAddr};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::within;

pub(crate) struct Fake {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// A WebSocket of the fake server's.
pub(crate) struct Side {
    socket: WebSocketStream<TcpStream>,
    /// What the client offered in `Sec-WebSocket-Protocol`.
    pub(crate) offer: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// The next connection, opened as a server that knows the protocol does.
    #[expect(clippy::result_large_err, reason = "tungstenite's callback has this type")]
    pub(crate) async fn accept(&self) -> Side {
        let (tcp, _) = within("a connection", self.listener.accept()).await.expect("the listener works");
        let mut offer = String::new();
        let select = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            request.headers()["sec-websocket-protocol"].to_str().expect("text").clone_into(&mut offer);
            response.headers_mut().insert("sec-websocket-protocol", "entremise.v1".parse().expect("a header"));
            Ok(response)
        };
        let socket = within("the upgrade", accept_hdr_async(tcp, select)).await.expect("a WebSocket");
        Side { socket, offer }
    }

    /// The next connection, answered by this text.
    pub(crate) async fn answer(&self, text: &str) {
        let (mut tcp, _) = within("a connection", self.listener.accept()).await.expect("the listener works");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("a request", tcp.read_u8()).await.expect("a request has an end"));
        }
        tcp.write_all(text.as_bytes()).await.expect("the client reads");
        // Else the answer could be lost with the connection.
        tcp.shutdown().await.ok();
    }
}

impl Side {
    pub(crate) async fn say(&mut self, text: &str) {
        within("the frame to be sent", self.socket.send(Message::text(text))).await.expect("the connection is open");
    }

    /// The next text frame.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            match within("a frame", self.socket.next()).await.expect("a frame").expect("the connection is open") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected a text frame: {other:?}"),
            }
        }
    }
}
