//! The server's end: all peers are told, and none can delay it past the deadline.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use entremise::tasks::Drained;
use futures_util::StreamExt as _;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::http::{Answer, exchange, try_exchange};
use crate::pair::Pair;
use crate::program::{Program, command};
use crate::raw::HANDSHAKE;
use crate::server::Server;
use crate::{DEADLINE, within};

#[tokio::test]
async fn every_peer_is_told_before_exit() {
    let mut server = Server::start(&["--peers-per-room=0"]);
    let mut clients = server.connect_many::<40>().await;
    for client in &mut clients {
        client.say(r#"{"type":"join","room":"hall"}"#).await;
        client.say(r#"{"type":"join","room":"yard"}"#).await;
    }
    server.stop();
    for client in &mut clients {
        let (code, reason) = client.closed().await;
        assert_eq!((code, &*reason), (1012, "the server restarts: connect again"));
    }
    drop(clients);
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn what_was_accepted_is_delivered_before_the_goodbye() {
    let mut server = Server::start(&[]);
    let [mut alice, mut bob] = server.connect_many().await;
    for number in 0..100 {
        alice.say(format!(r#"{{"type":"message","to":"{}","message":{number}}}"#, bob.id)).await;
    }
    alice.fence().await;
    server.stop();
    for number in 0..100 {
        bob.hears(crate::client::message_from(&alice.id, &number.to_string())).await;
    }
    assert_eq!(bob.closed().await.0, 1012);
}

#[tokio::test]
async fn a_stalled_peer_cannot_delay_exit_past_the_deadline() {
    let mut server =
        Server::start(&["--drain-timeout=1", "--write-timeout=60", "--messages-per-second=0", "--bytes-per-second=0"]);
    let stalled = server.stalled().await;
    let mut alice = server.connect().await;
    alice.fill(&stalled.id).await;
    let begin = Instant::now();
    server.stop();
    assert_eq!(alice.closed().await.0, 1012, "the others are told at once");
    drop(alice);
    assert_eq!(server.drained().await, Drained::Left(1));
    assert!(begin.elapsed() < DEADLINE, "long before its write would have been given up");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_the_close_cannot_delay_exit() {
    let mut server = Server::start(&["--drain-timeout=15"]);
    let mut raw = server.raw().await;
    server.stop();
    assert_eq!(raw.closed().await.0, 1012);
    assert_eq!(server.drained().await, Drained::Clean);
}

const PATIENT: [&str; 2] = ["--handshake-timeout=60", "--drain-timeout=60"];

#[tokio::test]
async fn a_connection_that_has_not_spoken_yet_does_not_delay_exit() {
    let server = Server::start(&PATIENT);
    let (_tcp, _tls) = (server.tcp().await, server.tls().await);
    server.connect().await.fence().await;
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn a_connection_between_two_requests_does_not_delay_exit() {
    let server = Server::start(&PATIENT);
    let mut idle = server.tls().await;
    assert_eq!(exchange(&mut idle, &server.head("GET", "/", &[])).await.status, 200);
    assert_eq!(server.drained().await, Drained::Clean);
}

/// The answer to a request that was begun before the drain, and ended in it.
async fn answer_while_draining(headers: &[&str]) -> Answer {
    let answered = async {
        loop {
            // A connection on which nothing had been read by then is closed instead, and tried again.
            if let Ok(answer) = try_while_draining(headers).await {
                return answer;
            }
        }
    };
    within("an answer in the drain", answered).await
}

async fn try_while_draining(headers: &[&str]) -> io::Result<Answer> {
    let mut server = Server::start(&[]);
    let mut late = server.tls().await;
    let request = server.head("GET", "/ws", headers);
    let (begin, end) = request.split_at(10);
    late.write_all(begin.as_bytes()).await?;
    let mut client = server.connect().await;
    client.fence().await;
    server.stop();
    assert_eq!(client.closed().await.0, 1012);
    try_exchange(&mut late, end).await
}

#[tokio::test]
async fn a_draining_server_refuses_with_503() {
    for headers in [&HANDSHAKE[..], &[], &["Origin: https://evil.example"]] {
        let answer = answer_while_draining(headers).await;
        assert_eq!((answer.status, &*answer.code()), (503, "draining"), "{headers:?}");
        assert_eq!(answer.header("retry-after"), "5");
    }
}

#[tokio::test]
async fn a_bad_handshake_is_named_before_the_drain() {
    let [connection, upgrade, _, key] = HANDSHAKE;
    let answer = answer_while_draining(&[connection, upgrade, key, "Sec-WebSocket-Version: 12"]).await;
    assert_eq!((answer.status, &*answer.code()), (426, "bad-version"));
    let answer = answer_while_draining(&[connection, upgrade, HANDSHAKE[2], "Sec-WebSocket-Key: short"]).await;
    assert_eq!((answer.status, &*answer.code()), (400, "bad-handshake"));
}

/// Waits until this listener says that it is not ready.
async fn comes_to_be_unready(address: SocketAddr) {
    let ask = async || {
        let mut tcp = TcpStream::connect(address).await?;
        let head = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        try_exchange(&mut tcp, head).await
    };
    let unready = async { while ask().await.expect("it is served").status != 503 {} };
    within("503", unready).await;
}

#[tokio::test]
async fn in_the_drains_delay_readiness_ends_and_all_are_served() {
    let flags = ["--plain-http", "--drain-delay=600", "--metrics-listen=127.0.0.1:0"];
    let folder = tempfile::tempdir().expect("a folder");
    let program =
        Program::serve(command(folder.path(), &[&flags[..], &["--listen=127.0.0.1:0"]].concat()), || Pair::new().root)
            .await;
    let metrics = program.log();
    let metrics =
        metrics.split("metrics: http://").nth(1).and_then(|rest| rest.split('/').next()).expect("it is logged");
    let metrics = metrics.parse().expect("an address");
    let url = format!("ws://{}/ws", program.address);
    let (mut peer, _) = tokio_tungstenite::client_async(&url, program.tcp().await).await.expect("a WebSocket");
    program.signal(Signal::TERM);
    for listener in [program.address, metrics] {
        comes_to_be_unready(listener).await;
    }
    let (mut newcomer, _) = tokio_tungstenite::client_async(&url, program.tcp().await).await.expect("it is let in");
    for peer in [&mut peer, &mut newcomer] {
        let welcome = within("a welcome", peer.next()).await.expect("no end").expect("no error");
        assert!(welcome.to_text().expect("text").contains("welcome"));
    }
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.status.code(), Some(1), "the second signal");
}

#[tokio::test]
async fn the_drain_comes_after_its_delay() {
    let program = Program::start(&["--drain-delay=0.5"]).await;
    let mut peer = program.connect().await;
    let begin = Instant::now();
    program.signal(Signal::TERM);
    assert_eq!(peer.closed().await.0, 1012);
    assert!(begin.elapsed() >= Duration::from_millis(500));
    drop(peer);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("--drain-delay: serving goes on for 500ms"), "{}", ended.stderr);
}
