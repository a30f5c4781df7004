//! A client as a browser is one: WebSocket over TLS, pings answered, one text frame after the other.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::Site;
use crate::within;

pub(crate) const PROTOCOL: &str = "sec-websocket-protocol";

/// A peer that has been welcomed.
pub(crate) struct Client {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    pub(crate) welcome: String,
    pub(crate) id: String,
    /// The frames that its session has got, over all connections.
    pub(crate) received: u64,
}

/// What a client shows to take its session up again.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) token: String,
    pub(crate) received: u64,
}

impl Ticket {
    /// What it offers as subprotocols.
    pub(crate) fn offer(&self) -> String {
        format!("{V1}, entremise.resume.{}.{}", self.token, self.received)
    }
}

/// The protocol with resume.
pub(crate) const V1: &str = "entremise.v1";

impl Site {
    /// A new peer.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_with(&[]).await.0
    }

    /// A new peer that sent these headers, and the server's answer to them.
    pub(crate) async fn connect_with(&self, headers: &[(&'static str, &str)]) -> (Client, Response) {
        let tls = self.tls().await;
        self.upgrade(tls, headers).await.expect("the server opens a WebSocket")
    }

    /// Makes a WebSocket of a connection, if the server agrees.
    pub(crate) async fn upgrade(
        &self,
        tls: TlsStream<TcpStream>,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Response), Error> {
        let mut request = format!("wss://{}/ws", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value.parse().expect("a header"));
        }
        // Boxed: tungstenite's handshake is 20 KB of future.
        let (socket, response) = within("the upgrade", Box::pin(client_async(request, tls))).await?;
        let mut client = Client { socket, welcome: String::new(), id: String::new(), received: 0 };
        let welcome = client.hear().await;
        client.received = 0;
        client.id = id_of(&welcome);
        client.welcome = welcome;
        Ok((client, response))
    }

    /// A new peer whose session can be resumed.
    pub(crate) async fn connect_v1(&self) -> Client {
        self.connect_with(&[(PROTOCOL, V1)]).await.0
    }

    /// A peer that wishes to go on with an earlier session, and may have got a new one.
    pub(crate) async fn try_resume(&self, ticket: &Ticket) -> Client {
        let (mut client, _) = self.connect_with(&[(PROTOCOL, &ticket.offer())]).await;
        if client.is_resumed() {
            client.received = ticket.received;
        }
        client
    }

    /// A peer that goes on with an earlier session.
    pub(crate) async fn resume(&self, ticket: &Ticket) -> Client {
        let client = self.try_resume(ticket).await;
        assert!(client.is_resumed(), "{}", client.welcome);
        client
    }

    /// New peers.
    pub(crate) async fn connect_many<const N: usize>(&self) -> [Client; N] {
        let mut clients = Vec::with_capacity(N);
        while clients.len() < N {
            clients.push(self.connect().await);
        }
        clients.try_into().map_err(|_| "N of them").expect("as many as were asked for")
    }
}

impl Client {
    /// What it needs to be resumed.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { token: token_of(&self.welcome), received: self.received }
    }

    pub(crate) fn is_resumed(&self) -> bool {
        field(&self.welcome, "resumed") == true
    }

    /// How many of its frames the session has processed.
    pub(crate) fn accepted(&self) -> usize {
        let accepted = field(&self.welcome, "accepted").as_u64().expect("it was resumed");
        usize::try_from(accepted).expect("a few")
    }

    /// Tells the server how many frames it has got.
    pub(crate) async fn acknowledge(&mut self) {
        let received = format!(r#"{{"type":"received","count":{},"ref":"got"}}"#, self.received);
        assert_eq!(self.ask(received).await, r#"{"type":"ack","ref":"got"}"#);
    }

    /// Sends a text frame.
    pub(crate) async fn say(&mut self, frame: impl Into<String>) {
        let frame = Message::text(frame.into());
        within("the frame to be sent", self.socket.send(frame)).await.expect("the connection is open");
    }

    /// The next text frame.
    pub(crate) async fn hear(&mut self) -> String {
        match self.receive("a text frame").await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    /// The next text frame, or the close frame that comes instead.
    pub(crate) async fn hear_or_close(&mut self) -> Result<String, (u16, String)> {
        match self.receive("a text frame or a close frame").await {
            Message::Text(text) => Ok(text.to_string()),
            Message::Close(frame) => Err(said(frame)),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    /// The next frame must be this text, to the byte.
    pub(crate) async fn hears(&mut self, frame: impl AsRef<str>) {
        assert_eq!(self.hear().await, frame.as_ref());
    }

    /// Sends a frame and gives back what comes next.
    pub(crate) async fn ask(&mut self, frame: impl Into<String>) -> String {
        self.say(frame).await;
        self.hear().await
    }

    /// Proves that nothing else was on its way here: what the server has done until now comes before this answer.
    pub(crate) async fn fence(&mut self) {
        assert_eq!(self.ask(r#"{"type":"ping","ref":"fence"}"#).await, r#"{"type":"ack","ref":"fence"}"#);
    }

    /// … but for so many messages.
    pub(crate) async fn fence_after(&mut self, messages: usize) {
        for _ in 0..messages {
            self.hear().await;
        }
        self.fence().await;
    }

    /// Enters a room, and gives back who is there already, in alphabetical order.
    pub(crate) async fn join(&mut self, room: &str) -> Vec<String> {
        let joined: Value = serde_json::from_str(&self.ask(join(room)).await).expect("JSON");
        assert_eq!((&joined["type"], &joined["room"]), (&"joined".into(), &room.into()));
        let peers = joined["peers"].as_array().expect("a roster").iter();
        let mut peers: Vec<_> = peers.map(|id| id.as_str().expect("an id").to_owned()).collect();
        peers.sort_unstable();
        peers
    }

    /// Fills the queue of a peer that does not read, until not even an empty message has room. That this is so a hundred
    /// times in a row means that its connection has nothing left to do but wait for it.
    pub(crate) async fn fill(&mut self, stalled: &str) {
        self.fill_with(stalled, "message").await;
    }

    /// The same, with messages of this kind.
    pub(crate) async fn fill_with(&mut self, stalled: &str, kind: &str) {
        let (mut size, mut refusals) = (60_000, 0);
        while refusals < 100 {
            let message = format!("\"{}\"", "x".repeat(size));
            let frame = format!(r#"{{"type":"{kind}","to":"{stalled}","{kind}":{message},"ref":"fill"}}"#);
            let answer = self.ask(frame).await;
            match (answer.contains(r#""code":"peer-busy""#), size) {
                (false, _) => refusals = 0,
                (true, 0) => refusals += 1,
                (true, _) => size /= 2,
            }
        }
    }

    /// Waits for the server's close frame, whatever comes before it.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.receive("a close frame").await {
                return said(frame);
            }
        }
    }

    /// The server's close frame, which must come next.
    pub(crate) async fn next_close(&mut self) -> (u16, String) {
        match self.receive("a close frame").await {
            Message::Close(frame) => said(frame),
            other => panic!("expected a close frame: {other:?}"),
        }
    }

    /// Closes with this code or without one, and waits until the server is through with the connection.
    pub(crate) async fn leave(mut self, code: Option<u16>) {
        let frame = code.map(|code| CloseFrame { code: code.into(), reason: "".into() });
        within("the close to be sent", self.socket.send(Message::Close(frame))).await.expect("the connection is open");
        self.ended().await;
    }

    /// Waits until the server is through with the connection.
    pub(crate) async fn ended(&mut self) {
        within("the connection's end", async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    async fn receive(&mut self, what: &str) -> Message {
        loop {
            let message = within(what, self.socket.next()).await;
            match message.unwrap_or_else(|| panic!("the connection ended before {what}")) {
                // tungstenite has answered it.
                Ok(Message::Ping(_)) => {}
                Ok(message) => {
                    self.received += u64::from(message.is_text());
                    return message;
                }
                Err(error) => panic!("{error} before {what}"),
            }
        }
    }
}

fn said(frame: Option<CloseFrame>) -> (u16, String) {
    let CloseFrame { code, reason } = frame.expect("a close by the server has a code");
    (code.into(), reason.to_string())
}

/// The peer's address, from its welcome.
pub(crate) fn id_of(welcome: &str) -> String {
    field(welcome, "id").as_str().expect("an id").to_owned()
}

/// The token for its session, from its welcome.
pub(crate) fn token_of(welcome: &str) -> String {
    field(welcome, "resume").as_str().expect("a token").to_owned()
}

/// A field of a frame.
pub(crate) fn field(frame: &str, name: &str) -> Value {
    let frame: Value = serde_json::from_str(frame).expect("JSON");
    frame[name].clone()
}

pub(crate) fn join(room: &str) -> String {
    format!(r#"{{"type":"join","room":"{room}"}}"#)
}

/// A message to a peer. `message` and `reference` are JSON.
pub(crate) fn message_to(to: &str, message: &str, reference: &str) -> String {
    format!(r#"{{"type":"message","to":"{to}","message":{message},"ref":{reference}}}"#)
}

/// What the addressee hears of it.
pub(crate) fn message_from(from: &str, message: &str) -> String {
    format!(r#"{{"type":"message","from":"{from}","message":{message}}}"#)
}

/// What is said of a peer whose session ended with unacknowledged messages.
pub(crate) fn undelivered(to: &str) -> String {
    let message = "the peer's session ended before it acknowledged what you sent; it may have arrived or not";
    format!(r#"{{"type":"error","code":"undelivered","message":"{message}","to":"{to}"}}"#)
}
