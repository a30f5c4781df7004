//! The measurements, one phase after the other on one server.

pub(crate) mod busy;
mod calls;
mod flood;
pub(crate) mod idle;
pub(crate) mod paced;
pub(crate) mod rooms;

use std::time::Duration;

use crate::affinity::{Awake, Core};
use crate::pair::Pair;
use crate::peer::Peer;
use crate::rival::Rival;
use crate::server::Server;

use idle::Crowd;
use paced::Latencies;

/// How many peers and calls there are, and how long a phase is.
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// Idle peers.
    pub(crate) peers: u32,
    /// The length of the phases with busy peers, with paced ones and with bystanders.
    pub(crate) phase: Duration,
    calls: u32,
}

impl Plan {
    pub(crate) const WHOLE: Self = Self { rounds: 5, peers: 1000, phase: Duration::from_secs(2), calls: 1000 };
    pub(crate) const QUICK: Self = Self { rounds: 1, peers: 200, phase: Duration::from_secs(1), calls: 200 };
}

/// Pairs in the smaller phase of busy peers.
pub(crate) const FEW_PAIRS: usize = 50;

/// The measured figures.
pub(crate) struct Figures {
    pub(crate) kib_fresh: f64,
    pub(crate) kib_called: f64,
    /// Per second of the server's CPU time, as are the next three.
    pub(crate) connects: f64,
    pub(crate) relayed_few: f64,
    pub(crate) relayed_many: f64,
    pub(crate) calls: f64,
    /// At a steady pace, as is the latency below.
    pub(crate) cpu_per_message: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The latency of bystanders. None: the server does not read from a peer that floods, so there is no flood.
    pub(crate) flood: Option<Flood>,
    pub(crate) noise: Noise,
}

/// How much other work on this machine disturbed the figures.
pub(crate) struct Noise {
    /// By how much the load was late with its messages, at p99, when latency was measured.
    pub(crate) lateness: Duration,
    /// How long the server's threads waited for their core, for each second that they had it. Those of Node wait for each
    /// other too.
    pub(crate) waited: f64,
}

/// Bystanders' p99.
pub(crate) struct Flood {
    pub(crate) calm: Duration,
    pub(crate) flooded: Duration,
}

/// The figures of a server in one dialect.
pub(crate) struct Costs {
    pub(crate) kib_fresh: f64,
    pub(crate) kib_called: f64,
    /// Per second of the server's CPU time, as is the next.
    pub(crate) connects: f64,
    /// Between [`FEW_PAIRS`] busy pairs.
    pub(crate) relayed: f64,
}

/// Starts the server on this core and runs the phases that cost it memory and CPU time.
pub(crate) async fn costs(rival: &'static dyn Rival, pair: &Pair, core: Core, plan: &Plan) -> Costs {
    let server = Server::start(rival, pair, core);
    let Crowd { mut peers, kib_fresh, kib_called, connects } = idle::measure(&server, plan.peers).await;
    leave(peers.split_off(2 * FEW_PAIRS)).await;
    let relayed = busy::measure(&server, &mut peers, plan.phase).await;
    leave(peers).await;
    Costs { kib_fresh, kib_called, connects, relayed }
}

/// Starts the server on this core and runs all phases with it.
pub(crate) async fn measure(rival: &'static dyn Rival, pair: &Pair, core: Core, plan: &Plan) -> Figures {
    let server = Server::start(rival, pair, core);
    let Crowd { mut peers, kib_fresh, kib_called, connects } = idle::measure(&server, plan.peers).await;
    let relayed_many = busy::measure(&server, &mut peers, plan.phase).await;
    leave(peers.split_off(2 * FEW_PAIRS)).await;
    let relayed_few = busy::measure(&server, &mut peers, plan.phase).await;
    let cpu_per_message = paced::measure(&server, &mut peers, paced::PER_SECOND, plan.phase).await.cpu_per_message;
    // For latencies only: its process takes no time from the server, but uses the core's caches.
    let awake = Awake::keep(core);
    let Latencies { p50, p99, lateness } = paced::latencies(&server, &mut peers, paced::PER_SECOND, plan.phase).await;
    let flood = if rival.takes_a_flood() { Some(flood::measure(&server, &mut peers, plan.phase).await) } else { None };
    drop(awake);
    leave(peers).await;
    let calls = calls::measure(&server, plan.calls).await;
    Figures {
        kib_fresh,
        kib_called,
        connects,
        relayed_few,
        relayed_many,
        calls,
        cpu_per_message,
        p50,
        p99,
        flood,
        noise: Noise { lateness, waited: server.waited().div_duration_f64(server.cpu()) },
    }
}

pub(crate) async fn leave(peers: Vec<Peer>) {
    for peer in peers {
        peer.close().await;
    }
}

/// This number per second of CPU time.
fn per_second(count: u64, cpu: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    let count = count as f64;
    count / cpu.as_secs_f64()
}
