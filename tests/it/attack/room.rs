//! What one member of a room can do to the others.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::{V1, join};
use crate::raw::{CLOSE, FIN, Raw, TEXT, masked, read_frame};
use crate::room::leave;
use crate::server::{Server, Site};
use crate::within;

/// What it hears, until it is asked for a sign of life and gives it; or the code with which it was closed.
type Heard = Result<Vec<String>, u16>;

const ALIVE: &str = r#"{"type":"ping","ref":"alive"}"#;
const IS_ALIVE: &str = r#"{"type":"ack","ref":"alive"}"#;

/// A member that reads and acknowledges at once, over a line with this round trip. It asks whether its session lives when
/// it hears the last word.
async fn member(site: &Site, round_trip: Duration, last: String) -> JoinHandle<Heard> {
    let mut raw = site.raw_offering(V1).await;
    raw.frame().await;
    raw.ask(&join("hall")).await;
    let (mut read, mut write) = tokio::io::split(raw.stream);
    let (arrived, mut arrivals) = mpsc::channel::<(Instant, String)>(100_000);
    let reader = tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            let (first, payload) = read_frame(&mut read).await.expect("a close frame comes before the end");
            if first == FIN | CLOSE {
                return Err(u16::from_be_bytes([payload[0], payload[1]]));
            }
            let text = String::from_utf8(payload).expect("text");
            if text == IS_ALIVE {
                return Ok(heard);
            }
            arrived.try_send((Instant::now(), text.clone())).expect("there is room");
            heard.push(text);
        }
    });
    let acknowledge = async move {
        // The roster was the first.
        let mut count = 1;
        while let Some((at, text)) = arrivals.recv().await {
            // The line's delay.
            tokio::time::sleep_until(at + round_trip).await;
            count += 1;
            let received = masked(FIN | TEXT, format!(r#"{{"type":"received","count":{count}}}"#).as_bytes());
            let alive = if text == last { masked(FIN | TEXT, ALIVE.as_bytes()) } else { Vec::new() };
            if write.write_all(&[received, alive].concat()).await.is_err() {
                return;
            }
        }
    };
    tokio::spawn(async move {
        let (heard, ()) = tokio::join!(reader, acknowledge);
        heard.expect("it does not panic")
    })
}

fn peer_left(id: &str) -> String {
    format!(r#"{{"type":"peer-left","room":"hall","peer":"{id}"}}"#)
}

fn room_message(bytes: usize) -> Vec<u8> {
    masked(FIN | TEXT, format!(r#"{{"type":"message","room":"hall","message":"{}"}}"#, "x".repeat(bytes)).as_bytes())
}

/// A megabyte in 43 messages, all within the rates: large ones first, then what still fits.
fn fill() -> Vec<u8> {
    let large = [60_000; 17].into_iter();
    let small = (0..13).flat_map(|halvings| [16_000 >> halvings; 2]);
    large.chain(small).flat_map(room_message).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_reads_and_acknowledges_keeps_its_session_whatever_others_send() {
    for round_trip in [10, 50, 100].map(Duration::from_millis) {
        let server = Server::start(&[]);
        let mut attacker = server.raw().await;
        let last = peer_left(&attacker.id);
        let mut members = Vec::new();
        for _ in 0..3 {
            members.push(member(&server, round_trip, last.clone()).await);
        }
        attacker.ask(&join("hall")).await;
        attacker.write(&[fill(), masked(FIN | TEXT, leave("hall").as_bytes())].concat()).await;
        for member in members {
            let heard = within("a sign of life", member).await.expect("it does not panic");
            let heard = heard.unwrap_or_else(|code| panic!("closed with {code}, {round_trip:?} away"));
            assert_eq!(heard.last(), Some(&last), "it was told that the attacker left");
        }
        within("the attacker's end", attacker.stream.shutdown()).await.expect("the connection is open");
    }
}

/// Enters and leaves as often as it may at once.
async fn flap(attacker: &mut Raw) {
    let flaps = [masked(FIN | TEXT, join("hall").as_bytes()), masked(FIN | TEXT, leave("hall").as_bytes())].concat();
    attacker.write(&flaps.repeat(199)).await;
    // To join and to leave and not to be refused: all of it is processed before the answer to this.
    attacker.send(FIN | TEXT, ALIVE.as_bytes()).await;
    while !attacker.text().await.contains("\"alive\"") {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_come_and_go_in_a_flood_pay_for_it_and_end_no_other() {
    const MEMBERS: usize = 10;
    const ATTACKERS: usize = 8;

    let server = Server::start(&["--refused-messages=0"]);
    let mut leaver = server.raw().await;
    leaver.ask(&join("hall")).await;
    let last = peer_left(&leaver.id);
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(member(&server, Duration::from_millis(100), last.clone()).await);
    }
    let mut attackers = Vec::new();
    for _ in 0..ATTACKERS {
        let mut attacker = server.raw().await;
        attackers.push(tokio::spawn(async move { flap(&mut attacker).await }));
    }
    for attacker in attackers {
        within("its flood to be processed", attacker).await.expect("it does not panic");
    }
    leaver.ask(&leave("hall")).await;
    for member in members {
        let heard = within("a sign of life", member).await.expect("it does not panic").expect("its session lives");
        let announced = heard.iter().filter(|frame| frame.contains(r#""type":"peer-"#)).count();
        // A burst of 400 is spent by 1 + 11/16 for each that 11 others hear; some of it refills meanwhile.
        assert!(announced < ATTACKERS * 300, "{announced} announcements");
        assert!(heard.contains(&last), "what cancels out is not told, and everything else is");
    }
}
