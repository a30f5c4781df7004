//! What a frame costs that the server does not take. Which frames are broken is in `websocket`; the close codes that no
//! single frame earns are in `reader`, `heartbeat`, `limit` and `drain`.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::V1;
use crate::raw::CLOSE;
use crate::raw::{BINARY, CONTINUATION, FIN, HANDSHAKE, Raw, TEXT, header, masked};
use crate::server::Server;
use crate::within;

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
    raw.assert_closed(1002, "a reserved kind of data").await;
    watcher.fence().await;
}

#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let server = Server::start(&[]);
    for payload in [&b""[..], b"{\"type\":\"ping\"}", &[0xff; 1000]] {
        let mut raw = server.raw().await;
        raw.send(FIN | BINARY, payload).await;
        raw.assert_closed(1003, "binary").await;
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_closed_with_1009() {
    let server = Server::start(&["--max-message-bytes=1000"]);
    let mut raw = server.raw().await;
    raw.send(FIN | TEXT, &[b' '; 1001]).await;
    raw.assert_closed(1009, "one frame").await;
    let mut raw = server.raw().await;
    raw.write(&[masked(TEXT, &[b' '; 600]), masked(FIN | CONTINUATION, &[b' '; 600])].concat()).await;
    raw.assert_closed(1009, "two fragments").await;
}

#[tokio::test]
async fn a_client_that_keeps_sending_still_reads_1009() {
    let server = Server::start(&[]);
    let mut raw = server.raw().await;
    raw.write(&header(FIN | TEXT, 10_000_000)).await;
    // Some of it in one go, before the first look at what the server says.
    raw.write(&vec![0; 1_000_000]).await;
    raw.assert_closed(1009, "ten megabytes").await;
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
    raw.assert_closed(1003, "after the answers").await;
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

/// The end of TLS is said before that of TCP: a client can tell it from a connection that was cut on its way.
async fn assert_said(stream: &mut (impl AsyncRead + Unpin), what: &str) {
    let ended = within(&format!("the end after {what}"), stream.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "{what}: {ended:?}");
}

#[tokio::test]
async fn a_websocket_s_end_is_said_in_tls_whatever_its_code() {
    let server = Server::start(&["--max-message-bytes=1000", "--refused-messages=1"]);
    let ends = [
        (1000, masked(FIN | CLOSE, &1000_u16.to_be_bytes())),
        (1001, masked(FIN | CLOSE, &1001_u16.to_be_bytes())),
        (1002, masked(FIN | 0x3, b"")),
        (1003, masked(FIN | BINARY, b"")),
        (1007, masked(FIN | TEXT, b"\xff")),
        (1008, masked(FIN | TEXT, b"?").repeat(3)),
        (1009, masked(FIN | TEXT, &[b' '; 1001])),
    ];
    for (code, bytes) in ends {
        let mut raw = server.raw().await;
        raw.write(&bytes).await;
        let (first, _) = raw.frame_after_texts().await;
        assert_eq!(first, FIN | CLOSE, "{code}");
        // A client that leaves answers; the server needs no answer to a client's own close.
        assert_said(&mut raw.stream, &code.to_string()).await;
    }
}

#[tokio::test]
async fn the_end_of_a_connection_that_was_taken_over_is_said_in_tls() {
    let server = Server::start(&[]);
    let mut old = server.raw_offering(V1).await;
    let welcome: serde_json::Value = serde_json::from_str(&old.welcome).expect("JSON");
    let token = welcome["resume"].as_str().expect("a token");
    let _new = server.raw_offering(&format!("{V1}, entremise.resume.{token}.0")).await;
    assert_eq!(old.closed().await.0, 4000);
    assert_said(&mut old.stream, "4000").await;
}

#[tokio::test]
async fn the_end_of_a_server_that_restarts_is_said_in_tls() {
    let mut server = Server::start(&[]);
    let mut raw = server.raw().await;
    server.stop();
    assert_eq!(raw.closed().await.0, 1012);
    assert_said(&mut raw.stream, "1012").await;
}

#[tokio::test]
async fn the_end_of_http_and_of_turn_is_said_in_tls() {
    let server = Server::start_turn(&["--handshake-timeout=1.5"]);
    let mut answered = server.tls().await;
    answered.write_all(server.head("GET", "/healthz", &["Connection: close"]).as_bytes()).await.expect("it reads");
    assert_said(&mut answered, "an answer").await;
    let mut bad = server.tls().await;
    bad.write_all(b"\0\r\n\r\n").await.expect("the server reads");
    assert_said(&mut bad, "a bad request").await;
    assert_said(&mut server.tls().await, "silence").await;
    let mut turn = server.tls().await;
    let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    turn.write_all(&binding).await.expect("the server reads");
    assert_said(&mut turn, "a Binding").await;
    let mut broken = server.tls().await;
    broken.write_all(&[&binding[..], &[0xff; 4]].concat()).await.expect("the server reads");
    assert_said(&mut broken, "what is no STUN").await;
}
