//! A server under faults and attacks: `make soak` (10 minutes), `make soak SECONDS=60`; three nodes: `make soak-cluster`.
//!
//! Hundreds of peers talk, change rooms, lose their connections in every way and take their sessions up again; others
//! call, stall, leave with unread messages or send garbage; the certificate is renewed all the time. At the end every
//! message is accounted for, and the server holds what it held at the beginning. Prints what was counted; exits with 1 if
//! a message was lost, came twice or out of order, or if the server still holds something.

mod cluster;
#[path = "../lab/mod.rs"]
mod lab;
mod ledger;
mod peer;
mod role;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::End;
use lab::{Program, connector};
use ledger::{Count, Ledger, Sum};
use peer::{Ports, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TALKERS: usize = 200;
const CALLERS: usize = 10;
const STALLERS: usize = 5;
const LEAVERS: usize = 5;
const VANDALS: usize = 10;

/// How long memory may still grow at first.
const WARM_UP: Duration = Duration::from_mins(1);

/// Memory afterwards, at most, as a multiple of memory at the end of the warm-up.
const GROWTH: f64 = 1.1;

/// How often memory is sampled.
const SAMPLE: Duration = Duration::from_secs(10);

type Role = Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kill", nats, seconds] => cluster::run(nats, End::Killed, number(seconds)).await,
        ["restart", nats, seconds] => cluster::run(nats, End::Stopped, number(seconds)).await,
        _ => soak().await,
    }
}

fn number(seconds: &str) -> u64 {
    seconds.parse().expect("a number of seconds")
}

async fn soak() -> ExitCode {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(600);
    let metrics_port = free_port();
    let metrics = format!("127.0.0.1:{metrics_port}");
    // Slow readers are given up soon, so that there are many of them; vandals come as fast as they can.
    let flags = ["--write-timeout", "2", "--metrics-listen", &metrics];
    let server = Program::start(&flags);
    let site =
        Site { ports: Ports::new(vec![server.port]), connector: connector(), ledger: Arc::new(Ledger::default()) };
    let before = held(metrics_port).await;

    let stop = CancellationToken::new();
    let mut roles = JoinSet::new();
    for role in cast(&site, &server, &stop) {
        roles.spawn(role);
    }
    let memory = watch(&server, Duration::from_secs(seconds)).await;
    stop.cancel();
    while let Some(played) = roles.join_next().await {
        played.expect("a role comes to its end");
    }

    let after = settled(metrics_port, &before).await;
    report(&site.ledger, &memory, &before, &after)
}

/// All roles.
fn cast(site: &Site, server: &Program, stop: &CancellationToken) -> Vec<Role> {
    let mut cast: Vec<Role> = Vec::new();
    let end = Arc::new(Barrier::new(TALKERS / 2));
    for number in 0..TALKERS / 2 {
        cast.push(Box::pin(role::talk(site.clone(), number, stop.clone(), Arc::clone(&end))));
    }
    for _ in 0..CALLERS {
        cast.push(Box::pin(role::call(site.clone(), stop.clone())));
    }
    for _ in 0..STALLERS {
        cast.push(Box::pin(role::stall(site.clone(), stop.clone())));
    }
    for _ in 0..LEAVERS {
        cast.push(Box::pin(role::leave(site.clone(), stop.clone())));
    }
    for number in 0..VANDALS {
        cast.push(Box::pin(role::vandalize(site.clone(), number, stop.clone())));
    }
    cast.push(Box::pin(role::renew(site.clone(), server.folder().join("certs"), stop.clone())));
    cast
}

/// The server's memory after the warm-up, and then from time to time, in KiB.
struct Memory {
    level: usize,
    later: Vec<usize>,
}

async fn watch(server: &Program, duration: Duration) -> Memory {
    let begin = Instant::now();
    let mut memory = Memory { level: 0, later: Vec::new() };
    while begin.elapsed() < duration {
        tokio::time::sleep(SAMPLE.min(duration.saturating_sub(begin.elapsed()))).await;
        let now = server.resident_kib();
        println!("{:>5} s  {now} KiB", begin.elapsed().as_secs());
        if begin.elapsed() <= WARM_UP.min(duration / 2) {
            memory.level = memory.level.max(now);
        } else {
            memory.later.push(now);
        }
    }
    memory
}

/// What the server holds: sessions, connections, rooms, bytes in queues, tasks.
type Level = Vec<(&'static str, f64)>;

const HELD: [&str; 6] = ["sessions", "sessions_parked", "connections", "rooms", "queued_bytes", "tasks"];

async fn held(port: u16) -> Level {
    let text = scrape(port).await;
    let value = |name: &str| {
        let prefix = format!("entremise_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
    };
    HELD.into_iter().map(|name| (name, value(name))).collect()
}

async fn scrape(port: u16) -> String {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("the metrics are there");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.expect("it is read");
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.expect("an answer");
    text
}

/// What the server holds once all peers have left and the sessions that are not resumed have expired.
async fn settled(port: u16, before: &Level) -> Level {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let now = held(port).await;
        if now == *before || Instant::now() > deadline {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn report(ledger: &Ledger, memory: &Memory, before: &Level, after: &Level) -> ExitCode {
    let Sum { sent, arrived, refused, told, late } = ledger.sum();
    println!("messages: {sent} sent, {arrived} arrived, {refused} refused, {told} told that they may not have arrived");
    for what in Count::ALL {
        println!("{what:?}: {}", ledger.counted(what));
    }
    let highest = memory.later.iter().copied().max().unwrap_or(memory.level);
    #[expect(clippy::cast_precision_loss, reason = "memory in KiB fits")]
    let growth = highest as f64 / memory.level as f64;
    println!("memory: {} KiB after the first minute, {highest} KiB at most later ({growth:.2})", memory.level);
    println!("held before: {before:?}\nheld after:  {after:?}");
    let bad = Count::BAD.into_iter().any(|what| ledger.counted(what) > 0);
    // A message that is both refused and delivered makes the sum too large.
    let failed = sent != arrived + refused + told || late != 0 || bad || growth > GROWTH || before != after;
    println!("{}", if failed { "FAILED" } else { "passed" });
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
