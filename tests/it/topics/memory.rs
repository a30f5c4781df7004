//! What topics take of memory, in the built program.

use rustix::process::Signal;
use serde_json::json;

use super::{TRYSTERO, Topical, Y_WEBRTC};
use crate::attack::memory::printed;
use crate::park::WIDE;
use crate::program::Program;

/// Clients of each kind.
const CLIENTS: u64 = 12;

/// Topics of each, some more than it may have.
const TOPICS: usize = 300;

/// The longest name, of no other topic.
fn name(client: u64, number: usize) -> String {
    let name = format!("{client} {number} ");
    format!("{name}{}", "x".repeat(1024 - name.len()))
}

async fn hear_all(client: &mut Topical, number: u64) {
    let names: Vec<String> = (0..TOPICS).map(|topic| name(number, topic)).collect();
    for names in names.chunks(60) {
        client.say(json!({"type": "subscribe", "topics": names})).await;
    }
    client.fence().await;
}

/// Each as in a room, in which it makes itself known.
async fn enter_all(client: &mut Topical, number: u64) {
    let announced = json!({"peerId": "p".repeat(64)}).to_string();
    for topic in 0..TOPICS {
        let topic = name(number, topic);
        client.say(json!({"type": "subscribe", "topic": topic})).await;
        client.say(json!({"type": "publish", "topic": topic, "payload": announced})).await;
    }
    client.say(json!({"type": "unsubscribe", "topic": name(number, 0)})).await;
    client.say(json!({"type": "subscribe", "topic": "end"})).await;
    client.say(json!({"type": "publish", "topic": "end", "payload": 0})).await;
    while !client.hear().await.contains(r#""topic":"end""#) {}
}

#[tokio::test]
async fn the_longest_topics_take_no_more_than_the_bound_that_is_printed() {
    let program = Program::start(&[&[Y_WEBRTC, TRYSTERO][..], &WIDE].concat()).await;
    program.y_webrtc_on("a").await;
    let before = program.resident_bytes();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = program.y_webrtc().await;
        hear_all(&mut client, number).await;
        clients.push(client);
        let mut client = program.trystero().await;
        enter_all(&mut client, number).await;
        clients.push(client);
    }
    let grown = program.resident_bytes() - before;
    program.signal(Signal::TERM);
    let bound = printed(&program.ended().await.stdout, " KiB for each of them");
    eprintln!("{} KiB for each, at most {} KiB", grown / CLIENTS / 2 / 1024, bound / 1024);
    assert!(grown > 2 * CLIENTS * 256 * 1024, "the names alone: {grown}");
    assert!(grown <= 2 * CLIENTS * bound, "{grown}, at most {bound} for each");
}
