//! Bytes that a server has on its heap for an idle peer over TLS, as its allocator counts them.
//!
//! The server is this program once more, so that only its own bytes are counted: it says how many there are whenever it
//! is asked, by a line on its standard input.

use std::future::pending;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use clap::Parser as _;
use entremise::cli::Cli;
use entremise::config::Config;
use entremise::server::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::ALLOCATOR;
use crate::trust::connector;

const PEERS: u64 = 200;
const DESCRIPTION_BYTES: usize = 2500;
const CANDIDATE_BYTES: usize = 250;
const CANDIDATES: usize = 20;

/// Prints its port, and then for each line that it reads how many bytes it has on its heap.
pub(crate) fn serve() {
    let flags = ["entremise", "--listen=127.0.0.1:0", "--stun-port=0"];
    let cli = Cli::try_parse_from(flags).expect("the flags are right");
    let config = Config::from_cli(&cli).expect("the settings fit each other");
    // The server never stops by itself: its process is killed.
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::bind(config).expect("the server starts");
            println!("{}", server.address().port());
            server.run(pending()).await.expect("the listener works");
        });
    });
    for _ in std::io::stdin().lines() {
        let stats = ALLOCATOR.stats();
        println!("{}", stats.bytes_allocated - stats.bytes_deallocated);
    }
}

/// Bytes for a fresh peer, and for one after a call: every two peers call each other.
pub(crate) fn per_peer() -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut server = Served::start();
        // The first call allocates what all peers share.
        let mut first = server.connect(2).await;
        call_all(&mut first).await;
        let before = server.bytes();
        let mut peers = server.connect(PEERS).await;
        let fresh = server.bytes() - before;
        call_all(&mut peers).await;
        let after_a_call = server.bytes() - before;
        (fresh / PEERS, after_a_call / PEERS)
    })
}

/// A server's process, killed when it is dropped.
struct Served {
    process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    port: u16,
    /// The folder of its certificate.
    _folder: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the certificate");
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .arg("serve")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let questions = process.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("it is a pipe")).lines();
        let mut server = Self { process, questions, answers, port: 0, _folder: folder };
        server.port = u16::try_from(server.answer()).expect("a port");
        server
    }

    fn bytes(&mut self) -> u64 {
        writeln!(self.questions).expect("it listens");
        self.answer()
    }

    fn answer(&mut self) -> u64 {
        let line = self.answers.next().expect("it runs").expect("a line");
        line.parse().expect("a number")
    }

    async fn connect(&self, count: u64) -> Vec<Peer> {
        let mut peers = Vec::new();
        for _ in 0..count {
            peers.push(Peer::connect(self.port).await);
        }
        peers
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Peer {
    id: String,
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Peer {
    async fn connect(port: u16) -> Self {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the server accepts");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = connector().connect(name, tcp).await.expect("the server speaks TLS");
        let url = format!("wss://localhost:{port}/ws");
        let (socket, _) = tokio_tungstenite::client_async(url, tls).await.expect("a WebSocket");
        let mut peer = Self { id: String::new(), socket };
        let welcome = peer.hear().await;
        peer.id = welcome["id"].as_str().expect("an id").to_owned();
        peer.settle().await;
        peer
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("the server listens");
    }

    async fn hear(&mut self) -> Value {
        loop {
            let frame = self.socket.next().await.expect("the connection is open").expect("a frame");
            if let Message::Text(text) = frame {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Waits until the server has written all that it had for this peer.
    async fn settle(&mut self) {
        self.say(json!({ "type": "ping", "ref": 1 })).await;
        self.hear().await;
    }

    async fn describe(&mut self, to: &str, kind: &str) {
        self.say(json!({ "type": kind, "to": to, kind: "x".repeat(DESCRIPTION_BYTES) })).await;
        for _ in 0..CANDIDATES {
            self.say(json!({ "type": "candidate", "to": to, "candidate": "x".repeat(CANDIDATE_BYTES) })).await;
        }
    }

    async fn hear_all(&mut self) {
        for _ in 0..=CANDIDATES {
            self.hear().await;
        }
    }
}

async fn call_all(peers: &mut [Peer]) {
    for pair in peers.chunks_exact_mut(2) {
        let [caller, other] = pair else { unreachable!("chunks of two") };
        caller.describe(&other.id, "offer").await;
        other.hear_all().await;
        other.describe(&caller.id, "answer").await;
        caller.hear_all().await;
        caller.settle().await;
        other.settle().await;
    }
}
