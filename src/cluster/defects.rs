//! What has gone wrong in servers of other people that are many nodes, each as a test. Those of a real NATS are in
//! `tests/it/cluster.rs`: that it restarts, and that nodes go on trying to reach it; and of the pause between two attempts in
//! `nats`.

use std::time::Instant;

use super::tests::{carry, error, message, node, open, pass, say, two};
use super::*;
use crate::hub::{Ask, Elsewhere, Lifetime};
use crate::protocol::{ClientMessage, ErrorCode, Notice, Realm, Request, RoomKey, RoomName, ServerMessage, TopicNames};

fn hears(session: &Session) -> Vec<ServerMessage> {
    std::iter::from_fn(|| session.try_next()).map(|frame| frame.message().clone()).collect()
}

fn enter(session: &Session) {
    say(session, r#"{"type":"join","room":"hall"}"#);
}

fn roster(session: &Session) -> Option<usize> {
    hears(session).iter().find_map(|heard| match heard {
        ServerMessage::Notice(Notice::Joined { peers, .. }) => Some(peers.len()),
        _ => None,
    })
}

#[test]
fn a_peer_is_found_from_its_first_moment_on() {
    let (nodes, now) = two();
    let alice = open(&nodes[0]);
    let bob = open(&nodes[1]);
    say(&alice, &message(&bob));
    carry(&nodes, now);
    assert_eq!(hears(&bob).len(), 1);
}

#[test]
fn one_peer_that_does_not_read_holds_up_no_other_of_its_node() {
    let (nodes, now) = two();
    let alice = open(&nodes[0]);
    let [bob, carol] = [&nodes[1], &nodes[1]].map(open);
    for number in 1..=16 {
        say(&alice, &message(&bob));
        carry(&nodes, now);
        assert!(matches!(hears(&alice)[..], [ServerMessage::Notice(Notice::Ack { .. })]));
        alice.written();
        say(&alice, &format!(r#"{{"type":"received","count":{number}}}"#));
    }
    say(&alice, &message(&bob));
    carry(&nodes, now);
    assert_eq!(error(&alice), ErrorCode::PeerBusy);
    say(&alice, &message(&carol));
    carry(&nodes, now);
    assert_eq!(hears(&carol).len(), 1);
}

#[test]
fn who_enters_a_room_on_another_node_is_answered_without_a_wait() {
    let (nodes, now) = two();
    let [alice, bob] = nodes.each_ref().map(open);
    enter(&alice);
    carry(&nodes, now);
    enter(&bob);
    carry(&nodes, now);
    assert_eq!([roster(&alice), roster(&bob)], [Some(0), Some(1)]);
}

#[test]
fn a_node_that_was_killed_makes_no_request_wait_once_it_is_missed() {
    let ([a, b], mut now) = two();
    let (alice, bob) = (open(&a), open(&b));
    let lost = message(&bob);
    drop((bob, b));
    let nodes = [a];
    pass(&nodes, &mut now, 3500);
    say(&alice, &lost);
    enter(&alice);
    assert_eq!(error(&alice), ErrorCode::PeerUnavailable);
    carry(&nodes, now);
    assert_eq!(roster(&alice), Some(0));
}

#[test]
fn a_node_that_has_left_is_not_waited_for() {
    let ([a, b], now) = two();
    b.cluster.leave(now);
    for parcel in b.cluster.take() {
        a.cluster.receive(&parcel.bytes, now);
    }
    drop(b);
    assert_eq!(a.hub.unready(), None);
    let alice = open(&a);
    enter(&alice);
    carry(&[a], now);
    assert_eq!(roster(&alice), Some(0));
}

#[test]
fn what_was_lost_on_the_way_is_told_and_nodes_hear_each_other_again() {
    let (nodes, mut now) = two();
    let [alice, bob] = nodes.each_ref().map(open);
    say(&alice, &message(&bob));
    carry(&nodes, now);
    assert!(matches!(hears(&alice)[..], [ServerMessage::Notice(Notice::Ack { .. })]));
    // It is in the queue of the other node, which does not say any more that it was read.
    assert_eq!(hears(&bob).len(), 1);
    bob.written();
    say(&bob, r#"{"type":"received","count":1}"#);
    nodes[1].cluster.tick(now + TICK);
    assert!(!nodes[1].cluster.take().is_empty(), "lost");
    pass(&nodes, &mut now, 3500);
    assert_eq!(error(&alice), ErrorCode::Undelivered);
    say(&alice, &message(&bob));
    carry(&nodes, now);
    assert_eq!(hears(&bob).len(), 1);
}

#[test]
fn nodes_hear_each_other_after_their_network_was_away() {
    let (nodes, mut now) = two();
    let [alice, bob] = nodes.each_ref().map(open);
    for node in &nodes {
        node.cluster.disconnected(now);
    }
    say(&alice, &message(&bob));
    pass(&nodes, &mut now, 4000);
    assert!(matches!(error(&alice), ErrorCode::ClusterUnavailable | ErrorCode::PeerUnavailable));
    for node in &nodes {
        node.cluster.connected(now);
    }
    pass(&nodes, &mut now, 4000);
    say(&alice, &message(&bob));
    carry(&nodes, now);
    assert_eq!(hears(&bob).len(), 1);
}

#[test]
fn a_topic_that_was_heard_before_the_nodes_met_is_known_to_the_other() {
    let mut now = Instant::now();
    let nodes = [node("a", 1, now), node("b", 1, now)];
    let mut topics = TopicNames::default();
    topics.push("draft");
    let alice = nodes[0].hub.open(Realm::YWebrtc, Lifetime::Connection, None);
    let request = Request { reference: None, message: ClientMessage::Subscribe(topics) };
    let ask = Ask::Frame(Ok(request), alice.answer_permit().unwrap());
    assert_eq!(alice.hear(ask, 0, Instant::now(), Vec::new).refused, None);
    pass(&nodes, &mut now, 3000);
    let topic = RoomKey { realm: Realm::YWebrtc, name: RoomName::topic("draft").unwrap() };
    assert_eq!(nodes[1].cluster.subscribers(&topic), 1);
}

#[test]
fn whose_node_ends_without_a_word_has_left_its_rooms_in_four_seconds() {
    let ([a, b], mut now) = two();
    let (alice, bob) = (open(&a), open(&b));
    let nodes = [a, b];
    for session in [&alice, &bob] {
        enter(session);
        carry(&nodes, now);
    }
    drop(hears(&alice));
    let [a, b] = nodes;
    drop((bob, b));
    pass(&[a], &mut now, 4000);
    assert!(hears(&alice).iter().any(|heard| matches!(heard, ServerMessage::Notice(Notice::PeerLeft { .. }))));
}
