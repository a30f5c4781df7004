//! What clients of PeerJS can make the built program hold: the bound that it prints at its start is kept.

use super::{OPEN, Page, expire, heard, offer, url};
use crate::attack::memory::{assert_bounded, fill, with_half_a_message};
use crate::park::WIDE;
use crate::program::Program;
use crate::raw::Raw;
use crate::within;

/// Clients that hoard.
const HOARDERS: usize = 12;

/// As many absent names as one client may wait for, and a message to each of about the size that fits.
const ABSENT: usize = 64;
const LETTER_BYTES: usize = 3400;

/// Messages that find no room, whose answers are not read.
const REFUSED: usize = 200;

/// The longest id, or token.
fn long(name: &str) -> String {
    format!("{name:x<128}")
}

/// A client that reads no more, and what it has said before: letters to absent names, one to Carol, and what is refused.
async fn hoard(program: &Program, number: usize, carol: &mut Page) -> (Raw, String) {
    let id = long(&format!("hoarder-{number}-"));
    let mut raw = program.raw_at(program.narrow_tls().await, &url(&id, &long("token-"))).await;
    assert_eq!(raw.text().await, OPEN);
    let letter = format!("\"{}\"", "x".repeat(LETTER_BYTES));
    let letters = (0..ABSENT).map(|name| offer(&long(&format!("absent-{number}-{name}-")), &letter));
    let refused = std::iter::repeat_n(offer(&long("one-more-"), "1"), REFUSED);
    raw.write(&with_half_a_message(letters.chain([offer(&carol.id, "0")]).chain(refused))).await;
    carol.hears(&heard("OFFER", &id, &carol.id, "0")).await;
    (raw, id)
}

impl Page {
    /// Whether a message of this size found room.
    async fn put(&mut self, to: &str, size: usize) -> bool {
        let fence = heard("OFFER", &self.id, &self.id, "0");
        self.say(offer(to, &format!("\"{}\"", "x".repeat(size)))).await;
        self.say(offer(&self.id.clone(), "0")).await;
        let answer = self.hear().await;
        if answer == fence {
            return true;
        }
        assert_eq!(answer, expire(to, &self.id));
        self.hears(&fence).await;
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_take_no_more_than_the_bound() {
    let flags = [&WIDE[..], &["--dialect=peerjs", "--heartbeat=60", "--write-timeout=60"]].concat();
    let program = Program::start(&flags).await;
    let mut carol = Page::open(&program, "carol", "c").await;
    // Once: what the program needs for the first of its kind is no client's.
    carol.fence().await;
    let before = program.resident_bytes();
    let mut hoarders = Vec::new();
    for number in 0..HOARDERS {
        let (raw, id) = hoard(&program, number, &mut carol).await;
        // From here on its letters wait for more than their five seconds: its task is stuck.
        within("a full queue", fill(async |size| carol.put(&id, size).await)).await;
        hoarders.push(raw);
    }
    // A queue, and most of a quarter of one.
    assert_bounded(program, before, hoarders, 1216 * 1024).await;
}
