//! The server's pings, and who is given up.

use crate::raw::{CLOSE, FIN, PING, PONG, TEXT};
use crate::server::Server;
use crate::within;

#[tokio::test]
async fn a_client_without_a_sign_of_life_is_pinged_and_then_closed_with_4002() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut raw = server.raw().await;
    assert_eq!(raw.frame().await, (FIN | PING, Vec::new()), "first it is asked");
    let (code, reason) = raw.closed().await;
    assert_eq!((code, &*reason), (4002, "no sign of life for two heartbeats"));
}

#[tokio::test]
async fn a_silent_clients_session_ends() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut watcher = server.connect().await;
    let mut raw = server.raw().await;
    watcher.join("hall").await;
    raw.ask(r#"{"type":"join","room":"hall"}"#).await;
    watcher.hear().await;
    // The watcher answers the pings, because it reads.
    watcher.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, raw.id)).await;
    watcher.fence().await;
}

#[tokio::test]
async fn any_frame_counts_as_life() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut raw = server.raw().await;
    // Twice what silence may last.
    let lived = async {
        for _ in 0..4 {
            assert_eq!(raw.frame().await, (FIN | PING, Vec::new()));
            raw.send(FIN | TEXT, br#"{"type":"ping"}"#).await;
        }
    };
    within("four heartbeats", lived).await;
    assert_eq!(raw.ask(r#"{"type":"ping","ref":1}"#).await, r#"{"type":"ack","ref":1}"#);
}

#[tokio::test]
async fn pongs_alone_keep_a_client() {
    let server = Server::start(&["--heartbeat=1"]);
    let mut raw = server.raw().await;
    let lived = async {
        for _ in 0..4 {
            assert_eq!(raw.frame().await, (FIN | PING, Vec::new()));
            raw.send(FIN | PONG, b"").await;
        }
    };
    within("four heartbeats", lived).await;
    assert_eq!(raw.ask(r#"{"type":"ping","ref":1}"#).await, r#"{"type":"ack","ref":1}"#);
}

#[tokio::test]
async fn a_slow_reader_that_speaks_is_not_silent() {
    let server =
        Server::start(&["--heartbeat=1", "--write-timeout=60", "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut readers = [server.stalled().await, server.stalled().await, server.stalled().await];
    for reader in &mut readers {
        server.connect().await.fill(&reader.id).await;
        reader.send(FIN | TEXT, br#"{"type":"ping","ref":"alive"}"#).await;
    }
    // Three heartbeats pass while the server is busy writing to them, and does not read.
    let mut clock = server.raw().await;
    for _ in 0..3 {
        assert_eq!(clock.frame().await, (FIN | PING, Vec::new()));
        clock.send(FIN | PONG, b"").await;
    }
    for reader in &mut readers {
        let heard = async {
            loop {
                let (first, payload) = reader.frame().await;
                assert_ne!(first, FIN | CLOSE, "{}", String::from_utf8_lossy(&payload));
                if payload == br#"{"type":"ack","ref":"alive"}"# {
                    return;
                }
            }
        };
        within("the answer to what it said", heard).await;
    }
}
