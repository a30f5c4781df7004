//! What peers can make the built program hold by what they say to rooms, the smallest messages and the largest: the
//! bound that it prints at its start is kept, and what was freed goes back to the system.

use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::{V1, join};
use crate::park::WIDE;
use crate::program::Program;
use crate::raw::{FIN, Raw, TEXT, header, masked};

/// Of each room of 100: those that talk. They read what they hear, and acknowledge nothing; the others do not even read.
const MEMBERS: usize = 100;
const TALKERS: usize = 38;

/// A server in development takes its time, on two cores that all tests share.
const PATIENCE: Duration = Duration::from_mins(5);

/// What all that waits may have, so that a test can exceed it.
const QUEUED_BYTES: usize = 32 << 20;

/// About the largest payload.
pub(crate) const LARGEST: usize = 60_000;

/// One whose session can be resumed holds what it does not acknowledge.
async fn member(program: &Program, room: usize, holds: bool) -> Raw {
    let mut raw = if holds {
        let mut raw = program.raw_offering(V1).await;
        raw.frame().await;
        raw
    } else {
        program.raw().await
    };
    raw.ask(&join(&room.to_string())).await;
    raw
}

/// Says a message to its room so many times, and hears that all are processed.
async fn talk(mut raw: Raw, room: usize, bytes: usize, times: usize) -> Raw {
    let payload = if bytes < 2 { "1".to_owned() } else { format!("\"{}\"", "x".repeat(bytes)) };
    let message = format!(r#"{{"type":"message","room":"{room}","message":{payload}}}"#);
    let (mut read, mut write) = tokio::io::split(raw.stream);
    let said = async {
        use tokio::io::AsyncWriteExt as _;
        let frames = masked(FIN | TEXT, message.as_bytes()).repeat(times);
        let fence = masked(FIN | TEXT, br#"{"type":"ping","ref":"fence"}"#);
        write.write_all(&[frames, fence].concat()).await.expect("the server reads");
        write.flush().await.expect("the server reads");
    };
    let heard = async {
        loop {
            let (_, payload) = crate::raw::read_frame(&mut read).await.expect("the connection is open");
            if payload == br#"{"type":"ack","ref":"fence"}"# {
                return;
            }
        }
    };
    tokio::join!(said, heard);
    raw.stream = read.unsplit(write);
    raw
}

/// The figure in front of these words, in bytes.
pub(crate) fn printed(stdout: &str, words: &str) -> u64 {
    let figure = stdout.split_once(words).and_then(|(before, _)| before.split_whitespace().last()?.parse::<u64>().ok());
    1024 * figure.unwrap_or_else(|| panic!("{words}: {stdout}"))
}

/// Fills the queue of a peer that does not read, until not even the smallest message finds room. `put` sends a message of
/// this size and says whether it found any.
pub(crate) async fn fill(mut put: impl AsyncFnMut(usize) -> bool) {
    let (mut size, mut refusals) = (LARGEST, 0);
    // Some may still be taken out.
    while refusals < 20 {
        match (put(size).await, size) {
            (true, _) => refusals = 0,
            (false, 0) => refusals += 1,
            (false, _) => size /= 2,
        }
    }
}

/// What a client sends that has these frames to say, and half of a message of the largest size.
pub(crate) fn with_half_a_message(frames: impl Iterator<Item = String>) -> Vec<u8> {
    let mut bytes: Vec<u8> = frames.flat_map(|frame| masked(FIN | TEXT, frame.as_bytes())).collect();
    bytes.extend(header(FIN | TEXT, 65_536));
    bytes.resize(bytes.len() + 32_768, 0);
    bytes
}

/// Checks what the program holds for clients of another server's, with what each holds at least, and ends it.
pub(crate) async fn assert_bounded(program: Program, before: u64, clients: Vec<Raw>, least: u64) {
    let held = program.resident_bytes().saturating_sub(before);
    let most = program.most_resident_bytes().saturating_sub(before);
    let count = clients.len() as u64;
    program.signal(Signal::TERM);
    drop(clients);
    let bound = printed(&program.ended().await.stdout, " KiB for one peer");
    let kilobytes = [held / count, most / count, bound].map(|bytes| bytes / 1024);
    eprintln!("each of {count} now, each at most, and the bound, in KiB: {kilobytes:?}");
    assert!(held > count * least, "they hoard: {held}");
    assert!(most <= count * bound, "at most {bound} for each of {count}: {most}");
}

/// Fills rooms with messages of this size. Checks what the program holds, and what it still does afterwards.
async fn flood(rooms: usize, bytes: usize, times: usize, flags: &[&str]) {
    let most = format!("--max-connections={}", rooms * MEMBERS + 10);
    let flags = [&WIDE[..], &["--write-timeout=600", "--heartbeat=600", "--resume-window=0.1", &most], flags];
    let program = Program::start(&flags.concat()).await;
    // The first connections pay for what all share.
    for _ in 0..4 {
        drop(program.connect().await);
    }
    let start = program.resident_bytes();
    let (mut silent, mut talkers) = (Vec::new(), JoinSet::new());
    let mut members = Vec::new();
    for number in 0..rooms * MEMBERS {
        let room = number / MEMBERS;
        // A talker that held all that is large would not hear that it has been understood.
        let holds = number % MEMBERS >= TALKERS || bytes < 1000;
        members.push((room, member(&program, room, holds).await));
    }
    for (number, (room, raw)) in members.into_iter().enumerate() {
        if number % MEMBERS < TALKERS {
            talkers.spawn(talk(raw, room, bytes, times));
        } else {
            silent.push(raw);
        }
    }
    let talkers = tokio::time::timeout(PATIENCE, talkers.join_all()).await.expect("all is processed in time");
    let peak = program.most_resident_bytes();
    drop((talkers, silent));
    let deadline = Instant::now() + PATIENCE;
    let mut look = interval(Duration::from_millis(200));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while program.resident_bytes() * 2 > start * 3 {
        assert!(Instant::now() < deadline, "{} of {start} at the start, {peak} at most", program.resident_bytes());
        look.tick().await;
    }
    let after = program.resident_bytes();
    program.signal(Signal::TERM);
    let stdout = program.ended().await.stdout;
    let waiting = printed(&stdout, " KiB for all that waits");
    let each = printed(&stdout, " KiB for each of them");
    let bound = waiting + each * (rooms * MEMBERS) as u64;
    eprintln!("messages of {bytes}: {start} at the start, {peak} at most, {after} afterwards; bound {bound}");
    assert!(peak - start <= bound, "it grew by {} of {bound}", peak - start);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the machine for itself: make test-memory"]
async fn the_smallest_messages_to_rooms_take_no_more_than_is_printed_and_it_is_given_back() {
    flood(3, 1, 60, &[&format!("--queued-bytes={QUEUED_BYTES}")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the machine for itself: make test-memory"]
async fn the_largest_messages_to_rooms_take_no_more_than_is_printed_and_it_is_given_back() {
    flood(3, 60_000, 30, &[&format!("--queued-bytes={QUEUED_BYTES}")]).await;
}

/// As it was first done: 2,400 members, with the limits as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make attack"]
async fn twenty_four_full_rooms_take_no_more_than_is_printed_and_it_is_given_back() {
    flood(24, 1, 60, &["--max-connections-per-address=0"]).await;
}
