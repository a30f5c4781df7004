//! An echo over Engine.IO 4 or Socket.IO 5, for suites that try the protocols themselves: the server's own codec and sessions,
//! with another application.
//!
//! Each setting that a suite needs is a flag:
//!
//! ```text
//! cargo run --example engine_io_echo -- --path /engine.io/ --ping-interval 300 --ping-timeout 200
//! cargo run --example engine_io_echo -- --socket-io --namespace /custom --ping-interval 300 --ping-timeout 200 \
//!     --connect-timeout 1000
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use clap::Parser;
use entremise::cli::Cli;
use entremise::config::Config;
use entremise::connection::held::{Application, Sign};
use entremise::dialect::socketio::engine;
use entremise::dialect::socketio::message::{self, Body, Event, Head, Name, Packet};
use entremise::dialect::socketio::namespace::{Namespaces, Offered, Verdict, Whole};
use entremise::dialect::socketio::packet::{Message, Outgoing};
use entremise::dialect::socketio::sid::Sid;
use entremise::http::Mount;
use entremise::protocol::End;
use entremise::server::Server;

/// Packets that may wait until a client is read no further.
const MAX_WAITING: usize = 64;

/// An echo over Engine.IO 4 or Socket.IO 5. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, Parser)]
struct Flags {
    /// Speak Socket.IO, and not Engine.IO alone
    #[arg(long)]
    socket_io: bool,
    /// The port of 127.0.0.1
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The one path, with its slash; by default /engine.io/ or /socket.io/
    #[arg(long)]
    path: Option<String>,
    #[arg(long, default_value_t = 25_000)]
    ping_interval: u64,
    #[arg(long, default_value_t = 20_000)]
    ping_timeout: u64,
    #[arg(long, default_value_t = 10_000)]
    upgrade_timeout: u64,
    /// How long a client may take to its CONNECT; 0: for ever
    #[arg(long, default_value_t = 45_000)]
    connect_timeout: u64,
    #[arg(long, default_value_t = 1_000_000)]
    max_payload: usize,
    /// Namespaces besides the main one (repeatable)
    #[arg(long)]
    namespace: Vec<String>,
    /// Attachments of one packet
    #[arg(long, default_value_t = 10)]
    max_attachments: usize,
    /// Origins of pages that may read the answers (repeatable)
    #[arg(long, default_value = "*")]
    allow_origin: Vec<String>,
}

impl Flags {
    fn engine(&self) -> engine::Config {
        let connect_timeout = (self.socket_io && self.connect_timeout > 0).then_some(self.connect_timeout);
        engine::Config {
            ping_interval: Duration::from_millis(self.ping_interval),
            ping_timeout: Duration::from_millis(self.ping_timeout),
            upgrade_timeout: Duration::from_millis(self.upgrade_timeout),
            connect_timeout: connect_timeout.map(Duration::from_millis),
            max_payload: self.max_payload,
            max_pending_bytes: self.max_payload,
            ..engine::Config::default()
        }
    }

    fn mount(&self) -> Mount {
        let path = self.path.as_deref().unwrap_or(if self.socket_io { "/socket.io/" } else { "/engine.io/" });
        if !self.socket_io {
            return Mount::engine_io(path, self.engine(), Echo::default);
        }
        let offered = Arc::new(Offered {
            namespaces: self.namespace.clone(),
            max_attachments: self.max_attachments,
            max_binary_bytes: self.max_payload,
        });
        Mount::engine_io(path, self.engine(), move || Talk::new(Arc::clone(&offered)))
    }

    /// A server in plain text without limits on how many may connect: suites open many connections.
    fn config(&self) -> Config {
        let listen = format!("--listen=127.0.0.1:{}", self.port);
        let own = [
            "entremise",
            &listen,
            "--plain-http",
            "--stun-port=0",
            "--max-connections-per-address=0",
            "--connections-per-second=0",
            "--max-handshakes-per-address=0",
        ];
        let origins = self.allow_origin.iter().map(|origin| format!("--allow-origin={origin}"));
        let cli = Cli::parse_from(own.into_iter().map(str::to_owned).chain(origins));
        let mut config = Config::from_cli(&cli).unwrap_or_else(|error| panic!("{error}"));
        config.http.mounts.push(self.mount());
        config
    }
}

/// Packets on their way to a client.
#[derive(Default)]
struct Queue {
    packets: VecDeque<Outgoing>,
    reader: Option<Waker>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.packets.len() < MAX_WAITING
    }

    fn push(&mut self, packet: Outgoing) {
        self.packets.push_back(packet);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        if let Some(packet) = self.packets.pop_front() {
            return Poll::Ready(packet);
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Says back each message.
#[derive(Default)]
struct Echo(Queue);

impl Application for Echo {
    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn hear(&mut self, message: Message<'_>, _: usize, _: Instant) -> Result<(), End> {
        self.0.push(match message {
            Message::Text(text) => Outgoing::message(text),
            Message::Binary(bytes) => Outgoing::Binary(bytes.into_owned()),
        });
        Ok(())
    }

    fn notice(&mut self, _: Sign, _: usize, _: Instant) -> Result<(), End> {
        Ok(())
    }

    fn is_connected(&self) -> bool {
        true
    }

    fn try_next(&mut self) -> Option<Outgoing> {
        self.0.packets.pop_front()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.0.poll(cx)
    }

    fn written(&mut self) {}

    fn expires(&self) -> Option<Instant> {
        None
    }

    fn end(&mut self, _: &'static str) {}
}

/// Says what a client's CONNECT came with as `auth`, `message` as `message-back`, and `message-with-ack` in the
/// acknowledgement.
struct Talk {
    namespaces: Namespaces,
    has_connected: bool,
    queue: Queue,
}

impl Talk {
    fn new(offered: Arc<Offered>) -> Self {
        Self { namespaces: Namespaces::new(offered), has_connected: false, queue: Queue::default() }
    }

    fn connect(&mut self, namespace: &str, auth: &str) {
        self.namespaces.join(namespace);
        self.has_connected = true;
        self.queue.push(message::connected(namespace, &Sid::random().to_string()));
        let head = Head { namespace, ..Head::default() };
        self.queue.push(head.event(&format!(r#"["auth",{auth}]"#)));
    }

    fn answer(&mut self, packet: &Packet<'_>, attachments: Vec<Vec<u8>>) {
        let Body::Event(Event { name: Name::Text(name), arguments, .. }) = &packet.body else { return };
        let head = Head { namespace: packet.namespace, ack: packet.ack, attachments: attachments.len() };
        self.queue.push(match &**name {
            "message" => Head { ack: None, ..head }.event(&format!(r#"["message-back"{arguments}]"#)),
            "message-with-ack" => head.acknowledgement(&format!("[{}]", arguments.trim_start_matches(','))),
            _ => return,
        });
        for attachment in attachments {
            self.queue.push(Outgoing::Binary(attachment));
        }
    }
}

impl Application for Talk {
    fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    fn hear(&mut self, message: Message<'_>, _: usize, _: Instant) -> Result<(), End> {
        match self.namespaces.judge(message) {
            Verdict::Connect { namespace, auth } => self.connect(namespace, auth.map_or("{}", |auth| auth.get())),
            Verdict::Said(packet) => self.answer(&packet, Vec::new()),
            Verdict::SaidBinary(Whole { text, attachments }) => {
                let packet = Packet::decode(&text).expect("it was read before");
                self.answer(&packet, attachments);
            }
            Verdict::Answer(packet) => self.queue.push(packet),
            Verdict::Left(_) | Verdict::Wait => {}
            Verdict::Close => return Err(End::ProtocolError),
        }
        Ok(())
    }

    fn notice(&mut self, _: Sign, _: usize, _: Instant) -> Result<(), End> {
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.has_connected
    }

    fn try_next(&mut self) -> Option<Outgoing> {
        self.queue.packets.pop_front()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.queue.poll(cx)
    }

    fn written(&mut self) {}

    fn expires(&self) -> Option<Instant> {
        None
    }

    fn end(&mut self, _: &'static str) {}
}

#[tokio::main]
async fn main() {
    let server = Server::bind(Flags::parse().config()).unwrap_or_else(|error| panic!("{error}"));
    println!("http://{}", server.address());
    server.run(std::future::pending()).await.expect("the listener works");
}
