//! Polls and posts.

use tokio::io::AsyncWriteExt as _;

use super::{FENCE, Polling, UNKNOWN_SID, arrived, call, called, remain, start, text};
use crate::http::exchange;

#[tokio::test]
async fn a_poll_waits_until_there_is_something() {
    let server = start(&[]);
    let [(alice, from), (bob, id)] = [Polling::connect(&server).await, Polling::connect(&server).await];
    let poll = bob.poll().await;
    alice.says(&call("offer", "1", &id)).await;
    assert_eq!(poll.packets().await, called("offer", "1", &from));
}

#[tokio::test]
async fn one_answer_has_all_that_waited_in_its_order() {
    let server = start(&[]);
    let [(alice, from), (bob, id)] = [Polling::connect(&server).await, Polling::connect(&server).await];
    let calls: Vec<_> = (0..30).map(|n| call("candidate", &n.to_string(), &id)).collect();
    alice.says(&calls.join("\u{1e}")).await;
    let said: Vec<_> = (0..30).map(|n| called("candidate", &n.to_string(), &from)).collect();
    assert_eq!(bob.poll().await.packets().await, said.join("\u{1e}"));
}

#[tokio::test]
async fn requests_follow_each_other_over_one_connection() {
    let server = start(&[]);
    let alice = Polling::open(&server).await;
    let mut tls = server.tls().await;
    for _ in 0..3 {
        assert_eq!(exchange(&mut tls, &alice.post_request("40/fence", &[])).await.status, 200);
        let answer = exchange(&mut tls, &server.head("GET", &alice.path, &[])).await;
        assert_eq!(text(&answer), FENCE);
    }
}

#[tokio::test]
async fn two_polls_at_once_end_the_session_and_the_first_is_told() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let first = alice.waits(&server).await;
    let second = alice.polled().await;
    assert_eq!((second.status, &*text(&second)), (400, ""));
    assert_eq!(first.packets().await, "1");
    alice.is_gone().await;
}

#[tokio::test]
async fn two_posts_at_once_end_the_session() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let poll = alice.waits(&server).await;
    let mut half = server.tls().await;
    let request = alice.post_request("40/fence", &[]);
    half.write_all(&request.as_bytes()[..request.len() - 1]).await.expect("the server reads");
    half.flush().await.expect("the server reads");
    arrived(&server).await;
    let second = alice.post("40/fence").await;
    assert_eq!((second.status, &*text(&second)), (400, ""));
    assert_eq!(poll.packets().await, "1");
    alice.is_gone().await;
}

#[tokio::test]
async fn a_client_that_goes_away_from_its_poll_is_over_at_once() {
    let server = start(&[]);
    let [(alice, id), (mut bob, _)] = [Polling::connect(&server).await, Polling::connect(&server).await];
    let poll = alice.waits(&server).await;
    drop(poll);
    remain(&server, 1).await;
    bob.says(&call("offer", "1", &id)).await;
    bob.hears(&format!(r#"42["peer-unavailable",{{"to":"{id}"}}]"#)).await;
}

#[tokio::test]
async fn a_post_that_is_too_large_is_refused_and_the_session_lives() {
    let server = start(&["--max-message-bytes=1000"]);
    let (mut alice, _) = Polling::connect(&server).await;
    let large = "x".repeat(1001);
    assert_eq!(alice.post(&large).await.status, 413);
    // Of an unknown length.
    let head = server.head("POST", &alice.path, &["Transfer-Encoding: chunked"]);
    let request = format!("{head}258\r\n{0}\r\n258\r\n{0}\r\n0\r\n\r\n", &large[..600]);
    assert_eq!(exchange(&mut server.tls().await, &request).await.status, 413);
    alice.says("40/fence").await;
    alice.hears(FENCE).await;
}

#[tokio::test]
async fn a_post_in_pieces_is_put_together() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    let head = server.head("POST", &alice.path, &["Transfer-Encoding: chunked"]);
    let request = format!("{head}4\r\n40/f\r\n4\r\nence\r\n0\r\n\r\n");
    assert_eq!(exchange(&mut server.tls().await, &request).await.status, 200);
    alice.hears(FENCE).await;
}

#[tokio::test]
async fn a_post_of_bytes_ends_the_session_and_nothing_is_kept_for_a_poll() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let answer = alice.post_with("40/x", &["Content-Type: application/octet-stream"]).await;
    assert_eq!((answer.status, &*text(&answer)), (400, ""));
    alice.is_gone().await;
}

#[tokio::test]
async fn what_is_no_packet_is_accepted_and_ends_the_session() {
    let server = start(&[]);
    for body in ["9", "", "2", "42[\"offer\"", "42[\"disconnect\"]", "42[{}]", "48", "40[]", "40", "bAQ==", "44{}"] {
        let (alice, _) = Polling::connect(&server).await;
        let poll = alice.waits(&server).await;
        let answer = alice.post(body).await;
        assert_eq!((answer.status, answer.header("content-type"), &*text(&answer)), (200, "text/html", "ok"), "{body}");
        assert_eq!(poll.packets().await, "1", "{body}");
        alice.is_gone().await;
    }
}

#[tokio::test]
async fn a_post_that_is_no_text_ends_the_session() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let mut tls = server.tls().await;
    let request =
        [alice.post_request("4xx", &[]).strip_suffix("xx").expect("it ends so").as_bytes(), b"\xff\xfe"].concat();
    tls.write_all(&request).await.expect("the server reads");
    tls.flush().await.expect("the server reads");
    crate::within("an answer", crate::http::read_head(&mut tls)).await.expect("an answer");
    alice.is_gone().await;
}

#[tokio::test]
async fn a_client_that_says_that_it_goes_has_its_poll_answered_and_is_gone() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let poll = alice.waits(&server).await;
    alice.says("1").await;
    assert_eq!(poll.packets().await, "6");
    alice.is_gone().await;
    let last = alice.post("1").await;
    assert_eq!((last.status, &*text(&last)), (400, UNKNOWN_SID), "clients say it again");
    assert_eq!(server.hub.peers(), 0);
}

#[tokio::test]
async fn several_packets_in_a_post_are_obeyed_in_their_order() {
    let server = start(&[]);
    let mut alice = Polling::open(&server).await;
    alice.says("40/a\u{1e}40/b\u{1e}40\u{1e}40/c").await;
    for name in ["a", "b"] {
        alice.hears(&format!(r#"44/{name},{{"message":"Invalid namespace"}}"#)).await;
    }
    assert!(alice.hear().await.starts_with(r#"40{"sid":"#));
}

/// A client that changes to a WebSocket polls no more until its post is answered.
#[tokio::test]
async fn a_post_is_answered_although_its_answers_wait_for_a_poll() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    let events: Vec<String> =
        (0..60).map(|number| format!(r#"42{number}["offer",{{"to":"none","offer":1}}]"#)).collect();
    assert_eq!(text(&alice.post(&events.join("\u{1e}")).await), "ok");
    let mut acknowledged = 0;
    while acknowledged < 60 {
        let packet = alice.hear().await;
        acknowledged += usize::from(packet.starts_with("43"));
    }
}

/// … and what comes next waits for the rest of it, in order.
#[tokio::test]
async fn the_next_post_waits_until_the_packets_of_the_one_before_are_taken() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    let post = |from: usize| {
        let events = (from..from + 60).map(|number| format!(r#"42{number}["offer",{{"to":"none","offer":1}}]"#));
        events.collect::<Vec<_>>().join("\u{1e}")
    };
    assert_eq!(text(&alice.post(&post(0)).await), "ok");
    let (request, site) = (alice.post_request(&post(60), &[]), alice.site.clone());
    let second = async { exchange(&mut site.tls().await, &request).await };
    let read = async {
        let mut numbers = Vec::new();
        while numbers.len() < 120 {
            let packet = alice.hear().await;
            let number = packet.strip_prefix("43").and_then(|rest| rest.split('[').next());
            numbers.extend(number.map(|number| number.parse::<usize>().expect("a number")));
        }
        numbers
    };
    let (second, numbers) = tokio::join!(second, read);
    assert_eq!(numbers, (0..120).collect::<Vec<_>>());
    assert_eq!(text(&second), "ok");
}
