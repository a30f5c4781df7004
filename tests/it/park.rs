//! Sessions whose connection is lost: which are parked, what they hold, and what other peers are told of them.

use entremise::tasks::Drained;

use crate::client::{Client, Ticket, V1, join, message_from, message_to, token_of, undelivered};
use crate::raw::{BINARY, CLOSE, FIN, Raw, TEXT, header, masked};
use crate::server::Server;
use crate::within;

/// No rates, so that no flood is refused.
pub(crate) const WIDE: [&str; 3] = ["--messages-per-second=0", "--bytes-per-second=0", "--connections-per-second=0"];

/// Sends messages until the server knows that this peer's connection is lost. Returns their number.
pub(crate) async fn assert_parked(client: &mut Client, id: &str) -> usize {
    let asked = async {
        let mut messages = 1;
        loop {
            match &*client.ask(message_to(id, r#""there?""#, "1")).await {
                r#"{"type":"ack","ref":1,"parked":true}"# => return messages,
                r#"{"type":"ack","ref":1}"# => messages += 1,
                other => panic!("{other}"),
            }
        }
    };
    within("its connection to be lost", asked).await
}

/// Sends messages until no peer has this id any more: the earlier ones may be reported as undelivered.
pub(crate) async fn assert_peer_is_gone(client: &mut Client, id: &str) {
    let asked = async {
        loop {
            let answer = client.ask(message_to(id, r#""there?""#, "1")).await;
            if answer.contains(r#""code":"peer-unavailable""#) {
                return;
            }
            let is_early = answer.contains(r#""type":"ack""#) || answer.contains(r#""code":"peer-busy""#);
            assert!(is_early || answer == undelivered(id), "{answer}");
        }
    };
    within("the session's end", asked).await;
}

fn peer_left(room: &str, id: &str) -> String {
    format!(r#"{{"type":"peer-left","room":"{room}","peer":"{id}"}}"#)
}

/// A v1 client in the hall, and another member that watches it.
async fn watched(server: &Server) -> (Client, Raw) {
    let mut watcher = server.connect().await;
    let mut raw = server.raw_offering(V1).await;
    raw.frame().await;
    watcher.join("hall").await;
    raw.ask(&join("hall")).await;
    // From another node, the leave of one that was there before may come only now.
    let joined = format!(r#"{{"type":"peer-joined","room":"hall","peer":"{}"}}"#, raw.id);
    within("the other to join", async { while watcher.hear().await != joined {} }).await;
    (watcher, raw)
}

#[tokio::test]
async fn a_close_that_means_the_end_ends_the_session_at_once() {
    let server = Server::start(&["--refused-messages=1", "--max-message-bytes=1000"]);
    let close = |code: u16| masked(FIN | CLOSE, &code.to_be_bytes());
    for (what, bytes) in [
        ("1000", close(1000)),
        ("no code", masked(FIN | CLOSE, b"")),
        ("1002: a broken frame", vec![0xff; 100]),
        ("1003: binary", masked(FIN | BINARY, b"")),
        ("1007: not UTF-8", masked(FIN | TEXT, b"\xff")),
        ("1008: abuse", masked(FIN | TEXT, b"not json")),
        ("1009: too large", [header(FIN | TEXT, 2000), vec![0; 4]].concat()),
    ] {
        let (mut watcher, mut raw) = watched(&server).await;
        raw.write(&bytes).await;
        watcher.hears(peer_left("hall", &raw.id)).await;
        let answer = watcher.ask(message_to(&raw.id, "1", "1")).await;
        assert!(answer.contains(r#""code":"peer-unavailable""#), "{what}: {answer}");
        let ticket = Ticket { token: token_of(&raw.welcome), received: 1 };
        assert!(!server.try_resume(&ticket).await.is_resumed(), "{what}");
    }
}

#[tokio::test]
async fn a_page_that_goes_away_and_a_lost_connection_park_the_session() {
    let server = Server::start(&[]);
    for code in [Some(1001_u16), Some(4100), None] {
        let (mut watcher, mut raw) = watched(&server).await;
        if let Some(code) = code {
            raw.send(FIN | CLOSE, &code.to_be_bytes()).await;
        }
        let ticket = Ticket { token: token_of(&raw.welcome), received: 1 };
        drop(raw.stream);
        let asked = assert_parked(&mut watcher, &raw.id).await;
        let mut again = server.resume(&ticket).await;
        for _ in 0..asked {
            again.hears(message_from(&watcher.id, r#""there?""#)).await;
        }
        // The session has never left the room.
        watcher.fence().await;
        assert_eq!(again.join("hall").await, [&*watcher.id]);
        watcher.fence().await;
        again.fence().await;
        watcher.leave(None).await;
        again.leave(None).await;
    }
}

#[tokio::test]
async fn a_plain_clients_session_ends_with_its_connection() {
    let server = Server::start(&[]);
    let [mut alice, bob] = server.connect_many().await;
    let id = bob.id.clone();
    drop(bob);
    assert_peer_is_gone(&mut alice, &id).await;
}

#[tokio::test]
async fn a_silent_client_is_closed_with_4002_and_parked() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut raw = server.raw_offering(V1).await;
    assert_eq!(raw.closed().await.0, 4002);
    let mut alice = server.connect().await;
    assert_eq!(assert_parked(&mut alice, &raw.id).await, 1, "at once");
    server.resume(&Ticket { token: token_of(&raw.welcome), received: 0 }).await.fence_after(1).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_4001_and_parked() {
    let server = Server::start(
        &[&WIDE[..], &["--write-timeout=1", "--mailbox-bytes=50000000", "--mailbox-messages=100000"]].concat(),
    );
    let mut alice = server.connect().await;
    let stalled = server.stalled_v1().await;
    // More bytes than the system keeps between two sockets.
    let large = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..120 {
        assert!(alice.ask(message_to(&stalled.id, &large, "1")).await.contains("ack"));
    }
    let asked = assert_parked(&mut alice, &stalled.id).await;
    let mut again = server.resume(&Ticket { token: token_of(&stalled.welcome), received: 0 }).await;
    for _ in 0..120 {
        again.hears(message_from(&alice.id, &large)).await;
    }
    again.fence_after(asked).await;
}

#[tokio::test]
async fn a_client_that_never_acknowledges_is_closed_with_4001_and_parked() {
    let server = Server::start(&[&WIDE[..], &["--mailbox-messages=8", "--write-timeout=1"]].concat());
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    for _ in 0..8 {
        bob.fence().await;
    }
    let answer = alice.ask(message_to(&bob.id, "1", "1")).await;
    assert!(answer.contains(r#""code":"peer-busy""#), "the window counts: {answer}");
    let (code, reason) = bob.closed().await;
    assert_eq!((code, &*reason), (4001, "too slow: what was sent to you was not read in time"));
    assert_eq!(alice.ask(message_to(&bob.id, "2", "2")).await, answer.replace("\"ref\":1", "\"ref\":2"));
    let mut bob = server.resume(&bob.ticket()).await;
    assert_eq!(alice.ask(message_to(&bob.id, "3", "3")).await, r#"{"type":"ack","ref":3}"#);
    bob.hears(message_from(&alice.id, "3")).await;
}

#[tokio::test]
async fn a_full_window_holds_back_what_follows_until_it_is_acknowledged() {
    let server = Server::start(&[&WIDE[..], &["--mailbox-messages=4"]].concat());
    let mut bob = server.connect_v1().await;
    for _ in 0..4 {
        bob.fence().await;
    }
    // Their answers wait, because the window is full.
    for number in 0..2 {
        bob.say(format!(r#"{{"type":"ping","ref":{number}}}"#)).await;
    }
    bob.say(r#"{"type":"received","count":4}"#).await;
    for number in 0..2 {
        bob.hears(format!(r#"{{"type":"ack","ref":{number}}}"#)).await;
    }
}

#[tokio::test]
async fn a_parked_queue_is_bounded() {
    let server = Server::start(&[&WIDE[..], &["--mailbox-messages=6"]].concat());
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    bob.acknowledge().await;
    let ticket = bob.ticket();
    let id = bob.id.clone();
    drop(bob);
    let mut arrived = assert_parked(&mut alice, &id).await;
    let answer = loop {
        let answer = alice.ask(message_to(&id, r#""there?""#, "1")).await;
        if !answer.contains("ack") {
            break answer;
        }
        arrived += 1;
    };
    assert!(answer.contains(r#""code":"peer-busy""#), "{answer}");
    assert!((5..=6).contains(&arrived), "one answer may still be unacknowledged: {arrived}");
    let mut bob = server.resume(&ticket).await;
    for _ in 0..arrived {
        bob.hears(message_from(&alice.id, r#""there?""#)).await;
    }
    bob.acknowledge().await;
}

#[tokio::test]
async fn a_parked_member_stays_in_its_rooms_and_its_expiry_is_a_leave() {
    let server = Server::start(&["--resume-window=1"]);
    let (mut watcher, raw) = watched(&server).await;
    drop(raw.stream);
    let mut late = server.connect().await;
    assert!(late.join("hall").await.contains(&raw.id));
    // The late peer's join.
    watcher.hear().await;
    watcher.say(r#"{"type":"message","room":"hall","message":1,"ref":1}"#).await;
    watcher.hears(r#"{"type":"ack","ref":1}"#).await;
    watcher.hears(peer_left("hall", &raw.id)).await;
    watcher.hears(undelivered(&raw.id)).await;
    watcher.fence().await;
    let answer = watcher.ask(message_to(&raw.id, "1", "1")).await;
    assert!(answer.contains(r#""code":"peer-unavailable""#), "{answer}");
}

#[tokio::test]
async fn each_sender_of_something_unacknowledged_is_told_once_and_no_other_peer() {
    let server = Server::start(&[]);
    for is_clean in [true, false] {
        let [mut alice, mut carol, mut dave] = server.connect_many().await;
        let mut bob = server.connect_v1().await;
        bob.join("hall").await;
        carol.join("hall").await;
        bob.hear().await;
        // Acknowledged.
        dave.ask(message_to(&bob.id, "0", "1")).await;
        alice.ask(message_to(&bob.id, "1", "1")).await;
        bob.hear().await;
        bob.hear().await;
        bob.acknowledge().await;
        // Not acknowledged: heard, or not.
        for number in ["2", "3", "4"] {
            alice.ask(message_to(&bob.id, number, "1")).await;
        }
        carol.say(r#"{"type":"message","room":"hall","message":5,"ref":1}"#).await;
        carol.hears(r#"{"type":"ack","ref":1}"#).await;
        bob.say(message_to(&bob.id, "6", "1")).await;
        bob.hear().await;
        let id = bob.id.clone();
        if is_clean {
            bob.leave(Some(1000)).await;
        } else {
            bob.say("\u{0}".repeat(100_000)).await;
            assert_eq!(bob.closed().await.0, 1009);
        }
        alice.hears(undelivered(&id)).await;
        alice.fence().await;
        carol.hears(peer_left("hall", &id)).await;
        carol.hears(undelivered(&id)).await;
        carol.fence().await;
        dave.fence().await;
        drop(carol);
    }
}

#[tokio::test]
async fn sessions_over_the_limit_of_parked_ones_end_and_their_senders_are_told() {
    for limit in ["--max-parked=1", "--max-parked-per-address=1"] {
        let server = Server::start(&[&WIDE[..], &[limit]].concat());
        let mut alice = server.connect().await;
        let (first, mut second) = (server.connect_v1().await, server.connect_v1().await);
        let (kept, lost) = (first.ticket(), second.ticket());
        let first_id = first.id.clone();
        drop(first);
        let asked = assert_parked(&mut alice, &first_id).await;
        alice.ask(message_to(&second.id, "1", "1")).await;
        second.hear().await;
        let second_id = second.id.clone();
        drop(second);
        alice.hears(undelivered(&second_id)).await;
        let refused = server.try_resume(&lost).await;
        assert!(!refused.is_resumed());
        // A clean close, because without it this session would be parked next.
        refused.leave(None).await;
        // The permit is free again once the first session is resumed.
        let mut first = server.resume(&kept).await;
        first.fence_after(asked).await;
        first.leave(None).await;
        let parked = async {
            loop {
                let third = server.connect_v1().await;
                let (id, ticket) = (third.id.clone(), third.ticket());
                drop(third);
                while alice.ask(message_to(&id, "1", "1")).await == r#"{"type":"ack","ref":1}"# {}
                if server.try_resume(&ticket).await.is_resumed() {
                    return;
                }
            }
        };
        within("its permit to be free", parked).await;
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_resumed_costs_no_parked_one_its_permit() {
    let server = Server::start(&["--max-parked=2"]);
    let mut watcher = server.connect().await;
    let mut parked = Vec::new();
    for _ in 0..2 {
        let client = server.connect_v1().await;
        let id = client.id.clone();
        drop(client);
        assert_parked(&mut watcher, &id).await;
        parked.push(id);
    }
    let elsewhere = server.tls_from([127, 0, 0, 2]).await;
    let (plain, _) = server.upgrade(elsewhere, &[]).await.expect("another address");
    let lost = plain.id.clone();
    drop(plain);
    assert_peer_is_gone(&mut watcher, &lost).await;
    // Another one: the first may have to hear yet of what it said to the peer that is gone.
    let mut watcher = server.connect().await;
    for id in parked {
        assert_parked(&mut watcher, &id).await;
    }
}

#[tokio::test]
async fn a_drain_with_parked_sessions_is_quick_and_announces_none_of_them() {
    let mut server = Server::start(&["--resume-window=600", "--drain-timeout=15"]);
    let mut alice = server.connect().await;
    alice.join("hall").await;
    for _ in 0..5 {
        let mut bob = server.connect_v1().await;
        bob.join("hall").await;
        alice.hear().await;
        let id = bob.id.clone();
        drop(bob);
        assert_parked(&mut alice, &id).await;
    }
    server.stop();
    // Neither `peer-left` nor `undelivered` comes before the close.
    assert_eq!(alice.next_close().await.0, 1012);
    drop(alice);
    assert_eq!(server.drained().await, Drained::Clean);
}
