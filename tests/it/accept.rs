//! What happens before the first request: the first byte, the deadlines, and those who give up half-way.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::exchange;
use crate::raw::HANDSHAKE;
use crate::server::Server;
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
async fn an_abandoned_upgrade_leaves_no_trace() {
    let server = Server::start(&["--max-connections=1"]);
    for _ in 0..20 {
        let mut tls = server.tls().await;
        let head = server.head("GET", "/ws", &HANDSHAKE);
        tls.write_all(head.as_bytes()).await.expect("the server reads");
        // Gone before the 101 can have been read.
        drop(tls);
        let freed = async { while server.get("/ws").await.status != 426 {} };
        within("its place to be free again", freed).await;
    }
    let gone = async {
        while server.hub.peers() > 0 {
            server.get("/ws").await;
        }
    };
    within("its session to be gone", gone).await;
}
