//! What happens before the first answer: the first byte, the deadlines, how many may wait, and those who give up
//! half-way.

use std::time::Duration;

use entremise::accept::PendingCount;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{message_from, message_to};
use crate::http::exchange;
use crate::pair::Pair;
use crate::raw::HANDSHAKE;
use crate::server::{Server, Site};
use crate::within;

const SOON: &str = "--handshake-timeout=1.5";

/// The server ends the connection, and says nothing (but for a TLS alert, which reading would report).
pub(crate) async fn assert_ended(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    // Ended or reset: gone either way.
    let _ = within("the server to end the connection", stream.read_to_end(&mut rest)).await;
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_ended() {
    let server = Server::start(&[SOON]);
    assert_ended(&mut server.tcp().await).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_after_the_handshake_is_ended() {
    let server = Server::start(&[SOON]);
    assert_ended(&mut server.tls().await).await;
}

#[tokio::test]
async fn a_connection_that_begins_a_handshake_or_a_request_and_stops_is_ended() {
    let server = Server::start(&[SOON]);
    let mut tcp = server.tcp().await;
    tcp.write_all(&[22, 3, 1]).await.expect("the server reads");
    assert_ended(&mut tcp).await;
    let mut plain = server.tcp().await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("the server reads");
    within("its end", plain.read_to_end(&mut Vec::new())).await.expect("no reset");
    let mut tls = server.tls().await;
    tls.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("the server reads");
    let _ = within("its end", tls.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_after_a_request_is_ended() {
    let server = Server::start(&[SOON]);
    let mut tls = server.tls().await;
    assert_eq!(exchange(&mut tls, &server.head("GET", "/", &[])).await.status, 200);
    assert_eq!(exchange(&mut tls, &server.head("GET", "/ws", &[])).await.status, 426, "it was kept alive");
    assert_ended(&mut tls).await;
}

/// Sends a beginning, then a byte now and then, until the server has had enough.
async fn drip(stream: impl AsyncRead + AsyncWrite, beginning: &[u8]) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let dripping = async {
        let mut byte = beginning;
        while writer.write_all(byte).await.is_ok() && writer.flush().await.is_ok() {
            pace.tick().await;
            byte = b"x";
        }
        // What can't be written any more has an end to be read.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dripping => {}
        _ = within("the server to have enough", reader.read_to_end(&mut heard)) => {}
    }
}

#[tokio::test]
async fn a_byte_now_and_then_keeps_no_connection() {
    const HANDSHAKE: &[u8] = &[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3];
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ";
    const BINDING: &[u8] = &[0, 1, 4, 0, 0x21, 0x12, 0xa4, 0x42];
    let server = Server::start_turn(&[SOON]);
    let turn = server.turn_access().await.tcp;
    let turn = within("a TCP connection", TcpStream::connect(turn)).await.expect("the server listens");
    tokio::join!(
        drip(server.tcp().await, HANDSHAKE),
        drip(server.tcp().await, REQUEST),
        drip(server.tls().await, REQUEST),
        drip(server.tcp().await, BINDING),
        drip(server.tls().await, BINDING),
        drip(turn, BINDING),
    );
    handshakes(&server, 3, 1).await;
}

/// Waits until so many handshakes have been completed, and so many have failed.
async fn handshakes(server: &Server, completed: u64, failed: u64) {
    let counts = || [PendingCount::Handshakes, PendingCount::FailedHandshakes].map(|what| server.pending.count(what));
    let counted = async {
        while counts() != [completed, failed] {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("{completed} and {failed} handshakes"), counted).await;
}

/// Waits until the server has seen that many connections which it has not answered.
async fn unanswered(server: &Server, count: usize) {
    let counted = async {
        while server.pending.connections() != count {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("{count} connections to be unanswered"), counted).await;
}

/// This many connections that say nothing.
async fn crowd(server: &Server, count: usize) -> Vec<TcpStream> {
    let before = server.pending.connections();
    let mut crowd = Vec::new();
    while crowd.len() < count {
        crowd.push(server.tcp().await);
    }
    unanswered(server, before + count).await;
    crowd
}

#[tokio::test]
async fn many_silent_connections_of_one_address_do_not_keep_another_out() {
    let server = Server::start(&["--handshake-timeout=60", "--max-handshakes-per-address=5"]);
    let mut peer = server.connect().await;
    unanswered(&server, 0).await;
    let mut crowd = crowd(&server, 5).await;
    for refused in 1..=3 {
        assert_ended(&mut server.tcp().await).await;
        assert_eq!(server.pending.count(PendingCount::Refused), refused);
    }
    let tls = server.tls_from([127, 0, 0, 2]).await;
    server.upgrade(tls, &[]).await.expect("a WebSocket").0.fence().await;
    peer.fence().await;
    assert_eq!(server.pending.connections(), 5, "who has been answered is not counted");
    // One leaves, and there is a permit again.
    drop(crowd.pop());
    unanswered(&server, 4).await;
    server.connect().await.fence().await;
}

#[tokio::test]
async fn unanswered_connections_are_bounded_in_all_on_all_ports_together() {
    let server = Server::start_turn(&["--handshake-timeout=60", "--max-handshakes=4"]);
    let turn = Site { address: server.turn_access().await.tcp, ..(*server).clone() };
    unanswered(&server, 0).await;
    let first = crowd(&server, 2).await;
    let second = [turn.tcp().await, turn.tcp().await];
    unanswered(&server, 4).await;
    assert_ended(&mut server.tcp_from([127, 0, 0, 2]).await).await;
    assert_ended(&mut turn.tcp_from([127, 0, 0, 3]).await).await;
    drop((first, second));
    unanswered(&server, 0).await;
    server.connect().await.fence().await;
    assert_eq!(server.pending.count(PendingCount::Refused), 2);
}

#[tokio::test]
async fn a_connection_counts_until_its_first_answer() {
    let server = Server::start(&["--handshake-timeout=60", "--max-handshakes-per-address=1"]);
    let mut tls = server.tls().await;
    tls.write_all(b"GET / HTTP/1.1\r\n").await.expect("the server reads");
    assert_ended(&mut server.tcp().await).await;
    assert_eq!(exchange(&mut tls, &format!("Host: {}\r\n\r\n", server.address)).await.status, 200);
    assert_eq!(server.pending.connections(), 0, "it is open, and answered");
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn an_address_that_speaks_for_many_is_bounded_in_all_alone() {
    let flags = ["--handshake-timeout=60", "--max-handshakes-per-address=1", "--max-handshakes=3"];
    let server = Server::start_changed(Pair::new(), &flags, |config| {
        config.pending.proxies = vec!["127.0.0.0/31".parse().expect("a block")];
    });
    let _silent = crowd(&server, 3).await;
    assert_ended(&mut server.tcp().await).await;
}

#[tokio::test]
async fn handshakes_are_counted_by_how_they_end() {
    let server = Server::start(&[SOON]);
    server.get("/").await;
    handshakes(&server, 1, 0).await;
    let mut broken = server.tcp().await;
    broken.write_all(b"\x16\x03\x01\x00\x05hello").await.expect("the server reads");
    let _ = within("its end", broken.read_to_end(&mut Vec::new())).await;
    handshakes(&server, 1, 1).await;
    let mut late = server.tcp().await;
    late.write_all(&[22, 3, 1]).await.expect("the server reads");
    assert_ended(&mut late).await;
    // A connection that says nothing and one in plain text shake no hands.
    assert_ended(&mut server.tcp().await).await;
    exchange(&mut server.tcp().await, &server.head("GET", "/", &[])).await;
    handshakes(&server, 1, 2).await;
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_ended_at_once() {
    let server = Server::start(&["--handshake-timeout=60"]);
    for bytes in [&b"\x04"[..], b"\xff\xff", b"ssh-", b"\x15\x03\x01"] {
        let mut tcp = server.tcp().await;
        tcp.write_all(bytes).await.expect("the server reads");
        assert_ended(&mut tcp).await;
    }
    server.connect().await.fence().await;
}

#[tokio::test]
async fn a_broken_handshake_is_ended_at_once() {
    let server = Server::start(&["--handshake-timeout=60"]);
    let mut tcp = server.tcp().await;
    tcp.write_all(b"\x16\x03\x01\x00\x05hello").await.expect("the server reads");
    let _ = within("its end", tcp.read_to_end(&mut Vec::new())).await;
    server.connect().await.fence().await;
}

#[tokio::test]
async fn a_request_in_plain_text_is_sent_to_https() {
    let server = Server::start(&[]);
    for method in ["GET", "POST"] {
        let mut tcp = server.tcp().await;
        let answer = exchange(&mut tcp, &server.head(method, "/some/page?x=1", &[])).await;
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), format!("https://{}/some/page?x=1", server.address));
    }
    let mut tcp = server.tcp().await;
    let answer = exchange(&mut tcp, &server.head("GET", "/ws", &HANDSHAKE)).await;
    assert_eq!(answer.status, 308, "a WebSocket in plain text is not opened");
}

#[tokio::test]
async fn a_request_in_plain_text_without_a_host_gets_a_helpful_answer() {
    let server = Server::start(&[]);
    for host in ["", "Host: a@evil.example\r\n", "Host: \r\n"] {
        let mut tcp = server.tcp().await;
        let answer = exchange(&mut tcp, &format!("GET / HTTP/1.1\r\n{host}\r\n")).await;
        assert_eq!(answer.status, 400, "{host}");
        assert!(String::from_utf8_lossy(&answer.body).contains("https"), "{host}");
    }
}

#[tokio::test]
async fn a_request_head_without_end_is_refused() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    let cookie = format!("Cookie: {}", "x".repeat(20_000));
    assert_eq!(exchange(&mut tls, &server.head("GET", "/", &[&cookie])).await.status, 431);
}

#[tokio::test]
async fn a_request_head_may_be_as_long_as_it_is_allowed_to_be() {
    let server = Server::start(&["--max-header-bytes=8192"]);
    let [mut alice, mut bob] = server.connect_many().await;
    for (bytes, status) in [(7_000, 200), (9_000, 431)] {
        let mut tls = server.tls().await;
        let cookie = format!("Cookie: {}", "x".repeat(bytes));
        assert_eq!(exchange(&mut tls, &server.head("GET", "/", &[&cookie])).await.status, status, "{bytes}");
    }
    // That is for heads: messages have a limit of their own.
    let long = format!("\"{}\"", "x".repeat(20_000));
    assert_eq!(alice.ask(message_to(&bob.id, &long, r#""long""#)).await, r#"{"type":"ack","ref":"long"}"#);
    bob.hears(message_from(&alice.id, &long)).await;
}

#[tokio::test]
async fn an_abandoned_upgrade_leaves_no_trace() {
    let server = Server::start(&["--max-connections=1"]);
    for _ in 0..20 {
        let mut tls = server.tls().await;
        let head = server.head("GET", "/ws", &HANDSHAKE);
        tls.write_all(head.as_bytes()).await.expect("the server reads");
        // Gone before the 101 can have been read.
        drop(tls);
        let freed = async { while server.get("/ws").await.status != 426 {} };
        within("its permit to be free again", freed).await;
    }
    let gone = async {
        while server.hub.peers() > 0 {
            server.get("/ws").await;
        }
    };
    within("its session to be gone", gone).await;
}
