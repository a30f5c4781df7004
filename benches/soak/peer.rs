//! A client that follows the protocol exactly, and loses its connection all the time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::ledger::{Count, Ledger};

pub(crate) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// How to reach the server, or the nodes of one, and the ledger.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) ports: Arc<Ports>,
    pub(crate) connector: TlsConnector,
    pub(crate) ledger: Arc<Ledger>,
}

/// Those of all nodes, each in its turn.
pub(crate) struct Ports {
    all: Mutex<Vec<u16>>,
    turn: AtomicUsize,
}

impl Ports {
    pub(crate) fn new(all: Vec<u16>) -> Arc<Self> {
        Arc::new(Self { all: Mutex::new(all), turn: AtomicUsize::new(0) })
    }

    pub(crate) fn next(&self) -> u16 {
        let all = self.all.lock().expect("no thread panics while it holds the lock");
        all[self.turn.fetch_add(1, Ordering::Relaxed) % all.len()]
    }

    /// A node is another one from now on.
    pub(crate) fn set(&self, node: usize, port: u16) {
        self.all.lock().expect("no thread panics while it holds the lock")[node] = port;
    }
}

impl Site {
    pub(crate) async fn tls(&self) -> io::Result<TlsStream<TcpStream>> {
        self.shake_hands(TcpStream::connect(("127.0.0.1", self.ports.next())).await?).await
    }

    async fn shake_hands(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(ServerName::try_from("localhost").expect("a name"), tcp).await
    }

    /// A WebSocket that offers these protocols, or none.
    pub(crate) async fn open(&self, protocols: &str) -> Result<Socket, Error> {
        self.upgrade(self.tls().await?, protocols).await
    }

    /// A WebSocket whose receive buffer is small.
    pub(crate) async fn open_narrow(&self) -> Result<Socket, Error> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let tcp = socket.connect(([127, 0, 0, 1], self.ports.next()).into()).await?;
        self.upgrade(self.shake_hands(tcp).await?, "").await
    }

    async fn upgrade(&self, tls: TlsStream<TcpStream>, protocols: &str) -> Result<Socket, Error> {
        let mut request = "wss://localhost/ws".into_client_request()?;
        if !protocols.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a header"));
        }
        // Boxed: tungstenite's handshake is 20 KB of future.
        let (socket, _) = Box::pin(tokio_tungstenite::client_async(request, tls)).await?;
        Ok(socket)
    }
}

/// A message of which it is not known yet that the server has processed it.
struct Sent {
    number: u64,
    frame: String,
}

/// One session, over however many connections.
pub(crate) struct Peer {
    site: Site,
    socket: Socket,
    pub(crate) id: String,
    token: String,
    received: u64,
    acknowledged: u64,
    sent: u64,
    unprocessed: VecDeque<Sent>,
    /// Requests without an answer so far: the `ref`, and the addressee with the message's number.
    asked: HashMap<u64, Option<(String, u64)>>,
    last_ref: u64,
    /// The last number that came from each peer of a room.
    rooms: HashMap<(String, String), u64>,
    /// Who is in its rooms besides.
    pub(crate) roster: HashMap<String, BTreeSet<String>>,
    /// Peers whose sessions ended before they acknowledged what this peer sent.
    pub(crate) undelivered: Vec<String>,
}

impl Peer {
    pub(crate) async fn connect(site: &Site) -> Result<Self, Error> {
        let mut socket = site.open("entremise.v1").await?;
        let welcome = text(&mut socket).await?;
        Ok(Self {
            site: site.clone(),
            socket,
            id: string(&welcome["id"]),
            token: string(&welcome["resume"]),
            received: 0,
            acknowledged: 0,
            sent: 0,
            unprocessed: VecDeque::new(),
            asked: HashMap::new(),
            last_ref: 0,
            rooms: HashMap::new(),
            roster: HashMap::new(),
            undelivered: Vec::new(),
        })
    }

    /// A numbered message for one peer.
    pub(crate) async fn message(&mut self, to: &str, bytes: usize) {
        let number = self.site.ledger.send(&self.id, to);
        let message = json!({ "n": number, "fill": "x".repeat(bytes) });
        self.ask(json!({ "type": "message", "to": to, "message": message }), Some((to.to_owned(), number))).await;
    }

    /// A numbered message for all of a room.
    pub(crate) async fn room_message(&mut self, room: &str, number: u64) {
        let message = json!({ "n": number });
        self.ask(json!({ "type": "message", "room": room, "message": message }), None).await;
    }

    /// A message that need not arrive.
    pub(crate) async fn tell(&mut self, to: &str) {
        self.ask(json!({ "type": "message", "to": to, "message": 0 }), None).await;
    }

    /// Enters or leaves a room.
    pub(crate) async fn go(&mut self, kind: &str, room: &str) {
        self.ask(json!({ "type": kind, "room": room }), None).await;
    }

    async fn ask(&mut self, mut message: Value, to: Option<(String, u64)>) {
        self.last_ref += 1;
        message["ref"] = self.last_ref.into();
        self.asked.insert(self.last_ref, to);
        self.say(message.to_string()).await;
    }

    async fn say(&mut self, frame: String) {
        self.sent += 1;
        self.unprocessed.push_back(Sent { number: self.sent, frame: frame.clone() });
        // A cut connection is noticed where it is read.
        let _ = timeout(Duration::from_secs(1), self.socket.send(Message::text(frame))).await;
    }

    /// Receives frames until there is a pause of this length. When the connection is cut, the session is resumed.
    pub(crate) async fn listen(&mut self, pause: Duration) {
        loop {
            match timeout(pause, self.socket.next()).await {
                Err(_) => break,
                Ok(Some(Ok(Message::Text(frame)))) => self.hear(&frame).await,
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(_) => self.resume().await,
            }
        }
        self.acknowledge().await;
    }

    /// Receives frames until all requests are answered, or the deadline has passed.
    pub(crate) async fn settle(&mut self) {
        let settled = async {
            while !self.asked.is_empty() {
                self.listen(Duration::from_millis(100)).await;
            }
        };
        let _ = timeout(Duration::from_mins(1), settled).await;
    }

    /// Sends a ping.
    pub(crate) async fn ping(&mut self) {
        self.ask(json!({ "type": "ping" }), None).await;
    }

    async fn acknowledge(&mut self) {
        if self.received > self.acknowledged {
            self.acknowledged = self.received;
            self.say(json!({ "type": "received", "count": self.received }).to_string()).await;
        }
    }

    async fn hear(&mut self, frame: &str) {
        self.received += 1;
        let message: Value = serde_json::from_str(frame).expect("the server speaks JSON");
        self.look(&message);
        if let Some(answered) = message["ref"].as_u64() {
            self.answer(answered, &message);
        } else if message["code"] == "undelivered" {
            let to = string(&message["to"]);
            self.site.ledger.doubt(&self.id, Some(&to));
            self.undelivered.push(to);
        } else if message["type"] == "message" {
            self.take_in(&message);
        }
        if self.received - self.acknowledged >= 8 {
            self.acknowledge().await;
        }
    }

    /// Who comes and goes in its rooms.
    fn look(&mut self, message: &Value) {
        let Some(room) = message["room"].as_str() else { return };
        let peer = || string(&message["peer"]);
        match message["type"].as_str() {
            Some("joined") => {
                let peers = message["peers"].as_array().expect("a list").iter().map(string).collect();
                self.roster.insert(room.to_owned(), peers);
            }
            Some("left") => drop(self.roster.remove(room)),
            Some("peer-joined") => drop(self.roster.entry(room.to_owned()).or_default().insert(peer())),
            Some("peer-left") => drop(self.roster.entry(room.to_owned()).or_default().remove(&peer())),
            _ => {}
        }
    }

    fn answer(&mut self, answered: u64, answer: &Value) {
        // Answers come in the order of the requests: all that was sent before this one has been processed too.
        let index = self.unprocessed.iter().position(|sent| sent.frame.contains(&format!("\"ref\":{answered},")));
        self.unprocessed.drain(..index.map_or(0, |index| index + 1));
        match self.asked.remove(&answered) {
            Some(Some((to, number))) if answer["code"] == "cluster-unavailable" => {
                self.site.ledger.doubt_one(&self.id, &to, number);
            }
            Some(Some((to, number))) if answer["type"] == "error" => self.site.ledger.refuse(&self.id, &to, number),
            Some(_) => {}
            None => self.site.ledger.count(Count::Again),
        }
    }

    fn take_in(&mut self, message: &Value) {
        let (from, number) = (string(&message["from"]), message["message"]["n"].as_u64().expect("a number"));
        let ledger = &self.site.ledger;
        let Some(room) = message["room"].as_str() else { return ledger.arrive(&from, &self.id, number) };
        let last = self.rooms.entry((room.to_owned(), from)).or_default();
        ledger.count(if number > *last { Count::RoomMessages } else { Count::RoomsOutOfOrder });
        *last = number;
    }

    /// Cut by a reset.
    pub(crate) async fn reset(&mut self) {
        self.site.ledger.count(Count::Resets);
        let tcp = self.socket.get_ref().get_ref().0;
        let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        self.resume().await;
    }

    /// Cut by a network that drops packets without a reset: the server still has the old connection.
    pub(crate) async fn silence(&mut self) {
        self.site.ledger.count(Count::Silences);
        self.resume().await;
    }

    /// Cut, and cut again before the welcome.
    pub(crate) async fn lose_welcome(&mut self) {
        self.site.ledger.count(Count::LostWelcomes);
        let lost = self.site.open(&self.offer()).await;
        drop(lost);
        self.resume().await;
    }

    fn offer(&self) -> String {
        format!("entremise.v1, entremise.resume.{}.{}", self.token, self.received)
    }

    /// Resumes the session, with as many tries as it takes.
    pub(crate) async fn resume(&mut self) {
        loop {
            let opened = async {
                let mut socket = self.site.open(&self.offer()).await?;
                let welcome = text(&mut socket).await?;
                Ok::<_, Error>((socket, welcome))
            };
            match timeout(Duration::from_secs(10), opened).await {
                Ok(Ok((socket, welcome))) => return self.go_on(socket, &welcome).await,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn go_on(&mut self, socket: Socket, welcome: &Value) {
        self.socket = socket;
        self.token = string(&welcome["resume"]);
        if welcome["resumed"] != true {
            return self.begin_anew(welcome);
        }
        self.site.ledger.count(Count::Resumes);
        let accepted = welcome["accepted"].as_u64().expect("it is resumed");
        self.unprocessed.retain(|sent| sent.number > accepted);
        for sent in &self.unprocessed {
            let _ = timeout(Duration::from_secs(1), self.socket.send(Message::text(sent.frame.clone()))).await;
        }
    }

    /// Its node is gone, and all that was there. It has its id again, or the server has lost it.
    fn begin_anew(&mut self, welcome: &Value) {
        let is_its_own = welcome["id"] == *self.id;
        self.site.ledger.count(if is_its_own { Count::Revivals } else { Count::SessionsLost });
        self.site.ledger.doubt(&self.id, None);
        (self.received, self.acknowledged, self.sent) = (0, 0, 0);
        self.unprocessed.clear();
        self.asked.clear();
        self.roster.clear();
    }

    /// Closes the session.
    pub(crate) async fn close(mut self) {
        let _ = timeout(Duration::from_secs(2), self.socket.close(None)).await;
    }
}

/// The next text frame.
pub(crate) async fn text(socket: &mut Socket) -> Result<Value, Error> {
    loop {
        match socket.next().await.ok_or(Error::ConnectionClosed)?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text).expect("the server speaks JSON")),
            Message::Close(_) => return Err(Error::ConnectionClosed),
            _ => {}
        }
    }
}

pub(crate) fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
