//! Trystero's clients that lost their connection, and do not subscribe again.

use std::time::Duration;

use serde_json::json;

use super::{TRYSTERO, Topical, comes_to};
use crate::credentials::{start, token};
use crate::pair::Pair;
use crate::server::{Server, Site};

/// What a client says of itself every minute.
fn announcement(name: &str, topic: &str) -> String {
    json!({"type": "publish", "topic": topic, "payload": json!({"peerId": name}).to_string()}).to_string()
}

fn told(name: &str, topic: &str) -> String {
    format!(r#"{{"topic":"{topic}","payload":{}}}"#, json!(json!({"peerId": name}).to_string()))
}

/// A client in a room: it hears its own topic and then the room's, and makes itself known.
async fn enter(client: &mut Topical, name: &str, room: &str) {
    client.say(json!({"type": "subscribe", "topic": format!("{room} {name}")})).await;
    client.say(json!({"type": "subscribe", "topic": room})).await;
    client.say(announcement(name, room)).await;
    client.hears(told(name, room)).await;
}

async fn in_the_hall(site: &Site, name: &str) -> Topical {
    let mut client = site.trystero().await;
    enter(&mut client, name, "hall").await;
    client
}

/// A client is gone without a word, and the server knows.
async fn lose(server: &Server, client: Topical) {
    let peers = server.hub.peers();
    drop(client);
    comes_to("the loss", || server.hub.peers() < peers).await;
}

#[tokio::test]
async fn a_client_that_lost_its_connection_is_not_deaf_once_it_announces_itself() {
    let server = Server::start(&[TRYSTERO]);
    let mut bob = in_the_hall(&server, "bob").await;
    let alice = in_the_hall(&server, "alice").await;
    bob.hears(told("alice", "hall")).await;
    lose(&server, alice).await;
    let mut alice = server.trystero().await;
    // A call that was under way.
    alice.say(r#"{"type":"publish","topic":"hall bob","payload":{"peerId":"alice","candidate":"x"}}"#).await;
    bob.hears(r#"{"topic":"hall bob","payload":{"peerId":"alice","candidate":"x"}}"#).await;
    alice.say(announcement("alice", "hall")).await;
    for client in [&mut alice, &mut bob] {
        client.hears(told("alice", "hall")).await;
    }
    bob.say(r#"{"type":"publish","topic":"hall alice","payload":{"peerId":"bob","offer":"x"}}"#).await;
    alice.hears(r#"{"topic":"hall alice","payload":{"peerId":"bob","offer":"x"}}"#).await;
}

#[tokio::test]
async fn a_client_whose_older_connection_is_half_open_gets_its_topics_too() {
    let server = Server::start(&[TRYSTERO]);
    let _half_open = in_the_hall(&server, "alice").await;
    let mut alice = server.trystero().await;
    alice.say(announcement("alice", "hall")).await;
    alice.hears(told("alice", "hall")).await;
    alice.say(r#"{"type":"publish","topic":"hall alice","payload":1}"#).await;
    alice.hears(r#"{"topic":"hall alice","payload":1}"#).await;
}

#[tokio::test]
async fn each_room_comes_back_with_its_own_announcement() {
    let server = Server::start(&[TRYSTERO]);
    let mut alice = in_the_hall(&server, "alice").await;
    enter(&mut alice, "alice", "yard").await;
    lose(&server, alice).await;
    let mut alice = server.trystero().await;
    alice.say(announcement("alice", "hall")).await;
    alice.hears(told("alice", "hall")).await;
    alice.say(r#"{"type":"publish","topic":"yard","payload":1}"#).await;
    alice.trystero_fence().await;
    alice.say(announcement("alice", "yard")).await;
    alice.hears(told("alice", "yard")).await;
}

/// What it says comes back to a client that hears the topic, and to no other.
async fn is_deaf(client: &mut Topical, topic: &str) -> bool {
    client.say(json!({"type": "publish", "topic": topic, "payload": "heard"})).await;
    client.say(r#"{"type":"subscribe","topic":"end"}"#).await;
    client.say(r#"{"type":"publish","topic":"end","payload":0}"#).await;
    let mut is_deaf = true;
    loop {
        match client.hear().await {
            end if end.contains(r#""topic":"end""#) => return is_deaf,
            heard => is_deaf &= !heard.contains("heard"),
        }
    }
}

#[tokio::test]
async fn no_more_is_given_back_than_a_member_of_the_room_could_have() {
    let server = Server::start(&[TRYSTERO]);
    let mut alice = in_the_hall(&server, "alice").await;
    enter(&mut alice, "alice", "yard").await;
    alice.say(r#"{"type":"subscribe","topic":"left"}"#).await;
    alice.say(r#"{"type":"unsubscribe","topic":"left"}"#).await;
    alice.trystero_fence().await;
    lose(&server, alice).await;
    for (name, topic) in [("bob", "hall"), ("alice", "cellar"), ("alice", "hall alice")] {
        let mut other = server.trystero().await;
        other.say(announcement(name, topic)).await;
        assert!(is_deaf(&mut other, "hall").await, "{name} on {topic}");
    }
    let mut late = server.trystero().await;
    late.say(r#"{"type":"subscribe","topic":"x"}"#).await;
    late.say(announcement("alice", "hall")).await;
    assert!(is_deaf(&mut late, "hall").await, "it has subscribed to something");
    let mut member = server.trystero().await;
    member.say(announcement("alice", "hall")).await;
    assert!(!is_deaf(&mut member, "hall").await);
    for topic in ["yard", "yard alice", "left"] {
        assert!(is_deaf(&mut member, topic).await, "{topic}");
    }
}

#[tokio::test]
async fn topics_are_kept_for_a_time_and_no_longer() {
    let server = Server::start_changed(Pair::new(), &[TRYSTERO], |config| {
        config.connection.topic_window = Duration::from_millis(10);
    });
    let alice = in_the_hall(&server, "alice").await;
    assert_eq!(server.hub.recollected(), 1);
    drop(alice);
    comes_to("them to be forgotten", || server.hub.recollected() == 0).await;
    let mut alice = server.trystero().await;
    alice.say(announcement("alice", "hall")).await;
    assert!(is_deaf(&mut alice, "hall").await);
}

#[tokio::test]
async fn topics_that_are_kept_are_bounded_in_all_and_for_one_address() {
    for flag in ["--max-parked=3", "--max-parked-per-address=3"] {
        let server = Server::start(&[TRYSTERO, flag]);
        for number in 0..5 {
            let client = in_the_hall(&server, &number.to_string()).await;
            lose(&server, client).await;
        }
        comes_to("those that found no room to be forgotten", || server.hub.recollected() == 3).await;
    }
}

#[tokio::test]
async fn a_client_that_says_goodbye_leaves_nothing_to_keep() {
    let server = Server::start(&[TRYSTERO]);
    let mut alice = in_the_hall(&server, "alice").await;
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "".into() };
    alice.send(tokio_tungstenite::tungstenite::Message::Close(Some(close))).await;
    comes_to("it to be forgotten", || server.hub.recollected() == 0).await;
}

#[tokio::test]
async fn topics_are_given_back_to_the_subject_that_had_them_alone() {
    let (server, _folder) = start(&[TRYSTERO]);
    let path = |subject: &str| format!("/trystero?access_token={}", token(subject));
    let mut alice = server.topical(&path("alice")).await;
    enter(&mut alice, "alice", "hall").await;
    lose(&server, alice).await;
    let mut mallory = server.topical(&path("mallory")).await;
    mallory.say(announcement("alice", "hall")).await;
    assert!(is_deaf(&mut mallory, "hall").await);
    let mut alice = server.topical(&path("alice")).await;
    alice.say(announcement("alice", "hall")).await;
    assert!(!is_deaf(&mut alice, "hall").await);
}
