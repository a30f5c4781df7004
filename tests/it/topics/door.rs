//! Who gets a WebSocket, and what the others are answered.

use tokio_tungstenite::tungstenite::Error;

use super::{TRYSTERO, Topical, Y_WEBRTC};
use crate::credentials::{start, token, token_for};
use crate::raw::HANDSHAKE;
use crate::server::Server;
use crate::within;

#[tokio::test]
async fn y_webrtc_has_a_path_of_its_own_and_that_of_the_page() {
    let server = Server::start(&[Y_WEBRTC]);
    let mut alice = server.topical("/").await;
    alice.say(r#"{"type":"subscribe","topics":["a"]}"#).await;
    alice.fence().await;
    let mut bob = server.y_webrtc_on("a").await;
    bob.say(r#"{"type":"publish","topic":"a"}"#).await;
    alice.hears(r#"{"type":"publish","topic":"a","clients":2}"#).await;
    for method in ["GET", "POST"] {
        let answer = server.request(method, "/y-webrtc", &[]).await;
        assert_eq!((answer.status, &*answer.body, answer.header("content-type")), (200, &b"okay"[..], "text/plain"));
    }
    let page = server.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(server.request("POST", "/", &[]).await.status, 405);
    assert_eq!(server.request("HEAD", "/", &[]).await.status, 200);
    assert_eq!(server.request("GET", "/trystero", &HANDSHAKE).await.status, 404, "it was not asked for");
}

#[tokio::test]
async fn in_a_folder_of_the_host_topics_are_in_it_too() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO, "--base-path=/rtc"]);
    for path in ["/rtc/", "/rtc/y-webrtc"] {
        server.topical(path).await.fence().await;
    }
    server.topical("/rtc/trystero").await.trystero_fence().await;
    assert_eq!(server.get("/rtc/").await.status, 200);
    assert_eq!(server.request("GET", "/", &HANDSHAKE).await.status, 404);
}

#[tokio::test]
async fn beside_the_operator_s_own_page_too() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("index.html"), "my page").expect("writable");
    let server = Server::start(&[Y_WEBRTC, &format!("--page={}", folder.path().display())]);
    server.topical("/").await.fence().await;
    let page = server.get("/").await;
    assert_eq!((page.status, &*page.body), (200, &b"my page"[..]));
    assert_eq!(server.get("/js/client.js").await.status, 200, "ours, which the folder has not");
}

#[tokio::test]
async fn a_path_that_was_not_asked_for_names_its_flag_and_the_page_is_no_websocket() {
    let server = Server::start(&[TRYSTERO]);
    let answer = server.request("GET", "/y-webrtc", &HANDSHAKE).await;
    assert_eq!(answer.status, 404);
    assert!(String::from_utf8_lossy(&answer.body).contains("--dialect y-webrtc"));
    assert_eq!(server.request("GET", "/", &HANDSHAKE).await.status, 200, "the page");
    let answer = server.get("/trystero").await;
    assert_eq!((answer.status, &*answer.code()), (426, "upgrade-required"));
}

/// Whom a WebSocket is refused, and with which status.
async fn refused(server: &Server, path: &str, headers: &[&str]) -> u16 {
    server.request("GET", path, &[&HANDSHAKE, headers].concat()).await.status
}

#[tokio::test]
async fn a_refusal_is_a_status_before_the_101() {
    let server = Server::start(&[Y_WEBRTC, TRYSTERO, "--max-connections=1"]);
    let alice = server.y_webrtc().await;
    for path in ["/", "/y-webrtc", "/trystero"] {
        assert_eq!(refused(&server, path, &[]).await, 503, "{path}: full");
        assert_eq!(refused(&server, path, &["Origin: https://evil.example"]).await, 403, "{path}");
    }
    drop(alice);
    let (server, _folder) = start(&[Y_WEBRTC, TRYSTERO]);
    for path in ["/", "/y-webrtc", "/trystero", "/y-webrtc?access_token=x"] {
        assert_eq!(refused(&server, path, &[]).await, 401, "{path}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_opens_its_topics_and_no_other() {
    let (server, _folder) = start(&[Y_WEBRTC]);
    let mut all = server.topical(&format!("/y-webrtc?access_token={}", token("alice"))).await;
    all.say(r#"{"type":"subscribe","topics":["a","b"]}"#).await;
    all.fence().await;
    let mut one = server.topical(&format!("/?access_token={}", token_for("bob", &["a"]))).await;
    one.say(r#"{"type":"subscribe","topics":["b","a"]}"#).await;
    one.say(r#"{"type":"publish","topic":"b"}"#).await;
    one.say(r#"{"type":"publish","topic":"a"}"#).await;
    for client in [&mut one, &mut all] {
        client.hears(r#"{"type":"publish","topic":"a","clients":2}"#).await;
        client.fence().await;
    }
    all.say(r#"{"type":"publish","topic":"b"}"#).await;
    all.hears(r#"{"type":"publish","topic":"b","clients":1}"#).await;
    one.fence().await;
}

/// What becomes of a client that comes back at once: y-webrtc's do within a millisecond.
async fn comes_back(server: &Server) -> Result<Topical, Error> {
    let tcp = tokio::net::TcpStream::connect(server.address).await?;
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::clone(&server.trust));
    let tls = connector.connect("localhost".try_into().expect("a name"), tcp).await?;
    server.try_topical("/y-webrtc", tls).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_drain_no_client_that_comes_back_at_once_is_let_in() {
    let mut server = Server::start(&[Y_WEBRTC]);
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(server.y_webrtc_on("a").await);
    }
    server.stop();
    let returns = clients.iter_mut().map(|client| async {
        assert_eq!(client.closed().await, 1012);
        for _ in 0..20 {
            let back = within("an answer, or none", comes_back(&server)).await;
            assert!(back.is_err(), "let in after the close frame");
        }
    });
    futures_util::future::join_all(returns).await;
}
