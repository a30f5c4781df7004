//! How sessions begin, and requests that begin none.

use super::{POLLING, Polling, Socket, UNKNOWN_SID, WEBSOCKET, start, text};
use crate::server::Server;

/// With its session's id left out.
fn opened(packet: &str) -> String {
    let sid = super::between(packet, r#""sid":""#, "\"");
    assert!(sid.len() == 20 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{sid}");
    packet.replace(sid, "…")
}

#[tokio::test]
async fn the_opening_over_polling_is_one_packet_as_the_original_has_it() {
    let server = start(&[]);
    let answer = server.get(POLLING).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=UTF-8"));
    assert_eq!((answer.header("cache-control"), answer.header("set-cookie")), ("no-store", ""));
    let expected =
        r#"0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}"#;
    assert_eq!(opened(&text(&answer)), expected);
}

#[tokio::test]
async fn the_opening_over_a_websocket_has_no_upgrades() {
    let server = start(&["--heartbeat=10", "--max-message-bytes=1000"]);
    let mut socket = Socket::open(&server, WEBSOCKET).await;
    let expected = r#"0{"sid":"…","upgrades":[],"pingInterval":10000,"pingTimeout":8000,"maxPayload":1000}"#;
    assert_eq!(opened(&socket.hear().await), expected);
}

#[tokio::test]
async fn requests_that_open_nothing_have_the_answers_of_the_original() {
    let server = start(&[]);
    let unknown = format!("{POLLING}&sid=AAAAAAAAAAAAAAAAAAAA");
    for (method, path, body) in [
        ("GET", "/socket.io/?EIO=4&transport=carrier", r#"{"code":0,"message":"Transport unknown"}"#),
        ("GET", "/socket.io/", r#"{"code":0,"message":"Transport unknown"}"#),
        ("GET", &*unknown, UNKNOWN_SID),
        ("POST", &*unknown, UNKNOWN_SID),
        ("POST", POLLING, r#"{"code":2,"message":"Bad handshake method"}"#),
        ("PUT", POLLING, r#"{"code":2,"message":"Bad handshake method"}"#),
        ("GET", WEBSOCKET, r#"{"code":3,"message":"Bad request"}"#),
        ("GET", "/socket.io/?transport=polling", r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ("GET", "/socket.io/?EIO=3&transport=polling", r#"{"code":5,"message":"Unsupported protocol version"}"#),
    ] {
        let answer = server.request(method, path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"), "{method} {path}");
        assert_eq!(text(&answer), body, "{method} {path}");
    }
}

#[tokio::test]
async fn a_websocket_is_refused_before_the_101_with_the_bare_text() {
    let server = start(&[]);
    for (path, text) in [
        ("/socket.io/?EIO=4&transport=carrier", "Transport unknown"),
        (&*format!("{WEBSOCKET}&sid=AAAAAAAAAAAAAAAAAAAA"), "Session ID unknown"),
        ("/socket.io/?EIO=3&transport=websocket", "Unsupported protocol version"),
        (POLLING, "Bad request"),
    ] {
        assert_eq!(Socket::refused(&server, path, &[]).await, (400, text.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_path_has_its_slash_and_nothing_behind_it() {
    let server = start(&[]);
    assert_eq!(server.get("/socket.io?EIO=4&transport=polling").await.status, 404);
    let answer = server.get("/socket.io/socket.io.js").await;
    assert_eq!(answer.status, 404);
    assert!(text(&answer).contains("--page"), "{answer:?}");
}

#[tokio::test]
async fn without_the_flag_the_path_says_how_to_open_it() {
    let server = Server::start(&[]);
    let answer = server.get(POLLING).await;
    assert_eq!(answer.status, 404);
    assert!(text(&answer).contains("--dialect socket.io"), "{answer:?}");
}

#[tokio::test]
async fn behind_a_base_path_it_is_in_that_folder() {
    let server = start(&["--base-path=/calls"]);
    let answer = server.get("/calls/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.get(POLLING).await.status, 404);
}

#[tokio::test]
async fn other_methods_are_refused_and_the_session_lives() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    for method in ["PUT", "DELETE", "HEAD", "PATCH"] {
        let answer = server.request(method, &alice.path, &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"), "{method}");
    }
    assert_eq!(server.request("OPTIONS", &alice.path, &[]).await.status, 204);
    alice.says("40/fence").await;
    alice.hears(super::FENCE).await;
}
