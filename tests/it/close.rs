//! What a frame costs that the server does not take. Which frames are broken is in `websocket`; the close codes that no
//! single frame earns are in `reader`, `heartbeat`, `limit` and `drain`.

use tokio::io::AsyncWriteExt as _;

use crate::raw::{BINARY, CONTINUATION, FIN, HANDSHAKE, Raw, TEXT, header, masked};
use crate::server::Server;

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
