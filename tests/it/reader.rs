//! Clients that do not read: no other client waits for them, and their connections are ended.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::client::{message_from, message_to, undelivered};
use crate::program::Program;
use crate::raw::{FIN, TEXT, masked};
use crate::server::Server;
use crate::within;

#[tokio::test]
async fn slow_reader_is_dropped_and_others_do_not_wait() {
    let server = Server::start(&["--write-timeout=2", "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut stalled = server.stalled().await;
    stalled.ask(r#"{"type":"join","room":"hall"}"#).await;
    let [mut alice, mut bob] = server.connect_many().await;
    alice.join("hall").await;
    alice.fill(&stalled.id).await;
    // While its write is stuck, all others are served: all of this comes before its leave.
    for number in 0..50 {
        let number = number.to_string();
        alice.say(message_to(&bob.id, &number, "1")).await;
        alice.hears(r#"{"type":"ack","ref":1}"#).await;
        bob.hears(message_from(&alice.id, &number)).await;
    }
    alice.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, stalled.id)).await;
    alice.hears(undelivered(&stalled.id)).await;
    let (code, reason) = stalled.closed().await;
    assert_eq!((code, &*reason), (4001, "too slow: what was sent to you was not read in time"));
    drop(stalled);
    let freed = async {
        while server.hub.queued_bytes() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    within("the memory that it held to be freed", freed).await;
    alice.fence().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read() {
    const FRAMES: usize = 40_000;
    let server = Server::start(&[
        "--write-timeout=1",
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--refused-messages=0",
    ]);
    let mut watcher = server.connect().await;
    let mut stalled = server.stalled().await;
    watcher.join("hall").await;
    stalled.ask(r#"{"type":"join","room":"hall"}"#).await;
    watcher.hear().await;
    // The answers are three times what the system keeps between two sockets, so they can't all be written.
    let reference = "r".repeat(64);
    let absent = "n".repeat(64);
    let frame = masked(FIN | TEXT, format!(r#"{{"type":"bye","to":"{absent}","ref":"{reference}"}}"#).as_bytes());
    let last = masked(FIN | TEXT, format!(r#"{{"type":"bye","to":"{}"}}"#, watcher.id).as_bytes());
    // Where the system keeps less than all of it, the write waits for the server, until the server closes the connection.
    let all = [frame.repeat(FRAMES), last].concat();
    let said = async { drop(stalled.stream.write_all(&all).await) };
    // Had the last frame been read, it would have come before the end of the session that sent it.
    let heard = watcher.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, stalled.id));
    within("the session's end", async { tokio::join!(said, heard) }).await;
    watcher.fence().await;
}

#[tokio::test]
async fn a_queue_of_two_makes_a_client_wait_and_loses_no_answer() {
    const FRAMES: usize = 3000;
    let server = Server::start(&["--mailbox-messages=2", "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut raw = server.raw().await;
    let frames: Vec<u8> = (0..FRAMES)
        .flat_map(|number| masked(FIN | TEXT, format!(r#"{{"type":"ping","ref":{number}}}"#).as_bytes()))
        .collect();
    raw.write(&frames).await;
    for number in 0..FRAMES {
        assert_eq!(raw.text().await, format!(r#"{{"type":"ack","ref":{number}}}"#));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_the_page_is_ended() {
    let program = Program::start(&["--write-timeout=1", "--messages-per-second=0", "--bytes-per-second=0"]).await;
    let mut peer = program.connect().await;
    peer.fence().await;
    let files = program.files();
    let mut stalled = program.narrow_tls().await;
    // Answers of more than the system keeps between two sockets: the server can't write the last ones.
    let requests = program.head("GET", "/js/app.js", &[]).repeat(2000);
    stalled.write_all(requests.as_bytes()).await.expect("the server reads");
    let ended = async {
        while program.files() > files {
            sleep(Duration::from_millis(1)).await;
        }
    };
    within("the connection's end", ended).await;
    peer.fence().await;
}
