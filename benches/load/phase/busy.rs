//! Pairs that talk as fast as the server lets them: each message that a peer receives is followed by one that it sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::per_second;
use crate::peer::{LOST, Peer};
use crate::server::Server;

/// Messages of each peer that are on their way at any time. Few, as browsers' candidates come in handfuls: the more there
/// are, the more of them every server reads and writes at once, and the less their costs differ.
const ON_THE_WAY: u64 = 4;

/// The part of the phase before the measurement, in which Node compiles the busy code and allocators grow.
const WARM_UP: u32 = 4;

/// Messages per second of the server's CPU time.
pub(crate) async fn measure(server: &Server, peers: &mut Vec<Peer>, length: Duration) -> f64 {
    let (heard, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut talking: JoinSet<(usize, Peer)> = JoinSet::new();
    for (index, peer) in peers.drain(..).enumerate() {
        let (heard, stop) = (Arc::clone(&heard), stop.clone());
        talking.spawn(async move { (index, talk(peer, &heard, &stop).await) });
    }
    tokio::time::sleep(length / WARM_UP).await;
    let (before, cpu) = (heard.load(Ordering::Relaxed), server.cpu());
    tokio::time::sleep(length).await;
    let rate = per_second(heard.load(Ordering::Relaxed) - before, server.cpu_since(cpu));
    stop.cancel();
    let silent = in_order(talking).await;
    *peers = in_order(silent.into_iter().enumerate().map(catch_up).collect()).await;
    rate
}

/// Receives the messages that are still on their way, once no peer sends more: else they would arrive in the next phase.
async fn catch_up((index, mut peer): (usize, Peer)) -> (usize, Peer) {
    while !peer.has_heard_all() {
        peer.hear().await;
    }
    (index, peer)
}

/// Keeps the order, so that partners are neighbours.
pub(super) async fn in_order<T: 'static>(tasks: JoinSet<(usize, T)>) -> Vec<T> {
    let mut done = tokio::time::timeout(LOST, tasks.join_all()).await.expect("all that was said arrives");
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, peer)| peer).collect()
}

async fn talk(mut peer: Peer, heard: &AtomicU64, stop: &CancellationToken) -> Peer {
    for _ in 0..ON_THE_WAY {
        peer.say_next().await;
    }
    peer.flush().await;
    while !stop.is_cancelled() {
        tokio::select! {
            _ = peer.hear() => {}
            () = stop.cancelled() => break,
        }
        let mut news = 1;
        while peer.try_hear().is_some() {
            news += 1;
        }
        heard.fetch_add(news, Ordering::Relaxed);
        for _ in 0..news {
            peer.say_next().await;
        }
        peer.flush().await;
    }
    peer
}
