//! What one client can do to the server and to the others.

use std::time::Instant;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::{TRYSTERO, Y_WEBRTC, comes_to};
use crate::http::read_head;
use crate::raw::{BINARY, FIN, HANDSHAKE, Raw, TEXT};
use crate::server::{Server, Site};
use crate::status::{METRICS, becomes, metric};
use crate::{Duration, within};

const NO_RATES: [&str; 2] = ["--messages-per-second=0", "--bytes-per-second=0"];

fn series(dialect: &str, kind: &str, result: &str) -> String {
    format!(r#"entremise_messages_total{{dialect="{dialect}",kind="{kind}",result="{result}"}}"#)
}

/// A client of y-webrtc's that reads only when it is told to.
async fn stalled(site: &Site) -> Raw {
    let mut stream = site.narrow_tls().await;
    stream.write_all(site.head("GET", "/y-webrtc", &HANDSHAKE).as_bytes()).await.expect("the server reads");
    let answer = within("the upgrade", read_head(&mut stream)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    Raw { stream, welcome: String::new(), id: String::new() }
}

#[tokio::test]
async fn what_kills_the_original_is_ignored_and_counted() {
    let server = Server::start(&[Y_WEBRTC, METRICS]);
    let mut alice = server.y_webrtc_on("a").await;
    let mut bob = server.y_webrtc_on("a").await;
    let frames = ["hello", r#"{"type":"subscribe","topics":"x"}"#, r#"{"type":"unsubscribe","topics":5}"#, "{", "[]"];
    for frame in frames {
        bob.say(frame).await;
        bob.fence().await;
    }
    bob.send(Message::binary(b"\xff\xfe".to_vec())).await;
    bob.fence().await;
    assert_eq!(metric(&server, &series("y-webrtc", "unreadable", "bad-message")).await, 6);
    alice.say(r#"{"type":"publish","topic":"a"}"#).await;
    bob.hears(r#"{"type":"publish","topic":"a","clients":2}"#).await;
}

#[tokio::test]
async fn nonsense_without_end_closes_its_sender_alone() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO, "--refused-messages=10"]);
    let mut alice = server.y_webrtc_on("a").await;
    for path in ["/y-webrtc", "/trystero"] {
        let mut mallory = server.topical(path).await;
        for _ in 0..10 {
            mallory.say(r#"{"type":"subscribe","topics":"x","topic":5}"#).await;
        }
        assert_eq!(mallory.closed().await, 1008, "{path}");
    }
    alice.fence().await;
}

#[tokio::test]
async fn a_flood_is_slowed_down_to_the_rate_and_loses_nothing() {
    let server = Server::start(&[Y_WEBRTC, METRICS, "--message-burst=20", "--messages-per-second=20"]);
    let (mut mallory, mut alice) = (server.y_webrtc_on("a").await, server.y_webrtc_on("a").await);
    let begun = Instant::now();
    for number in 0..40 {
        mallory.say(json!({"type": "publish", "topic": "a", "n": number})).await;
    }
    for number in 0..40 {
        alice.hears(format!(r#"{{"n":{number},"topic":"a","type":"publish","clients":2}}"#)).await;
    }
    // 20 at once, each of the others a twentieth of a second and what two subscribers cost.
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(metric(&server, &series("y-webrtc", "publish", "ok")).await, 40);
    alice.fence().await;
}

#[tokio::test]
async fn a_client_that_is_gone_does_not_go_on_talking() {
    let flags = [Y_WEBRTC, "--message-burst=1", "--messages-per-second=1", "--heartbeat=0.5"];
    let server = Server::start(&flags);
    let mut gone = server.y_webrtc_on("a").await;
    for _ in 0..3000 {
        gone.say(r#"{"type":"publish","topic":"b"}"#).await;
    }
    drop(gone);
    comes_to("its end, with an hour of what it said unread", || server.hub.peers() == 0).await;
}

#[tokio::test]
async fn pings_over_the_rate_do_not_end_a_client_that_is_slowed_down() {
    let server = Server::start(&[Y_WEBRTC, "--message-burst=20", "--messages-per-second=40", "--refused-messages=5"]);
    let mut alice = server.y_webrtc_on("a").await;
    for number in 0..40 {
        alice.say(json!({"type": "publish", "topic": "b", "n": number})).await;
        alice.say(r#"{"type":"unknown"}"#).await;
    }
    alice.fence().await;
}

#[tokio::test]
async fn deep_json_is_relayed_or_refused_and_never_walked_into() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO]);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let mut alice = server.y_webrtc_on("a").await;
    alice.say(format!(r#"{{"type":"subscribe","topics":{deep}}}"#)).await;
    alice.say(format!(r#"{{"type":{deep}}}"#)).await;
    alice.say(deep.clone()).await;
    alice.say(format!(r#"{{"type":"publish","topic":"a","data":{deep}}}"#)).await;
    alice.hears(format!(r#"{{"type":"publish","topic":"a","data":{deep},"clients":1}}"#)).await;
    let mut bob = server.trystero().await;
    bob.say(format!(r#"{{"type":"publish","topic":"t","payload":{deep}}}"#)).await;
    bob.say(format!(r#"{{"type":"publish","topic":"t","payload":"{}"}}"#, "[".repeat(400))).await;
    bob.trystero_fence().await;
}

#[tokio::test]
async fn a_huge_name_is_no_topic() {
    let server = Server::start(&[Y_WEBRTC, METRICS]);
    let mut alice = server.y_webrtc().await;
    let (longest, huge) = ("x".repeat(1024), "x".repeat(60_000));
    alice.say(json!({"type": "subscribe", "topics": [huge, longest, ""]})).await;
    alice.say(json!({"type": "publish", "topic": huge})).await;
    alice.fence().await;
    assert_eq!(server.hub.rooms(), 1);
    assert_eq!(metric(&server, &series("y-webrtc", "subscribe", "bad-message")).await, 1);
    assert_eq!(metric(&server, &series("y-webrtc", "unreadable", "bad-message")).await, 1);
    let mut bob = server.y_webrtc().await;
    bob.say("x".repeat(65_537)).await;
    assert_eq!(bob.closed().await, 1009, "over the limit of all messages");
}

#[tokio::test]
async fn topics_over_the_limit_are_ignored_and_counted_and_the_others_work() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO, METRICS, "--topics-per-peer=2", "--peers-per-topic=2"]);
    let mut alice = server.y_webrtc().await;
    alice.say(r#"{"type":"subscribe","topics":["a","b","a","c"]}"#).await;
    alice.say(r#"{"type":"publish","topic":"b"}"#).await;
    alice.hears(r#"{"type":"publish","topic":"b","clients":1}"#).await;
    alice.say(r#"{"type":"publish","topic":"c"}"#).await;
    alice.fence().await;
    assert_eq!(metric(&server, &series("y-webrtc", "subscribe", "too-many-rooms")).await, 1);
    alice.say(r#"{"type":"unsubscribe","topics":["b"]}"#).await;
    alice.say(r#"{"type":"subscribe","topics":["c"]}"#).await;
    alice.fence().await;
    assert_eq!(server.hub.rooms(), 2, "there was room for it");
    let (_bob, mut carol) = (server.y_webrtc_on("a").await, server.y_webrtc_on("a").await);
    carol.say(r#"{"type":"publish","topic":"a"}"#).await;
    carol.fence().await;
    alice.hears(r#"{"type":"publish","topic":"a","clients":2}"#).await;
    assert_eq!(metric(&server, &series("y-webrtc", "subscribe", "room-full")).await, 1);
    let mut dave = server.trystero().await;
    for topic in ["a", "b", "c"] {
        dave.say(json!({"type": "subscribe", "topic": topic})).await;
    }
    becomes(&server, &series("trystero", "subscribe", "too-many-rooms"), 1).await;
}

#[tokio::test]
async fn ten_thousand_subscriptions_are_256() {
    let topics: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let frame = json!({"type": "subscribe", "topics": topics});
    let server = Server::start(&[Y_WEBRTC, "--max-message-bytes=200000"]);
    let mut alice = server.y_webrtc().await;
    alice.say(&frame).await;
    comes_to("the topics", || server.hub.rooms() == 256).await;
    let server =
        Server::start(&[&[Y_WEBRTC, "--topics-per-peer=0", "--max-message-bytes=200000"], &NO_RATES[..]].concat());
    let mut alice = server.y_webrtc().await;
    alice.say(&frame).await;
    alice.fence().await;
    assert_eq!(server.hub.rooms(), 10_000, "all of them without the limit");
    alice.say(r#"{"type":"publish","topic":"9999"}"#).await;
    alice.hears(r#"{"type":"publish","topic":"9999","clients":1}"#).await;
    drop(alice);
    comes_to("the topics' end", || server.hub.rooms() == 0).await;
}

#[tokio::test]
async fn deliveries_are_paid_for_and_not_publishes() {
    let server = Server::start(&[Y_WEBRTC, METRICS, "--message-burst=4", "--messages-per-second=0.0001"]);
    let mut subscribers = Vec::new();
    for _ in 0..16 {
        subscribers.push(server.y_webrtc_on("a").await);
    }
    let mut alice = server.y_webrtc().await;
    // Each costs as much as two messages: after the third it owes two, and is read no further.
    for number in 0..4 {
        alice.say(json!({"type": "publish", "topic": "a", "n": number})).await;
    }
    becomes(&server, &series("y-webrtc", "publish", "ok"), 3).await;
    let mut bob = server.y_webrtc().await;
    for _ in 0..4 {
        bob.say(r#"{"type":"publish","topic":"empty"}"#).await;
    }
    becomes(&server, &series("y-webrtc", "publish", "ok"), 7).await;
}

#[tokio::test]
async fn a_slow_subscriber_loses_messages_and_no_other_waits() {
    let server = Server::start(&[&[Y_WEBRTC, METRICS, "--write-timeout=60"], &NO_RATES[..]].concat());
    let mut slow = stalled(&server).await;
    slow.send(FIN | TEXT, br#"{"type":"subscribe","topics":["a"]}"#).await;
    comes_to("its topic", || server.hub.rooms() == 1).await;
    let (mut alice, busy) = (server.y_webrtc_on("a").await, series("y-webrtc", "publish", "peer-busy"));
    let frame = json!({"data": "x".repeat(60_000), "topic": "a", "type": "publish"});
    let told = frame.to_string().replace(r#""publish"}"#, r#""publish","clients":2}"#);
    let mut published = 0;
    while metric(&server, &busy).await == 0 {
        assert!(published < 1000, "its queue is full one day");
        alice.say(&frame).await;
        alice.hears(&told).await;
        published += 1;
    }
    assert!(server.hub.queued_bytes() < 2 << 20, "the queue of one peer");
    // Once it reads, it goes on with what has room.
    let mut heard = 0;
    slow.send(FIN | TEXT, br#"{"type":"ping"}"#).await;
    while slow.text().await != r#"{"type":"pong"}"# {
        heard += 1;
    }
    assert!(heard > 0 && heard < published, "{heard} of {published}");
}

#[tokio::test]
async fn a_half_open_client_is_unsubscribed_once_it_does_not_answer_a_ping() {
    let server = Server::start(&[Y_WEBRTC, "--heartbeat=1"]);
    let mut silent = stalled(&server).await;
    silent.send(FIN | BINARY, br#"{"type":"subscribe","topics":["a"]}"#).await;
    comes_to("its topic", || server.hub.rooms() == 1).await;
    comes_to("its end", || (server.hub.peers(), server.hub.rooms()) == (0, 0)).await;
}
