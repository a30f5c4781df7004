//! What clients of socket.io can make the built program hold: the bound that it prints at its start is kept.

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;

use super::Polling;
use crate::park::WIDE;
use crate::program::Program;

/// Clients that hoard.
const HOARDERS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_poll_take_no_more_than_the_bound() {
    let flags = [&WIDE[..], &["--dialect=socket.io", "--heartbeat=60", "--write-timeout=60"]].concat();
    let program = Program::start(&flags).await;
    let mut carol = program.connect().await;
    // Once: what the program needs for the first of its kind is no peer's.
    Polling::connect(&program).await;
    let before = program.resident_bytes();
    let (mut hoarders, mut unread) = (Vec::new(), Vec::new());
    for _ in 0..HOARDERS {
        let (hoarder, id) = Polling::connect(&program).await;
        carol.fill_with(&id, "candidate").await;
        // A post whose answers find no room, so that the rest of it waits.
        let long = format!("40/{}", "x".repeat(8000));
        let mut tls = program.tls().await;
        tls.write_all(hoarder.post_request(&vec![long; 8].join("\u{1e}"), &[]).as_bytes()).await.expect("it reads");
        tls.flush().await.expect("it reads");
        // A poll whose answer is not read.
        unread.push(tls);
        hoarders.push(hoarder);
    }
    let held = program.resident_bytes().saturating_sub(before);
    let mut polls = Vec::new();
    for hoarder in &hoarders {
        let mut narrow = program.narrow_tls().await;
        narrow.write_all(program.head("GET", &hoarder.path, &[]).as_bytes()).await.expect("it reads");
        narrow.flush().await.expect("it reads");
        polls.push(narrow);
    }
    // All of it has come once this has.
    let (mut dave, _) = Polling::connect(&program).await;
    dave.says("40/fence").await;
    dave.hears(super::FENCE).await;
    let most = program.most_resident_bytes().saturating_sub(before);
    program.signal(Signal::TERM);
    drop((unread, polls, carol));
    let printed = program.ended().await.stdout;
    let words = printed.split_once("memory: at most ").and_then(|(_, rest)| rest.split_once(" KiB for one peer"));
    let bound = 1024 * words.and_then(|(kilobytes, _)| kilobytes.parse::<u64>().ok()).expect("the start prints it");
    assert!(held > HOARDERS * 512 * 1024, "their queues are full: {held}");
    assert!(most <= HOARDERS * bound, "at most {bound} for each of {HOARDERS}: {most}");
}
