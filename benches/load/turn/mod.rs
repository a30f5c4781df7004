//! What a relayed packet costs here and in coturn: `make bench-turn`.
//!
//! Each server has one core, and this program another. Clients have a channel each, to a peer outside or to another client's
//! relay in the same server, and each packet, or burst, is answered by another one. Latency is that of packets at a steady
//! pace. Rounds alternate, each with new processes; a figure is the median of the rounds, and servers are compared within a
//! round.

mod client;
mod server;
mod traffic;

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::affinity::{Awake, Core};
use crate::pair::Pair;
use crate::table::median;
use client::Client;
use server::{Program, Relay};
use traffic::{Figures, Traffic};

const ROUNDS: usize = 3;

/// Of each row, in each round.
const LENGTH: Duration = Duration::from_secs(3);

/// Relays whose memory is measured.
const RELAYS: u16 = 1000;

const CALM: Traffic = Traffic { clients: 50, is_relayed: false, is_tls: false, bytes: 200, burst: 1 };

const ROWS: [(&str, Traffic, &str); 7] = [
    ("1 client, calm, to a peer outside", Traffic { clients: 1, ..CALM }, "≥ 1.2"),
    ("50 clients, calm", CALM, "≥ 1.2"),
    ("500 clients, calm", Traffic { clients: 500, ..CALM }, "≥ 1.2"),
    ("50 clients, bursts of 20 packets of 1,150 bytes", Traffic { bytes: 1150, burst: 20, ..CALM }, "≥ 2"),
    ("50 clients in pairs, relay to relay, calm", Traffic { is_relayed: true, ..CALM }, "≥ 2"),
    ("… in bursts", Traffic { is_relayed: true, bytes: 1150, burst: 20, ..CALM }, "≥ 2"),
    ("50 clients over TLS, calm", Traffic { is_tls: true, ..CALM }, "≥ 1.5"),
];

/// Measures, beside the coturn that is unpacked in this folder, and prints a table.
pub(crate) fn measure(coturn: &Path, wanted: Option<&str>) {
    let pair = Pair::new();
    let [for_server, for_load] = Core::two();
    for_load.stay();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!(
        "| | entremise | coturn | packets per CPU second, of coturn's | goal | p99 | coturn's p99 | lost, of | coturn lost |"
    );
    println!("|---|--:|--:|--:|---|--:|--:|--:|--:|");
    for (name, traffic, goal) in ROWS.iter().filter(|(name, ..)| wanted.is_none_or(|wanted| name.contains(wanted))) {
        let figures: Vec<[Figures; 2]> = (0..ROUNDS)
            .map(|_| {
                [Program::Entremise, Program::Coturn].map(|program| {
                    let relay = Relay::start(program, coturn, &pair, for_server);
                    let _awake = Awake::keep(for_server);
                    runtime.block_on(traffic.measure(&relay, LENGTH))
                })
            })
            .collect();
        let of = |figure: fn(&Figures) -> f64, which: usize| {
            median(figures.iter().map(|both| figure(&both[which]))).expect("rounds")
        };
        let ratio = median(figures.iter().map(|[ours, theirs]| theirs.cpu.div_duration_f64(ours.cpu)));
        let cpu = [0, 1].map(|which| of(|figures| figures.cpu.as_secs_f64() * 1e6, which));
        let p99 = [0, 1].map(|which| of(|figures| figures.p99.as_secs_f64() * 1e6, which));
        let lost = [0, 1].map(|which| figures.iter().map(|both| both[which].sent - both[which].arrived).sum::<u64>());
        let sent: u64 = figures.iter().map(|both| both[0].sent).sum();
        println!(
            "| {name} | {:.2} µs | {:.2} µs | {:.2}× | {goal}× | {:.0} µs | {:.0} µs | {} of {sent} | {} |",
            cpu[0],
            cpu[1],
            ratio.expect("rounds"),
            p99[0],
            p99[1],
            lost[0],
            lost[1],
        );
    }
    if wanted.is_none_or(|wanted| wanted == "memory") {
        let [ours, theirs] = [Program::Entremise, Program::Coturn]
            .map(|program| memory(&Relay::start(program, coturn, &pair, for_server), &runtime));
        println!(
            "| Memory of a relay with a channel, of {RELAYS} | {ours:.1} KiB | {theirs:.1} KiB | {:.2} | – | | | | |",
            ours / theirs
        );
    }
}

/// KiB for each.
fn memory(relay: &Relay, runtime: &Runtime) -> f64 {
    runtime.block_on(async {
        // The first one makes what all share.
        let mut clients = vec![with_channel(relay).await];
        let before = relay.resident_kib();
        for _ in 0..RELAYS {
            clients.push(with_channel(relay).await);
        }
        f64::from(relay.resident_kib() - before) / f64::from(RELAYS)
    })
}

async fn with_channel(relay: &Relay) -> Client {
    let mut client = Client::new(relay, false).await;
    client.bind(([127, 0, 0, 1], 9).into()).await;
    client
}
