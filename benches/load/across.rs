//! What a message costs that goes from node to node, beside one within a node: `make bench-cluster`.
//!
//! Two nodes and a NATS server share one core, and the load has another. The same pairs talk twice in each round: both
//! partners on one node, and each on its own. NATS's time is shown apart.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::affinity::Core;
use crate::pair::Pair;
use crate::peer::Peer;
use crate::phase::{FEW_PAIRS, Plan, busy, idle, leave, paced};
use crate::rival::Node;
use crate::server::{Server, cpu_of, free_port};

const ROUNDS: usize = 5;

/// How long nodes may take to meet.
const START: Duration = Duration::from_secs(20);

/// Figures of pairs.
#[derive(Clone, Copy)]
struct Figures {
    /// Messages per second of CPU time of both nodes together.
    relayed: f64,
    /// … and of NATS's.
    by_nats: f64,
    p50: Duration,
    p99: Duration,
}

/// A NATS server, until it is dropped.
struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn measure(program: &str) {
    let pair = Pair::new();
    let [for_servers, for_load] = Core::two();
    for_load.stay();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(runtime.block_on(round(program, &pair, for_servers)));
    }
    let median = |of: &dyn Fn(&[Figures; 2]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_unstable_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    println!("| | within a node | across two | ratio or difference |\n|---|--:|--:|--:|");
    let [within, across] = [0, 1].map(|which| median(&|round| round[which].relayed));
    let ratio = median(&|round| round[0].relayed / round[1].relayed);
    println!(
        "| messages per CPU second, both nodes together | {within:.0} | {across:.0} | {ratio:.2} times the CPU time |"
    );
    println!("| … of NATS | – | {:.0} | |", median(&|round| round[1].by_nats));
    for (name, of) in [("p50", (|it| it.p50) as fn(&Figures) -> Duration), ("p99", |it| it.p99)] {
        let [within, across] = [0, 1].map(|which| median(&|round| micros(of(&round[which]))));
        let more = median(&|round| micros(of(&round[1])) - micros(of(&round[0])));
        println!(
            "| latency at {} messages/s, {name} | {within:.0} µs | {across:.0} µs | {more:+.0} µs |",
            paced::PER_SECOND
        );
    }
}

async fn round(program: &str, pair: &Pair, core: Core) -> [Figures; 2] {
    let port = free_port();
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let nats = Nats(core.run(|| command.spawn()).expect("NATS starts"));
    let key = pair.key.with_file_name("cluster.key");
    std::fs::write(&key, "k".repeat(32)).expect("the folder is writable");
    let node = || {
        let nats = format!("nats://127.0.0.1:{port}");
        let monitor = free_port();
        // As long as the program: one for each round.
        let node: &'static Node = Box::leak(Box::new(Node { nats, key: key.clone(), monitor }));
        (Server::start(node, pair, core), monitor)
    };
    let ((mut here, its_monitor), (there, other_monitor)) = (node(), node());
    here.count(&there);
    for monitor in [its_monitor, other_monitor] {
        wait_until_ready(monitor);
    }
    let peers = u32::try_from(2 * FEW_PAIRS).expect("a hundred");
    let mut within = idle::connect(&here, 0..peers).await;
    idle::introduce(&mut within).await;
    let within = figures(&here, nats.0.id(), within).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in (0..peers).step_by(2) {
        ours.push(Peer::connect(&here.site, number).await);
        theirs.push(Peer::connect(&there.site, number + 1).await);
    }
    let mut across: Vec<Peer> = ours.into_iter().zip(theirs).flat_map(|(one, other)| [one, other]).collect();
    idle::introduce(&mut across).await;
    [within, figures(&here, nats.0.id(), across).await]
}

async fn figures(server: &Server, nats: u32, mut peers: Vec<Peer>) -> Figures {
    let (length, before, nodes) = (Plan::WHOLE.phase, cpu_of(nats), server.cpu());
    let relayed = busy::measure(server, &mut peers, length).await;
    let share = cpu_of(nats).saturating_sub(before).div_duration_f64(server.cpu_since(nodes));
    let latencies = paced::latencies(server, &mut peers, paced::PER_SECOND, length).await;
    leave(peers).await;
    Figures { relayed, by_nats: relayed / share, p50: latencies.p50, p99: latencies.p99 }
}

fn wait_until_ready(monitor: u16) {
    let deadline = Instant::now() + START;
    while !is_ready(monitor).unwrap_or(false) {
        assert!(Instant::now() < deadline, "the nodes meet within {START:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_ready(monitor: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, monitor))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
