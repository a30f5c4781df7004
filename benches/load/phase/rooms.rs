//! Pairs that enter a room and leave it again, as fast as the server lets them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::busy::in_order;
use super::per_second;
use crate::peer::Peer;
use crate::server::Server;

/// How often a room is entered per second of the server's CPU time. Each time it is left, too; who is there hears of both.
pub(crate) async fn measure(server: &Server, peers: &mut Vec<Peer>, length: Duration) -> f64 {
    let (entered, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut moving: JoinSet<(usize, Peer)> = JoinSet::new();
    for (index, peer) in peers.drain(..).enumerate() {
        let (entered, stop) = (Arc::clone(&entered), stop.clone());
        moving.spawn(async move { (index, move_about(peer, index / 2, &entered, &stop).await) });
    }
    let (before, cpu) = (entered.load(Ordering::Relaxed), server.cpu());
    tokio::time::sleep(length).await;
    let rate = per_second(entered.load(Ordering::Relaxed) - before, server.cpu_since(cpu));
    stop.cancel();
    *peers = in_order(moving).await;
    rate
}

async fn move_about(mut peer: Peer, room: usize, entered: &AtomicU64, stop: &CancellationToken) -> Peer {
    while !stop.is_cancelled() {
        peer.ask(format!(r#"{{"type":"join","room":"room {room}"}}"#), r#""type":"joined""#).await;
        entered.fetch_add(1, Ordering::Relaxed);
        peer.ask(format!(r#"{{"type":"leave","room":"room {room}"}}"#), r#""type":"left""#).await;
    }
    peer
}
