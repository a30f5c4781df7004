//! The latency of other pairs (bystanders) while one peer floods another that does not read.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Flood, paced};
use crate::peer::Peer;
use crate::server::Server;

/// Messages per second of all bystanders together.
const PER_SECOND: u64 = 1000;

/// The flooder's number, and the next is the stalled peer's: no other phase has these numbers.
const FLOODER: u32 = 2_000_000;

/// The length in phases. It is three because there are half as many messages as in a paced phase, and because the flood
/// begins during the first ones of each part.
const PHASES: u32 = 3;

/// Measures the bystanders without the flood and with it.
pub(crate) async fn measure(server: &Server, peers: &mut Vec<Peer>, length: Duration) -> Flood {
    let length = PHASES * length;
    let calm = paced::latencies(server, peers, PER_SECOND, length).await.p99;

    let mut flooder = Peer::connect(&server.site, FLOODER).await;
    let mut stalled = Peer::connect(&server.site, FLOODER + 1).await;
    flooder.introduce(&mut stalled).await;
    let stop = CancellationToken::new();
    let (under_it, ()) = tokio::join!(
        async {
            let latencies = paced::latencies(server, peers, PER_SECOND, length).await;
            stop.cancel();
            latencies.p99
        },
        flood(&mut flooder, &stop),
    );
    Flood { calm, flooded: under_it }
}

/// Sends as fast as the server reads, until stopped or disconnected.
async fn flood(flooder: &mut Peer, stop: &CancellationToken) {
    let flooding = async {
        while flooder.flood().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = flooding => {}
        () = stop.cancelled() => {}
    }
}
