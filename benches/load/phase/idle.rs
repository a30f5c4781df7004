//! What idle peers cost, and what their connects cost.

use tokio::task::JoinSet;

use super::calls::call;
use super::per_second;
use crate::peer::Peer;
use crate::server::Server;

/// How many connect at once: as the users of a page do after a restart. The listener's backlog is not measured.
const AT_ONCE: usize = 16;

/// All peers, in pairs that have called each other.
pub(crate) struct Crowd {
    pub(crate) peers: Vec<Peer>,
    pub(crate) kib_fresh: f64,
    pub(crate) kib_called: f64,
    pub(crate) connects: f64,
}

/// Connects so many peers, and lets every two call each other.
pub(crate) async fn measure(server: &Server, count: u32) -> Crowd {
    // The first call allocates what all share.
    let mut first = connect(server, 0..2).await;
    introduce(&mut first).await;
    call_all(&mut first).await;
    super::leave(first).await;

    let (kib, cpu) = (server.resident_kib(), server.cpu());
    let mut peers = connect(server, 2..2 + count).await;
    let connects = per_second(count.into(), server.cpu_since(cpu));
    let per_peer = |now: u32| f64::from(now.saturating_sub(kib)) / f64::from(count);
    let kib_fresh = per_peer(server.resident_kib());
    introduce(&mut peers).await;
    call_all(&mut peers).await;
    Crowd { peers, kib_fresh, kib_called: per_peer(server.resident_kib()), connects }
}

/// Connects the peers with these numbers, of which two that are partners are neighbours.
pub(crate) async fn connect(server: &Server, numbers: std::ops::Range<u32>) -> Vec<Peer> {
    let mut peers = Vec::with_capacity(numbers.len());
    let mut connecting = JoinSet::new();
    for number in numbers {
        if connecting.len() == AT_ONCE {
            peers.extend(connecting.join_next().await.map(|peer| peer.expect("it connects")));
        }
        let site = server.site.clone();
        connecting.spawn(async move { Peer::connect(&site, number).await });
    }
    peers.extend(connecting.join_all().await);
    peers.sort_unstable_by_key(Peer::number);
    peers
}

/// Makes every two neighbours partners.
pub(crate) async fn introduce(peers: &mut [Peer]) {
    for pair in peers.chunks_exact_mut(2) {
        let [one, other] = pair else { unreachable!("chunks of two") };
        one.introduce(other).await;
    }
}

async fn call_all(peers: &mut [Peer]) {
    for pair in peers.chunks_exact_mut(2) {
        let [caller, other] = pair else { unreachable!("chunks of two") };
        call(caller, other).await;
    }
}
