//! How the server's costs grow with the number of peers, rooms and members: `make growth`, or `make growth QUICK=1`.
//!
//! A cost is that of one message, one peer or one copy. A cost that stays the same means that the work is proportional to
//! their number, and no work should grow faster. As elsewhere in this program the server has a core, the load another, and
//! every message is verified.
//!
//! Prints tables, and writes them as `growth.md` into the folder that is named.

mod asker;
mod crowd;
mod lock;
mod member;
mod presence;
mod room;
mod table;

use std::path::Path;
use std::time::Duration;

use crate::affinity::Core;
use crate::pair::Pair;
use crate::server::Server;
use table::Table;

/// How many peers there are, and for how long they are measured.
struct Plan {
    /// Connected peers.
    crowds: [u32; 3],
    /// Members of a room.
    rooms: [usize; 3],
    /// How often each figure is taken.
    rounds: usize,
    /// How long busy peers are measured in each round.
    phase: Duration,
    /// The least number of messages in each round of a phase that ends by number and not by time.
    messages: u32,
}

impl Plan {
    const WHOLE: Self = Self {
        // The last is what 20,000 open files allow.
        crowds: [10, 1000, 19_000],
        rooms: [2, 50, 500],
        rounds: 5,
        phase: Duration::from_millis(1500),
        messages: 19_000,
    };
    const QUICK: Self =
        Self { crowds: [10, 100, 1000], rounds: 1, phase: Duration::from_millis(500), messages: 2000, ..Self::WHOLE };
}

/// Its arguments: `quick` or `whole` (the default), and a folder, both optional.
pub(crate) fn measure(arguments: &[String]) {
    let (plan, folder) = match arguments {
        [quick, folder @ ..] if quick == "quick" => (&Plan::QUICK, folder),
        [whole, folder @ ..] if whole == "whole" => (&Plan::WHOLE, folder),
        folder => (&Plan::WHOLE, folder),
    };
    allow_files(plan.crowds[2]);
    let markdown = table::markdown(&tables(plan));
    println!("{markdown}");
    if let [folder] = folder {
        let folder = Path::new(folder);
        std::fs::create_dir_all(folder).expect("the folder can be made");
        std::fs::write(folder.join("growth.md"), markdown).expect("the folder is writable");
        println!("Written to {}/growth.md.", folder.display());
    }
}

/// A socket for each peer here, and as many in the server, which raises its own limit.
fn allow_files(peers: u32) {
    // Connections that are opened and closed meanwhile, and other open files of this program.
    let needed = u64::from(peers + crowd::PASSERS_BY + 128);
    let allowed = rlimit::increase_nofile_limit(needed).expect("Linux");
    assert!(allowed >= needed, "{peers} peers need {needed} open files, and {allowed} are allowed: ulimit -Hn");
}

fn tables(plan: &Plan) -> Vec<Table> {
    // This table is the first, because it needs more than the load's core.
    let locks = lock::table(plan);
    let pair = Pair::new();
    let [for_server, for_load] = Core::two();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut crowds = for_load.run(|| runtime.block_on(crowd::table(&pair, for_server, plan, "one core")));
    crowds.rows.push(for_load.run(|| runtime.block_on(presence::row(&pair, for_server, plan))));
    let two_cores = match Core::three() {
        Some([for_server, for_load]) => {
            for_load.run(|| runtime.block_on(crowd::table(&pair, for_server, plan, "two cores")))
        }
        None => Table::without(
            "Connected peers, with two cores for the server",
            "Not measured: this machine has 2 cores, and the load needs one of its own.",
        ),
    };
    let rooms = for_load.run(|| runtime.block_on(room::table(&pair, for_server, plan)));
    let askers = for_load.run(|| runtime.block_on(asker::table(&pair, for_server)));
    vec![crowds, two_cores, rooms, askers, locks]
}

/// How long the server may still work on what it has answered already.
const AFTERMATH: Duration = Duration::from_millis(10);

/// The server's CPU time, once the server is idle.
async fn cpu(server: &Server) -> Duration {
    tokio::time::sleep(AFTERMATH).await;
    server.cpu()
}

/// The microseconds of CPU time since then, divided by this number.
async fn micros_each(server: &Server, before: Duration, count: usize) -> f64 {
    let spent = cpu(server).await.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    let count = count as f64;
    spent.as_secs_f64() * 1e6 / count
}

/// The least figure: other work on this machine can only add to it.
fn least(figures: Vec<f64>) -> f64 {
    figures.into_iter().fold(f64::INFINITY, f64::min)
}

/// The median, for figures that noise can also make smaller.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
