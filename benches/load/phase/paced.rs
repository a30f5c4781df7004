//! Latency in an open loop: messages are due at a steady pace, delivered or not, and their time is measured from when they
//! are due. So when a server stalls, the figures include the wait of each message that was due meanwhile.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::busy::in_order;
use crate::message::{Kind, nanoseconds, now};
use crate::peer::Peer;
use crate::server::Server;

/// Messages per second of all peers together.
pub(crate) const PER_SECOND: u64 = 2000;

/// Messages that a peer may be late with.
const ORDERS: usize = 65_536;

/// Parts of a phase, whose median counts: a pause of the whole machine for some milliseconds affects few of them.
const PARTS: u32 = 6;

/// The figures of one part.
pub(crate) struct Paced {
    pub(crate) cpu_per_message: Duration,
    /// Latency, in nanoseconds.
    latency: Histogram<u64>,
    /// How late messages were sent, in nanoseconds, because the load's core was busy with other work or too slow.
    lateness: Histogram<u64>,
}

/// Medians of the parts of a phase.
pub(crate) struct Latencies {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Lateness of the load, at p99.
    pub(crate) lateness: Duration,
}

/// Sends at a steady pace for so long.
pub(crate) async fn latencies(server: &Server, peers: &mut Vec<Peer>, per_second: u64, length: Duration) -> Latencies {
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        parts.push(measure(server, peers, per_second, length / PARTS).await);
    }
    let median = |of: fn(&Paced) -> u64| {
        let mut all: Vec<u64> = parts.iter().map(of).collect();
        all.sort_unstable();
        Duration::from_nanos(all[all.len() / 2])
    };
    Latencies {
        p50: median(|part| part.latency.value_at_quantile(0.5)),
        p99: median(|part| part.latency.value_at_quantile(0.99)),
        lateness: median(|part| part.lateness.value_at_quantile(0.99)),
    }
}

/// Peers take turns, so that each sends the same number of messages.
pub(crate) async fn measure(server: &Server, peers: &mut Vec<Peer>, per_second: u64, length: Duration) -> Paced {
    let turns = nanoseconds(length) * per_second / 1_000_000_000 / peers.len() as u64;
    let mut talking: JoinSet<(usize, (Peer, Histogram<u64>))> = JoinSet::new();
    let mut orders = Vec::with_capacity(peers.len());
    for (index, peer) in peers.drain(..).enumerate() {
        let (order, ordered) = mpsc::channel(ORDERS);
        orders.push(order);
        talking.spawn(async move { (index, talk(peer, ordered, turns).await) });
    }
    let cpu = server.cpu();
    let lateness = pace(&orders, turns, per_second).await;
    let spent = server.cpu_since(cpu);
    let mut latency = histogram();
    for (peer, its) in in_order(talking).await {
        peers.push(peer);
        latency.add(its).expect("any value fits");
    }
    let count = u32::try_from(latency.len()).expect("seconds of messages");
    Paced { cpu_per_message: spent / count, latency, lateness }
}

/// Orders each message when it is due, and returns how late each order was. It does not sleep between messages: timers are
/// coarser than the latencies, and the core has no other work.
async fn pace(orders: &[mpsc::Sender<u64>], turns: u64, per_second: u64) -> Histogram<u64> {
    let mut lateness = histogram();
    let begin = now();
    let count = turns * orders.len() as u64;
    for (number, order) in (0..count).zip(orders.iter().cycle()) {
        let due = begin + number * 1_000_000_000 / per_second;
        while now() < due {
            tokio::task::yield_now().await;
        }
        lateness.record(now() - due).expect("any value fits");
        order.try_send(due).expect("no peer is as late as the channel is long");
    }
    lateness
}

/// Sends so many messages, each as it is ordered, and receives as many.
async fn talk(mut peer: Peer, mut ordered: mpsc::Receiver<u64>, turns: u64) -> (Peer, Histogram<u64>) {
    let mut latency = histogram();
    let (mut to_say, mut to_hear) = (turns, turns);
    while to_say > 0 || to_hear > 0 {
        tokio::select! {
            took = peer.hear(), if to_hear > 0 => {
                latency.record(took).expect("any value fits");
                to_hear -= 1;
            }
            Some(due) = ordered.recv(), if to_say > 0 => {
                peer.say(Kind::of(peer.sent()), due).await;
                peer.flush().await;
                to_say -= 1;
            }
        }
    }
    (peer, latency)
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}
