//! The server stops.

use super::{LARGE, POLLING, Polling, Socket, call, large, start};
use entremise::tasks::Drained;

#[tokio::test]
async fn a_poll_that_waits_is_told_and_a_websocket_is_closed() {
    let mut server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let (mut bob, _) = Socket::connect(&server).await;
    let poll = alice.waits(&server).await;
    server.stop();
    assert_eq!(poll.packets().await, "1");
    assert_eq!(bob.closed().await, Some(1012));
    drop(bob);
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn clients_of_a_server_that_stops_for_good_are_closed_with_1001() {
    let mut server = start(&["--final"]);
    let (mut bob, _) = Socket::connect(&server).await;
    server.stop();
    assert_eq!(bob.closed().await, Some(1001));
}

/// They would wait for a poll that can't come any more.
#[tokio::test]
async fn sessions_without_a_poll_do_not_hold_up_the_drain() {
    let server = start(&["--drain-timeout=5"]);
    let begun = std::time::Instant::now();
    let mut probing = Vec::new();
    for _ in 0..10 {
        Polling::open(&server).await;
        let (session, _) = Polling::connect(&server).await;
        let path = session.path.replace("transport=polling", "transport=websocket");
        probing.push(Socket::open(&server, &path).await);
    }
    drop(probing);
    assert_eq!(server.drained().await, Drained::Clean);
    assert!(begun.elapsed().as_secs() < 20);
}

#[tokio::test]
async fn no_session_begins_once_the_server_stops() {
    let mut server = start(&[]);
    // A connection whose request comes too late: its head is not whole when the server stops.
    let mut tls = server.tls().await;
    let head = server.head("GET", POLLING, &[]);
    let (begin, end) = head.split_at(20);
    tokio::io::AsyncWriteExt::write_all(&mut tls, begin.as_bytes()).await.expect("the server reads");
    let (mut bob, _) = Socket::connect(&server).await;
    server.stop();
    assert_eq!(bob.closed().await, Some(1012));
    if let Ok(answer) = crate::http::try_exchange(&mut tls, end).await {
        assert_eq!((answer.status, answer.code()), (503, "draining".to_owned()));
    }
}

/// Its write would be given up much later.
#[tokio::test]
async fn a_stuck_websocket_does_not_hold_up_the_drain() {
    let mut server = start(&[&LARGE[..], &["--write-timeout=60", "--drain-timeout=15"]].concat());
    let ((mut alice, _), (_bob, b)) = (Socket::connect(&server).await, Socket::narrow(&server).await);
    alice.says(&call("offer", &large(), &b)).await;
    alice.fence().await;
    server.stop();
    assert_eq!(alice.closed().await, Some(1012));
    drop(alice);
    assert_eq!(server.drained().await, Drained::Clean);
}
