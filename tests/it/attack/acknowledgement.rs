//! What is free, and what can be smuggled in with it.

use tokio::io::AsyncWriteExt as _;

use crate::client::{V1, message_to};
use crate::raw::{CONTINUATION, FIN, TEXT, masked};
use crate::server::Server;
use crate::within;

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
    let flood = async {
        for count in 1..=400 {
            let frame =
                masked(FIN | TEXT, format!(r#"{{"type":"received","count":{count},"x":"{padding}"}}"#).as_bytes());
            if raw.stream.write_all(&frame).await.is_err() {
                break;
            }
        }
        raw.closed().await
    };
    let (code, reason) = within("the server to have enough", flood).await;
    assert_eq!(code, 1008, "{reason}");
}

#[tokio::test]
async fn fragments_are_charged_by_their_bytes_although_no_message_comes_of_them() {
    // So little that it is spent sooner than it comes again, however slow the machine.
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=1000", "--max-message-bytes=1000"]);
    let mut raw = server.raw().await;
    raw.send(TEXT, b"").await;
    let fragments = masked(CONTINUATION, b"").repeat(10_000);
    let flood = async {
        while raw.stream.write_all(&fragments).await.is_ok() {}
        raw.closed().await
    };
    let (code, reason) = within("the server to have enough", flood).await;
    assert_eq!(code, 1008, "{reason}");
}

#[tokio::test]
async fn a_payload_of_a_ping_is_charged() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=1000", "--max-message-bytes=1000"]);
    let mut raw = server.raw().await;
    let pings = masked(FIN | crate::raw::PING, &[0; 125]).repeat(10);
    let flood = async {
        while raw.stream.write_all(&pings).await.is_ok() {}
        raw.closed().await
    };
    let (code, reason) = within("the server to have enough", flood).await;
    assert_eq!(code, 1008, "{reason}");
}
