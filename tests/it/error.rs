//! Each error that a peer can get: its code, its text, and that the connection stays open.

use serde_json::Value;

use crate::client::{Client, join, message_from, message_to};
use crate::server::Server;

/// The form of an id, and no peer has it.
const ABSENT: &str = "7c2f9d54-83f1-4b6e-a2d8-51e0b7c3f602";

/// The error's code, after a check of the fields that every error has.
async fn refused(client: &mut Client, frame: &str) -> String {
    let answer = client.ask(frame).await;
    let error: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(error["type"], "error", "{answer}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    error["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn malformed_frame_costs_only_its_sender() {
    let server = Server::start(&["--refused-messages=0", "--messages-per-second=0", "--bytes-per-second=0"]);
    let [mut alice, mut bob, mut mallory] = server.connect_many().await;
    let deep = "[".repeat(60_000);
    let open = format!(r#"{{"type":"message","to":"{}","message":{deep}"#, bob.id);
    let frames =
        ["not json", "", " ", "\0", "{", "}", "[]", "null", "\"offer\"", "{}", "{\"type\":\"offer\"}x", &deep, &open];
    for frame in frames {
        assert_eq!(refused(&mut mallory, frame).await, "bad-message", "{frame:.40}");
        alice.say(message_to(&bob.id, "1", "1")).await;
        bob.hears(message_from(&alice.id, "1")).await;
        alice.hears(r#"{"type":"ack","ref":1}"#).await;
    }
    mallory.fence().await;
}

#[tokio::test]
async fn bad_message_is_what_the_protocol_does_not_know() {
    let server = Server::start(&["--refused-messages=0"]);
    let mut client = server.connect().await;
    let itself = client.id.clone();
    let text = format!("\"{}\"", "r".repeat(65));
    let digits = "9".repeat(65);
    let frames = [
        r#"{"type":"dance"}"#.to_owned(),
        r#"{"type":"welcome"}"#.to_owned(),
        r#"{"type":null}"#.to_owned(),
        r#"["ping"]"#.to_owned(),
        r#"{"type":"offer","offer":1}"#.to_owned(),
        format!(r#"{{"type":"offer","to":"{itself}"}}"#),
        format!(r#"{{"type":"offer","to":"{itself}","answer":1}}"#),
        r#"{"type":"offer","to":7,"offer":1}"#.to_owned(),
        r#"{"type":"offer","to":null,"offer":1}"#.to_owned(),
        format!(r#"{{"type":"message","to":"{itself}","room":"hall","message":1}}"#),
        r#"{"type":"message","message":1}"#.to_owned(),
        r#"{"type":"join"}"#.to_owned(),
        r#"{"type":"join","room":7}"#.to_owned(),
        r#"{"type":"leave","room":null}"#.to_owned(),
        r#"{"type":"ping","type":"ping"}"#.to_owned(),
        format!(r#"{{"type":"offer","to":"{itself}","offer":1,"offer":1}}"#),
        r#"{"type":"ping","ref":null}"#.to_owned(),
        r#"{"type":"ping","ref":true}"#.to_owned(),
        r#"{"type":"ping","ref":1.5}"#.to_owned(),
        r#"{"type":"ping","ref":1e3}"#.to_owned(),
        r#"{"type":"ping","ref":[1]}"#.to_owned(),
        format!(r#"{{"type":"ping","ref":{text}}}"#),
        format!(r#"{{"type":"ping","ref":{digits}}}"#),
    ];
    for frame in frames {
        let expected =
            r#"{"type":"error","code":"bad-message","message":"the message is not one that this protocol knows"}"#;
        assert_eq!(client.ask(&frame).await, expected, "{frame}");
    }
    let answer = client.ask(r#"{"type":"dance","ref":"r"}"#).await;
    assert!(answer.ends_with(r#","ref":"r"}"#), "{answer}");
}

#[tokio::test]
async fn peer_unavailable_comes_at_once_and_names_the_peer() {
    let server = Server::start(&[]);
    let mut client = server.connect().await;
    for to in [ABSENT, "", "bob", "café"] {
        let answer = client.ask(message_to(to, "1", "7")).await;
        let expected = r#"{"type":"error","code":"peer-unavailable","message":"no peer with this id is here""#;
        assert_eq!(answer, format!(r#"{expected},"to":"{to}","ref":7}}"#));
    }
    let answer = client.ask(format!(r#"{{"type":"bye","to":"{ABSENT}"}}"#)).await;
    assert!(answer.ends_with(&format!(r#""to":"{ABSENT}"}}"#)), "{answer}");
}

#[tokio::test]
async fn the_address_in_an_error_is_cut_at_64_bytes_between_characters() {
    let server = Server::start(&[]);
    let mut client = server.connect().await;
    for (to, echoed) in
        [("x".repeat(65), "x".repeat(64)), (format!("x{}", "é".repeat(1000)), format!("x{}", "é".repeat(31)))]
    {
        let answer: Value = serde_json::from_str(&client.ask(message_to(&to, "1", "1")).await).expect("JSON");
        assert_eq!(answer["to"], echoed);
    }
}

#[tokio::test]
async fn not_in_room_answers_a_message_or_a_leave_from_outside_the_room() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    bob.join("hall").await;
    for frame in
        [r#"{"type":"message","room":"hall","message":1,"ref":3}"#, r#"{"type":"leave","room":"hall","ref":3}"#]
    {
        let expected =
            r#"{"type":"error","code":"not-in-room","message":"you are not in this room","room":"hall","ref":3}"#;
        assert_eq!(alice.ask(frame).await, expected);
    }
    bob.fence().await;
}

#[tokio::test]
async fn peer_busy_names_the_peer_and_nothing_was_delivered() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=0", "--write-timeout=60"]);
    let mut stalled = server.stalled().await;
    let mut alice = server.connect().await;
    alice.fill(&stalled.id).await;
    let answer = alice.ask(message_to(&stalled.id, r#""lost""#, "4")).await;
    let expected =
        r#"{"type":"error","code":"peer-busy","message":"the peer's queue is full; nothing was delivered to it""#;
    assert_eq!(answer, format!(r#"{expected},"to":"{}","ref":4}}"#, stalled.id));
    // The accepted messages arrive once the peer reads, and the refused one does not.
    let last = r#"{"type":"bye","to":"ID"}"#.replace("ID", &stalled.id);
    let end = format!(r#"{{"type":"bye","from":"{}"}}"#, alice.id);
    loop {
        let text = String::from_utf8(stalled.frame().await.1).expect("text");
        if text == end {
            break;
        }
        assert!(!text.ends_with(r#":"lost"}"#), "it was refused");
        alice.say(&last).await;
    }
}

#[tokio::test]
async fn a_full_room_refuses_a_join_and_names_the_room() {
    let server = Server::start(&["--peers-per-room=1"]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    bob.say(r#"{"type":"join","room":"hall","ref":1}"#).await;
    bob.hears(r#"{"type":"error","code":"room-full","message":"the room is full","room":"hall","ref":1}"#).await;
    alice.fence().await;
    bob.ask(join("yard")).await;
}
