//! The reader against a second reading of the same frame, into a tree. No part of the server.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Spelling;
use crate::dialect::{Heard, Sink};
use crate::protocol::{ClientMessage, Publication, Published, Request, RoomName, ServerMessage, TopicNames};

/// Reads a frame after the first byte, which says in which spelling, and asserts that what comes out is what it says.
///
/// # Panics
///
/// Where it isn't.
pub fn play_topics(data: &[u8]) {
    let Some((spelling, frame)) = data.split_first() else { return };
    let spelling = if spelling % 2 == 0 { Spelling::YWebrtc } else { Spelling::Trystero };
    let heard = spelling.read_binary(frame);
    let frame = std::str::from_utf8(frame).unwrap_or_default();
    let tree = serde_json::from_str::<BTreeMap<String, Value>>(frame);
    match heard {
        Heard::Request(Ok(Request { message, .. })) => {
            // A tree has its limits: no more than 128 levels, and numbers that fit.
            if let Ok(tree) = tree {
                compare(spelling, message, &tree);
            }
        }
        Heard::Request(Err(_)) => {
            assert!(tree.is_err() || !is_good(spelling, &tree.expect("it is one")), "refused: {frame}");
        }
        Heard::Nothing => {}
        Heard::Over(end) => panic!("{end:?}"),
    }
}

fn topic(tree: &BTreeMap<String, Value>) -> Option<&str> {
    tree.get("topic").and_then(Value::as_str).filter(|topic| RoomName::topic(topic).is_some())
}

fn is_good(spelling: Spelling, tree: &BTreeMap<String, Value>) -> bool {
    let topics = tree.get("topics").unwrap_or(&Value::Null);
    match (tree.get("type").and_then(Value::as_str), spelling) {
        (Some("subscribe" | "unsubscribe"), Spelling::YWebrtc) => topics.is_null() || topics.is_array(),
        (Some("subscribe" | "unsubscribe"), Spelling::Trystero) => tree.get("topic").is_some_and(Value::is_string),
        (Some("publish"), Spelling::YWebrtc) => topic(tree).is_some(),
        (Some("publish"), Spelling::Trystero) => topic(tree).is_some() && tree.contains_key("payload"),
        _ => true,
    }
}

fn compare(spelling: Spelling, message: ClientMessage<'_>, tree: &BTreeMap<String, Value>) {
    assert_eq!(tree.get("type").and_then(Value::as_str), Some(message.kind()));
    assert!(is_good(spelling, tree));
    match message {
        ClientMessage::Subscribe(names) | ClientMessage::Unsubscribe(names) => compare_topics(spelling, &names, tree),
        ClientMessage::Publish(publication) => compare_told(spelling, publication, tree),
        ClientMessage::Ping => assert_eq!(spelling, Spelling::YWebrtc),
        other => panic!("{other:?}"),
    }
}

fn compare_topics(spelling: Spelling, topics: &TopicNames, tree: &BTreeMap<String, Value>) {
    let listed: Vec<Option<&str>> = match spelling {
        Spelling::YWebrtc => tree
            .get("topics")
            .and_then(Value::as_array)
            .map_or(Vec::new(), |list| list.iter().map(Value::as_str).collect()),
        Spelling::Trystero => vec![tree.get("topic").and_then(Value::as_str)],
    };
    let expected = || listed.iter().flatten().filter(|name| RoomName::topic(name).is_some()).copied();
    assert!(topics.iter().eq(expected()));
    assert_eq!(topics.has_others(), expected().count() < listed.len());
}

fn compare_told(spelling: Spelling, publication: Publication<'_>, tree: &BTreeMap<String, Value>) {
    struct Frame(Vec<u8>);
    impl Sink for Frame {
        fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
            assert!(self.0.is_empty(), "one frame");
            write(&mut self.0);
        }
    }
    let Publication { topic, payload, count_at, .. } = publication;
    let published = Published { topic, payload: payload.as_ref().into(), count_at, subscribers: 7 };
    let mut frame = Frame(Vec::new());
    spelling.write(&ServerMessage::Published(published), &mut frame);
    let told: BTreeMap<String, Value> = serde_json::from_slice(&frame.0).expect("what is told is JSON");
    let mut expected = tree.clone();
    match spelling {
        Spelling::YWebrtc => drop(expected.insert("clients".to_owned(), 7.into())),
        Spelling::Trystero => expected.retain(|name, _| name == "topic" || name == "payload"),
    }
    assert_eq!(told, expected);
}
