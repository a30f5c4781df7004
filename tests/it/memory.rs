//! What peers can make the built program hold: the bound that it prints at its start is kept.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, V1, join, message_from, message_to};
use crate::park::WIDE;
use crate::program::Program;
use crate::raw::{FIN, Raw, TEXT, header, masked};
use crate::within;

/// Stalled peers of each kind.
const STALLED: usize = 7;

/// Peers that make the server hold as much as they can.
struct Burden {
    ids: Vec<String>,
    ways_in: Vec<WriteHalf<TlsStream<TcpStream>>>,
    /// Streams that are never read.
    unread: Vec<ReadHalf<TlsStream<TcpStream>>>,
    /// Tasks that read, and never acknowledge.
    readers: JoinSet<()>,
}

impl Burden {
    /// In one room: peers that never read, with and without resume, and peers that never acknowledge.
    async fn new(program: &Program) -> Self {
        let mut burden = Self { ids: Vec::new(), ways_in: Vec::new(), unread: Vec::new(), readers: JoinSet::new() };
        for _ in 0..STALLED {
            for raw in [program.stalled().await, program.stalled_v1().await] {
                let unread = burden.enter(raw).await;
                burden.unread.push(unread);
            }
            let mut read = burden.enter(program.raw_offering(V1).await).await;
            burden.readers.spawn(async move { drop(tokio::io::copy(&mut read, &mut tokio::io::sink()).await) });
        }
        burden
    }

    async fn enter(&mut self, mut raw: Raw) -> ReadHalf<TlsStream<TcpStream>> {
        raw.send(FIN | TEXT, join("hall").as_bytes()).await;
        self.ids.push(raw.id);
        let (read, write) = tokio::io::split(raw.stream);
        self.ways_in.push(write);
        read
    }

    /// Asks for long answers, more than a queue holds, and then sends half of a message of the largest size.
    async fn ask_much(&mut self) {
        let frames =
            [masked(FIN | TEXT, join("hall").as_bytes()).repeat(600), header(FIN | TEXT, 65_536), vec![0; 32_768]];
        for way_in in &mut self.ways_in {
            way_in.write_all(&frames.concat()).await.expect("the system keeps it");
            way_in.flush().await.expect("the system keeps it");
        }
    }
}

async fn say(from: &mut Client, to: &mut Client) {
    from.say(message_to(&to.id, "1", "1")).await;
    from.hears(r#"{"type":"ack","ref":1}"#).await;
    to.hears(message_from(&from.id, "1")).await;
}

/// The median of the round trips, which go on until there are enough.
async fn median(alice: &mut Client, bob: &mut Client, mut is_enough: impl FnMut(usize) -> bool) -> Duration {
    let mut times = Vec::new();
    while !is_enough(times.len()) {
        let begin = Instant::now();
        say(alice, bob).await;
        say(bob, alice).await;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_stall_take_no_more_than_the_bound_and_no_other_waits_for_them() {
    let program = Program::start(&[&WIDE[..], &["--write-timeout=60", "--resume-window=1"]].concat()).await;
    let [mut alice, mut bob] = program.connect_many().await;
    let calm = median(&mut alice, &mut bob, |rounds| rounds == 200).await;

    let before = program.resident_bytes();
    let grown = || program.resident_bytes().saturating_sub(before);
    let mut floods = Vec::new();
    for _ in 0..2 {
        let mut burden = Burden::new(&program).await;
        let (ids, mut carol) = (burden.ids.clone(), program.connect().await);
        let is_over = Cell::new(false);
        let flood = async {
            for id in &ids {
                carol.fill(id).await;
            }
            within("their frames to be sent", burden.ask_much()).await;
            is_over.set(true);
        };
        let rounds = median(&mut alice, &mut bob, |rounds| rounds >= 100 && is_over.get());
        let ((), flooded) = tokio::join!(flood, rounds);
        // Generous: debug builds of server and clients share two slow cores with all other tests.
        assert!(flooded < calm * 20 + Duration::from_millis(50), "{flooded:?} in the flood, {calm:?} when it is calm");
        median(&mut alice, &mut bob, |rounds| rounds == 100).await;
        floods.push(grown());

        drop(burden);
        let gone = async {
            for id in ids {
                while !alice.ask(message_to(&id, "1", "1")).await.contains(r#""code":"peer-unavailable""#) {}
            }
        };
        within("the end of all their sessions", gone).await;
        eprintln!(
            "a round trip: {calm:?} when it is calm, {flooded:?} in the flood; grown by {floods:?}, now {}",
            grown()
        );
    }
    program.signal(Signal::TERM);
    let printed = program.ended().await.stdout;
    let words = printed.split_once("memory: at most ").and_then(|(_, rest)| rest.split_once(" KiB for one peer"));
    let bound = 1024 * words.and_then(|(kilobytes, _)| kilobytes.parse::<u64>().ok()).expect("the start prints it");
    let peers = 3 * STALLED as u64;
    assert!(floods[0] > peers * 512 * 1024, "their queues are full: {floods:?}");
    // The second flood reuses the memory that the first has freed, and none is lost.
    assert!(floods.iter().all(|grown| *grown <= peers * bound), "at most {bound} for each of {peers}: {floods:?}");
}
