//! What is free, and what can be smuggled in with it.

use crate::client::{V1, message_to};
use crate::raw::{CONTINUATION, FIN, TEXT, masked};
use crate::server::Server;

#[tokio::test]
async fn padding_of_an_acknowledgement_is_charged() {
    let server = Server::start(&["--messages-per-second=0"]);
    let mut raw = server.raw_offering(V1).await;
    raw.frame().await;
    let mut alice = server.connect().await;
    for _ in 0..400 {
        alice.ask(message_to(&raw.id, "1", "1")).await;
    }
    for _ in 0..400 {
        raw.text().await;
    }
    // Each of them acknowledges something: 24 MB.
    let padding = "x".repeat(60_000);
    let frame =
        |count| masked(FIN | TEXT, format!(r#"{{"type":"received","count":{count},"x":"{padding}"}}"#).as_bytes());
    let (code, reason) = raw.floods(&(1..=400).flat_map(frame).collect::<Vec<_>>()).await;
    assert_eq!(code, 1008, "{reason}");
}

#[tokio::test]
async fn fragments_are_charged_by_their_bytes_although_no_message_comes_of_them() {
    // So little that it is spent sooner than it comes again, however slow the machine.
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=1000", "--max-message-bytes=1000"]);
    let mut raw = server.raw().await;
    raw.send(TEXT, b"").await;
    let fragments = masked(CONTINUATION, b"").repeat(10_000);
    let (code, reason) = raw.floods(&fragments).await;
    assert_eq!(code, 1008, "{reason}");
}

#[tokio::test]
async fn a_payload_of_a_ping_is_charged() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=1000", "--max-message-bytes=1000"]);
    let raw = server.raw().await;
    let pings = masked(FIN | crate::raw::PING, &[0; 125]).repeat(10);
    let (code, reason) = raw.floods(&pings).await;
    assert_eq!(code, 1008, "{reason}");
}
