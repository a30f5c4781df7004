//! What bystanders notice while one peer floods another that does not read.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Flood, paced};
use crate::peer::Peer;
use crate::server::Server;

/// Of the bystanders together.
const PER_SECOND: u64 = 1000;

/// No phase before has peers of these numbers.
const FLOODER: u32 = 2_000_000;

/// As many times a phase: half as many messages, and the first of each part find the flood in their way to begin.
const PHASES: u32 = 3;

/// The same for both, without the flood and with it.
pub(crate) async fn measure(server: &Server, peers: &mut Vec<Peer>, length: Duration) -> Flood {
    let length = PHASES * length;
    let calm = paced::latencies(server, peers, PER_SECOND, length).await.p99;

    let mut flooder = Peer::connect(&server.site, FLOODER).await;
    let mut stalled = Peer::connect(&server.site, FLOODER + 1).await;
    flooder.introduce(&mut stalled);
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

/// As fast as the server takes it, until told to stop or thrown out.
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
