//! Costs that must not grow unnoticed: `make check-cost`, or `cargo bench --bench cost`.
//!
//! Instructions for a message and bytes for an idle peer are counted, not timed, so that a busy machine finds the same.
//! Each figure is compared with the one that is committed here, and may be 10 % above it. A change that makes a figure
//! better commits the better one; a change that has to make one worse says why.

#[path = "../crowd/mod.rs"]
mod crowd;
mod instructions;
mod memory;
#[path = "../lab/trust.rs"]
mod trust;

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// To decode a candidate's frame, to deliver it, and to encode it: the same in a hub with few rooms and with many.
const INSTRUCTIONS_PER_MESSAGE: u64 = 4940;

/// On the heap, without what aws-lc allocates itself: a peer over TLS that has sent nothing yet.
const BYTES_FRESH: u64 = 5_031;

/// The same after the signaling of its first call.
const BYTES_AFTER_A_CALL: u64 = 4_967;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["talk", rooms, messages] => {
            instructions::talk(rooms.parse().expect("a count"), messages.parse().expect("a count"));
        }
        ["serve"] => memory::serve(),
        _ => return check(),
    }
    ExitCode::SUCCESS
}

fn check() -> ExitCode {
    let (fresh, after_a_call) = memory::per_peer();
    let kept = [
        keeps("instructions per message among 100 rooms", instructions::per_message(100), INSTRUCTIONS_PER_MESSAGE),
        keeps("… among 10,000 rooms", instructions::per_message(10_000), INSTRUCTIONS_PER_MESSAGE),
        keeps("bytes per idle peer, fresh", fresh, BYTES_FRESH),
        keeps("bytes per idle peer, after a call", after_a_call, BYTES_AFTER_A_CALL),
    ];
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the figure is at most a tenth above the committed one.
fn keeps(what: &str, found: u64, committed: u64) -> bool {
    let verdict = match found {
        more if more * 10 > committed * 11 => "FAILED: more than a tenth above",
        less if less * 10 < committed * 9 => "better: commit it",
        _ => "kept",
    };
    println!("{what}: {found}, committed {committed}: {verdict}");
    !verdict.starts_with("FAILED")
}
