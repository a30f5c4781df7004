//! Instructions from a client's frame to the addressee's frame, as valgrind's callgrind counts them.

use std::hint::black_box;
use std::process::Command;

use entremise::dialect::v1::{self, decode};

use crate::crowd::{Crowd, message, obey, take};

/// Two runs with different numbers of messages: start and end cost the same in both, so the difference is the messages'.
const MESSAGES: [u64; 2] = [2000, 12_000];

/// Bytes of a candidate.
const PAYLOAD: usize = 250;

/// What one message costs in a hub with so many rooms.
pub(crate) fn per_message(rooms: usize) -> u64 {
    let [few, many] = MESSAGES.map(|messages| count(rooms, messages));
    (many - few) / (MESSAGES[1] - MESSAGES[0])
}

/// The instructions of this program while it passes so many messages on.
fn count(rooms: usize, messages: u64) -> u64 {
    let this = std::env::current_exe().expect("this program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["talk", &rooms.to_string(), &messages.to_string()])
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.unwrap_or_else(|| panic!("callgrind counts: {said}"))
}

/// The part of this program that is counted.
pub(crate) fn talk(rooms: usize, messages: u64) {
    let crowd = Crowd::new(rooms);
    let (frame, mut out) = (message(crowd.callee.id(), PAYLOAD), Vec::new());
    for _ in 0..messages {
        obey(&crowd.caller, decode(black_box(&frame)).expect("a message"));
        out.clear();
        // As a connection does: into a buffer that is there already.
        v1::write(take(&crowd.callee).message(), &mut out);
        black_box(&out);
    }
}
