//! entremise beside the servers whose clients it serves: each with the same clients, in the same rounds.

use std::fmt::Write as _;

use tokio::runtime::Runtime;

use crate::affinity::Core;
use crate::pair::Pair;
use crate::phase::{self, Costs, Plan};
use crate::rival::{Foreign, GStreamer, Matchbox, PeerServer, Rival, Trystero, Tutorial, YWebrtc};
use crate::table::{installed, median, package, readable};

/// What an original is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    JavaScript,
    Rust,
}

/// The originals, each beside ours in its place.
const PAIRS: [(&dyn Rival, Language, &Foreign); 6] = [
    (&Tutorial, Language::JavaScript, &Foreign { original: &Tutorial, dialect: "socket.io", folder: "" }),
    (&PeerServer, Language::JavaScript, &Foreign { original: &PeerServer, dialect: "peerjs", folder: "" }),
    (&YWebrtc, Language::JavaScript, &Foreign { original: &YWebrtc, dialect: "y-webrtc", folder: "/y-webrtc" }),
    (&Trystero, Language::JavaScript, &Foreign { original: &Trystero, dialect: "trystero", folder: "/trystero" }),
    (&Matchbox, Language::Rust, &Foreign { original: &Matchbox, dialect: "matchbox", folder: "/matchbox" }),
    (&GStreamer, Language::Rust, &Foreign { original: &GStreamer, dialect: "gstreamer", folder: "/gstreamer" }),
];

/// What ours should cost, as a part of what an original in JavaScript does: memory, and CPU for a message.
const LESS_MEMORY: f64 = 3.0;
const LESS_CPU: f64 = 4.0;

/// The table, and what it needs to be understood.
pub(crate) fn compare(plan: &Plan, pair: &Pair, core: Core, runtime: &Runtime) -> String {
    let mut text = String::from(
        "By `cargo bench --bench load -- dialects`, and a part of `make bench`: each original, and entremise in its place, \
         in the same rounds with the same clients.\n\n\
         | clients of | server | memory of an idle peer, fresh | … after a call | connects per CPU second | messages per CPU \
         second, 50 busy pairs | goal |\n|---|---|--:|--:|--:|--:|---|\n",
    );
    for (original, language, ours) in PAIRS {
        let rounds: Vec<(Costs, Costs)> = (1..=plan.rounds)
            .map(|round| {
                eprintln!("round {round} of {}: {}, {} …", plan.rounds, original.name(), ours.name());
                let theirs = runtime.block_on(phase::costs(original, pair, core, plan));
                (theirs, runtime.block_on(phase::costs(ours, pair, core, plan)))
            })
            .collect();
        line(&mut text, ours.name(), original.name(), &rounds, |(theirs, _)| theirs, None);
        let verdict = match language {
            Language::JavaScript => verdict(&rounds),
            Language::Rust => "none beside Rust".to_owned(),
        };
        line(&mut text, ours.name(), "entremise", &rounds, |(_, ours)| ours, Some(&verdict));
    }
    let _ = writeln!(
        text,
        "\nEach as it comes, what it logs included. All peers speak TLS but those of matchbox, whose server has none: there ours \
         is without it too. y-webrtc {}, matchbox_server {}, gst-plugin-webrtc-signalling {}; Trystero's own relay is in no \
         registry, and this one does the same on the wire.",
        package("y-webrtc"),
        installed("matchbox_server"),
        installed("gst-plugin-webrtc-signalling"),
    );
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
