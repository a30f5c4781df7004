//! A peer that asks for a thousand rooms: what it costs to let it in, or not, and what its end costs.

use super::member::{Member, join};
use super::table::{Row, Table};
use super::{cpu, median, micros_each};
use crate::affinity::Core;
use crate::pair::Pair;
use crate::rival::With;
use crate::server::Server;

/// Rooms that each peer asks for.
const ROOMS: usize = 1000;

/// Rooms that are asked for in one write.
const BATCH: usize = 100;

/// Rooms that the server gives to a peer by default.
const USUAL: usize = 16;

/// How many peers ask, one after the other: the figures of one peer would be noise.
const ASKERS: u32 = 20;

static GENEROUS: With = With::flags(&["--heartbeat=3600", "--rooms-per-peer=1000"]);
static USUALLY: With = With::flags(&["--heartbeat=3600"]);

/// The table of all these costs.
pub(super) async fn table(pair: &Pair, core: Core) -> Table {
    eprintln!("a peer that asks for {ROOMS} rooms …");
    let (generous, usual) = (Server::start(&GENEROUS, pair, core), Server::start(&USUALLY, pair, core));
    // The first peers allocate what all share.
    ask_all(&generous, ROOMS, ROOMS).await;
    let none = ask_all(&generous, ROOMS, 0).await;
    let half = ask_all(&generous, ROOMS, ROOMS / 2).await;
    let all = ask_all(&generous, ROOMS, ROOMS).await;
    let refused = ask_all(&usual, USUAL, ROOMS).await;
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let each = |more: &Figures, less: &Figures| (more.goodbye - less.goodbye) / (ROOMS / 2) as f64;
    let last = |figures: &Figures| figures.answers.last().copied().expect("they asked");
    let row = |what, first, last, why| Row { what, unit: "µs", costs: vec![Some(first), Some(last)], why };
    Table {
        title: "A peer that asks for 1,000 rooms".to_owned(),
        head: vec!["at first".to_owned(), "at last".to_owned()],
        rows: vec![
            row(
                "A join, with `--rooms-per-peer=1000`",
                all.answers[0],
                last(&all),
                "a set and a map have one entry more",
            ),
            row("A refusal, with the limit of 16", refused.answers[1], last(&refused), "a count is compared"),
            row(
                "A room left by a goodbye",
                each(&half, &none),
                each(&all, &half),
                "each is looked up and taken away; the first 500 and the next",
            ),
        ],
        note: format!(
            "{ASKERS} ask one after the other, each for rooms of its own, {BATCH} in one write, and leave. Of the joins the \
             first and the last hundred are compared, of the refusals, which begin in the first, the second and the last. A goodbye without rooms takes {:.0} µs, and one \
             with 1,000 {:.0} µs, in which its core does nothing else.",
            none.goodbye, all.goodbye
        ),
    }
}

/// What an answer costs, in each batch, and what a goodbye costs.
struct Figures {
    answers: Vec<f64>,
    goodbye: f64,
}

/// Each peer asks for so many rooms, and gets as many as the limit says.
async fn ask_all(server: &Server, limit: usize, rooms: usize) -> Figures {
    let (mut answers, mut goodbyes) = (vec![Vec::new(); rooms / BATCH], Vec::new());
    for (number, mut asker) in Member::connect(&server.site, ASKERS).await.into_iter().enumerate() {
        for (first, costs) in (0..rooms).step_by(BATCH).zip(&mut answers) {
            let names: Vec<String> = (first..first + BATCH).map(|room| format!("room {room} of {number}")).collect();
            let before = cpu(server).await;
            ask(&mut asker, &names, limit.saturating_sub(first)).await;
            costs.push(micros_each(server, before, BATCH).await);
        }
        let before = cpu(server).await;
        asker.close().await;
        goodbyes.push(micros_each(server, before, 1).await);
    }
    Figures { answers: answers.into_iter().map(median).collect(), goodbye: median(goodbyes) }
}

/// The peer is let into the first ones of these rooms, which are empty, and refused the others.
async fn ask(asker: &mut Member, names: &[String], granted: usize) {
    asker.say(names.iter().map(|name| join(name))).await;
    for (index, name) in names.iter().enumerate() {
        if index < granted {
            assert!(asker.hear_roster(name).await.is_empty());
        } else {
            asker.hear_refusal("too-many-rooms", name).await;
        }
    }
}
