//! GStreamer: producers, consumers and sessions. The sequences are those of the original's own tests, of gstwebrtc-api as it
//! connects, and what ours does better.

mod memory;

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::guest::Guest;
use crate::raw::{FIN, TEXT, masked};
use crate::server::{Server, Site};
use crate::within;

const GSTREAMER: &str = "--dialect=gstreamer";

/// A client that was welcomed.
struct Party {
    guest: Guest,
    id: String,
}

impl Site {
    async fn party(&self) -> Party {
        let mut guest = self.visit("/gstreamer").await;
        let welcome: Value = serde_json::from_str(&guest.hear().await).expect("JSON");
        assert_eq!(welcome["type"], "welcome");
        let id = welcome["peerId"].as_str().expect("an id").to_owned();
        Party { guest, id }
    }

    async fn party_with(&self, roles: &str) -> Party {
        let mut party = self.party().await;
        party.set_status(roles, "null").await;
        if roles.contains("listener") {
            let echo = party.guest.hear().await;
            assert_eq!(echo, status(&party.id, roles, "null"));
        } else {
            party.fence().await;
        }
        party
    }
}

impl Party {
    async fn set_status(&mut self, roles: &str, meta: &str) {
        self.guest.say(format!(r#"{{"type":"setPeerStatus","roles":{roles},"meta":{meta}}}"#)).await;
    }

    /// Proves that nothing else was on its way here.
    async fn fence(&mut self) {
        assert!(self.guest.ask(r#"{"type":"listConsumers"}"#).await.starts_with(r#"{"type":"listConsumers""#));
    }

    /// Starts a session with a producer, which hears of it with this offer. Gives back the session's id.
    async fn consumes(&mut self, producer: &mut Self, offer: &str) -> String {
        let frame = format!(r#"{{"type":"startSession","peerId":"{}","offer":{offer}}}"#, producer.id);
        let started = self.guest.ask(frame).await;
        let session = field(&started, "sessionId");
        let expected = format!(r#"{{"type":"sessionStarted","peerId":"{}","sessionId":"{session}"}}"#, producer.id);
        assert_eq!(started, expected);
        let start =
            format!(r#"{{"type":"startSession","peerId":"{}","sessionId":"{session}","offer":{offer}}}"#, self.id);
        producer.guest.hears(start).await;
        session
    }

    async fn ends(&mut self, session: &str) {
        self.guest.say(end(session)).await;
    }

    /// Fills the queue of a producer that does not read: its session with it ends then.
    async fn fills(&mut self, producer: &str) {
        let started = self.guest.ask(format!(r#"{{"type":"startSession","peerId":"{producer}"}}"#)).await;
        let session = field(&started, "sessionId");
        let sdp = "x".repeat(60_000);
        let answer = format!(r#"{{"type":"peer","sessionId":"{session}","sdp":{{"type":"answer","sdp":"{sdp}"}}}}"#);
        let filled = async {
            loop {
                self.guest.say(answer.clone()).await;
                if self.guest.ask(r#"{"type":"listConsumers"}"#).await == end(&session) {
                    return self.guest.hear().await;
                }
            }
        };
        assert!(within("a full queue", filled).await.starts_with(r#"{"type":"listConsumers""#));
    }

    async fn list(&mut self) -> String {
        self.guest.ask(r#"{"type":"list"}"#).await
    }
}

fn field(frame: &str, name: &str) -> String {
    let frame: Value = serde_json::from_str(frame).expect("JSON");
    frame[name].as_str().unwrap_or_else(|| panic!("{name} in {frame}")).to_owned()
}

fn status(peer: &str, roles: &str, meta: &str) -> String {
    format!(r#"{{"type":"peerStatusChanged","roles":{roles},"meta":{meta},"peerId":"{peer}"}}"#)
}

fn end(session: &str) -> String {
    format!(r#"{{"type":"endSession","sessionId":"{session}"}}"#)
}

fn sdp(session: &str, kind: &str) -> String {
    format!(r#"{{"type":"peer","sessionId":"{session}","sdp":{{"type":"{kind}","sdp":"v=0\r\n"}}}}"#)
}

fn error(details: &str) -> String {
    format!(r#"{{"type":"error","details":"{details}"}}"#)
}

const PRODUCER: &str = r#"["producer"]"#;
const LISTENER: &str = r#"["listener"]"#;
const CONSUMER: &str = r#"["consumer"]"#;

#[tokio::test]
async fn a_page_is_welcomed_hears_its_own_status_and_lists() {
    let server = Server::start(&[GSTREAMER]);
    let mut page = server.party().await;
    page.set_status(LISTENER, "null").await;
    page.guest.hears(status(&page.id, LISTENER, "null")).await;
    assert_eq!(page.list().await, r#"{"type":"list","producers":[]}"#);
    assert_eq!(page.guest.ask(r#"{"type":"listConsumers"}"#).await, r#"{"type":"listConsumers","consumers":[]}"#);
    let both = r#"["listener","producer"]"#;
    page.set_status(both, r#"{"name":"a"}"#).await;
    page.guest.hears(status(&page.id, both, r#"{"name":"a"}"#)).await;
    let listed = format!(r#"{{"type":"list","producers":[{{"id":"{}","meta":{{"name":"a"}}}}]}}"#, page.id);
    assert_eq!(page.list().await, listed);
}

#[tokio::test]
async fn every_listener_hears_who_produces_and_who_does_not_any_more_and_others_hear_nothing() {
    let server = Server::start(&[GSTREAMER]);
    let mut native = server.party().await;
    let [mut first, mut second] = [server.party_with(LISTENER).await, server.party_with(LISTENER).await];
    first.guest.hears(status(&second.id, LISTENER, "null")).await;
    let mut producer = server.party_with(PRODUCER).await;
    for listener in [&mut first, &mut second] {
        listener.guest.hears(status(&producer.id, PRODUCER, "null")).await;
    }
    producer.set_status("[]", "null").await;
    for listener in [&mut first, &mut second] {
        listener.guest.hears(status(&producer.id, "[]", "null")).await;
    }
    native.fence().await;
    producer.fence().await;
}

#[tokio::test]
async fn a_status_that_is_not_new_is_no_news() {
    let server = Server::start(&[GSTREAMER]);
    let mut listener = server.party_with(LISTENER).await;
    let own = format!(r#"{{"type":"setPeerStatus","roles":{LISTENER},"meta":null,"peerId":"{}"}}"#, listener.id);
    listener.guest.say(own).await;
    listener.fence().await;
    // As in the original, one that does not say whose it is comes back.
    listener.set_status(LISTENER, "null").await;
    listener.guest.hears(status(&listener.id, LISTENER, "null")).await;
}

#[tokio::test]
async fn a_session_runs_from_its_start_to_its_end() {
    let server = Server::start(&[GSTREAMER]);
    let mut producer = server.party_with(PRODUCER).await;
    let mut consumer = server.party().await;
    let session = consumer.consumes(&mut producer, "null").await;
    producer.guest.say(sdp(&session, "offer")).await;
    consumer.guest.hears(sdp(&session, "offer")).await;
    consumer.guest.say(sdp(&session, "answer")).await;
    producer.guest.hears(sdp(&session, "answer")).await;
    let ice = |fields: &str| format!(r#"{{"type":"peer","sessionId":"{session}","ice":{{{fields}}}}}"#);
    producer.guest.say(ice(r#""candidate":"c","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"x""#)).await;
    consumer.guest.hears(ice(r#""candidate":"c","sdpMLineIndex":0"#)).await;
    consumer.ends(&session).await;
    producer.guest.hears(end(&session)).await;
    // The echo of an end, and what was on its way, are silent.
    producer.ends(&session).await;
    producer.guest.say(sdp(&session, "answer")).await;
    producer.fence().await;
    consumer.fence().await;
}

#[tokio::test]
async fn a_consumers_offer_starts_a_session_and_is_an_error_later() {
    let server = Server::start(&[GSTREAMER]);
    let mut producer = server.party_with(PRODUCER).await;
    let mut consumer = server.party().await;
    let session = consumer.consumes(&mut producer, r#""v=0\r\n""#).await;
    let refused = consumer.guest.ask(sdp(&session, "offer")).await;
    assert_eq!(refused, error("cannot forward an offer of a consumer"));
    producer.fence().await;
}

#[tokio::test]
async fn who_starts_a_session_with_a_passive_consumer_produces() {
    let server = Server::start(&[GSTREAMER]);
    let mut consumer = server.party_with(CONSUMER).await;
    let mut producer = server.party().await;
    let listed = format!(r#"{{"type":"listConsumers","consumers":[{{"id":"{}","meta":null}}]}}"#, consumer.id);
    assert_eq!(producer.guest.ask(r#"{"type":"listConsumers"}"#).await, listed);
    let frame = format!(r#"{{"type":"startSession","peerId":"{}"}}"#, consumer.id);
    let start = producer.guest.ask(frame).await;
    let session = field(&start, "sessionId");
    let expected =
        format!(r#"{{"type":"startSession","peerId":"{}","sessionId":"{session}","offer":null}}"#, consumer.id);
    assert_eq!(start, expected);
    let started = format!(r#"{{"type":"sessionStarted","peerId":"{}","sessionId":"{session}"}}"#, producer.id);
    consumer.guest.hears(started).await;
    producer.guest.say(sdp(&session, "offer")).await;
    consumer.guest.hears(sdp(&session, "offer")).await;
    // It consumes no more.
    consumer.set_status("[]", "null").await;
    producer.guest.hears(end(&session)).await;
}

#[tokio::test]
async fn what_cannot_be_is_an_error_for_the_asker_alone() {
    let server = Server::start(&[GSTREAMER]);
    let mut other = server.party().await;
    let mut asker = server.party().await;
    let absent = "00000000-0000-4000-8000-000000000000";
    let start = |id: &str| format!(r#"{{"type":"startSession","peerId":"{id}"}}"#);
    assert_eq!(asker.guest.ask(start(absent)).await, error(&format!("Peer with ID '{absent}' not found")));
    assert_eq!(asker.guest.ask(start("x")).await, error("Peer with ID 'x' not found"));
    let neither = format!("Missing a producer or a consumer: peer '{}' is neither", other.id);
    assert_eq!(asker.guest.ask(start(&other.id)).await, error(&neither));
    let both = r#"{"type":"setPeerStatus","roles":["producer","consumer"],"meta":null}"#;
    assert_eq!(asker.guest.ask(both).await, error("Cannot register a peer as both producer and passive consumer"));
    let version = r#"{"type":"setProtocolVersion","version":"v1_1"}"#;
    assert_eq!(asker.guest.ask(version).await, error("setProtocolVersion has to be the first message"));
    let ended = format!(r#"{{"type":"endSessionV1_1","sessionId":"{absent}","error":{{}}}}"#);
    let old = error("the error of an ended session is for protocol version 1.1");
    assert_eq!(asker.guest.ask(ended).await, old);
    other.fence().await;
}

#[tokio::test]
async fn what_the_original_ignores_is_ignored_until_there_is_too_much_of_it() {
    let server = Server::start(&[GSTREAMER, "--refused-messages=5"]);
    let mut party = server.party().await;
    for frame in ["{", r#"{"type":"unknown"}"#, r#"{"type":"setPeerStatus","roles":["king"]}"#] {
        party.guest.say(frame).await;
    }
    party.guest.say_binary(br#"{"type":"list"}"#).await;
    party.ends("00000000-0000-4000-8000-000000000000").await;
    party.ends("x").await;
    party.fence().await;
    party.guest.say("nothing").await;
    assert_eq!(party.guest.closed().await.0, 1008);
}

#[tokio::test]
async fn a_client_of_version_1_1_hears_why_a_session_ended_and_one_of_1_0_that_it_did() {
    let server = Server::start(&[GSTREAMER]);
    let mut old = server.party_with(PRODUCER).await;
    let mut news = [server.party().await, server.party().await];
    for new in &mut news {
        new.guest.say(r#"{"type":"setProtocolVersion","version":"v1_1"}"#).await;
    }
    let [mut new, mut other] = news;
    let of_1_1 =
        |session: &str, error: &str| format!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":{error}}}"#);
    let session = new.consumes(&mut old, "null").await;
    new.guest.say(of_1_1(&session, r#"{"code":"x"}"#)).await;
    old.guest.hears(end(&session)).await;
    let session = new.consumes(&mut old, "null").await;
    old.ends(&session).await;
    new.guest.hears(of_1_1(&session, "null")).await;
    other.set_status(PRODUCER, "null").await;
    other.fence().await;
    let session = new.consumes(&mut other, "null").await;
    new.guest.say(of_1_1(&session, r#"{"code":"x"}"#)).await;
    other.guest.hears(of_1_1(&session, r#"{"code":"x"}"#)).await;
}

#[tokio::test]
async fn who_leaves_ends_its_sessions_first_and_is_then_announced() {
    let server = Server::start(&[GSTREAMER]);
    let mut listener = server.party_with(LISTENER).await;
    let mut producer = server.party_with(PRODUCER).await;
    listener.guest.hears(status(&producer.id, PRODUCER, "null")).await;
    let session = listener.consumes(&mut producer, "null").await;
    let Party { guest, id } = producer;
    // Without a close frame: gone all the same.
    drop(guest);
    listener.guest.hears(end(&session)).await;
    listener.guest.hears(status(&id, "[]", "null")).await;
    assert_eq!(listener.list().await, r#"{"type":"list","producers":[]}"#);
    // A client that never had a role is nothing that others know of.
    server.party().await.guest.leave().await;
    listener.fence().await;
}

#[tokio::test]
async fn a_half_open_producer_is_listed_until_the_heartbeat_has_decided() {
    let server = Server::start(&[GSTREAMER, "--heartbeat=1"]);
    let mut listener = server.party_with(LISTENER).await;
    let mut ghost = server.raw_at(server.tls().await, "/gstreamer").await;
    let id = field(&ghost.text().await, "peerId");
    ghost.send(FIN | TEXT, format!(r#"{{"type":"setPeerStatus","roles":{PRODUCER},"meta":null}}"#).as_bytes()).await;
    listener.guest.hears(status(&id, PRODUCER, "null")).await;
    // The listener answers pings, because it reads.
    listener.guest.hears(status(&id, "[]", "null")).await;
}

#[tokio::test]
async fn who_knows_a_session_of_others_neither_ends_it_nor_speaks_in_it() {
    let server = Server::start(&[GSTREAMER]);
    let mut producer = server.party_with(PRODUCER).await;
    let mut consumer = server.party().await;
    let mut mallory = server.party().await;
    let session = consumer.consumes(&mut producer, "null").await;
    mallory.guest.say(sdp(&session, "offer")).await;
    mallory.ends(&session).await;
    mallory.fence().await;
    producer.guest.say(sdp(&session, "offer")).await;
    consumer.guest.hears(sdp(&session, "offer")).await;
}

#[tokio::test]
async fn a_page_that_asks_for_an_absent_producer_is_told_that_the_session_has_ended() {
    let server = Server::start(&[GSTREAMER]);
    let mut page = server.party_with(LISTENER).await;
    let absent = "00000000-0000-4000-8000-000000000000";
    let refused = page.guest.ask(format!(r#"{{"type":"startSession","peerId":"{absent}"}}"#)).await;
    assert_eq!(refused, error(&format!("Peer with ID '{absent}' not found")));
    let started = page.guest.hear().await;
    assert_eq!((field(&started, "type"), field(&started, "peerId")), ("sessionStarted".into(), absent.into()));
    page.guest.hears(end(&field(&started, "sessionId"))).await;
    page.fence().await;
}

#[tokio::test]
async fn the_oldest_producer_is_first_in_the_list() {
    let server = Server::start(&[GSTREAMER]);
    let mut ids = Vec::new();
    let mut producers = Vec::new();
    for _ in 0..5 {
        let producer = server.party_with(PRODUCER).await;
        ids.push(producer.id.clone());
        producers.push(producer);
    }
    let list: Value = serde_json::from_str(&producers[0].list().await).expect("JSON");
    let listed: Vec<_> = list["producers"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn sessions_of_one_peer_are_bounded() {
    let server = Server::start(&[GSTREAMER, "--peers-per-room=2"]);
    let mut producer = server.party_with(PRODUCER).await;
    let mut consumer = server.party().await;
    let first = consumer.consumes(&mut producer, "null").await;
    consumer.consumes(&mut producer, "null").await;
    let start = format!(r#"{{"type":"startSession","peerId":"{}"}}"#, producer.id);
    assert_eq!(consumer.guest.ask(start).await, error("Too many sessions"));
    producer.ends(&first).await;
    consumer.guest.hears(end(&first)).await;
    consumer.consumes(&mut producer, "null").await;
}

#[tokio::test]
async fn a_full_exchange_is_refused_before_the_101() {
    let server = Server::start(&[GSTREAMER, "--peers-per-room=2", "--rooms-per-peer=1"]);
    let first = server.party().await;
    let mut second = server.party_with(LISTENER).await;
    assert_eq!(server.try_visit("/gstreamer", &[]).await.err(), Some((503, "room-full".to_owned())));
    first.guest.leave().await;
    let third = server.party_with(PRODUCER).await;
    second.guest.hears(status(&third.id, PRODUCER, "null")).await;
}

/// A listener whose queue others have filled hears, once it reads, what is true then.
#[tokio::test]
async fn a_listener_with_a_full_queue_has_no_wrong_picture_once_it_reads() {
    let server = Server::start(&[
        GSTREAMER,
        "--mailbox-messages=8",
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--refused-messages=0",
        "--write-timeout=60",
    ]);
    let mut stalled = server.raw_at(server.narrow_tls().await, "/gstreamer").await;
    let listener = field(&stalled.text().await, "peerId");
    let roles = r#"["listener","producer"]"#;
    stalled.send(FIN | TEXT, format!(r#"{{"type":"setPeerStatus","roles":{roles},"meta":null}}"#).as_bytes()).await;
    assert_eq!(stalled.text().await, status(&listener, roles, "null"));
    let mut attacker = server.party().await;
    let mut producer = server.party_with(PRODUCER).await;
    assert_eq!(stalled.text().await, status(&producer.id, PRODUCER, "null"));
    attacker.fills(&listener).await;
    for round in 0..100 {
        producer.set_status(if round % 2 == 0 { "[]" } else { PRODUCER }, &format!(r#"{{"round":{round}}}"#)).await;
    }
    producer.fence().await;
    // It comes and goes while the listener is stuck: nothing is left to say of it.
    server.party_with(PRODUCER).await.guest.leave().await;
    let mut heard = Vec::new();
    let last = status(&producer.id, PRODUCER, r#"{"round":99}"#);
    within("what is true", async {
        while heard.last() != Some(&last) {
            let text = stalled.text().await;
            if text.starts_with(r#"{"type":"peerStatusChanged""#) {
                heard.push(text);
            }
        }
    })
    .await;
    assert_eq!(heard, [last], "one for each peer that changed");
    stalled.send(FIN | TEXT, br#"{"type":"listConsumers"}"#).await;
    let mut next = stalled.text().await;
    while !next.starts_with(r#"{"type":"listConsumers""#) {
        assert!(!next.starts_with(r#"{"type":"peerStatusChanged""#), "{next}");
        next = stalled.text().await;
    }
}

/// The original's loop waits for each client's queue in turn.
#[tokio::test]
async fn a_slow_reader_holds_up_no_other() {
    let server = Server::start(&[GSTREAMER, "--messages-per-second=0", "--bytes-per-second=0", "--write-timeout=60"]);
    let mut stalled = server.raw_at(server.narrow_tls().await, "/gstreamer").await;
    let producer = field(&stalled.text().await, "peerId");
    let frame = format!(r#"{{"type":"setPeerStatus","roles":{PRODUCER},"meta":null}}"#);
    stalled.write(&masked(FIN | TEXT, frame.as_bytes())).await;
    let mut watcher = server.party().await;
    within("the producer to be listed", async { while !watcher.list().await.contains(&producer) {} }).await;
    let mut flooder = server.party().await;
    flooder.fills(&producer).await;
    let mut other = server.party_with(PRODUCER).await;
    within("others to be served", watcher.consumes(&mut other, "null")).await;
    stalled.stream.shutdown().await.expect("the connection is open");
}

/// The example of docs/dialects.md, with our own `/ice` for curl's answer.
#[tokio::test]
async fn the_turn_servers_of_native_elements_are_what_the_page_prints() {
    const PAGE: &str = include_str!("../../docs/dialects.md");
    let (_, example) = PAGE.split_once("/ice | python3 -c '").expect("the example");
    let (program, _) = example.split_once("'\n```").expect("its end");
    let server = Server::start_turn(&[GSTREAMER]);
    let ice = server.get("/ice").await.body;
    let mut python = Command::new("python3");
    let mut python =
        python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    python.stdin.take().expect("a pipe").write_all(&ice).await.expect("it reads");
    let printed = within("its output", python.wait_with_output()).await.expect("it ran").stdout;
    let ice: Value = serde_json::from_slice(&ice).expect("JSON");
    let entry = ice["iceServers"].as_array().expect("a list").iter().find(|entry| entry["username"].is_string());
    let entry = entry.expect("TURN");
    let encoded = |part: &str| {
        let text = entry[part].as_str().expect("text");
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect::<String>()
    };
    let (user, password) = (encoded("username"), encoded("credential"));
    assert!(user.contains("%3A"), "the colon between expiry and id would end the user: {user}");
    let urls = entry["urls"].as_array().expect("a list").iter().map(|url| url.as_str().expect("text"));
    let expected: Vec<String> = urls
        .filter_map(|url| url.split_once(':'))
        .filter(|(scheme, _)| scheme.starts_with("turn"))
        .map(|(scheme, place)| format!("{scheme}://{user}:{password}@{place}"))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(String::from_utf8(printed).expect("text").lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_restart_is_said_with_a_code_and_a_reason() {
    let mut server = Server::start(&[GSTREAMER]);
    let mut party = server.party_with(LISTENER).await;
    server.stop();
    assert_eq!(party.guest.closed().await, (1012, "the server restarts: connect again".to_owned()));
}

#[tokio::test]
async fn without_the_flag_the_path_is_none_and_says_so() {
    let server = Server::start(&["--dialect=matchbox"]);
    let answer = server.get("/gstreamer").await;
    assert_eq!(answer.status, 404);
    assert!(String::from_utf8_lossy(&answer.body).contains("--dialect gstreamer"));
}
