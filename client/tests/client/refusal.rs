//! Servers that refuse, and what is no server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use entremise::auth::{Claims, Secret};
use entremise_client::{Builder, Cause, Client, Event, State};

use crate::fake::Fake;
use crate::peer::Peer;
use crate::server::Server;
use crate::within;

const SECRET: &str = "a secret that only tests share with each other";

/// A token that is good for an hour.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    Claims::new("alice", now + 3600).mint(&Secret::new(SECRET.as_bytes()).expect("long enough"))
}

/// Why the first attempt of this client came to nothing.
async fn cause(builder: Builder) -> Cause {
    let (_client, mut events) = builder.connect().expect("the settings are right");
    loop {
        match within("the attempt's end", events.next()).await.expect("it is not closed") {
            Event::State(State::Waiting { cause, .. }) => return cause,
            Event::State(State::Connecting) => {}
            other => panic!("expected a refusal: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_and_the_next_attempt_asks_for_another() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), SECRET).expect("writable");
    let flag = format!("--auth-jwt-secret-file={}", folder.path().join("secret").display());
    let server = Server::start(&[&flag]);
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = {
        let asked = Arc::clone(&asked);
        move || {
            let count = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                match count {
                    0 => Ok("of.no.use".to_owned()),
                    1 => Err("the vault is closed"),
                    2 => Ok("no token, no header".to_owned()),
                    _ => Ok(token()),
                }
            }
        }
    };
    let (client, events) = server.builder().credentials(credentials).connect().expect("the settings are right");
    let mut peer = Peer { client, events, id: "".into() };
    let mut causes = Vec::new();
    while causes.len() < 3 {
        causes.push(peer.cause().await);
        peer.client.check().await;
    }
    let codes: Vec<&str> = causes.iter().map(|cause| &*cause.code).collect();
    assert_eq!(codes, ["unauthorized", "no-credentials", "no-credentials"]);
    assert!(causes[1].message.contains("the vault is closed"), "{}", causes[1]);
    assert!(!causes[2].message.contains("no token, no header"), "{}", causes[2]);
    peer.id = peer.welcome().await.id;
    peer.fence().await;
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_server_that_asks_for_credentials_refuses_a_client_without() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), SECRET).expect("writable");
    let server = Server::start(&[&format!("--auth-jwt-secret-file={}", folder.path().join("secret").display())]);
    let cause = cause(server.builder()).await;
    assert_eq!(cause.code, "unauthorized");
}

#[tokio::test]
async fn a_full_server_says_so_in_its_own_words() {
    let server = Server::start(&["--max-connections=1"]);
    let _first = server.peer().await;
    let cause = cause(server.builder()).await;
    assert_eq!(cause.code, "server-full", "{cause}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_accepted() {
    let server = Server::start(&[]);
    let cause = cause(Client::builder(&format!("wss://{}/ws", server.address))).await;
    assert_eq!(cause.code, "tls-failed", "{cause}");
    assert!(cause.message.contains("certificate"), "{cause}");
}

#[tokio::test]
async fn what_is_no_signaling_server_is_told_from_one_that_is_not_there() {
    let server = Server::start_plain(&[]);
    let cause_at = |url: String| cause(Client::builder(&url));
    assert_eq!(cause_at(format!("ws://{}/elsewhere", server.address)).await.code, "not-signaling");
    let address = server.address;
    drop(server);
    assert_eq!(cause_at(format!("ws://{address}/ws")).await.code, "unreachable");
}

#[tokio::test]
async fn a_proxy_that_passes_no_websockets_on_is_named() {
    for answer in [
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
    ] {
        let fake = Fake::start().await;
        let (cause, ()) = tokio::join!(cause(Client::builder(&fake.url())), fake.answer(answer));
        assert_eq!(cause.code, "proxy-without-websockets", "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_heeded() {
    let fake = Fake::start().await;
    let answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    let (_client, mut events) = Client::builder(&fake.url()).connect().expect("the settings are right");
    fake.answer(answer).await;
    loop {
        let event = within("the refusal", events.next()).await.expect("it is not closed");
        if let Event::State(State::Waiting { retry_in, .. }) = event {
            return assert!(retry_in.as_secs() >= 30, "{retry_in:?}");
        }
    }
}
