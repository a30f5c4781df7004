//! A client of any of the servers, with one partner that it talks to.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::message::{Kind, Stamp, now};
use crate::rival::{Frame, Rival};
use crate::site::Site;

/// How long a message may take; after that it counts as lost.
pub(crate) const LOST: Duration = Duration::from_mins(1);

/// Thousands of peers are in this process.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// The system has 28,000 ports for each address. It finds half of them at once, and has to search for the others, which
/// would slow this program down.
const PEERS_PER_ADDRESS: u32 = 4096;

/// TLS, or TCP where the server has none.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Each frame is a TLS record of its own, as browsers send them; frames that are sent together leave in one write.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// A client that is connected.
pub(crate) struct Peer {
    rival: &'static dyn Rival,
    socket: Socket,
    me: Contact,
    partner: Option<Contact>,
    heard: u64,
}

/// A peer's number and id, and how many messages it has sent.
#[derive(Clone)]
struct Contact {
    number: u32,
    id: Arc<str>,
    /// Messages to its partner.
    sent: Arc<AtomicU64>,
}

impl Peer {
    /// Messages in one turn of the flood: tens of microseconds of a core, so that the other peers of this program do not wait.
    const FLOOD: usize = 8;

    /// Connects as the peer with this number, which is unique on that server. Returns once the server has sent its id.
    pub(crate) async fn connect(site: &Site, number: u32) -> Self {
        let (socket, id) = open(site, number).await;
        let me = Contact { number, id: id.into(), sent: Arc::default() };
        Self { rival: site.rival, socket, me, partner: None, heard: 0 }
    }

    /// The number that it connected with.
    pub(crate) fn number(&self) -> u32 {
        self.me.number
    }

    /// Makes two of them partners.
    pub(crate) async fn introduce(&mut self, other: &mut Self) {
        if let Some(invitation) = self.rival.invite(&other.me.id) {
            self.socket.send(Message::text(invitation)).await.expect("the server listens");
            self.begin_session().await;
            other.begin_session().await;
        }
        self.partner = Some(other.me.clone());
        other.partner = Some(self.me.clone());
    }

    async fn begin_session(&mut self) {
        let frame = timeout(LOST, self.socket.next()).await.expect("a session begins").expect("an open connection");
        let frame = frame.expect("a frame");
        let text = frame.to_text().expect("a text");
        let Frame::Session(session) = self.rival.decode(text) else { panic!("{} says {text}", self.rival.name()) };
        self.me.id = session.into();
    }

    fn partner(&self) -> &Contact {
        self.partner.as_ref().expect("it was introduced")
    }

    /// The number of messages that this peer has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.me.sent.load(Ordering::Relaxed)
    }

    /// Whether this peer has received all that its partner has sent.
    pub(crate) fn has_heard_all(&self) -> bool {
        self.heard == self.partner().sent.load(Ordering::Relaxed)
    }

    /// Puts a message to the partner, due at this time, into the next write.
    pub(crate) async fn say(&mut self, kind: Kind, at: u64) {
        // Counted before the first byte can leave: the partner may ask as soon as it has it.
        let number = self.me.sent.fetch_add(1, Ordering::Relaxed);
        let partner = self.partner();
        let payload = kind.payload(Stamp { from: self.me.number, to: partner.number, number, at });
        let frame = self.rival.encode(&self.me.id, &partner.id, kind, &payload);
        self.socket.feed(Message::text(frame)).await.expect("the server listens");
    }

    /// The next message of busy peers.
    pub(crate) async fn say_next(&mut self) {
        self.say(Kind::of(self.sent()), now()).await;
    }

    /// Writes the messages that were put.
    pub(crate) async fn flush(&mut self) {
        self.socket.flush().await.expect("the server listens");
    }

    /// Receives the next message from the partner, and verifies it. Returns how long it took, in nanoseconds. Cancel safe.
    pub(crate) async fn hear(&mut self) -> u64 {
        loop {
            let frame = self.socket.next().await.expect("the connection is open").expect("a frame");
            // Before the verification, whose time is not the server's.
            let heard = now();
            let Message::Text(text) = frame else { continue };
            match self.rival.decode(&text) {
                Frame::Relayed { from, payload } => return heard - self.verify(from, payload).at,
                // The answer is written by this flush, or by the next one.
                Frame::Ask(answer) => self.socket.send(Message::text(answer)).await.expect("the server listens"),
                Frame::Other => {}
                Frame::Named(_) | Frame::Welcome(_) | Frame::Session(_) | Frame::Refused => {
                    panic!("{} says {text}", self.rival.name())
                }
            }
        }
    }

    /// The next message, if it is here already.
    pub(crate) fn try_hear(&mut self) -> Option<u64> {
        self.hear().now_or_never()
    }

    /// Receives messages until there were so many.
    pub(crate) async fn hear_many(&mut self, count: u64) {
        let heard = async {
            for _ in 0..count {
                self.hear().await;
            }
        };
        timeout(LOST, heard).await.expect("all that was said arrives");
    }

    fn verify(&mut self, from: &str, payload: &str) -> Stamp {
        let stamp = Stamp::read(payload).expect("a payload of ours");
        let partner = self.partner.as_ref().expect("it was introduced");
        let expected = Stamp { from: partner.number, to: self.me.number, number: self.heard, at: stamp.at };
        assert_eq!(stamp, expected, "{}: the next message of its partner, for itself", self.rival.name());
        assert_eq!(from, &*partner.id, "{}: the sender as the server says it", self.rival.name());
        self.heard += 1;
        stamp
    }

    /// Writes [`Self::FLOOD`] candidates, which are not counted, and discards what it receives meanwhile. Returns whether the
    /// connection is still open.
    pub(crate) async fn flood(&mut self) -> bool {
        let partner = self.partner();
        let stamp = Stamp { from: self.me.number, to: partner.number, number: 0, at: 0 };
        let frame = self.rival.encode(&self.me.id, &partner.id, Kind::Candidate, &Kind::Candidate.payload(stamp));
        for _ in 0..Self::FLOOD {
            // One message is a small part of what the socket's buffer takes.
            if self.socket.feed(Message::text(frame.clone())).await.is_err() {
                return false;
            }
        }
        // Reads while it writes: a server may stop reading until its answers are read.
        poll_fn(|cx| {
            while let Poll::Ready(answer) = self.socket.poll_next_unpin(cx) {
                if !matches!(answer, Some(Ok(_))) {
                    return Poll::Ready(false);
                }
            }
            self.socket.poll_flush_unpin(cx).map(|written| written.is_ok())
        })
        .await
    }

    /// Asks for something in our own protocol, and waits for the frame that has these words.
    pub(crate) async fn ask(&mut self, frame: String, words: &str) {
        self.socket.send(Message::text(frame)).await.expect("the server listens");
        let answered = async {
            loop {
                let frame = self.socket.next().await.expect("the connection is open").expect("a frame");
                if frame.to_text().is_ok_and(|text| text.contains(words)) {
                    return;
                }
            }
        };
        timeout(LOST, answered).await.expect("an answer");
    }

    /// Sends a close frame, and waits for the server's.
    pub(crate) async fn close(self) {
        close(self.socket).await;
    }
}

/// A WebSocket of its own on that server, and the id that it has there.
pub(crate) async fn open(site: &Site, number: u32) -> (Socket, String) {
    let from = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number / PEERS_PER_ADDRESS);
    let tcp = TcpSocket::new_v4().expect("a socket");
    tcp.bind((from, 0).into()).expect("all of 127.0.0.0/8 is ours");
    let tcp = tcp.connect((Ipv4Addr::LOCALHOST, site.port).into()).await.expect("the server accepts");
    tcp.set_nodelay(true).expect("a socket");
    let tcp = BufWriter::new(tcp);
    let (scheme, stream): (_, Box<dyn Stream>) = if site.rival.has_tls() {
        let name = ServerName::try_from("localhost").expect("a name");
        ("wss", Box::new(site.connector.connect(name, tcp).await.expect("the server speaks TLS 1.3")))
    } else {
        ("ws", Box::new(tcp))
    };
    let url = format!("{scheme}://localhost:{}{}", site.port, site.rival.path(number));
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
    let opened = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
    let (mut socket, _) = opened.expect("a WebSocket");
    for frame in site.rival.opening(number) {
        socket.send(Message::text(frame)).await.expect("the server listens");
    }
    let id = greet(site.rival, &mut socket).await.unwrap_or_else(|| number.to_string());
    (socket, id)
}

/// Sends a close frame, and waits for the server's.
pub(crate) async fn close(mut socket: Socket) {
    let closing = async {
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    timeout(LOST, closing).await.expect("the server says goodbye");
}

/// Waits for the server's greeting, and returns the id in it. None: the id that the client asked for.
async fn greet(rival: &dyn Rival, socket: &mut Socket) -> Option<String> {
    let mut name = None;
    loop {
        let frame = socket.next().await.expect("the connection is open").expect("a frame");
        let Message::Text(text) = frame else { continue };
        match rival.decode(&text) {
            Frame::Named(id) => name = Some(id.to_owned()),
            Frame::Welcome(id) => return id.map(str::to_owned).or(name),
            Frame::Ask(answer) => socket.send(Message::text(answer)).await.expect("the server listens"),
            other => panic!("{} greets with {other:?}", rival.name()),
        }
    }
}
