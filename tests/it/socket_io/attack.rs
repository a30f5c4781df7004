//! Clients that do what no client of socket.io does: sessions are bounded in number, time and memory, and cost no others.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{FENCE, POLLING, Polling, Socket, UNKNOWN_SID, WEBSOCKET, call, called, remain, start, text};
use crate::http::exchange;
use crate::raw::HANDSHAKE;
use crate::within;

const METRICS: &str = "--metrics-listen=127.0.0.1:0";

const FREE: [&str; 3] = ["--max-connections=0", "--max-connections-per-address=0", "--connections-per-second=0"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_abandoned_polls_end_and_leave_nothing() {
    let server = start(&[&FREE[..], &["--heartbeat=4", METRICS]].concat());
    let mut attackers = JoinSet::new();
    for _ in 0..4 {
        let (mut tls, request) = (server.tls().await, server.head("GET", POLLING, &[]));
        attackers.spawn(async move {
            for _ in 0..2500 {
                assert_eq!(exchange(&mut tls, &request).await.status, 200);
            }
        });
    }
    while attackers.join_next().await.is_some_and(|joined| joined.is_ok()) {}
    let (mut alice, a) = Socket::connect(&server).await;
    alice.says(&call("offer", "1", &a)).await;
    crate::status::becomes(&server, "entremise_connections", 1).await;
}

#[tokio::test]
async fn a_session_counts_as_a_connection_until_its_end() {
    let server = start(&["--max-connections-per-address=2"]);
    let (alice, _) = Polling::connect(&server).await;
    let (_bob, _) = Socket::connect(&server).await;
    let refused = server.get(POLLING).await;
    assert_eq!((refused.status, refused.code()), (429, "too-many-connections".to_owned()));
    assert_eq!(Socket::refused(&server, WEBSOCKET, &[]).await.0, 429);
    alice.says("1").await;
    let begins = async { while server.get(POLLING).await.status != 200 {} };
    within("its permit to be free", begins).await;
}

#[tokio::test]
async fn a_full_server_says_so_before_a_session_is_made() {
    let server = start(&["--max-connections=1", "--allow-origin=https://site.example"]);
    let _alice = Polling::open(&server).await;
    let refused = server.request("GET", POLLING, &["Origin: https://site.example"]).await;
    assert_eq!((refused.status, refused.code()), (503, "server-full".to_owned()));
    assert_eq!(refused.header("access-control-allow-origin"), "https://site.example");
}

/// Many tabs behind one proxy: each has a poll that is not answered for half a minute.
#[tokio::test]
async fn polls_that_wait_are_no_unanswered_connections() {
    let server = start(&["--max-handshakes-per-address=3"]);
    let (mut sessions, mut polls) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let (session, id) = Polling::connect(&server).await;
        polls.push(session.waits(&server).await);
        sessions.push((session, id));
    }
    assert_eq!(server.pending.connections(), 0);
    let (alice, a) = &sessions[0];
    for (_, id) in &sessions[1..] {
        alice.says(&call("offer", "1", id)).await;
    }
    for poll in polls.drain(1..) {
        assert_eq!(poll.packets().await, called("offer", "1", a));
    }
}

#[tokio::test]
async fn polls_of_a_session_that_is_not_there_are_unanswered_connections() {
    let server = start(&["--max-handshakes-per-address=2"]);
    let (alice, _) = Polling::connect(&server).await;
    // More than a session has: it is over, and all of them are answered.
    let mut polls = Vec::new();
    for _ in 0..2 {
        polls.push(alice.poll().await);
    }
    for poll in polls {
        poll.answer().await;
    }
    assert_eq!(server.pending.connections(), 0);
    alice.is_gone().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_ends_its_session() {
    let server = start(&["--write-timeout=0.5"]);
    let (alice, _) = Polling::connect(&server).await;
    let mut tls = server.tls().await;
    let head = server.head("POST", &alice.path, &["Content-Length: 1000"]);
    tls.write_all(format!("{head}40").as_bytes()).await.expect("the server reads");
    tls.flush().await.expect("the server reads");
    let mut answer = Vec::new();
    let _ = within("the end", tls.read_to_end(&mut answer)).await;
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    alice.is_gone().await;
}

#[tokio::test]
async fn a_client_that_goes_in_the_middle_of_a_post_is_over() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let mut tls = server.tls().await;
    let head = server.head("POST", &alice.path, &["Content-Length: 1000"]);
    tls.write_all(format!("{head}40").as_bytes()).await.expect("the server reads");
    tls.flush().await.expect("the server reads");
    drop(tls);
    remain(&server, 0).await;
    alice.is_gone().await;
}

#[tokio::test]
async fn a_body_for_no_session_is_not_read() {
    let server = start(&[]);
    let path = format!("{POLLING}&sid=AAAAAAAAAAAAAAAAAAAA");
    let mut tls = server.tls().await;
    let answer = exchange(&mut tls, &server.head("POST", &path, &["Content-Length: 1000000"])).await;
    assert_eq!((answer.status, &*text(&answer)), (400, UNKNOWN_SID));
}

#[tokio::test]
async fn guesses_find_no_session() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    let sid = alice.path.rsplit('=').next().expect("it ends with it").to_owned();
    let mut tls = server.tls().await;
    let near = sid.chars().map(|letter| if letter == 'A' { 'B' } else { 'A' });
    for (at, other) in near.enumerate() {
        let mut guess: Vec<char> = sid.chars().collect();
        guess[at] = other;
        let path = format!("{POLLING}&sid={}", guess.iter().collect::<String>());
        let answer = exchange(&mut tls, &server.head("GET", &path, &[])).await;
        assert_eq!((answer.status, &*text(&answer)), (400, UNKNOWN_SID));
    }
    for guess in [&sid[..19], &format!("{sid}A"), "%41", &"A".repeat(4000)] {
        let path = format!("{POLLING}&sid={guess}");
        assert_eq!(exchange(&mut tls, &server.head("GET", &path, &[])).await.status, 400);
    }
    alice.says("40/fence").await;
    alice.hears(FENCE).await;
}

#[tokio::test]
async fn a_flood_of_packets_ends_its_session_alone() {
    let server = start(&[]);
    let ((flooder, _), (mut alice, _)) = (Polling::connect(&server).await, Socket::connect(&server).await);
    let flood = vec!["3"; 30_000].join("\u{1e}");
    assert_eq!(flooder.post(&flood).await.status, 200);
    remain(&server, 1).await;
    assert_eq!(flooder.polled().await.body, b"1");
    flooder.is_gone().await;
    alice.fence().await;
}

#[tokio::test]
async fn a_flood_over_a_websocket_is_closed_with_1008() {
    let server = start(&["--messages-per-second=1", "--message-burst=10", "--refused-messages=5"]);
    let [(mut alice, _), (_, b)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    for _ in 0..10 {
        alice.says(&call("offer", "1", &b)).await;
    }
    let [(mut bob, _), _] = [Socket::connect(&server).await, Socket::connect(&server).await];
    for _ in 0..15 {
        bob.says("3").await;
    }
    assert_eq!(bob.closed().await, Some(1008));
}

#[tokio::test]
async fn a_call_to_several_costs_as_many_messages() {
    let server = start(&["--messages-per-second=0.001", "--message-burst=10"]);
    let ((mut alice, a), (mut bob, b)) = (Socket::connect(&server).await, Socket::connect(&server).await);
    let others: Vec<_> = (0..9).map(|n| format!(r#""AAAAAAAAAAAAAAAAAAA{n}""#)).collect();
    let to = format!(r#"[{},"{b}"]"#, others.join(","));
    alice.says(&format!(r#"42["offer",{{"offer":1,"to":{to}}}]"#)).await;
    bob.hears(&called("offer", "1", &a)).await;
    alice.says(&call("offer", "2", &b).replacen("42", "427", 1)).await;
    loop {
        let frame = alice.hear().await;
        if frame.starts_with("437") {
            assert!(frame.contains("rate-limited"), "{frame}");
            break;
        }
    }
}

/// The answers of a client that does not poll are few: then it is read no further, and its post is answered once it polls.
#[tokio::test]
async fn a_client_is_not_heard_while_its_answers_wait() {
    let server = start(&[]);
    let mut alice = Polling::open(&server).await;
    let namespaces: Vec<_> = (0..100).map(|n| format!("40/{n}")).collect();
    let mut tls = server.tls().await;
    let request = alice.post_request(&namespaces.join("\u{1e}"), &[]);
    tls.write_all(request.as_bytes()).await.expect("the server reads");
    tls.flush().await.expect("the server reads");
    for n in 0..100 {
        alice.hears(&format!(r#"44/{n},{{"message":"Invalid namespace"}}"#)).await;
    }
    let answer = within("the post's answer", crate::http::read_head(&mut tls)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Its close waits for a poll; posts do not wait for that.
#[tokio::test]
async fn what_a_closed_session_is_told_is_answered_and_has_no_effect() {
    let server = start(&["--refused-messages=1"]);
    let (alice, _) = Polling::connect(&server).await;
    alice.says(r#"42["offer"]"#).await;
    remain(&server, 0).await;
    alice.says("40/fence").await;
    assert_eq!(alice.polled().await.body, b"1");
    alice.is_gone().await;
    let (bob, _) = Polling::connect(&server).await;
    bob.says(r#"42["offer"]"#).await;
    bob.says("1").await;
    bob.is_gone().await;
}

#[tokio::test]
async fn a_queue_without_a_poll_is_bounded_and_its_sender_is_told() {
    let server = start(&["--mailbox-messages=10", "--messages-per-second=1000", "--message-burst=1000"]);
    let ((mut alice, _), (bob, b)) = (Socket::connect(&server).await, Polling::connect(&server).await);
    let mut accepted = 0;
    loop {
        alice.says(&call("candidate", "1", &b).replacen("42", "421", 1)).await;
        let ack = alice.hear().await;
        if ack.contains("peer-busy") {
            break;
        }
        accepted += 1;
        assert!(accepted <= 10, "{ack}");
    }
    let packets = text(&bob.polled().await);
    assert_eq!(packets.split('\u{1e}').count(), accepted, "what was accepted comes");
}

/// A WebSocket that no session wants lives no longer than its close takes.
#[tokio::test]
async fn many_websockets_for_one_session_are_closed() {
    let server = start(&["--max-handshakes-per-address=0"]);
    let (alice, _) = Polling::connect(&server).await;
    let path = alice.path.replace("transport=polling", "transport=websocket");
    let mut silent = Vec::new();
    for _ in 0..50 {
        let mut tls = server.tls().await;
        tls.write_all(server.head("GET", &path, &HANDSHAKE).as_bytes()).await.expect("the server reads");
        tls.flush().await.expect("the server reads");
        silent.push(tls);
    }
    // They do not answer the close.
    let begun = Instant::now();
    for (at, tls) in silent.iter_mut().enumerate() {
        let mut said = Vec::new();
        if at > 0 {
            let _ = within("its end", tls.read_to_end(&mut said)).await;
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_slow_reader_of_its_polls_costs_no_other() {
    let server = start(&["--write-timeout=1", "--heartbeat=1"]);
    let ((mut alice, a), (bob, b)) = (Socket::connect(&server).await, Polling::connect(&server).await);
    let mut narrow = server.narrow_tls().await;
    narrow.write_all(server.head("GET", &bob.path, &[]).as_bytes()).await.expect("the server reads");
    narrow.flush().await.expect("the server reads");
    bob.says("3").await;
    let large = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..10 {
        alice.says(&call("offer", &large, &b)).await;
    }
    let (mut carol, c) = Socket::connect(&server).await;
    alice.says(&call("offer", "1", &c)).await;
    carol.hears(&called("offer", "1", &a)).await;
    remain(&server, 2).await;
}
