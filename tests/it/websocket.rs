//! RFC 6455 byte by byte: frames that a browser never sends, whole, in pieces and cut, and how each is answered.
//!
//! Where the server differs from the RFC, the test's name says so.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::client::{message_from, message_to};
use crate::http::{exchange, read_head};
use crate::raw::{BINARY, CLOSE, CONTINUATION, FIN, HANDSHAKE, PING, PONG, Raw, TEXT, header, masked, offering};
use crate::server::Server;
use crate::within;

const RESERVED_BITS: [u8; 3] = [0x40, 0x20, 0x10];

const ASK: &[u8] = br#"{"type":"ping","ref":1}"#;
const ANSWER: &str = r#"{"type":"ack","ref":1}"#;

/// Each of these ends the connection that sends it, with this code, and disturbs no other connection.
async fn assert_all_closed(server: &Server, expected: u16, broken: Vec<(String, Vec<u8>)>) {
    let mut other = server.connect().await;
    for (what, bytes) in broken {
        let mut raw = server.raw().await;
        raw.write(&bytes).await;
        raw.assert_closed(expected, &what).await;
        other.fence().await;
    }
}

fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[first, length], payload].concat()
}

/// A frame whose length is written in eight bytes, or in two.
fn with_long_length(first: u8, payload: &[u8], bytes: usize) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    let kind = if bytes == 2 { 126 } else { 127 };
    let mut frame = vec![first, 0x80 | kind];
    frame.extend(&length[8 - bytes..]);
    // A mask of zeros changes nothing.
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[tokio::test]
async fn reserved_bits_and_kinds_are_closed_with_1002() {
    let server = Server::start(&[]);
    let mut broken = Vec::new();
    for bit in RESERVED_BITS {
        for kind in [TEXT, BINARY, PING, PONG, CLOSE] {
            broken.push((format!("bit {bit:#x} in a frame of kind {kind}"), masked(FIN | bit | kind, b"")));
        }
        let continued = [masked(TEXT, b"{"), masked(FIN | bit | CONTINUATION, b"}")].concat();
        broken.push((format!("bit {bit:#x} in a continuation"), continued));
    }
    for kind in (3..=7).chain(0xb..=0xf) {
        for payload in [&b""[..], b"hello"] {
            broken.push((format!("kind {kind}"), masked(FIN | kind, payload)));
        }
    }
    assert_all_closed(&server, 1002, broken).await;
}

#[tokio::test]
async fn frames_without_a_mask_are_closed_with_1002() {
    let server = Server::start(&[]);
    let kinds = [FIN | TEXT, TEXT, FIN | BINARY, FIN | PING, FIN | PONG];
    let mut broken: Vec<_> =
        kinds.into_iter().map(|first| (format!("first byte {first:#x}"), unmasked(first, b"{}"))).collect();
    broken.push(("an empty text".into(), unmasked(FIN | TEXT, b"")));
    broken.push(("a close".into(), unmasked(FIN | CLOSE, &1000_u16.to_be_bytes())));
    broken.push(("a continuation".into(), [masked(TEXT, b"{"), unmasked(FIN | CONTINUATION, b"}")].concat()));
    assert_all_closed(&server, 1002, broken).await;
}

#[tokio::test]
async fn control_frames_that_are_long_or_in_fragments_are_closed_with_1002() {
    let server = Server::start(&[]);
    let mut broken = Vec::new();
    for kind in [PING, PONG, CLOSE] {
        for length in [126, 1000, 65_536] {
            broken.push((format!("{length} bytes of kind {kind}"), masked(FIN | kind, &vec![b'x'; length])));
        }
        broken.push((format!("a fragment of kind {kind}"), masked(kind, b"")));
    }
    broken.push(("two fragments".into(), [masked(PING, b"he"), masked(FIN | CONTINUATION, b"llo")].concat()));
    assert_all_closed(&server, 1002, broken).await;
}

#[tokio::test]
async fn fragments_out_of_their_order_are_closed_with_1002() {
    let server = Server::start(&[]);
    let (start, ping, end) = (masked(TEXT, b"{"), masked(FIN | PING, b""), masked(FIN | CONTINUATION, b"}"));
    let whole = masked(FIN | TEXT, ASK);
    let broken = [
        ("an end without a beginning", end.clone()),
        ("a middle without a beginning", masked(CONTINUATION, b"}")),
        ("an end after a whole message", [&*whole, &*end].concat()),
        ("an end after an end", [&*masked(TEXT, b"{}"), &*masked(FIN | CONTINUATION, b""), &*end].concat()),
        ("a beginning before the end", [&*start, &*ping, &*start].concat()),
        ("a whole message before the end", [&*start, &*whole].concat()),
        ("a binary one before the end", [&*start, &*masked(FIN | BINARY, b"")].concat()),
    ];
    assert_all_closed(&server, 1002, broken.map(|(what, bytes)| (what.to_owned(), bytes)).into()).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_closed_with_1007() {
    let server = Server::start(&[]);
    let one: [&[u8]; 7] =
        [b"\xff", b"{\"type\":\"\xc3\"}", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"{\xf0\x9f\x98", b"\x80"];
    let mut broken: Vec<_> = one.map(|payload| ("one frame".to_owned(), masked(FIN | TEXT, payload))).into();
    let two: [(&str, &[u8], &[u8]); 4] = [
        ("a character that a second fragment does not end", b"\xf0\x9f", b"}"),
        ("a character that nothing ends", b"{", b"\xf0\x9f"),
        ("a character that an empty end does not end", b"{\xf0\x9f\x98", b""),
        ("a second half without a first", b"{", b"\x98\x80}"),
    ];
    broken.extend(two.map(|(what, first, last)| {
        (what.to_owned(), [masked(TEXT, first), masked(FIN | CONTINUATION, last)].concat())
    }));
    broken.push(("a fragment, before there is an end".into(), masked(TEXT, b"{\xff")));
    assert_all_closed(&server, 1007, broken).await;
}

#[tokio::test]
async fn a_character_may_be_cut_over_fragments() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    let text = "{\"type\":\"join\",\"room\":\"é€😀\"}".as_bytes();
    for cut in 1..text.len() {
        raw.send(TEXT, &text[..cut]).await;
        raw.send(FIN | CONTINUATION, &text[cut..]).await;
        assert_eq!(raw.text().await, "{\"type\":\"joined\",\"room\":\"é€😀\",\"peers\":[]}");
    }
}

#[tokio::test]
async fn a_message_may_come_in_many_pieces_and_pings_between_them_are_answered_at_once() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    raw.send(TEXT, b"").await;
    for byte in ASK {
        raw.send(CONTINUATION, &[*byte]).await;
        raw.send(CONTINUATION, b"").await;
        raw.send(FIN | PONG, b"without a ping").await;
        raw.send(FIN | PING, &[*byte]).await;
        assert_eq!(raw.frame().await, (FIN | PONG, vec![*byte]), "before the message is whole");
    }
    raw.send(FIN | CONTINUATION, b"").await;
    assert_eq!(raw.text().await, ANSWER);
    raw.send(TEXT, ASK).await;
    raw.send(FIN | CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(raw.frame().await, (FIN | CLOSE, 1000_u16.to_be_bytes().to_vec()), "a close may come between too");
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_carries() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    for length in [0, 1, 100, 124, 125] {
        let payload: Vec<u8> = (0..length).map(|byte| byte ^ 0xa5).collect();
        raw.send(FIN | PING, &payload).await;
        assert_eq!(raw.frame().await, (FIN | PONG, payload));
    }
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let server = Server::start(&[]);
    let longest = "é".repeat(61) + "x";
    assert_eq!(longest.len(), 123);
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4321, 4999]) {
        for reason in ["", "bye", &longest] {
            let mut raw = server.raw().await;
            raw.write(&close(code, reason.as_bytes())).await;
            let (first, answer) = raw.frame().await;
            assert_eq!((first, &answer[..2]), (FIN | CLOSE, &code.to_be_bytes()[..]), "{code} {reason}");
        }
    }
    let mut raw = server.raw().await;
    raw.send(FIN | CLOSE, b"").await;
    assert_eq!(raw.frame().await.0, FIN | CLOSE);
}

/// The codes are reserved, or not registered (IANA: WebSocket Close Code Number Registry).
#[tokio::test]
async fn a_close_with_a_code_that_may_not_be_sent_is_answered_with_1002() {
    let server = Server::start(&[]);
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
    let mut broken: Vec<_> = codes.map(|code| (code.to_string(), close(code, b""))).into();
    broken.push(("half a code".into(), masked(FIN | CLOSE, b"\x03")));
    assert_all_closed(&server, 1002, broken).await;
}

#[tokio::test]
async fn a_close_with_a_reason_that_is_not_utf_8_is_answered_with_1007() {
    let server = Server::start(&[]);
    let reasons: [&[u8]; 3] = [b"\xff", b"bye \xc3", b"\xed\xa0\x80"];
    assert_all_closed(&server, 1007, reasons.map(|reason| ("a close".to_owned(), close(1000, reason))).into()).await;
}

#[tokio::test]
async fn what_is_announced_and_too_large_is_closed_with_1009_before_it_comes() {
    let server = Server::start(&[]);
    let mut broken = Vec::new();
    for length in [65_537, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX >> 1] {
        for first in [FIN | TEXT, TEXT, FIN | BINARY] {
            let frame = [header(first, length), vec![0; 4]].concat();
            broken.push((format!("{length} bytes after {first:#x}"), frame));
        }
        let continued = [masked(TEXT, b"{"), header(FIN | CONTINUATION, length), vec![0; 4]].concat();
        broken.push((format!("a continuation of {length} bytes"), continued));
    }
    assert_all_closed(&server, 1009, broken).await;
}

/// RFC 6455, 5.2, requires a clear top bit, and names no close code for it: such a length is above the limit anyway.
#[tokio::test]
async fn a_length_with_its_top_bit_set_is_closed_with_1009() {
    let server = Server::start(&[]);
    let broken =
        [1 << 63, u64::MAX].map(|length| (length.to_string(), [header(FIN | TEXT, length), vec![0; 4]].concat()));
    assert_all_closed(&server, 1009, broken.into()).await;
}

/// RFC 6455, 5.2, requires lengths in the fewest bytes. Like tungstenite, the server accepts longer forms: they only cost
/// a few bytes.
#[tokio::test]
async fn a_length_in_more_bytes_than_it_needs_is_read_all_the_same() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    for bytes in [2, 8] {
        raw.write(&with_long_length(FIN | TEXT, ASK, bytes)).await;
        assert_eq!(raw.text().await, ANSWER);
        raw.write(&with_long_length(FIN | PING, b"hello", bytes)).await;
        assert_eq!(raw.frame().await, (FIN | PONG, b"hello".to_vec()));
    }
    let long = [&[b' '; 1000], ASK].concat();
    raw.write(&with_long_length(FIN | TEXT, &long, 8)).await;
    assert_eq!(raw.text().await, ANSWER);
}

#[tokio::test]
async fn the_largest_message_passes_whole_and_in_pieces() {
    let server = Server::start(&["--max-message-bytes=70000"]);
    let mut raw = server.raw().await;
    let text = [&vec![b' '; 70_000 - ASK.len()][..], ASK].concat();
    raw.send(FIN | TEXT, &text).await;
    assert_eq!(raw.text().await, ANSWER);
    raw.send(TEXT, &text[..65_535]).await;
    raw.send(CONTINUATION, &text[65_535..]).await;
    raw.send(FIN | CONTINUATION, b"").await;
    assert_eq!(raw.text().await, ANSWER);
    raw.send(TEXT, &text).await;
    raw.send(FIN | CONTINUATION, b" ").await;
    raw.assert_closed(1009, "one byte more, in another piece").await;
}

/// Two messages, one of them in fragments around a ping.
fn conversation(to: &str) -> Vec<u8> {
    let message = message_to(to, "7", "1");
    let (first, last) = message.as_bytes().split_at(20);
    [masked(FIN | TEXT, ASK), masked(TEXT, first), masked(FIN | PING, b"!"), masked(FIN | CONTINUATION, last)].concat()
}

/// The answers to so many conversations. A pong may stand anywhere among the acks.
async fn assert_answered(raw: &mut Raw, times: usize) {
    let (mut acks, mut pongs) = (0, 0);
    while (acks, pongs) != (2 * times, times) {
        match raw.frame().await {
            (first, text) if first == FIN | TEXT && text == ANSWER.as_bytes() => acks += 1,
            (first, payload) if first == FIN | PONG && payload == b"!" => pongs += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn frames_may_come_byte_by_byte_each_in_a_record_of_its_own() {
    let server = Server::start(&[]);
    let mut other = server.connect().await;
    let mut raw = server.raw().await;
    for byte in conversation(&other.id) {
        raw.write(&[byte]).await;
    }
    assert_answered(&mut raw, 1).await;
    other.hears(message_from(&raw.id, "7")).await;
}

#[tokio::test]
async fn many_frames_may_come_in_one_record() {
    const TIMES: usize = 80;
    let server = Server::start(&[]);
    let mut other = server.connect().await;
    let mut raw = server.raw().await;
    let frames = conversation(&other.id).repeat(TIMES);
    assert!(frames.len() < 16 * 1024, "a record's worth");
    raw.write(&frames).await;
    assert_answered(&mut raw, TIMES).await;
    for _ in 0..TIMES {
        other.hears(message_from(&raw.id, "7")).await;
    }
}

/// How a connection is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// TLS is ended, and then TCP.
    Clean,
    /// TCP alone is ended, as by a crash or by an attacker on the path.
    Torn,
}

#[tokio::test]
async fn a_connection_that_is_cut_at_any_byte_ends_its_session_and_nothing_else() {
    let server = Server::start(&[]);
    let mut other = server.connect().await;
    let frames = conversation(&other.id);
    for cut in [Cut::Clean, Cut::Torn] {
        for length in 0..frames.len() {
            let Raw { mut stream, .. } = server.raw().await;
            stream.write_all(&frames[..length]).await.expect("the server reads");
            stream.flush().await.expect("the server reads");
            match cut {
                Cut::Clean => stream.shutdown().await.expect("the server reads"),
                Cut::Torn => drop(stream),
            }
            let ended = async {
                while server.hub.peers() > 1 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            within(&format!("the end of what was cut after {length} bytes"), ended).await;
        }
    }
    other.fence().await;
}

#[tokio::test]
async fn fragments_without_end_are_no_sign_of_life() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut watcher = server.connect().await;
    let mut raw = server.raw().await;
    watcher.join("hall").await;
    raw.ask(r#"{"type":"join","room":"hall"}"#).await;
    watcher.hear().await;
    raw.send(TEXT, b"").await;
    let fragments = masked(CONTINUATION, b"").repeat(100);
    // The rate of messages does not count them, since they make no message: so the heartbeat has to end them.
    let flood = async {
        while raw.stream.write_all(&fragments).await.is_ok() {
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    let left = format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, raw.id);
    tokio::select! {
        () = watcher.hears(left) => {}
        () = flood => {}
    }
}

/// Case means nothing in HTTP, but small clients look for these bytes.
#[tokio::test]
async fn the_answer_s_header_names_are_spelled_as_in_the_rfc() {
    let server = Server::start(&[]);
    let offer = offering("entremise.v1");
    let mut plain = server.tls().await;
    // The second connection has been used for another request before.
    assert_eq!(exchange(&mut plain, &server.head("GET", "/healthz", &[])).await.status, 200);
    for mut tls in [server.tls().await, plain] {
        let head = server.head("GET", "/ws", &[&HANDSHAKE[..], &[&offer]].concat());
        tls.write_all(head.as_bytes()).await.expect("the server reads");
        let answer = within("the upgrade", read_head(&mut tls)).await.expect("an answer");
        for line in [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: entremise.v1",
        ] {
            assert!(answer.contains(&format!("{line}\r\n")), "{line} is not in {answer}");
        }
    }
}
