//! Each limit, by its flag.

use crate::client::{Client, join, message_from, message_to};
use crate::raw::{self, FIN, masked};
use crate::server::Server;
use crate::within;

/// A rate whose refill takes longer than any test.
const NO_REFILL: &str = "--messages-per-second=0.0001";

/// Bytes of an answer, at most. It counts until the server knows that it is written, a moment after the client has it.
const ANSWER: usize = 400;

const PING: &str = r#"{"type":"ping","ref":"p"}"#;
const ACK: &str = r#"{"type":"ack","ref":"p"}"#;

fn is_limited(answer: &str) -> bool {
    answer.starts_with(
        r#"{"type":"error","code":"rate-limited","message":"too many messages; this one was not delivered""#,
    )
}

#[tokio::test]
async fn a_burst_passes_and_what_is_over_the_rate_is_refused_and_not_delivered() {
    let server = Server::start(&[NO_REFILL, "--message-burst=5", "--refused-messages=0"]);
    let [mut alice, mut bob] = server.connect_many().await;
    for number in 0..5 {
        alice.say(message_to(&bob.id, &number.to_string(), "1")).await;
        alice.hears(r#"{"type":"ack","ref":1}"#).await;
        bob.hears(message_from(&alice.id, &number.to_string())).await;
    }
    let answer = alice.ask(message_to(&bob.id, "5", "1")).await;
    assert!(is_limited(&answer), "{answer}");
    assert!(answer.ends_with(&format!(r#","to":"{}","ref":1}}"#, bob.id)), "{answer}");
    for frame in [PING, r#"{"type":"join","room":"hall"}"#, r#"{"type":"ice-servers"}"#] {
        assert!(is_limited(&alice.ask(frame).await), "{frame}");
    }
    bob.fence().await;
    assert_eq!(server.hub.rooms(), 0);
}

#[tokio::test]
async fn bytes_have_a_rate_of_their_own() {
    let server = Server::start(&["--bytes-per-second=100", "--max-message-bytes=800", "--refused-messages=0"]);
    let [mut alice, mut bob] = server.connect_many().await;
    let message = format!("\"{}\"", "x".repeat(500));
    alice.say(message_to(&bob.id, &message, "1")).await;
    alice.hears(r#"{"type":"ack","ref":1}"#).await;
    let answer = alice.ask(message_to(&bob.id, &message, "2")).await;
    assert!(is_limited(&answer), "the burst is eight seconds' worth: {answer}");
    bob.hears(message_from(&alice.id, &message)).await;
    bob.fence().await;
    assert_eq!(alice.ask(PING).await, ACK, "what is refused costs nothing");
}

#[tokio::test]
async fn the_rate_refills() {
    let server = Server::start(&["--messages-per-second=10", "--message-burst=2", "--refused-messages=0"]);
    let mut client = server.connect().await;
    let exhausted = async { while client.ask(PING).await == ACK {} };
    within("the burst to be spent", exhausted).await;
    let refilled = async { while client.ask(PING).await != ACK {} };
    within("the rate to refill", refilled).await;
}

#[tokio::test]
async fn what_cannot_be_read_costs_as_much_as_a_message() {
    let server = Server::start(&[NO_REFILL, "--message-burst=3", "--refused-messages=0"]);
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.ask("not json").await;
    }
    assert!(is_limited(&client.ask(PING).await));
}

#[tokio::test]
async fn a_room_message_costs_1_and_a_sixteenth_for_each_member() {
    let server = Server::start(&[NO_REFILL, "--message-burst=6", "--refused-messages=0"]);
    let mut members = server.connect_many::<16>().await;
    for member in &mut members {
        member.say(join("hall")).await;
        within("the roster", roster(member)).await;
    }
    // The last one's join was announced to 15 members and cost nearly 2 of its 6; two messages to 16 members cost the other
    // 4.
    let last = &mut members[15];
    for number in [1, 2] {
        last.say(format!(r#"{{"type":"message","room":"hall","message":1,"ref":{number}}}"#)).await;
        last.hears(format!(r#"{{"type":"ack","ref":{number}}}"#)).await;
    }
    assert!(is_limited(&last.ask(PING).await));
}

#[tokio::test]
async fn join_and_leave_cost_1_and_a_sixteenth_for_each_member() {
    let server = Server::start(&[NO_REFILL, "--message-burst=6", "--refused-messages=0"]);
    let mut members = server.connect_many::<16>().await;
    for member in &mut members {
        member.say(join("hall")).await;
        within("the roster", roster(member)).await;
    }
    // The join, the leave and the second join cost nearly 2 each.
    let last = &mut members[15];
    last.ask(r#"{"type":"leave","room":"hall","ref":1}"#).await;
    last.say(join("hall")).await;
    within("the roster", roster(last)).await;
    assert!(is_limited(&last.ask(PING).await));
}

#[tokio::test]
async fn without_a_rate_nothing_is_refused() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=0", "--message-burst=1"]);
    let mut client = server.connect().await;
    for _ in 0..1000 {
        assert_eq!(client.ask(PING).await, ACK);
    }
}

#[tokio::test]
async fn one_peers_rate_is_not_anothers() {
    let server = Server::start(&[NO_REFILL, "--message-burst=1"]);
    let [mut alice, mut bob] = server.connect_many().await;
    assert_eq!(alice.ask(PING).await, ACK);
    assert!(is_limited(&alice.ask(PING).await));
    assert_eq!(bob.ask(PING).await, ACK);
}

#[tokio::test]
async fn a_peer_may_be_in_so_many_rooms() {
    let server = Server::start(&["--rooms-per-peer=2"]);
    let mut client = server.connect().await;
    client.join("one").await;
    client.join("two").await;
    client.say(r#"{"type":"join","room":"three","ref":3}"#).await;
    client
        .hears(
            r#"{"type":"error","code":"too-many-rooms","message":"you are in too many rooms","room":"three","ref":3}"#,
        )
        .await;
    client.join("one").await;
    client.ask(r#"{"type":"leave","room":"one"}"#).await;
    client.join("three").await;
}

#[tokio::test]
async fn a_room_may_have_so_many_peers() {
    let server = Server::start(&["--peers-per-room=2"]);
    let [mut alice, mut bob, mut carol] = server.connect_many().await;
    alice.join("hall").await;
    bob.join("hall").await;
    alice.hear().await;
    let answer = carol.ask(join("hall")).await;
    assert!(answer.contains(r#""code":"room-full""#), "{answer}");
    alice.fence().await;
    bob.ask(r#"{"type":"leave","room":"hall"}"#).await;
    assert_eq!(carol.join("hall").await, [alice.id.clone()]);
}

#[tokio::test]
async fn zero_is_no_limit_of_rooms_and_members() {
    let server =
        Server::start(&["--rooms-per-peer=0", "--peers-per-room=0", "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut clients = server.connect_many::<3>().await;
    for number in 0..150 {
        for (before, client) in clients.iter_mut().enumerate() {
            client.say(join(&format!("room-{number}"))).await;
            let roster = within("the roster", roster(client)).await;
            assert_eq!(roster, before);
        }
    }
    assert_eq!(server.hub.rooms(), 150);
}

/// The number of peers in the next roster; announcements before it are skipped.
async fn roster(client: &mut Client) -> usize {
    loop {
        let heard: serde_json::Value = serde_json::from_str(&client.hear().await).expect("JSON");
        if let Some(peers) = heard["peers"].as_array() {
            return peers.len();
        }
    }
}

#[tokio::test]
async fn a_message_of_the_largest_size_passes() {
    let server = Server::start(&["--max-message-bytes=1000"]);
    let [mut alice, mut bob] = server.connect_many().await;
    let around = message_to(&bob.id, "\"\"", "1").len();
    let message = format!("\"{}\"", "x".repeat(1000 - around));
    let frame = message_to(&bob.id, &message, "1");
    assert_eq!(frame.len(), 1000);
    alice.say(frame).await;
    bob.hears(message_from(&alice.id, &message)).await;
}

#[tokio::test]
async fn a_queue_is_bounded_in_messages() {
    let server = Server::start(&[
        "--mailbox-messages=4",
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--write-timeout=60",
    ]);
    let stalled = server.stalled().await;
    let mut alice = server.connect().await;
    let message = format!("\"{}\"", "x".repeat(60_000));
    let mut refusals = 0;
    while refusals < 100 {
        let answer = alice.ask(message_to(&stalled.id, &message, "1")).await;
        refusals = if answer.contains(r#""code":"peer-busy""#) { refusals + 1 } else { 0 };
    }
    // Far below the bound in bytes: the bound in messages was reached.
    assert!(server.hub.queued_bytes() < 5 * 61_000, "{}", server.hub.queued_bytes());
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes() {
    let server = Server::start(&[
        "--mailbox-bytes=100000",
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--write-timeout=60",
    ]);
    let stalled = server.stalled().await;
    let mut alice = server.connect().await;
    // As in the next test, the system's buffers may still take a little.
    let filled = async {
        while server.hub.queued_bytes() < 50_000 {
            alice.fill(&stalled.id).await;
            assert!(server.hub.queued_bytes() <= 100_000 + ANSWER, "{}", server.hub.queued_bytes());
        }
    };
    within("the queue to fill up", filled).await;
}

#[tokio::test]
async fn all_queues_together_are_bounded() {
    let flags = [
        "--mailbox-bytes=90000",
        "--queued-bytes=90000",
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--write-timeout=60",
    ];
    let server = Server::start(&flags);
    let stalled = server.stalled().await;
    let [mut alice, mut bob] = server.connect_many().await;
    // Larger than what a peer with an almost empty queue may get beyond the budget.
    let large = format!("\"{}\"", "x".repeat(20_000));
    // The system's buffers may still take a little from the stalled peer's queue: then it is filled up again.
    let refused = async {
        let mut arrived = 0;
        loop {
            alice.fill(&stalled.id).await;
            assert!(server.hub.queued_bytes() <= 90_000 + ANSWER, "{}", server.hub.queued_bytes());
            let answer = alice.ask(message_to(&bob.id, &large, "1")).await;
            if answer.contains(r#""code":"peer-busy""#) {
                return arrived;
            }
            arrived += 1;
        }
    };
    let arrived = within("a refusal, although bob's own queue is empty", refused).await;
    for _ in 0..arrived {
        bob.hears(message_from(&alice.id, &large)).await;
    }
    bob.fence().await;
    assert_eq!(alice.ask(message_to(&bob.id, "1", "1")).await, r#"{"type":"ack","ref":1}"#, "a small one fits");
    bob.hears(message_from(&alice.id, "1")).await;
    drop(stalled);
    let freed = async { while alice.ask(message_to(&bob.id, &large, "2")).await != r#"{"type":"ack","ref":2}"# {} };
    within("the budget to be given back", freed).await;
    bob.hears(message_from(&alice.id, &large)).await;
}

#[tokio::test]
async fn refused_messages_end_a_connection_with_1008() {
    let server = Server::start(&["--refused-messages=5"]);
    let mut client = server.connect().await;
    for _ in 0..5 {
        client.say("not json").await;
    }
    for _ in 0..5 {
        assert!(client.hear().await.contains(r#""code":"bad-message""#), "each of them is answered");
    }
    let (code, reason) = client.closed().await;
    assert_eq!((code, &*reason), (1008, "too many refused frames"));
}

#[tokio::test]
async fn messages_over_the_rate_count_as_refused() {
    let server = Server::start(&[NO_REFILL, "--message-burst=1", "--refused-messages=3"]);
    let mut client = server.connect().await;
    for _ in 0..4 {
        client.say(PING).await;
    }
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn refusals_that_are_no_abuse_end_no_connection() {
    let server = Server::start(&["--refused-messages=3"]);
    let mut client = server.connect().await;
    for _ in 0..10 {
        client.ask(message_to("absent", "1", "1")).await;
        client.ask(r#"{"type":"leave","room":"hall"}"#).await;
    }
    client.fence().await;
}

#[tokio::test]
async fn zero_refused_messages_end_nothing() {
    let server = Server::start(&["--refused-messages=0", "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut client = server.connect().await;
    for _ in 0..200 {
        client.ask("not json").await;
    }
    client.fence().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_refused_like_any_other() {
    let server = Server::start(&[NO_REFILL, "--message-burst=10", "--refused-messages=5"]);
    let mut raw = server.raw().await;
    raw.write(&masked(FIN | raw::PING, b"").repeat(15)).await;
    assert_eq!(raw.closed().await.0, 1008);
}
