//! Whole calls: two peers connect, one offers, the other answers, both send 20 candidates, and both leave.

use tokio::task::JoinSet;

use super::per_second;
use crate::message::{CANDIDATES, Kind, now};
use crate::peer::Peer;
use crate::server::Server;
use crate::site::Site;

/// Calls at the same time.
const AT_ONCE: u32 = 8;

/// No phase before has peers of these numbers.
const FIRST: u32 = 1_000_000;

/// Calls per second of the server's CPU time.
pub(crate) async fn measure(server: &Server, count: u32) -> f64 {
    let cpu = server.cpu();
    let mut lines = JoinSet::new();
    for line in 0..AT_ONCE {
        let site = server.site.clone();
        lines.spawn(async move {
            for number in (line..count).step_by(AT_ONCE as usize) {
                Box::pin(whole_call(&site, FIRST + 2 * number)).await;
            }
        });
    }
    lines.join_all().await;
    per_second(count.into(), server.cpu_since(cpu))
}

async fn whole_call(site: &Site, number: u32) {
    let (mut caller, mut other) = tokio::join!(Peer::connect(site, number), Peer::connect(site, number + 1));
    caller.introduce(&mut other).await;
    call(&mut caller, &mut other).await;
    tokio::join!(caller.close(), other.close());
}

/// Description and candidates in one write: a browser has its candidates a few milliseconds after its description.
pub(crate) async fn call(caller: &mut Peer, other: &mut Peer) {
    describe(caller, Kind::Offer).await;
    other.hear_many(1 + CANDIDATES).await;
    describe(other, Kind::Answer).await;
    caller.hear_many(1 + CANDIDATES).await;
}

async fn describe(peer: &mut Peer, kind: Kind) {
    peer.say(kind, now()).await;
    for _ in 0..CANDIDATES {
        peer.say(Kind::Candidate, now()).await;
    }
    peer.flush().await;
}
