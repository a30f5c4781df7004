//! Each close code that a client can earn by a frame. The others are in `reader`, `heartbeat`, `limit` and `drain`.

use tokio::io::AsyncWriteExt as _;

use crate::raw::{BINARY, CLOSE, CONTINUATION, FIN, HANDSHAKE, PING, PONG, Raw, TEXT, header, masked};
use crate::server::Server;

const RESERVED_1: u8 = 0x40;

/// The server says this code, with a reason, and then ends the connection.
async fn assert_closed(mut raw: Raw, expected: u16, what: &str) {
    let (code, reason) = raw.closed().await;
    assert_eq!(code, expected, "{what}: {reason}");
    assert!(!reason.is_empty(), "{what}: a close has a reason");
}

#[tokio::test]
async fn a_broken_frame_is_closed_with_1002() {
    let server = Server::start(&[]);
    let mut unmasked = masked(FIN | TEXT, b"{}");
    unmasked[1] = 2;
    unmasked.drain(2..6);
    let (start, ping) = (masked(TEXT, b"{"), masked(FIN | PING, b""));
    let broken = [
        ("not masked", unmasked),
        ("a reserved bit", masked(FIN | RESERVED_1 | TEXT, b"{}")),
        ("a reserved kind of data", masked(FIN | 0x3, b"")),
        ("a reserved kind of control", masked(FIN | 0xb, b"")),
        ("a ping in fragments", masked(PING, b"")),
        ("a ping of 126 bytes", masked(FIN | PING, &[0; 126])),
        ("an end without a beginning", masked(FIN | CONTINUATION, b"}")),
        ("a beginning before the end", [&*start, &*ping, &*start].concat()),
    ];
    for (what, bytes) in broken {
        let mut raw = server.raw().await;
        raw.write(&bytes).await;
        assert_closed(raw, 1002, what).await;
    }
}

#[tokio::test]
async fn a_broken_frame_costs_its_sender_the_session() {
    let server = Server::start(&[]);
    let mut watcher = server.connect().await;
    let mut raw = server.raw().await;
    watcher.join("hall").await;
    raw.ask(r#"{"type":"join","room":"hall"}"#).await;
    watcher.hear().await;
    raw.send(FIN | 0x3, b"").await;
    watcher.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, raw.id)).await;
    assert_closed(raw, 1002, "a reserved kind of data").await;
    watcher.fence().await;
}

#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let server = Server::start(&[]);
    for payload in [&b""[..], b"{\"type\":\"ping\"}", &[0xff; 1000]] {
        let mut raw = server.raw().await;
        raw.send(FIN | BINARY, payload).await;
        assert_closed(raw, 1003, "binary").await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_closed_with_1007() {
    let server = Server::start(&[]);
    for payload in [&b"\xff"[..], b"{\"type\":\"\xc3\"}", b"\xed\xa0\x80", b"{\xf0\x9f\x98"] {
        let mut raw = server.raw().await;
        raw.send(FIN | TEXT, payload).await;
        assert_closed(raw, 1007, "one frame").await;
    }
    let mut raw = server.raw().await;
    raw.write(&[masked(TEXT, b"\xf0\x9f"), masked(FIN | CONTINUATION, b"}")].concat()).await;
    assert_closed(raw, 1007, "a character that a second fragment does not end").await;
    let mut raw = server.raw().await;
    raw.write(&[masked(TEXT, b"{"), masked(FIN | CONTINUATION, b"\xf0\x9f")].concat()).await;
    assert_closed(raw, 1007, "a character that nothing ends").await;
}

#[tokio::test]
async fn a_message_in_fragments_is_one_message_even_with_a_ping_between_them() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    let text = r#"{"type":"join","room":"café"}"#.as_bytes();
    // In the middle of é.
    let middle = text.len() - 3;
    raw.send(TEXT, &text[..5]).await;
    raw.send(FIN | PING, b"hello").await;
    raw.send(CONTINUATION, &text[5..middle]).await;
    raw.send(FIN | CONTINUATION, &text[middle..]).await;
    assert_eq!(raw.frame().await, (FIN | PONG, b"hello".to_vec()), "the pong");
    assert_eq!(raw.frame().await, (FIN | TEXT, r#"{"type":"joined","room":"café","peers":[]}"#.as_bytes().to_vec()));
}

#[tokio::test]
async fn a_message_over_the_limit_is_closed_with_1009() {
    let server = Server::start(&["--max-message-bytes=1000"]);
    let mut raw = server.raw().await;
    raw.send(FIN | TEXT, &[b' '; 1001]).await;
    assert_closed(raw, 1009, "one frame").await;
    let mut raw = server.raw().await;
    raw.write(&[masked(TEXT, &[b' '; 600]), masked(FIN | CONTINUATION, &[b' '; 600])].concat()).await;
    assert_closed(raw, 1009, "two fragments").await;
}

#[tokio::test]
async fn a_client_that_keeps_sending_still_reads_1009() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    raw.write(&header(FIN | TEXT, 10_000_000)).await;
    // Some of it in one go, before the first look at what the server says.
    raw.write(&vec![0; 1_000_000]).await;
    assert_closed(raw, 1009, "ten megabytes").await;
}

#[tokio::test]
async fn a_frame_that_announces_more_than_there_is_memory_is_closed_with_1009() {
    let server = Server::start(&[]);
    for length in [65_537, u64::from(u32::MAX), u64::MAX >> 1] {
        let mut raw = server.raw().await;
        raw.write(&header(FIN | TEXT, length)).await;
        raw.write(&[0; 4]).await;
        assert_closed(raw, 1009, &length.to_string()).await;
    }
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let server = Server::start(&[]);
    for code in [1000_u16, 1001, 4321] {
        let mut raw = server.raw().await;
        raw.send(FIN | CLOSE, &code.to_be_bytes()).await;
        assert_eq!(raw.frame().await, (FIN | CLOSE, code.to_be_bytes().to_vec()));
    }
    let mut raw = server.raw().await;
    raw.send(FIN | CLOSE, b"").await;
    assert_eq!(raw.frame().await.0, FIN | CLOSE);
}

#[tokio::test]
async fn what_was_accepted_before_a_broken_frame_is_still_answered() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    let ping = masked(FIN | TEXT, br#"{"type":"ping","ref":1}"#);
    raw.write(&[&*ping, &*ping, &*masked(FIN | BINARY, b"")].concat()).await;
    for _ in 0..2 {
        assert_eq!(raw.frame().await, (FIN | TEXT, br#"{"type":"ack","ref":1}"#.to_vec()));
    }
    assert_closed(raw, 1003, "after the answers").await;
}

#[tokio::test]
async fn a_close_that_breaks_its_own_rules_is_answered_with_1002_or_1007() {
    let server = Server::start(&[]);
    for (what, payload, expected) in [
        ("half a code", &b"\x03"[..], 1002),
        ("a code that nobody may send", &1005_u16.to_be_bytes(), 1002),
        ("a code below all", &999_u16.to_be_bytes(), 1002),
        ("a reason that is not UTF-8", b"\x03\xe8\xff", 1007),
    ] {
        let mut raw = server.raw().await;
        raw.send(FIN | CLOSE, payload).await;
        let (code, _) = raw.closed().await;
        assert_eq!(code, expected, "{what}");
    }
}

#[tokio::test]
async fn frames_sent_along_with_the_handshake_are_read() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    let ping = masked(FIN | TEXT, br#"{"type":"ping","ref":1}"#);
    tls.write_all(&[server.head("GET", "/ws", &HANDSHAKE).as_bytes(), &ping].concat()).await.expect("the server reads");
    let mut raw = Raw::welcomed(tls).await;
    assert_eq!(raw.text().await, r#"{"type":"ack","ref":1}"#);
}
