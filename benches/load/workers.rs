//! What it costs that several threads share the hub: the same messages with one worker thread, two and four.
//!
//! Where this program may use more than two cores, the load has the last one. Otherwise server and load share both.

use std::fmt::Write as _;

use tokio::runtime::Runtime;

use crate::affinity::Core;
use crate::pair::Pair;
use crate::phase::{self, FEW_PAIRS, Plan, busy, idle};
use crate::rival::With;
use crate::server::Server;
use crate::table::{median, readable};

/// How many worker threads, and entremise with as many.
static WORKERS: [(&str, With); 3] = [
    ("1", With::variables(&[("TOKIO_WORKER_THREADS", "1")])),
    ("2", With::variables(&[("TOKIO_WORKER_THREADS", "2")])),
    ("4", With::variables(&[("TOKIO_WORKER_THREADS", "4")])),
];

/// Messages per second of CPU time, between few pairs and between many.
type Rates = [f64; 2];

/// The table, and what it needs to be understood.
pub(crate) fn compare(plan: &Plan, pair: &Pair, runtime: &Runtime) -> String {
    let shared = Core::three().is_none();
    let [for_server, for_load] = Core::three().unwrap_or_else(Core::both);
    for_load.stay();
    let mut rates: [Vec<Rates>; WORKERS.len()] = Default::default();
    for round in 1..=plan.rounds {
        for ((workers, server), rates) in WORKERS.iter().zip(&mut rates) {
            eprintln!("round {round} of {}: {} …", plan.rounds, workers);
            rates.push(runtime.block_on(measure(server, pair, for_server, plan)));
        }
    }
    let mut text = String::from(
        "| worker threads | messages per CPU second, 50 busy pairs | … all peers in pairs |\n|--:|--:|--:|\n",
    );
    for ((workers, _), rates) in WORKERS.iter().zip(rates) {
        let middle = |which: usize| readable(median(rates.iter().map(|round| round[which])).unwrap_or_default());
        let _ = writeln!(text, "| {workers} | {} | {} |", middle(0), middle(1));
    }
    if shared {
        text.push_str("\nServer and load share two cores.\n");
    }
    text
}

async fn measure(server: &'static With, pair: &Pair, core: Core, plan: &Plan) -> Rates {
    let server = Server::start(server, pair, core);
    let mut peers = idle::measure(&server, plan.peers).await.peers;
    let many = busy::measure(&server, &mut peers, plan.phase).await;
    phase::leave(peers.split_off(2 * FEW_PAIRS)).await;
    let few = busy::measure(&server, &mut peers, plan.phase).await;
    phase::leave(peers).await;
    [few, many]
}
