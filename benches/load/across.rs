//! What a message costs that goes from node to node, beside one within a node, and with more nodes: `make bench-cluster`.
//!
//! The nodes and a NATS server share one core, and the load has another. The same pairs talk, and enter and leave a room: both
//! partners on one node, and each on its own. NATS's time is shown apart.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::affinity::Core;
use crate::pair::Pair;
use crate::peer::Peer;
use crate::phase::{FEW_PAIRS, Plan, busy, idle, leave, paced, rooms};
use crate::rival::{Foreign, Node, PeerServer, YWebrtc};
use crate::server::{Server, cpu_of, free_port};
use crate::site::Site;

const ROUNDS: usize = 5;

/// How many nodes there are.
const SIZES: [usize; 3] = [2, 4, 8];

/// How long nodes may take to meet.
const START: Duration = Duration::from_secs(20);

/// How long nothing is done, and they are watched.
const QUIET: Duration = Duration::from_secs(3);

/// Clients that come and go to see what one costs in NATS.
const GUESTS: u32 = 200;

/// Those with a name, and those that hear a topic of their own.
const NAMED: &Foreign = &Foreign { original: &PeerServer, dialect: "peerjs", folder: "" };
const HEARERS: &Foreign = &Foreign { original: &YWebrtc, dialect: "y-webrtc", folder: "/y-webrtc" };

/// Figures of pairs.
#[derive(Clone, Copy)]
struct Figures {
    /// Messages per second of CPU time of all nodes together.
    relayed: f64,
    /// … and of NATS's.
    by_nats: f64,
    /// Bytes between nodes, for a message.
    bytes: f64,
    /// How often a room is entered per second of CPU time of all nodes together.
    entered: f64,
    /// … and bytes between nodes for that, and for leaving it.
    bytes_entered: f64,
    /// Bytes between nodes for a name, and for a topic that one hears, which comes and goes.
    bytes_named: f64,
    bytes_heard: f64,
    /// Subscriptions in NATS, and how many more there are with these clients and the pairs.
    subscriptions: f64,
    more_subscriptions: f64,
    p50: Duration,
    p99: Duration,
    /// CPU time per second of all nodes and of NATS while all is quiet.
    idle: f64,
}

/// A NATS server, until it is dropped.
struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nodes that are one service.
struct Service {
    nats: Nats,
    /// Where NATS says what it has.
    nats_monitor: u16,
    /// The first one counts the time of all.
    nodes: Vec<Server>,
    monitors: Vec<u16>,
}

impl Service {
    fn start(program: &str, pair: &Pair, core: Core, size: usize) -> Self {
        let (port, nats_monitor) = (free_port(), free_port());
        let mut command = Command::new(program);
        command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--http_port", &nats_monitor.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let nats = Nats(core.run(|| command.spawn()).expect("NATS starts"));
        let key = pair.key.with_file_name("cluster.key");
        std::fs::write(&key, "k".repeat(32)).expect("the folder is writable");
        let (mut nodes, mut monitors): (Vec<Server>, Vec<u16>) = (Vec::new(), Vec::new());
        for _ in 0..size {
            let monitor = free_port();
            let nats = format!("nats://127.0.0.1:{port}");
            // As long as the program: a few for each round.
            let node: &'static Node = Box::leak(Box::new(Node { nats, key: key.clone(), monitor }));
            nodes.push(Server::start(node, pair, core));
            monitors.push(monitor);
        }
        if let Some((first, others)) = nodes.split_first_mut() {
            for other in others.iter() {
                first.count(other);
            }
        }
        let service = Self { nats, nats_monitor, nodes, monitors };
        service.wait_until_all_meet();
        service
    }

    fn wait_until_all_meet(&self) {
        let (deadline, others) = (Instant::now() + START, self.nodes.len() - 1);
        let seen = format!("entremise_cluster_nodes {others}.0");
        while !self.monitors.iter().all(|monitor| metrics(*monitor).is_ok_and(|text| text.lines().any(|it| it == seen)))
        {
            assert!(Instant::now() < deadline, "the nodes meet within {START:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Bytes that nodes have sent to others.
    fn bytes(&self) -> f64 {
        let sent = |text: String| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(r#"entremise_cluster_bytes_total{what="sent"} "#));
            line.and_then(|value| value.parse::<f64>().ok()).expect("a metric")
        };
        self.monitors.iter().map(|monitor| sent(metrics(*monitor).expect("it answers"))).sum()
    }

    fn subscriptions(&self) -> f64 {
        let text = get(self.nats_monitor, "/varz").expect("NATS answers");
        let value = text.split("\"subscriptions\":").nth(1).and_then(|rest| rest.split([',', '\n']).next());
        value.and_then(|value| value.trim().parse().ok()).expect("a number")
    }

    /// Bytes between nodes for one of these clients, which comes and goes. What nodes say in any case is not counted. Gives also
    /// the subscriptions while all are there.
    async fn guests(&self, rival: &'static Foreign, quiet: f64) -> (f64, f64) {
        let (since, before) = (Instant::now(), self.bytes());
        let site = Site { rival, ..self.nodes[0].site.clone() };
        let mut guests = Vec::new();
        for number in 0..GUESTS {
            guests.push(Peer::connect(&site, number).await);
        }
        let subscriptions = self.subscriptions();
        leave(guests).await;
        // What is told together leaves within a tick.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let bytes = self.bytes() - before - quiet * since.elapsed().as_secs_f64();
        (bytes / f64::from(GUESTS), subscriptions)
    }

    /// Pairs whose partners are on one node, or on two that follow each other.
    async fn pairs(&self, across: bool) -> Vec<Peer> {
        let mut peers = Vec::new();
        for number in 0..2 * FEW_PAIRS {
            let (pair, second) = (number / 2, number % 2);
            let node = if across { pair + second } else { pair } % self.nodes.len();
            peers.push(Peer::connect(&self.nodes[node].site, u32::try_from(number).expect("a hundred")).await);
        }
        idle::introduce(&mut peers).await;
        peers
    }

    async fn figures(&self, across: bool) -> Figures {
        let (all, nats, length) = (&self.nodes[0], self.nats.0.id(), Plan::WHOLE.phase);
        let (before, sent) = (all.cpu() + cpu_of(nats), self.bytes());
        tokio::time::sleep(QUIET).await;
        let quiet = (self.bytes() - sent) / QUIET.as_secs_f64();
        let idle = (all.cpu() + cpu_of(nats)).saturating_sub(before).div_duration_f64(QUIET);
        let subscriptions = self.subscriptions();
        let mut peers = self.pairs(across).await;
        let (bytes_named, with_names) = self.guests(NAMED, quiet).await;
        let (bytes_heard, with_topics) = self.guests(HEARERS, quiet).await;
        let more_subscriptions = with_names.max(with_topics) - subscriptions;
        let (before, nodes, sent) = (cpu_of(nats), all.cpu(), self.bytes());
        let relayed = busy::measure(all, &mut peers, length).await;
        let share = cpu_of(nats).saturating_sub(before).div_duration_f64(all.cpu_since(nodes));
        let said = u32::try_from(peers.iter().map(Peer::sent).sum::<u64>()).expect("a few seconds of it");
        let bytes = (self.bytes() - sent) / f64::from(said);
        let (sent, nodes) = (self.bytes(), all.cpu());
        let entered = rooms::measure(all, &mut peers, length).await;
        let bytes_entered = (self.bytes() - sent) / (entered * all.cpu_since(nodes).as_secs_f64());
        let latencies = paced::latencies(all, &mut peers, paced::PER_SECOND, length).await;
        leave(peers).await;
        let by_nats = relayed / share;
        Figures {
            relayed,
            by_nats,
            bytes,
            entered,
            bytes_entered,
            bytes_named,
            bytes_heard,
            subscriptions,
            more_subscriptions,
            p50: latencies.p50,
            p99: latencies.p99,
            idle,
        }
    }
}

pub(crate) fn measure(program: &str) {
    let pair = Pair::new();
    let [for_servers, for_load] = Core::two();
    for_load.stay();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Two nodes, within one of them; then across, by the number of nodes.
    let mut rounds: Vec<Vec<Figures>> = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for size in SIZES {
            let service = Service::start(program, &pair, for_servers, size);
            if round.is_empty() {
                round.push(runtime.block_on(service.figures(false)));
            }
            round.push(runtime.block_on(service.figures(true)));
        }
        rounds.push(round);
    }
    report(&rounds);
}

fn report(rounds: &[Vec<Figures>]) {
    let median = |of: &dyn Fn(&[Figures]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(|round| of(round)).collect();
        all.sort_unstable_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    println!("| | within a node | across two | ratio or difference |\n|---|--:|--:|--:|");
    for (name, of) in [
        ("messages per CPU second, both nodes together", (|it| it.relayed) as fn(&Figures) -> f64),
        ("rooms entered and left per CPU second", |it| it.entered),
    ] {
        let [within, across] = [0, 1].map(|which| median(&|round| of(&round[which])));
        let ratio = median(&|round| of(&round[0]) / of(&round[1]));
        println!("| {name} | {within:.0} | {across:.0} | {ratio:.2} times the CPU time |");
    }
    println!("| messages per CPU second of NATS | – | {:.0} | |", median(&|round| round[1].by_nats));
    println!("| bytes between nodes for a message | – | {:.0} | |", median(&|round| round[1].bytes));
    println!("| … for entering and leaving a room | – | {:.0} | |", median(&|round| round[1].bytes_entered));
    println!("| … for a PeerJS id that comes and goes | – | {:.0} | |", median(&|round| round[1].bytes_named));
    println!(
        "| … for a topic that one begins to hear and hears no more | – | {:.0} | |",
        median(&|round| round[1].bytes_heard)
    );
    println!("| subscriptions in NATS | – | {:.0} | |", median(&|round| round[1].subscriptions));
    println!("| … more with all these clients | – | {:.0} | |", median(&|round| round[1].more_subscriptions));
    for (name, of) in [("p50", (|it| it.p50) as fn(&Figures) -> Duration), ("p99", |it| it.p99)] {
        let [within, across] = [0, 1].map(|which| median(&|round| micros(of(&round[which]))));
        let more = median(&|round| micros(of(&round[1])) - micros(of(&round[0])));
        println!(
            "| latency at {} messages/s, {name} | {within:.0} µs | {across:.0} µs | {more:+.0} µs |",
            paced::PER_SECOND
        );
    }
    println!(
        "\n| nodes | messages per CPU second | rooms entered and left | CPU time a second while idle, with NATS |"
    );
    println!("|--:|--:|--:|--:|");
    for (index, size) in SIZES.into_iter().enumerate() {
        let of = |of: fn(&Figures) -> f64| median(&|round| of(&round[index + 1]));
        let (relayed, entered, idle) = (of(|it| it.relayed), of(|it| it.entered), of(|it| it.idle));
        println!("| {size} | {relayed:.0} | {entered:.0} | {:.1} ms |", idle * 1e3);
    }
}

/// What a node says of itself.
fn metrics(monitor: u16) -> std::io::Result<String> {
    get(monitor, "/metrics")
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
