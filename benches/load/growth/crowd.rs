//! What other connected peers cost: the same few peers do the same among few and among many. And what a message costs
//! when all peers send in turn.

use std::time::Duration;

use super::table::{Row, Table};
use super::{Plan, cpu, least, micros_each};
use crate::affinity::Core;
use crate::message::{Kind, now};
use crate::pair::Pair;
use crate::peer::Peer;
use crate::phase::{busy, idle, paced};
use crate::rival::With;
use crate::server::Server;
use crate::table::grouped;

/// No task reads the sockets of idle peers, so a ping would stay unanswered: the interval is longer than the run.
/// [`presence`](super::presence) measures what pings cost.
static SERVER: With = With::flags(&["--heartbeat=3600"]);

/// Busy peers, in pairs.
const BUSY: usize = 10;

/// Peers that connect and leave while the others are connected.
pub(super) const PASSERS_BY: u32 = 500;

/// So few that the memory which they free is soon used again.
const WARM_UP: u32 = 16;

/// With fewer peers, resident memory shows the steps in which the allocator grows.
const ENOUGH_FOR_MEMORY: u32 = 100;

/// The number of the first of them: no other peer has a number from here on.
const FIRST_PASSER_BY: u32 = 1_000_000;

/// The costs at one size.
struct Figures {
    kib: Option<f64>,
    connect: f64,
    goodbye: f64,
    flat_out: f64,
    paced: f64,
    in_turn: f64,
    waited: f64,
}

/// The costs at all sizes.
pub(super) async fn table(pair: &Pair, core: Core, plan: &Plan, cores: &str) -> Table {
    let mut all = Vec::new();
    for size in plan.crowds {
        eprintln!("{size} peers, {cores} …");
        all.push(measure(pair, core, size, plan).await);
    }
    let row = |what, unit, cost: fn(&Figures) -> Option<f64>, why| Row {
        what,
        unit,
        costs: all.iter().map(cost).collect(),
        why,
    };
    let waited = all.iter().map(|figures| 100.0 * figures.waited).fold(0.0, f64::max);
    Table {
        title: format!("Connected peers, with {cores} for the server"),
        head: plan.crowds.iter().map(|size| format!("{} peers", grouped(&size.to_string()))).collect(),
        rows: vec![
            row("Memory for each", "KiB", |it| it.kib, "a peer holds nothing that grows with the number of peers"),
            row(
                "A connect: TCP, TLS, WebSocket",
                "µs",
                |it| Some(it.connect),
                "the handshake's public keys are most of it",
            ),
            row("A goodbye", "µs", |it| Some(it.goodbye), "neither rooms nor other peers are searched"),
            row("A message, 5 busy pairs flat out", "µs", |it| Some(it.flat_out), "the others are not touched"),
            row("A message, 5 pairs at 2,000 messages/s", "µs", |it| Some(it.paced), "the others are not touched"),
            row(
                "A message, all peers in turn",
                "µs",
                |it| Some(it.in_turn),
                "the state of a peer, in the server and in the kernel, has left the caches meanwhile",
            ),
        ],
        note: format!(
            "CPU time of the server, the kernel's for it included, the least of {} rounds. {PASSERS_BY} connect and \
             leave while the others are here. The server waited for its core for at most {waited:.0} % of the time that it \
             had it.",
            plan.rounds
        ),
    }
}

async fn measure(pair: &Pair, core: Core, size: u32, plan: &Plan) -> Figures {
    let server = Server::start(&SERVER, pair, core);
    // The first peers allocate what all share.
    pass_by(&server, WARM_UP).await;
    let kib = server.resident_kib();
    let mut peers = idle::connect(&server, 0..size).await;
    idle::introduce(&mut peers).await;
    let kib = f64::from(server.resident_kib().saturating_sub(kib)) / f64::from(size);
    let kib = (size >= ENOUGH_FOR_MEMORY).then_some(kib);

    let mut rounds: [Vec<f64>; 5] = Default::default();
    for _ in 0..plan.rounds {
        let [connect, goodbye] = pass_by(&server, PASSERS_BY).await;
        let others = peers.split_off(BUSY);
        let flat_out = 1e6 / busy::measure(&server, &mut peers, plan.phase).await;
        let paced = paced::measure(&server, &mut peers, paced::PER_SECOND, plan.phase).await;
        peers.extend(others);
        let in_turn = in_turn(&server, &mut peers, plan.messages).await;
        let paced = micros(paced.cpu_per_message);
        for (figures, figure) in rounds.iter_mut().zip([connect, goodbye, flat_out, paced, in_turn]) {
            figures.push(figure);
        }
    }
    let [connect, goodbye, flat_out, paced, in_turn] = rounds.map(least);
    let waited = server.waited().div_duration_f64(server.cpu());
    Figures { kib, connect, goodbye, flat_out, paced, in_turn, waited }
}

/// So many peers connect and leave: what a connect costs, and what a goodbye costs.
async fn pass_by(server: &Server, count: u32) -> [f64; 2] {
    let before = cpu(server).await;
    let passers_by = idle::connect(server, FIRST_PASSER_BY..FIRST_PASSER_BY + count).await;
    let connect = micros_each(server, before, passers_by.len()).await;
    let (before, count) = (cpu(server).await, passers_by.len());
    for peer in passers_by {
        peer.close().await;
    }
    [connect, micros_each(server, before, count).await]
}

/// Ten peers at a time, each sends a message to its partner, until there were so many: what a message costs.
async fn in_turn(server: &Server, peers: &mut [Peer], messages: u32) -> f64 {
    let turns = (messages as usize).div_ceil(peers.len());
    let before = cpu(server).await;
    for _ in 0..turns {
        for few in peers.chunks_mut(BUSY) {
            for peer in &mut *few {
                peer.say(Kind::Candidate, now()).await;
                peer.flush().await;
            }
            for peer in few {
                peer.hear_many(1).await;
            }
        }
    }
    micros_each(server, before, turns * peers.len()).await
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
