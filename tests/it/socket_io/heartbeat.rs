//! The heartbeat is the server's: a packet `2`, and a `3` for it.

use std::time::{Duration, Instant};

use super::{Polling, Socket, remain, start};

/// A ping each 1.5 s, and 1.2 s for its pong.
const FAST: &str = "--heartbeat=1.5";

#[tokio::test]
async fn a_ping_comes_an_interval_after_the_opening_and_after_each_pong() {
    let server = start(&[FAST]);
    let begun = Instant::now();
    let (mut socket, _) = Socket::connect(&server).await;
    let (mut polling, _) = Polling::connect(&server).await;
    for _ in 0..3 {
        socket.hears("2").await;
        socket.says("3").await;
        polling.hears("2").await;
        polling.says("3").await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(4500));
}

#[tokio::test]
async fn without_a_pong_a_websocket_is_closed_without_a_code() {
    let server = start(&[FAST]);
    let (mut socket, _) = Socket::connect(&server).await;
    socket.hears("2").await;
    assert_eq!(socket.closed().await, None);
}

#[tokio::test]
async fn without_a_pong_a_poll_is_told_and_nothing_is_kept() {
    let server = start(&[FAST]);
    let (mut polling, _) = Polling::connect(&server).await;
    polling.hears("2").await;
    polling.hears("1").await;
    polling.is_gone().await;
}

#[tokio::test]
async fn a_client_that_polls_no_more_is_given_up() {
    let server = start(&[FAST]);
    let (polling, _) = Polling::connect(&server).await;
    remain(&server, 0).await;
    polling.is_gone().await;
}

#[tokio::test]
async fn a_client_that_does_not_connect_in_time_is_closed() {
    let server = start(&[FAST]);
    let mut socket = Socket::begin(&server).await;
    let mut polling = Polling::open(&server).await;
    // Pongs do not count.
    let (heard, packets) = tokio::join!(
        async {
            socket.hears("2").await;
            socket.says("3").await;
            socket.closed().await
        },
        async {
            polling.hears("2").await;
            polling.says("3").await;
            polling.hear().await
        }
    );
    assert_eq!((heard, &*packets), (None, "1"));
    polling.is_gone().await;
}

#[tokio::test]
async fn a_poll_outlives_the_deadlines_of_http() {
    let server = start(&["--heartbeat=5", "--handshake-timeout=2", "--write-timeout=1"]);
    let (alice, _) = Polling::connect(&server).await;
    let begun = Instant::now();
    let poll = alice.waits(&server).await;
    assert_eq!(poll.packets().await, "2");
    assert!(begun.elapsed() > Duration::from_secs(3), "longer than each of them");
}
