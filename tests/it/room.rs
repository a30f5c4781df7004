//! Rooms: rosters, announcements and messages to all.

use serde_json::Value;

use crate::client::{Client, join, message_to};
use crate::server::Server;
use crate::within;

/// No limit of rooms and messages.
const UNLIMITED: [&str; 3] = ["--messages-per-second=0", "--bytes-per-second=0", "--rooms-per-peer=0"];

pub(crate) fn leave(room: &str) -> String {
    format!(r#"{{"type":"leave","room":"{room}"}}"#)
}

fn joined(room: &str, peer: &Client) -> String {
    format!(r#"{{"type":"peer-joined","room":"{room}","peer":"{}"}}"#, peer.id)
}

fn left(room: &str, peer: &Client) -> String {
    format!(r#"{{"type":"peer-left","room":"{room}","peer":"{}"}}"#, peer.id)
}

fn sorted<const N: usize>(peers: [&Client; N]) -> Vec<String> {
    let mut ids = peers.map(|peer| peer.id.clone()).to_vec();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_late_joiner_sees_everyone_already_present_and_is_announced_to_them() {
    let server = Server::start(&[]);
    let [mut alice, mut bob, mut carol] = server.connect_many().await;
    assert_eq!(alice.join("hall").await, sorted([]));
    assert_eq!(bob.join("hall").await, sorted([&alice]));
    alice.hears(joined("hall", &bob)).await;
    assert_eq!(carol.join("hall").await, sorted([&alice, &bob]));
    alice.hears(joined("hall", &carol)).await;
    bob.hears(joined("hall", &carol)).await;
    for client in [&mut alice, &mut bob, &mut carol] {
        client.fence().await;
    }
}

#[tokio::test]
async fn joined_and_left_carry_the_ref_and_come_instead_of_an_ack() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    alice.say(r#"{"type":"join","room":"caf\u00e9","ref":"a"}"#).await;
    alice.hears(r#"{"type":"joined","room":"café","peers":[],"ref":"a"}"#).await;
    alice.say(r#"{"type":"leave","room":"café","ref":2}"#).await;
    alice.hears(r#"{"type":"left","room":"café","ref":2}"#).await;
    alice.say(join("hall")).await;
    alice.hears(r#"{"type":"joined","room":"hall","peers":[]}"#).await;
    alice.say(leave("hall")).await;
    alice.hears(r#"{"type":"left","room":"hall"}"#).await;
    alice.fence().await;
}

#[tokio::test]
async fn joining_twice_is_a_harmless_repeat() {
    let server = Server::start(&["--rooms-per-peer=1", "--peers-per-room=2"]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    bob.join("hall").await;
    alice.hears(joined("hall", &bob)).await;
    assert_eq!(bob.join("hall").await, sorted([&alice]));
    alice.fence().await;
    bob.say(leave("hall")).await;
    bob.hears(r#"{"type":"left","room":"hall"}"#).await;
    alice.hears(left("hall", &bob)).await;
    alice.fence().await;
}

#[tokio::test]
async fn a_peer_that_leaves_is_announced_and_hears_no_more() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    bob.join("hall").await;
    alice.hears(joined("hall", &bob)).await;
    bob.say(leave("hall")).await;
    bob.hears(r#"{"type":"left","room":"hall"}"#).await;
    alice.hears(left("hall", &bob)).await;
    alice.say(r#"{"type":"message","room":"hall","message":1}"#).await;
    alice.fence().await;
    bob.fence().await;
}

#[tokio::test]
async fn a_room_message_goes_to_every_other_member_and_to_no_other_peer() {
    let server = Server::start(&[]);
    let [mut alice, mut bob, mut carol, mut outsider] = server.connect_many().await;
    for client in [&mut alice, &mut bob, &mut carol] {
        client.join("hall").await;
    }
    outsider.join("yard").await;
    alice.hears(joined("hall", &bob)).await;
    alice.hears(joined("hall", &carol)).await;
    bob.hears(joined("hall", &carol)).await;
    alice.say(r#"{"type":"message","room":"hall","message":{ "a":1.0 },"ref":5}"#).await;
    alice.hears(r#"{"type":"ack","ref":5}"#).await;
    let heard = format!(r#"{{"type":"message","room":"hall","from":"{}","message":{{ "a":1.0 }}}}"#, alice.id);
    bob.hears(&heard).await;
    carol.hears(&heard).await;
    for client in [&mut alice, &mut bob, &mut carol, &mut outsider] {
        client.fence().await;
    }
}

#[tokio::test]
async fn a_room_message_is_acknowledged_before_any_reply_to_it() {
    let server = Server::start(&UNLIMITED);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    bob.join("hall").await;
    alice.hears(joined("hall", &bob)).await;
    for round in 0..300 {
        alice.say(format!(r#"{{"type":"message","room":"hall","message":{round},"ref":{round}}}"#)).await;
        bob.hears(format!(r#"{{"type":"message","room":"hall","from":"{}","message":{round}}}"#, alice.id)).await;
        bob.say(format!(r#"{{"type":"message","room":"hall","message":{round}}}"#)).await;
        alice.hears(format!(r#"{{"type":"ack","ref":{round}}}"#)).await;
        alice.hears(format!(r#"{{"type":"message","room":"hall","from":"{}","message":{round}}}"#, bob.id)).await;
    }
}

#[tokio::test]
async fn a_message_to_a_room_alone_is_acknowledged() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    alice.join("hall").await;
    alice.say(r#"{"type":"message","room":"hall","message":1,"ref":1}"#).await;
    alice.hears(r#"{"type":"ack","ref":1}"#).await;
    alice.fence().await;
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What one joiner has learnt of the others: from its roster, and from announcements.
struct Knowledge {
    id: String,
    roster: Vec<String>,
    announced: Vec<String>,
}

/// Waits for the roster, and takes the announcements that came before it.
async fn enter(client: &mut Client, room: &str) -> Knowledge {
    let mut knowledge = Knowledge { id: client.id.clone(), roster: Vec::new(), announced: Vec::new() };
    client.say(join(room)).await;
    loop {
        let heard: Value = serde_json::from_str(&client.hear().await).expect("JSON");
        assert_eq!(heard["room"], room);
        match heard["type"].as_str() {
            Some("joined") => {
                knowledge.roster = heard["peers"].as_array().expect("a roster").iter().map(text).collect();
                return knowledge;
            }
            Some("peer-joined") => knowledge.announced.push(text(&heard["peer"])),
            other => panic!("{other:?}"),
        }
    }
}

/// Takes the announcements until the client knows so many others, and up to a fence.
async fn hear_announcements(client: &mut Client, knowledge: &mut Knowledge, others: usize) {
    let mut is_asked = false;
    loop {
        // Of another node they come a little later.
        if !is_asked && knowledge.roster.len() + knowledge.announced.len() >= others {
            client.say(r#"{"type":"ping","ref":"fence"}"#).await;
            is_asked = true;
        }
        let heard: Value = serde_json::from_str(&client.hear().await).expect("JSON");
        match heard["type"].as_str() {
            Some("ack") => return,
            Some("peer-joined") => knowledge.announced.push(text(&heard["peer"])),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_joiners_always_see_each_other() {
    let server = Server::start(&UNLIMITED);
    let mut clients = server.connect_many::<4>().await;
    for round in 0..400 {
        let room = format!("room-{round}");
        let [a, b, c, d] = &mut clients;
        let (a, b, c, d) = tokio::join!(enter(a, &room), enter(b, &room), enter(c, &room), enter(d, &room));
        let mut known = [a, b, c, d];
        for (client, knowledge) in clients.iter_mut().zip(&mut known) {
            hear_announcements(client, knowledge, 3).await;
        }
        for (index, one) in known.iter().enumerate() {
            for other in &known[index + 1..] {
                let one_first = other.roster.contains(&one.id) && one.announced.contains(&other.id);
                let other_first = one.roster.contains(&other.id) && other.announced.contains(&one.id);
                assert!(one_first != other_first, "round {round}: exactly one of two learns by an announcement");
            }
            assert_eq!(one.roster.len() + one.announced.len(), 3, "round {round}: and no peer is learnt twice");
        }
    }
}

#[tokio::test]
async fn empty_room_is_removed() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    alice.join("yard").await;
    bob.join("hall").await;
    assert_eq!(server.hub.rooms(), 2);
    alice.hears(joined("hall", &bob)).await;
    alice.ask(leave("hall")).await;
    assert_eq!(server.hub.rooms(), 2);
    alice.ask(leave("yard")).await;
    assert_eq!(server.hub.rooms(), 1);
    bob.leave(Some(1000)).await;
    assert_eq!(server.hub.rooms(), 0);
}

#[tokio::test]
async fn a_refused_join_makes_no_room() {
    let server = Server::start(&["--rooms-per-peer=1"]);
    let mut alice = server.connect().await;
    alice.join("hall").await;
    alice.ask(join("yard")).await;
    alice.ask(leave("cellar")).await;
    assert_eq!(server.hub.rooms(), 1);
}

#[tokio::test]
async fn a_session_that_ends_leaves_its_rooms() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    for room in ["one", "two", "three"] {
        bob.join(room).await;
        alice.join(room).await;
        bob.hears(joined(room, &alice)).await;
    }
    let gone = alice.id.clone();
    drop(alice);
    let mut heard = [bob.hear().await, bob.hear().await, bob.hear().await];
    heard.sort_unstable();
    let expected =
        ["one", "three", "two"].map(|room| format!(r#"{{"type":"peer-left","room":"{room}","peer":"{gone}"}}"#));
    assert_eq!(heard, expected);
    bob.fence().await;
    assert_eq!(bob.join("one").await, sorted([]));
}

#[tokio::test]
async fn a_room_name_of_128_bytes_is_one_and_any_characters_will_do() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    for name in ["r".repeat(128), "é".repeat(64), " ".to_owned(), "/../?#".to_owned()] {
        assert_eq!(alice.join(&name).await, sorted([]));
    }
    for name in [String::new(), "r".repeat(129), "é".repeat(65)] {
        let answer = alice.ask(join(&name)).await;
        assert!(answer.contains(r#""code":"bad-message""#), "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_member_with_a_full_queue_is_told_who_comes_and_goes_all_the_same() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=0", "--write-timeout=60"]);
    let mut stalled = server.stalled().await;
    stalled.ask(&join("hall")).await;
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    alice.fill(&stalled.id).await;
    let own = format!(r#"{{"type":"peer-joined","room":"hall","peer":"{}"}}"#, alice.id);
    bob.join("hall").await;
    alice.hears(joined("hall", &bob)).await;
    bob.ask(leave("hall")).await;
    let left = format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, bob.id);
    alice.hears(&left).await;
    bob.join("hall").await;
    alice.hears(joined("hall", &bob)).await;
    let answer = alice.ask(message_to(&stalled.id, &format!("\"{}\"", "x".repeat(60_000)), "1")).await;
    assert!(answer.contains(r#""code":"peer-busy""#), "the peer is connected, and its queue is full: {answer}");
    // The stalled peer reads again. Announcements that cancelled out while they waited are not sent.
    let mut told = Vec::new();
    while told.len() < 2 {
        let frame = stalled.text().await;
        if frame.contains(r#""type":"peer-"#) {
            told.push(frame);
        }
    }
    assert_eq!(told, [own, joined("hall", &bob)]);
}

#[tokio::test]
async fn a_room_message_names_the_members_that_could_not_take_it() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=0", "--write-timeout=60"]);
    let mut stalled = server.stalled().await;
    stalled.ask(&join("hall")).await;
    let [mut alice, mut bob] = server.connect_many().await;
    bob.join("hall").await;
    alice.join("hall").await;
    bob.hears(joined("hall", &alice)).await;
    alice.fill(&stalled.id).await;
    let answer = alice.ask(r#"{"type":"message","room":"hall","message":"hello","ref":9}"#).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((&answer["code"], &answer["room"], &answer["ref"]), (&"peer-busy".into(), &"hall".into(), &9.into()));
    assert_eq!(answer["peers"], serde_json::json!([stalled.id]));
    bob.hears(format!(r#"{{"type":"message","room":"hall","from":"{}","message":"hello"}}"#, alice.id)).await;
    drop(stalled);
    within("the stalled peer's leave", alice.hear()).await;
}
