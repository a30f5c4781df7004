//! Waits on a stranger that are neither its first byte nor its handshake: bodies that never come, second requests that never
//! end, connections that are over and not let go.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::http::exchange;
use crate::raw::FIN;
use crate::server::Server;
use crate::within;

const SOON: &str = "--handshake-timeout=1.5";

/// The connection ends, whatever is said before that.
async fn assert_ended(stream: &mut (impl AsyncRead + Unpin), what: &str) {
    let _ = within(&format!("the end after {what}"), stream.read_to_end(&mut Vec::new())).await;
}

/// Writes a byte now and then, until that fails.
async fn drip(stream: &mut (impl AsyncWrite + Unpin)) {
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
        pace.tick().await;
    }
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let server = Server::start(&[SOON]);
    for body in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        for expectation in [&[][..], &["Expect: 100-continue"]] {
            let lines = [&[body][..], expectation].concat();
            let mut tls = server.tls().await;
            let answer = exchange(&mut tls, &server.head("POST", "/", &lines)).await;
            assert_eq!(answer.status, 405, "{lines:?}");
            assert_ended(&mut tls, &format!("{lines:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_keeps_no_connection() {
    let server = Server::start(&[SOON]);
    let mut tls = server.tls().await;
    assert_eq!(exchange(&mut tls, &server.head("POST", "/", &["Content-Length: 1000000"])).await.status, 405);
    within("the server to have enough", drip(&mut tls)).await;
}

#[tokio::test]
async fn a_second_request_that_never_ends_keeps_no_connection() {
    let server = Server::start(&[SOON]);
    let mut half = server.tls().await;
    assert_eq!(exchange(&mut half, &server.head("GET", "/healthz", &[])).await.status, 200);
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ").await.expect("the server reads");
    assert_ended(&mut half, "half a head").await;
    let mut dripping = server.tls().await;
    assert_eq!(exchange(&mut dripping, &server.head("GET", "/healthz", &[])).await.status, 200);
    dripping.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ").await.expect("the server reads");
    within("the server to have enough", drip(&mut dripping)).await;
}

#[tokio::test]
async fn a_connection_that_is_over_is_let_go_even_if_its_client_goes_on() {
    let server = Server::start(&["--heartbeat=60"]);
    let mut raw = server.raw().await;
    raw.send(FIN | 0x3, b"").await;
    assert_eq!(raw.closed().await.0, 1002);
    // It neither answers the close nor ends: what it writes is refused once the server has stopped to listen.
    let (_, mut tcp) = tokio::io::split(raw.stream.into_inner().0);
    within("the server to let go", drip(&mut tcp)).await;
}
