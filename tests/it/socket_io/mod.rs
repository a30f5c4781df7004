//! Clients of socket.io: Engine.IO's sessions over polling and over WebSockets, and the tutorial's events in them.
//!
//! Here are the clients, which do what the tests say and nothing by themselves; every other module is the tests of one
//! subject.

mod attack;
mod cors;
mod credentials;
mod drain;
mod example;
mod heartbeat;
mod memory;
mod opening;
mod polling;
mod signaling;
mod upgrade;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::{Answer, exchange, read_head};
use crate::server::{Server, Site};
use crate::within;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

const UNKNOWN_SID: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// What comes back where nothing else is said: a namespace that is not there.
const FENCE: &str = r#"44/fence,{"message":"Invalid namespace"}"#;

/// A server that speaks socket.io.
fn start(flags: &[&str]) -> Server {
    Server::start(&[&["--dialect=socket.io"], flags].concat())
}

/// A session over polling. Each request has a connection of its own.
struct Polling {
    site: Site,
    path: String,
    /// Packets that came and have not been looked at.
    heard: Vec<String>,
}

/// A poll that waits for its answer.
struct Poll(TlsStream<TcpStream>);

impl Poll {
    async fn answer(mut self) -> Answer {
        let head = within("a poll's answer", read_head(&mut self.0)).await.expect("an answer");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a length")];
        within("a poll's body", self.0.read_exact(&mut body)).await.expect("a body");
        let mut answer = Answer::of(&head);
        answer.body = body;
        answer
    }

    async fn packets(self) -> String {
        text(&self.answer().await)
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("text")
}

/// The part of a packet between these.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).expect("an end").0
}

impl Polling {
    /// A session in which nothing was said.
    async fn open(site: &Site) -> Self {
        let answer = site.get(POLLING).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self::opened(site, &text(&answer))
    }

    fn opened(site: &Site, packet: &str) -> Self {
        let sid = between(packet, r#"0{"sid":""#, "\"");
        Self { site: site.clone(), path: format!("{POLLING}&sid={sid}"), heard: Vec::new() }
    }

    /// A peer, and its id.
    async fn connect(site: &Site) -> (Self, String) {
        let mut polling = Self::open(site).await;
        assert_eq!(polling.post("40").await.status, 200);
        let id = between(&polling.hear().await, r#"40{"sid":""#, "\"").to_owned();
        assert_eq!(polling.hear().await, format!(r#"42["newUser","Coucou user :  {id}"]"#));
        (polling, id)
    }

    /// Sends a poll.
    async fn poll(&self) -> Poll {
        let mut tls = self.site.tls().await;
        tls.write_all(self.site.head("GET", &self.path, &[]).as_bytes()).await.expect("the server reads");
        tls.flush().await.expect("the server reads");
        Poll(tls)
    }

    /// A poll that waits at its session: from then on its connection is none of those without an answer.
    async fn waits(&self, server: &Server) -> Poll {
        let poll = self.poll().await;
        arrived(server).await;
        poll
    }

    /// A poll and its whole answer.
    async fn polled(&self) -> Answer {
        self.poll().await.answer().await
    }

    async fn post(&self, body: &str) -> Answer {
        self.post_with(body, &[]).await
    }

    async fn post_with(&self, body: &str, headers: &[&str]) -> Answer {
        let request = self.post_request(body, headers);
        exchange(&mut self.site.tls().await, &request).await
    }

    fn post_request(&self, body: &str, headers: &[&str]) -> String {
        let length = format!("Content-Length: {}", body.len());
        let head = self.site.head("POST", &self.path, &[&[&*length], headers].concat());
        format!("{head}{body}")
    }

    /// The next packet.
    async fn hear(&mut self) -> String {
        if self.heard.is_empty() {
            let answer = self.polled().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            self.heard = text(&answer).split('\u{1e}').map(str::to_owned).collect();
        }
        self.heard.remove(0)
    }

    async fn hears(&mut self, packet: &str) {
        assert_eq!(self.hear().await, packet);
    }

    async fn says(&self, packet: &str) {
        let answer = self.post(packet).await;
        assert_eq!((answer.status, &*text(&answer)), (200, "ok"));
    }

    /// The session is not there any more.
    async fn is_gone(&self) {
        let answer = self.polled().await;
        assert_eq!((answer.status, &*text(&answer)), (400, UNKNOWN_SID));
    }
}

/// A session over a WebSocket, or a WebSocket that is to become one.
struct Socket(WebSocketStream<TlsStream<TcpStream>>);

impl Socket {
    async fn try_open(site: &Site, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        Self::try_over(site.tls().await, site, path, headers).await
    }

    async fn try_over(
        tls: TlsStream<TcpStream>,
        site: &Site,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = format!("wss://{}{path}", site.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, _) = within("the upgrade", Box::pin(client_async(request, tls))).await?;
        Ok(Self(socket))
    }

    async fn open(site: &Site, path: &str) -> Self {
        Self::try_open(site, path, &[]).await.expect("the server opens a WebSocket")
    }

    /// The status and the body that a WebSocket is refused with.
    async fn refused(site: &Site, path: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
        match Self::try_open(site, path, headers).await.map(drop) {
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), String::from_utf8(body).expect("text"))
            }
            other => panic!("{other:?}"),
        }
    }

    /// A session in which nothing was said.
    async fn begin(site: &Site) -> Self {
        Self::open(site, WEBSOCKET).await.opened().await
    }

    /// A peer, and its id.
    async fn connect(site: &Site) -> (Self, String) {
        Self::begin(site).await.connected().await
    }

    /// One whose receive buffer is soon full.
    async fn narrow(site: &Site) -> (Self, String) {
        let socket = Self::try_over(site.narrow_tls().await, site, WEBSOCKET, &[]).await;
        socket.expect("the server opens a WebSocket").opened().await.connected().await
    }

    async fn opened(mut self) -> Self {
        let open = self.hear().await;
        assert!(open.starts_with("0{"), "{open}");
        self
    }

    async fn connected(mut self) -> (Self, String) {
        self.says("40").await;
        let id = self.is_greeted().await;
        (self, id)
    }

    async fn is_greeted(&mut self) -> String {
        let id = between(&self.hear().await, r#"40{"sid":""#, "\"").to_owned();
        self.hears(&format!(r#"42["newUser","Coucou user :  {id}"]"#)).await;
        id
    }

    async fn says(&mut self, frame: &str) {
        within("the frame to be sent", self.0.send(Message::text(frame))).await.expect("the connection is open");
    }

    async fn hear(&mut self) -> String {
        match within("a frame", self.0.next()).await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    async fn hears(&mut self, frame: &str) {
        assert_eq!(self.hear().await, frame);
    }

    /// Proves that nothing else was on its way here.
    async fn fence(&mut self) {
        self.says("40/fence").await;
        self.hears(FENCE).await;
    }

    /// The next frame, or the code of the close frame that comes instead.
    async fn hear_or_closed(&mut self) -> Result<String, Option<u16>> {
        match within("a frame", self.0.next()).await {
            Some(Ok(Message::Text(text))) => Ok(text.to_string()),
            Some(Ok(Message::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
            other => panic!("expected a frame: {other:?}"),
        }
    }

    /// The code of the close frame that comes next, if it has one.
    async fn closed(&mut self) -> Option<u16> {
        match within("a close frame", self.0.next()).await {
            Some(Ok(Message::Close(frame))) => frame.map(|frame| frame.code.into()),
            other => panic!("expected a close frame: {other:?}"),
        }
    }
}

/// With which a client can be stuck in the middle of one message.
const LARGE: [&str; 4] =
    ["--max-message-bytes=16777216", "--mailbox-bytes=33554432", "--messages-per-second=0", "--bytes-per-second=0"];

/// More than the system keeps between two sockets.
fn large() -> String {
    format!("\"{}\"", "x".repeat(12 << 20))
}

/// Waits until each request has come to its session.
async fn arrived(server: &Server) {
    let arrives = async {
        while server.pending.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("the requests to arrive", arrives).await;
}

/// Waits until there are so many peers.
async fn remain(server: &Server, peers: usize) {
    let remain = async {
        while server.hub.peers() != peers {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("{peers} peers to remain"), remain).await;
}

/// An event of the tutorial's, for one peer.
fn call(kind: &str, payload: &str, to: &str) -> String {
    format!(r#"42["{kind}",{{"{kind}":{payload},"to":"{to}"}}]"#)
}

/// What that peer hears of it.
fn called(kind: &str, payload: &str, from: &str) -> String {
    format!(r#"42["{kind}",{{"{kind}":{payload},"from":"{from}"}}]"#)
}
