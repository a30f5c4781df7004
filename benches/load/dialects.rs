//! entremise beside the servers whose clients it serves: each with the same clients, in the same rounds.

use std::fmt::Write as _;

use tokio::runtime::Runtime;

use crate::affinity::Core;
use crate::pair::Pair;
use crate::phase::{self, Costs, Plan};
use crate::rival::{Foreign, PeerServer, Rival, Tutorial, YWebrtc};
use crate::table::{median, readable};

/// The originals, each beside ours in its place.
const PAIRS: [(&dyn Rival, &Foreign); 3] = [
    (&Tutorial, &Foreign { original: &Tutorial, dialect: "socket.io", path: None }),
    (&PeerServer, &Foreign { original: &PeerServer, dialect: "peerjs", path: None }),
    (&YWebrtc, &Foreign { original: &YWebrtc, dialect: "y-webrtc", path: Some("/y-webrtc") }),
];

/// What ours should cost, as a part of what the original does: memory, and CPU for a message.
const LESS_MEMORY: f64 = 3.0;
const LESS_CPU: f64 = 4.0;

/// The table.
pub(crate) fn compare(plan: &Plan, pair: &Pair, core: Core, runtime: &Runtime) -> String {
    let mut text = String::from(
        "| clients of | server | memory of an idle TLS peer, fresh | … after a call | connects per CPU second | messages per \
         CPU second, 50 busy pairs | goal |\n|---|---|--:|--:|--:|--:|---|\n",
    );
    for (original, ours) in PAIRS {
        let rounds: Vec<(Costs, Costs)> = (1..=plan.rounds)
            .map(|round| {
                eprintln!("round {round} of {}: {}, {} …", plan.rounds, original.name(), ours.name());
                let theirs = runtime.block_on(phase::costs(original, pair, core, plan));
                (theirs, runtime.block_on(phase::costs(ours, pair, core, plan)))
            })
            .collect();
        line(&mut text, ours.name(), original.name(), &rounds, |(theirs, _)| theirs, None);
        let verdict = verdict(&rounds);
        line(&mut text, ours.name(), "entremise", &rounds, |(_, ours)| ours, Some(&verdict));
    }
    text
}

fn line(
    text: &mut String,
    clients: &str,
    server: &str,
    rounds: &[(Costs, Costs)],
    of: fn(&(Costs, Costs)) -> &Costs,
    verdict: Option<&str>,
) {
    let middle = |figure: fn(&Costs) -> f64| {
        let value = median(rounds.iter().map(|round| figure(of(round)))).unwrap_or_default();
        let times = median(
            rounds
                .iter()
                .map(|(theirs, _)| theirs)
                .zip(rounds)
                .map(|(theirs, round)| figure(of(round)) / figure(theirs)),
        );
        (readable(value), times.unwrap_or_default())
    };
    let less = |figure| {
        let (value, times): (String, f64) = middle(figure);
        format!("{value} KiB ({}×)", readable(times.recip()))
    };
    let more = |figure| {
        let (value, times): (String, f64) = middle(figure);
        format!("{value} ({}×)", readable(times))
    };
    let _ = writeln!(
        text,
        "| {clients} | {server} | {} | {} | {} | {} | {} |",
        less(|costs| costs.kib_fresh),
        less(|costs| costs.kib_called),
        more(|costs| costs.connects),
        more(|costs| costs.relayed),
        verdict.unwrap_or("–"),
    );
}

fn verdict(rounds: &[(Costs, Costs)]) -> String {
    let times = |better: fn(&Costs, &Costs) -> f64| {
        median(rounds.iter().map(|(theirs, ours)| better(theirs, ours))).unwrap_or_default()
    };
    let memory = times(|theirs, ours| theirs.kib_called / ours.kib_called);
    let messages = times(|theirs, ours| ours.relayed / theirs.relayed);
    let is_met = memory >= LESS_MEMORY && messages >= LESS_CPU;
    let met = if is_met { "met" } else { "missed" };
    format!("memory ≥ {LESS_MEMORY}×, messages ≥ {LESS_CPU}×: {met}")
}
