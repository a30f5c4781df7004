//! What clients of matchbox can make the built program hold: the bound that it prints at its start is kept.

use super::{MATCHBOX, Player, id_in};
use crate::attack::memory::{LARGEST, assert_bounded, with_half_a_message};
use crate::park::WIDE;
use crate::program::Program;
use crate::within;

/// Members that hoard.
const HOARDERS: usize = 12;

/// So many more that the room is full, of which each hoarder would be told twice.
const OTHERS: usize = 86;

/// Signals of the largest size: more than a queue and the system's buffers take. And of each smaller one.
const LARGE_SIGNALS: usize = 80;
const SIGNALS: usize = 20;

fn signal(to: &str, data: &str) -> String {
    format!(r#"{{"Signal":{{"receiver":"{to}","data":{data}}}}}"#)
}

impl Player {
    /// Fills the queue of a member that does not read. This server says nothing of what found no room.
    async fn fill(&mut self, stalled: &str) {
        let sizes = std::iter::successors(Some(LARGEST), |size| (*size > 0).then(|| size / 2));
        let signals = sizes.flat_map(|size| [size; SIGNALS]);
        for size in std::iter::repeat_n(LARGEST, LARGE_SIGNALS).chain(signals) {
            self.guest.say(signal(stalled, &format!("\"{}\"", "x".repeat(size)))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_do_not_read_take_no_more_than_the_bound() {
    let flags = [&WIDE[..], &[MATCHBOX, "--heartbeat=60", "--write-timeout=60"]].concat();
    let program = Program::start(&flags).await;
    let room = format!("/matchbox/{}", "r".repeat(128));
    let mut dave = program.player(&room).await;
    let mut carol = program.player(&room).await;
    dave.hears_of("NewPeer", &carol).await;
    carol.fence(&mut dave).await;
    let before = program.resident_bytes();
    let mut hoarders = Vec::new();
    for _ in 0..HOARDERS {
        let mut raw = program.raw_at(program.narrow_tls().await, &room).await;
        let id = id_in(&raw.text().await, "IdAssigned");
        raw.write(&with_half_a_message(std::iter::empty())).await;
        within("its signals to be sent", carol.fill(&id)).await;
        hoarders.push(raw);
    }
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        others.push(program.player(&room).await);
    }
    for other in others {
        other.guest.leave().await;
    }
    // All of it has come once this has.
    carol.guest.say(signal(&dave.id, "1")).await;
    let last = format!(r#"{{"Signal":{{"sender":"{}","data":1}}}}"#, carol.id);
    within("the last signal", async { while dave.guest.hear().await != last {} }).await;
    // A queue: nothing is answered here.
    assert_bounded(program, before, hoarders, 1024 * 1024).await;
}
