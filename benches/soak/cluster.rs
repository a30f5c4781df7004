//! Three nodes that are one service, one of which is killed every 30 s: `make soak-cluster` (5 minutes). Or they are restarted
//! one after the other, again and again: then no peer loses its session, and no sender has to be told anything.
//!
//! Their peers talk, change rooms, lose their connections in every way and take their sessions up again on any node. At the
//! end every message has arrived once and in order, or its sender was told; every peer has its id; every peer knows who is in its
//! rooms, and no node holds anything.

use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::lab::{Program, connector};
use crate::ledger::{Count, Ledger, Sum};
use crate::peer::{Ports, Site};
use crate::{free_port, held, role, scrape};

const NODES: usize = 3;
const TALKERS: usize = 300;

/// How nodes end, each in its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// They are killed.
    Killed,
    /// They are told to end, and hand their sessions over.
    Stopped,
}

impl End {
    /// Between two of them.
    const fn pause(self) -> Duration {
        match self {
            Self::Killed => Duration::from_secs(30),
            Self::Stopped => Duration::from_secs(5),
        }
    }
}

/// What a node says of itself once it sees the two others.
const ALL_OTHERS: &str = "entremise_cluster_nodes 2.0";

/// How long nodes may take to agree.
const AGREEMENT: Duration = Duration::from_secs(30);

/// Memory of a node at its end, at most, as a multiple of the highest of the first half.
const GROWTH: f64 = 1.3;

struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nodes, and how they are started again.
struct Service {
    _nats: Nats,
    flags: Vec<String>,
    nodes: Vec<(Program, u16)>,
    _folder: tempfile::TempDir,
}

impl Service {
    async fn start(program: &str) -> Self {
        let port = free_port().to_string();
        let mut nats = Command::new(program);
        nats.args(["--addr", "127.0.0.1", "--port", &port]).stdout(Stdio::null()).stderr(Stdio::null());
        let nats = Nats(nats.spawn().expect("NATS starts"));
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("cluster.key");
        std::fs::write(&key, "k".repeat(32)).expect("it is written");
        let flags = vec![format!("--cluster=nats://127.0.0.1:{port}"), format!("--cluster-key-file={}", key.display())];
        let mut service = Self { _nats: nats, flags, nodes: Vec::new(), _folder: folder };
        for _ in 0..NODES {
            let node = service.node();
            service.nodes.push(node);
        }
        service.agree().await;
        service
    }

    fn node(&self) -> (Program, u16) {
        let monitor = free_port();
        let mut flags = self.flags.clone();
        flags.push(format!("--metrics-listen=127.0.0.1:{monitor}"));
        (Program::start(&flags), monitor)
    }

    fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|(node, _)| node.port).collect()
    }

    /// Waits until all nodes see each other.
    async fn agree(&self) {
        let until = Instant::now() + AGREEMENT;
        loop {
            let mut seen = 0;
            for (_, monitor) in &self.nodes {
                let text = scrape(*monitor).await;
                seen += usize::from(text.lines().any(|line| line == ALL_OTHERS));
            }
            if seen == NODES {
                return;
            }
            assert!(Instant::now() < until, "the nodes meet");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends a node, and starts another one. Gives its memory at its end, in KiB.
    async fn replace(&mut self, node: usize, end: End) -> usize {
        let memory = self.nodes[node].0.resident_kib();
        match end {
            End::Killed => self.nodes[node].0.kill(),
            End::Stopped => self.nodes[node].0.stop().await,
        }
        self.nodes[node] = self.node();
        memory
    }
}

pub(crate) async fn run(program: &str, end: End, seconds: u64) -> ExitCode {
    let mut service = Service::start(program).await;
    let ports = Ports::new(service.ports());
    let ledger = Arc::new(Ledger::default());
    let site = Site { ports: Arc::clone(&ports), connector: connector(), ledger: Arc::clone(&ledger) };
    let (stop, last) = (CancellationToken::new(), Arc::new(Barrier::new(TALKERS / 2)));
    let mut roles = JoinSet::new();
    for number in 0..TALKERS / 2 {
        roles.spawn(role::talk(site.clone(), number, stop.clone(), Arc::clone(&last)));
    }
    let memory = replace_in_turn(&mut service, &ports, &ledger, end, Duration::from_secs(seconds)).await;
    stop.cancel();
    while let Some(played) = roles.join_next().await {
        played.expect("a role comes to its end");
    }
    let left = left(&service).await;
    report(&ledger, end, &memory, &left)
}

async fn replace_in_turn(
    service: &mut Service,
    ports: &Ports,
    ledger: &Ledger,
    end: End,
    duration: Duration,
) -> Vec<usize> {
    let (begin, mut memory) = (Instant::now(), Vec::new());
    for node in (0..NODES).cycle() {
        sleep(end.pause().min(duration.saturating_sub(begin.elapsed()))).await;
        if begin.elapsed() >= duration {
            break;
        }
        let kib = service.replace(node, end).await;
        ports.set(node, service.nodes[node].0.port);
        if end == End::Stopped {
            service.agree().await;
        }
        ledger.count(Count::Replaced);
        println!("{:>5} s  node {node} is replaced: {kib} KiB", begin.elapsed().as_secs());
        memory.push(kib);
    }
    memory
}

/// What is held by nodes after all have left.
async fn left(service: &Service) -> Vec<(&'static str, f64)> {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let mut left = Vec::new();
        for (_, monitor) in &service.nodes {
            left.extend(held(*monitor).await.into_iter().filter(|(name, value)| *name != "tasks" && *value != 0.0));
        }
        if left.is_empty() || Instant::now() > until {
            return left;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn report(ledger: &Ledger, end: End, memory: &[usize], left: &[(&'static str, f64)]) -> ExitCode {
    let Sum { sent, arrived, refused, told, late } = ledger.sum();
    let lost = sent - arrived - refused - told;
    println!("messages: {sent} sent, {arrived} arrived, {refused} refused, {told} told that they may not have arrived");
    for what in Count::ALL.into_iter().filter(|what| ledger.counted(*what) > 0) {
        println!("{what:?}: {}", ledger.counted(what));
    }
    let highest = |of: &[usize]| of.iter().copied().max().unwrap_or(1);
    let (first, second) = memory.split_at(memory.len().div_ceil(2));
    #[expect(clippy::cast_precision_loss, reason = "memory in KiB fits")]
    let growth = highest(second) as f64 / highest(first) as f64;
    println!(
        "memory of nodes at their end: {first:?} KiB, then {second:?} KiB ({growth:.2})\nheld at the end: {left:?}"
    );
    let bad = Count::BAD.into_iter().any(|what| ledger.counted(what) > 0);
    let is_disturbed = end == End::Stopped && (told > 0 || ledger.counted(Count::Revivals) > 0);
    let failed = lost != 0 || late != 0 || bad || is_disturbed || growth > GROWTH || !left.is_empty();
    println!("{late} out of order, {lost} lost in silence: {}", if failed { "FAILED" } else { "passed" });
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
