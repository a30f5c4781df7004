//! What an idle peer costs over time: the server's pings, and the peer's answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::table::Row;
use super::{Plan, cpu, micros_each};
use crate::affinity::Core;
use crate::pair::Pair;
use crate::peer::{Socket, open};
use crate::rival::With;
use crate::server::Server;

/// The interval of pings, as in [`SERVER`]: a fifth of the usual one.
const HEARTBEAT: Duration = Duration::from_secs(5);

static SERVER: With = With::flags(&["--heartbeat=5"]);

/// How many connect at once.
const AT_ONCE: u32 = 16;

/// What one heartbeat costs, at each size but the smallest: its few heartbeats are below the noise.
pub(super) async fn row(pair: &Pair, core: Core, plan: &Plan) -> Row {
    let mut costs = vec![None];
    for size in &plan.crowds[1..] {
        eprintln!("{size} heartbeats …");
        costs.push(Some(measure(pair, core, *size).await));
    }
    Row {
        what: "A heartbeat: a ping and its answer",
        unit: "µs",
        costs,
        why: "each has its timer, and a timer costs the same among many",
    }
}

async fn measure(pair: &Pair, core: Core, size: u32) -> f64 {
    let server = Server::start(&SERVER, pair, core);
    let pings = Arc::new(AtomicUsize::new(0));
    let mut here = JoinSet::new();
    // Each peer answers from its connect on: the first are pinged before the last have connected.
    for first in (0..size).step_by(AT_ONCE as usize) {
        let coming = (first..size.min(first + AT_ONCE)).map(|number| open(&server.site, number));
        for (socket, _) in futures_util::future::join_all(coming).await {
            here.spawn(answer(socket, Arc::clone(&pings)));
        }
    }
    let (before, counted) = (cpu(&server).await, pings.load(Ordering::Relaxed));
    tokio::time::sleep(HEARTBEAT).await;
    let pings = pings.load(Ordering::Relaxed) - counted;
    assert!(here.try_join_next().is_none(), "all peers are still connected");
    assert!(pings > size as usize / 2, "{pings} of {size} were pinged");
    micros_each(&server, before, pings).await
}

/// Counts the pings: the socket answers them.
async fn answer(mut socket: Socket, pings: Arc<AtomicUsize>) {
    while let Some(Ok(frame)) = socket.next().await {
        assert!(matches!(frame, Message::Ping(_)), "no frame comes but pings");
        pings.fetch_add(1, Ordering::Relaxed);
    }
}
