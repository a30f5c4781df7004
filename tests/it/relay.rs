//! Messages from one peer to another.

use crate::client::{Client, message_from, message_to};
use crate::server::Server;

/// No rates, and queues larger than what a test of order or amount sends.
const WIDE: [&str; 4] =
    ["--messages-per-second=0", "--bytes-per-second=0", "--mailbox-messages=10000", "--mailbox-bytes=16777216"];

const KINDS: [&str; 5] = ["offer", "answer", "candidate", "message", "bye"];

#[tokio::test]
async fn every_kind_of_message_reaches_its_addressee_with_its_sender() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    for kind in KINDS {
        alice.say(format!(r#"{{"type":"{kind}","to":"{}","{kind}":{{"sdp":"v=0\r\n"}}}}"#, bob.id)).await;
        bob.hears(format!(r#"{{"type":"{kind}","from":"{}","{kind}":{{"sdp":"v=0\r\n"}}}}"#, alice.id)).await;
    }
    alice.fence().await;
}

#[tokio::test]
async fn a_forged_sender_is_ignored() {
    let server = Server::start(&[]);
    let [mut alice, mut bob, carol] = server.connect_many().await;
    alice.say(format!(r#"{{"type":"offer","from":"{}","to":"{}","offer":1}}"#, carol.id, bob.id)).await;
    bob.hears(format!(r#"{{"type":"offer","from":"{}","offer":1}}"#, alice.id)).await;
}

#[tokio::test]
async fn a_payload_arrives_byte_for_byte() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let payloads = [
        "{ \"a\" : [ 1 ,\n\t2\r ] }",
        r#""\u0041\/\ud83d\ude00 caf\u00e9 é 😀 \ud800""#,
        r#"{"a":1,"a":2,"":3,"type":"welcome","from":"me"}"#,
        "123456789012345678901234567890.10e+400",
        "-0",
        "\"\"",
        "false",
        "null",
        &deep,
    ];
    for kind in KINDS {
        for payload in payloads {
            alice.say(format!(r#"{{"type":"{kind}","to":"{}","{kind}":{payload}}}"#, bob.id)).await;
            bob.hears(format!(r#"{{"type":"{kind}","from":"{}","{kind}":{payload}}}"#, alice.id)).await;
        }
    }
}

#[tokio::test]
async fn null_is_a_value_and_a_missing_payload_is_none() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    for kind in KINDS {
        alice.say(format!(r#"{{"type":"{kind}","to":"{}","{kind}":null}}"#, bob.id)).await;
        bob.hears(format!(r#"{{"type":"{kind}","from":"{}","{kind}":null}}"#, alice.id)).await;
    }
    for kind in ["offer", "answer", "candidate", "message"] {
        let answer = alice.ask(format!(r#"{{"type":"{kind}","to":"{}"}}"#, bob.id)).await;
        assert!(answer.contains(r#""code":"bad-message""#), "{kind}: {answer}");
    }
    alice.say(format!(r#"{{"type":"bye","to":"{}"}}"#, bob.id)).await;
    bob.hears(format!(r#"{{"type":"bye","from":"{}"}}"#, alice.id)).await;
}

#[tokio::test]
async fn messages_arrive_in_the_order_in_which_they_were_sent() {
    const COUNT: usize = 5000;
    let server = Server::start(&WIDE);
    let [mut alice, mut bob] = server.connect_many().await;
    let (to, from) = (bob.id.clone(), alice.id.clone());
    let send = async {
        for number in 0..COUNT {
            alice.say(format!(r#"{{"type":"message","to":"{to}","message":{number}}}"#)).await;
        }
        alice.fence().await;
    };
    let receive = async {
        for number in 0..COUNT {
            bob.hears(message_from(&from, &number.to_string())).await;
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn a_peer_may_address_itself() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let id = alice.id.clone();
    alice.say(message_to(&id, r#""note""#, "1")).await;
    alice.hears(r#"{"type":"ack","ref":1}"#).await;
    alice.hears(message_from(&id, r#""note""#)).await;
}

#[tokio::test]
async fn a_ref_comes_back_verbatim() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    let (longest, longest_number) = (format!("\"{}\"", "r".repeat(64)), "9".repeat(64));
    let references =
        ["0", "-0", "-17", "9007199254740993", "\"\"", r#""caf\u00e9 \/ \ud83d\ude00""#, &longest, &longest_number];
    for reference in references {
        alice.say(message_to(&bob.id, "1", reference)).await;
        alice.hears(format!(r#"{{"type":"ack","ref":{reference}}}"#)).await;
        bob.hears(message_from(&alice.id, "1")).await;
        alice.say(format!(r#"{{"type":"ping","ref":{reference}}}"#)).await;
        alice.hears(format!(r#"{{"type":"ack","ref":{reference}}}"#)).await;
    }
}

#[tokio::test]
async fn without_a_ref_there_is_no_ack() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.say(r#"{"type":"ping"}"#).await;
    alice.say(format!(r#"{{"type":"offer","to":"{}","offer":1}}"#, bob.id)).await;
    bob.hears(format!(r#"{{"type":"offer","from":"{}","offer":1}}"#, alice.id)).await;
    alice.fence().await;
}

#[tokio::test]
async fn an_ack_never_comes_after_the_reply_that_its_message_provoked() {
    let server = Server::start(&WIDE);
    let [mut alice, mut bob] = server.connect_many().await;
    for round in 0..1000 {
        let number = round.to_string();
        alice.say(message_to(&bob.id, &number, &number)).await;
        bob.hears(message_from(&alice.id, &number)).await;
        bob.say(format!(r#"{{"type":"message","to":"{}","message":{number}}}"#, alice.id)).await;
        alice.hears(format!(r#"{{"type":"ack","ref":{number}}}"#)).await;
        alice.hears(message_from(&bob.id, &number)).await;
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.say(format!(r#"{{"x":[{{}}],"type":"offer","id":7,"to":"{}","offer":1,"x":2}}"#, bob.id)).await;
    bob.hears(format!(r#"{{"type":"offer","from":"{}","offer":1}}"#, alice.id)).await;
}

#[tokio::test]
async fn an_escaped_address_and_type_are_what_they_say() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    let escaped: Vec<_> = bob.id.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let escaped = escaped.concat();
    alice.say(format!(r#"{{"type":"\u006fffer","to":"{escaped}","offer":1}}"#)).await;
    bob.hears(format!(r#"{{"type":"offer","from":"{}","offer":1}}"#, alice.id)).await;
}

#[tokio::test]
async fn an_address_has_one_spelling() {
    let server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    let spellings = [bob.id.to_uppercase(), bob.id.replace('-', ""), format!("urn:uuid:{}", bob.id)];
    for to in spellings {
        if to != bob.id {
            let answer = alice.ask(message_to(&to, "1", "1")).await;
            assert!(answer.contains(r#""code":"peer-unavailable""#), "{to}: {answer}");
        }
    }
    bob.fence().await;
}

/// A peer's end: its room is told, and a message to it is answered with `peer-unavailable` at once.
async fn assert_gone(watcher: &mut Client, gone: &str) {
    watcher.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{gone}"}}"#)).await;
    let answer = watcher.ask(message_to(gone, "1", "1")).await;
    assert!(answer.contains(r#""code":"peer-unavailable""#), "{answer}");
}

async fn in_the_hall(server: &Server) -> (Client, Client) {
    let [mut watcher, mut leaver] = server.connect_many().await;
    watcher.join("hall").await;
    leaver.join("hall").await;
    watcher.hears(format!(r#"{{"type":"peer-joined","room":"hall","peer":"{}"}}"#, leaver.id)).await;
    (watcher, leaver)
}

#[tokio::test]
async fn a_peer_that_closes_with_any_code_is_gone_at_once() {
    let server = Server::start(&[]);
    for code in [Some(1000), Some(1001), Some(4321), None] {
        let (mut watcher, leaver) = in_the_hall(&server).await;
        let id = leaver.id.clone();
        leaver.leave(code).await;
        assert_gone(&mut watcher, &id).await;
        watcher.leave(None).await;
    }
}

#[tokio::test]
async fn a_peer_whose_connection_breaks_is_gone_at_once() {
    let server = Server::start(&[]);
    let (mut watcher, leaver) = in_the_hall(&server).await;
    let id = leaver.id.clone();
    drop(leaver);
    assert_gone(&mut watcher, &id).await;
}
