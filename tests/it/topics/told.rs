//! What is told to whom.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{TRYSTERO, Y_WEBRTC};
use crate::server::Server;
use crate::within;

#[tokio::test]
async fn what_is_published_goes_to_all_subscribers_and_says_how_many_they_are() {
    let server = Server::start(&[Y_WEBRTC]);
    let (mut alice, mut bob) = (server.y_webrtc_on("a").await, server.y_webrtc_on("a").await);
    let mut outsider = server.y_webrtc_on("b").await;
    alice.say(r#"{"type":"publish","topic":"a","data":{"n":1.0}}"#).await;
    for client in [&mut alice, &mut bob] {
        client.hears(r#"{"type":"publish","topic":"a","data":{"n":1.0},"clients":2}"#).await;
    }
    outsider.say(r#"{"type":"publish","clients":9,"topic":"a"}"#).await;
    outsider.fence().await;
    for client in [&mut alice, &mut bob] {
        client.hears(r#"{"type":"publish","clients":2,"topic":"a"}"#).await;
        client.fence().await;
    }
}

#[tokio::test]
async fn one_frame_has_several_topics_and_a_topic_heard_twice_is_heard_once() {
    let server = Server::start(&[Y_WEBRTC]);
    let mut alice = server.y_webrtc().await;
    let long = "é".repeat(512);
    alice.say(json!({"type": "subscribe", "topics": ["a", "a", "b", long]})).await;
    alice.say(r#"{"type":"subscribe","topics":["b"]}"#).await;
    alice.fence().await;
    assert_eq!(server.hub.rooms(), 3);
    for topic in ["a", "b", &long] {
        alice.say(format!(r#"{{"type":"publish","topic":"{topic}"}}"#)).await;
        alice.hears(format!(r#"{{"type":"publish","topic":"{topic}","clients":1}}"#)).await;
    }
    alice.say(json!({"type": "unsubscribe", "topics": ["a", long, "never heard"]})).await;
    alice.say(r#"{"type":"publish","topic":"a"}"#).await;
    alice.fence().await;
    assert_eq!(server.hub.rooms(), 1, "a topic without a subscriber is none");
}

#[tokio::test]
async fn trystero_s_clients_are_told_topic_and_payload_and_may_speak_in_binary() {
    let server = Server::start(&[TRYSTERO]);
    let (mut alice, mut bob) = (server.trystero().await, server.trystero().await);
    for client in [&mut alice, &mut bob] {
        client.say(r#"{"type":"subscribe","topic":"t"}"#).await;
        client.trystero_fence().await;
    }
    alice.send(Message::binary(r#"{"type":"publish","topic":"t","payload":{"a":"\u00e9"}}"#)).await;
    for client in [&mut alice, &mut bob] {
        client.hears(r#"{"topic":"t","payload":{"a":"\u00e9"}}"#).await;
    }
    bob.say(r#"{"type":"publish","payload":"x","topic":"t"}"#).await;
    for client in [&mut alice, &mut bob] {
        client.hears(r#"{"topic":"t","payload":"x"}"#).await;
    }
    bob.say(r#"{"type":"unsubscribe","topic":"t"}"#).await;
    bob.trystero_fence().await;
    alice.say(r#"{"type":"publish","topic":"t","payload":null}"#).await;
    alice.hears(r#"{"topic":"t","payload":null}"#).await;
    bob.trystero_fence().await;
}

#[tokio::test]
async fn a_topic_is_not_the_room_of_that_name_nor_the_topic_of_another_kind_of_client() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO]);
    let mut alice = server.y_webrtc_on("lobby").await;
    let mut bob = server.trystero().await;
    bob.say(r#"{"type":"subscribe","topic":"lobby"}"#).await;
    bob.trystero_fence().await;
    let mut carol = server.connect().await;
    assert!(carol.join("lobby").await.is_empty());
    carol.ask(r#"{"type":"message","room":"lobby","message":1,"ref":1}"#).await;
    alice.say(r#"{"type":"publish","topic":"lobby"}"#).await;
    alice.hears(r#"{"type":"publish","topic":"lobby","clients":1}"#).await;
    bob.trystero_fence().await;
    carol.fence().await;
}

#[tokio::test]
async fn topics_and_all_that_is_in_them_end_with_their_clients() {
    let server = Server::start(&[Y_WEBRTC]);
    let mut stays = server.y_webrtc_on("a").await;
    let leaves = server.y_webrtc_on("a").await;
    server.y_webrtc_on("b").await;
    drop(leaves);
    super::comes_to("both to be gone", || (server.hub.peers(), server.hub.rooms()) == (1, 1)).await;
    let alone = async {
        loop {
            stays.say(r#"{"type":"publish","topic":"a"}"#).await;
            match &*stays.hear().await {
                r#"{"type":"publish","topic":"a","clients":1}"# => return,
                // The other is on its way out.
                heard => assert_eq!(heard, r#"{"type":"publish","topic":"a","clients":2}"#),
            }
        }
    };
    within("a topic without the other", alone).await;
}
