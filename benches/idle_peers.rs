//! What an idle peer costs in memory: `cargo bench --bench idle_peers [-- COUNT]`.
//!
//! Starts the program, opens COUNT (1,000) WebSockets over TLS, and compares the process's resident memory before, with
//! all of them idle, and after every two have exchanged a whole call's signaling (offer, answer, 20 candidates each
//! way). Prints KiB per peer.

mod lab;

use futures_util::{SinkExt as _, StreamExt as _};
use lab::{Program, connector};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

const OFFER_BYTES: usize = 2500;
const CANDIDATE_BYTES: usize = 250;
const CANDIDATES: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    let server = Program::start(&[] as &[&str]);
    let connector = connector();
    // The first connection pays for what all share.
    drop(Peer::connect(&server, &connector).await);

    let before = server.resident_kib();
    let mut peers = Vec::with_capacity(count);
    for _ in 0..count {
        peers.push(Peer::connect(&server, &connector).await);
    }
    let idle = server.resident_kib();
    for pair in peers.chunks_exact_mut(2) {
        let [caller, other] = pair else { unreachable!("chunks of two") };
        call(caller, other).await;
    }
    let called = server.resident_kib();

    #[expect(clippy::cast_precision_loss, reason = "memory in KiB fits")]
    let per_peer = |kib: usize| kib.saturating_sub(before) as f64 / count as f64;
    println!("{count} idle TLS peers: {:.1} KiB each, {:.1} KiB after a call", per_peer(idle), per_peer(called));
}

struct Peer {
    id: String,
    socket: Socket,
}

impl Peer {
    async fn connect(server: &Program, connector: &TlsConnector) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.expect("the server accepts");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = connector.connect(name, tcp).await.expect("the server speaks TLS");
        let url = format!("wss://localhost:{}/ws", server.port);
        let (mut socket, _) = tokio_tungstenite::client_async(url, tls).await.expect("a WebSocket");
        let welcome = receive(&mut socket).await;
        Self { id: welcome["id"].as_str().expect("an id").to_owned(), socket }
    }

    async fn say(&mut self, to: &str, kind: &str, bytes: usize) {
        let mut message = json!({ "type": kind, "to": to });
        message[kind] = "x".repeat(bytes).into();
        self.socket.send(Message::text(message.to_string())).await.expect("the server listens");
    }
}

async fn call(caller: &mut Peer, other: &mut Peer) {
    let (caller_id, other_id) = (caller.id.clone(), other.id.clone());
    caller.say(&other_id, "offer", OFFER_BYTES).await;
    receive(&mut other.socket).await;
    other.say(&caller_id, "answer", OFFER_BYTES).await;
    receive(&mut caller.socket).await;
    for _ in 0..CANDIDATES {
        caller.say(&other_id, "candidate", CANDIDATE_BYTES).await;
        other.say(&caller_id, "candidate", CANDIDATE_BYTES).await;
        receive(&mut caller.socket).await;
        receive(&mut other.socket).await;
    }
}

async fn receive(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("the connection is open").expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}
