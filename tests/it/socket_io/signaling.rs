//! The tutorial's events, and calls between its pages and those of this project.

use super::{LARGE, Polling, Socket, call, called, large, start};
use crate::client::message_to;

/// The acknowledgement of the event with this number.
fn done(ack: u32) -> String {
    format!(r#"43{ack}[{{"ok":true}}]"#)
}

fn failed(ack: u32, code: &str, frame: &str) {
    let begin = format!(r#"43{ack}[{{"ok":false,"code":"{code}","message":""#);
    assert!(frame.starts_with(&begin), "{frame}");
}

fn unavailable(to: &str) -> String {
    format!(r#"42["peer-unavailable",{{"to":"{to}"}}]"#)
}

#[tokio::test]
async fn a_call_has_an_offer_an_answer_and_candidates() {
    let server = start(&[]);
    let [(mut alice, a), (mut bob, b)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    let payload = r#"{"b":"é\u2028", "a":[1e3,null]}"#;
    for kind in ["offer", "answer", "candidate"] {
        alice.says(&call(kind, payload, &b)).await;
        bob.hears(&called(kind, payload, &a)).await;
        bob.says(&call(kind, "null", &a)).await;
        alice.hears(&called(kind, "null", &b)).await;
    }
}

#[tokio::test]
async fn what_is_missing_in_an_event_is_missing_in_what_arrives() {
    let server = start(&[]);
    let [(mut alice, a), (mut bob, b)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    alice.says(&format!(r#"42["offer",{{"to":"{b}","candidate":1}},"more"]"#)).await;
    bob.hears(&format!(r#"42["offer",{{"from":"{a}"}}]"#)).await;
}

#[tokio::test]
async fn an_event_may_be_for_several() {
    let server = start(&[]);
    let (mut alice, a) = Socket::connect(&server).await;
    let [(mut bob, b), (mut carol, c)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    alice.says(&format!(r#"421["offer",{{"offer":1,"to":["{b}","{c}","{b}","{a}",7]}}]"#)).await;
    for peer in [&mut bob, &mut carol] {
        peer.hears(&called("offer", "1", &a)).await;
        peer.fence().await;
    }
    alice.hears(&done(1)).await;
    alice.says(&format!(r#"422["offer",{{"offer":2,"to":["{b}","AAAAAAAAAAAAAAAAAAAA"]}}]"#)).await;
    bob.hears(&called("offer", "2", &a)).await;
    let frames = [alice.hear().await, alice.hear().await];
    let ack = frames.iter().find(|frame| frame.starts_with("43")).expect("an acknowledgement");
    failed(2, "peer-unavailable", ack);
    assert!(frames.contains(&unavailable("AAAAAAAAAAAAAAAAAAAA")), "{frames:?}");
}

#[tokio::test]
async fn an_absent_addressee_is_told_by_an_event_and_counted() {
    let server = start(&["--metrics-listen=127.0.0.1:0"]);
    let (mut alice, _) = Socket::connect(&server).await;
    alice.says(&call("offer", "1", "AAAAAAAAAAAAAAAAAAAA")).await;
    alice.hears(&unavailable("AAAAAAAAAAAAAAAAAAAA")).await;
    let series = r#"entremise_messages_total{dialect="socket.io",kind="offer",result="peer-unavailable"}"#;
    crate::status::becomes(&server, series, 1).await;
}

#[tokio::test]
async fn an_event_to_oneself_or_to_none_is_silent() {
    let server = start(&[]);
    let (mut alice, a) = Socket::connect(&server).await;
    alice.says(&call("offer", "1", &a)).await;
    alice.says(r#"42["offer",{"offer":1}]"#).await;
    alice.says(r#"42["offer",7]"#).await;
    alice.fence().await;
}

#[tokio::test]
async fn an_acknowledgement_that_is_asked_for_is_given() {
    let server = start(&[]);
    let [(mut alice, _), (mut bob, b)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    alice.says(&call("offer", "1", &b).replacen("42", "420", 1)).await;
    alice.hears(&done(0)).await;
    bob.hear().await;
    for (event, code) in [
        (r#"42456["offer"]"#, "bad-message"),
        (r#"42456["offer",null]"#, "bad-message"),
        (r#"42456["chat","hello"]"#, "bad-message"),
    ] {
        alice.says(event).await;
        failed(456, code, &alice.hear().await);
    }
}

#[tokio::test]
async fn a_bad_argument_and_an_unknown_event_end_no_session() {
    let server = start(&[]);
    let (mut alice, _) = Socket::connect(&server).await;
    for event in [r#"42["offer"]"#, r#"42["offer",null]"#, r#"42["chat",{}]"#, "42[1,2]", r#"42["newUser"]"#, "431[]"] {
        alice.says(event).await;
        alice.fence().await;
    }
}

#[tokio::test]
async fn who_leaves_the_namespace_is_no_peer_any_more_and_comes_back_over_a_new_connection() {
    let server = start(&[]);
    let [(mut alice, a), (mut bob, _)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    alice.says("41").await;
    alice.fence().await;
    bob.says(&call("offer", "1", &a)).await;
    bob.hears(&unavailable(&a)).await;
    alice.fence().await;
    alice.says("40").await;
    assert_eq!(alice.closed().await, None);
}

#[tokio::test]
async fn other_namespaces_are_not_there_and_the_connection_stays() {
    let server = start(&[]);
    let mut alice = Socket::begin(&server).await;
    alice.says(r#"40/nope,{"token":"x"}"#).await;
    alice.hears(r#"44/nope,{"message":"Invalid namespace"}"#).await;
    alice.says("40").await;
    alice.is_greeted().await;
}

#[tokio::test]
async fn what_a_peer_says_while_no_poll_is_open_waits_for_one() {
    let server = start(&[]);
    let ((mut alice, a), (mut bob, b)) = (Socket::connect(&server).await, Polling::connect(&server).await);
    for n in 0..100 {
        alice.says(&call("candidate", &n.to_string(), &b)).await;
    }
    alice.fence().await;
    for n in 0..100 {
        bob.hears(&called("candidate", &n.to_string(), &a)).await;
    }
}

#[tokio::test]
async fn a_page_of_this_project_and_one_of_the_tutorial_call_each_other() {
    let server = start(&[]);
    let mut native = server.connect().await;
    let (mut over_websocket, socket_id) = Socket::connect(&server).await;
    let (mut over_polling, polling_id) = Polling::connect(&server).await;
    for (id, kind) in [(&socket_id, "offer"), (&polling_id, "candidate")] {
        native.say(format!(r#"{{"type":"{kind}","to":"{id}","{kind}":{{"x":1}},"ref":1}}"#)).await;
        native.hears(r#"{"type":"ack","ref":1}"#).await;
    }
    over_websocket.hears(&called("offer", r#"{"x":1}"#, &native.id)).await;
    over_polling.hears(&called("candidate", r#"{"x":1}"#, &native.id)).await;
    over_websocket.says(&call("answer", r#"{"y":2}"#, &native.id)).await;
    native.hears(format!(r#"{{"type":"answer","from":"{socket_id}","answer":{{"y":2}}}}"#)).await;
    over_polling.says(&call("candidate", "null", &native.id)).await;
    native.hears(format!(r#"{{"type":"candidate","from":"{polling_id}","candidate":null}}"#)).await;
}

#[tokio::test]
async fn what_the_other_dialect_has_no_word_for_is_refused_and_not_half_delivered() {
    let server = start(&[]);
    let mut native = server.connect().await;
    let (mut alice, a) = Socket::connect(&server).await;
    let refused = native.ask(message_to(&a, "1", "2")).await;
    assert!(refused.contains(r#""code":"peer-unavailable""#), "{refused}");
    let refused = native.ask(format!(r#"{{"type":"bye","to":"{a}","ref":3}}"#)).await;
    assert!(refused.contains(r#""code":"peer-unavailable""#), "{refused}");
    alice.says(&format!(r#"42["offer",{{"to":"{}"}}]"#, native.id)).await;
    alice.hears(&unavailable(&native.id)).await;
    alice.fence().await;
    native.fence().await;
}

#[tokio::test]
async fn who_was_told_and_is_gone_before_it_read_is_known_to_the_sender() {
    let server = start(&[]);
    let ((mut alice, _), (bob, b)) = (Socket::connect(&server).await, Polling::connect(&server).await);
    alice.says(&call("offer", "1", &b)).await;
    alice.fence().await;
    bob.says("1").await;
    alice.hears(&unavailable(&b)).await;
}

#[tokio::test]
async fn what_a_stuck_websocket_did_not_take_is_known_to_the_sender() {
    let server = start(&[&LARGE[..], &["--write-timeout=0.5"]].concat());
    let ((mut alice, _), (_bob, b)) = (Socket::connect(&server).await, Socket::narrow(&server).await);
    alice.says(&call("offer", &large(), &b)).await;
    alice.hears(&unavailable(&b)).await;
}
