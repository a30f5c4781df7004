//! entremise beside other servers: `make bench`, or `make bench QUICK=1` for a run of a minute.
//!
//! One after the other, each server gets one core, and this program another. All speak TLS 1.3 with the same ECDSA P-256
//! certificate, over X25519 and without resumption, so that every handshake is a whole one. Each does the same work, and
//! every message is verified: that it reaches whom it is for, from whom it comes, and in order. What a server spends is
//! its CPU time and its resident memory, by /proc.
//!
//! All of it in rounds, each with new processes: the noise of a machine changes from minute to minute, so a figure is the
//! median of its rounds, and figures are compared within a round.
//!
//! Prints a table, and writes it as `bench.md`, with a plot beside it, `bench.svg`, into the folder that is named.
//!
//! `cargo bench --bench load -- dialects` measures only entremise in place of the servers whose clients it serves, `… dialects
//! quick` in less than a minute.
//!
//! `cargo bench --bench load -- limit` measures how far entremise is from a server that is written by hand for this load alone.
//!
//! `cargo bench --bench load -- workers` measures entremise with one, two and four worker threads.
//!
//! `make bench-cluster` measures what a message costs that goes from node to node, beside one within a node.
//!
//! `make bench-turn` measures what a relayed packet costs, beside coturn.
//!
//! `make growth` measures only entremise: how its costs grow with the number of peers and rooms.

mod across;
mod affinity;
mod dialects;
mod growth;
mod limit;
mod message;
mod pair;
mod peer;
mod phase;
mod plot;
mod relay;
mod rival;
mod server;
mod site;
mod table;
mod turn;
mod workers;

use std::path::{Path, PathBuf};

use affinity::Core;
use pair::Pair;
use phase::Plan;
use rival::{BARE, Entremise, LIMIT, PeerServer, Rival, Tutorial};
use table::Column;
use tokio::runtime::Runtime;

/// The servers; the others are compared with the first.
const RIVALS: [&dyn Rival; 4] = [&Tutorial, &PeerServer, &BARE, &Entremise];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("awake") => affinity::stay_awake(),
        Some("relay") => relay::serve(&arguments.collect::<Vec<_>>()),
        Some("epoll") => limit::serve(&arguments.collect::<Vec<_>>()),
        Some("limit") => println!("{}", beside_the_limit(&plan(arguments.next().as_deref()))),
        Some("workers") => println!("{}", among_workers(&plan(arguments.next().as_deref()))),
        Some("quick") => compare(&Plan::QUICK, arguments.next()),
        Some("whole") | None => compare(&Plan::WHOLE, arguments.next()),
        Some("dialects") => println!("{}", beside_originals(&plan(arguments.next().as_deref()))),
        Some("across") => across::measure(&arguments.next().expect("a nats-server")),
        Some("turn") => {
            turn::measure(Path::new(&arguments.next().expect("coturn's folder")), arguments.next().as_deref());
        }
        Some("growth") => growth::measure(&arguments.collect::<Vec<_>>()),
        Some(other) => panic!("quick, whole, dialects or growth, and a folder for what is found; not {other}"),
    }
}

fn plan(name: Option<&str>) -> Plan {
    match name {
        Some("quick") => Plan::QUICK,
        Some("whole") | None => Plan::WHOLE,
        Some(other) => panic!("quick or whole; not {other}"),
    }
}

/// The second table alone.
fn beside_originals(plan: &Plan) -> String {
    let pair = Pair::new();
    let [for_server, for_load] = Core::two();
    for_load.stay();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    dialects::compare(plan, &pair, for_server, &runtime)
}

/// What several worker threads cost.
fn among_workers(plan: &Plan) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    workers::compare(plan, &Pair::new(), &runtime)
}

/// How far from the limit.
fn beside_the_limit(plan: &Plan) -> String {
    let pair = Pair::new();
    let [for_server, for_load] = Core::two();
    for_load.stay();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    table::of_the_first(&rounds(plan, &pair, for_server, &runtime, [&LIMIT, &Entremise]))
}

/// All rounds of these servers, one after the other in each.
fn rounds<const N: usize>(
    plan: &Plan,
    pair: &Pair,
    for_server: Core,
    runtime: &Runtime,
    rivals: [&'static dyn Rival; N],
) -> [Column; N] {
    let mut columns = rivals.map(|rival| Column { name: rival.name(), rounds: Vec::new() });
    for round in 1..=plan.rounds {
        for (rival, column) in rivals.into_iter().zip(&mut columns) {
            eprintln!("round {round} of {}: {} …", plan.rounds, rival.name());
            column.rounds.push(runtime.block_on(phase::measure(rival, pair, for_server, plan)));
        }
    }
    columns
}

fn compare(plan: &Plan, folder: Option<String>) {
    let pair = Pair::new();
    let [for_server, for_load] = Core::two();
    for_load.stay();
    // On the thread that also starts the servers: a process begins on its starter's core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let columns = rounds(plan, &pair, for_server, &runtime, RIVALS);
    let of_dialects = dialects::compare(plan, &pair, for_server, &runtime);
    let markdown = format!("{}\n## Clients of other servers\n\n{of_dialects}", table::markdown(&columns));
    println!("{markdown}");
    if let Some(folder) = folder.map(PathBuf::from) {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let page = format!(
            "# Beside other servers\n\nBy `make bench`.\n\n{markdown}\n![The first table as a plot](bench.svg)\n"
        );
        std::fs::write(folder.join("bench.md"), page).expect("the folder is writable");
        std::fs::write(folder.join("bench.svg"), plot::svg(&columns)).expect("the folder is writable");
        println!("Written to {0}/bench.md and {0}/bench.svg.", folder.display());
    }
}
