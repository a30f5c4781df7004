//! Credentials: where a client of socket.io may have them, and what it is told where they are not good.

use super::{POLLING, Polling, Socket, WEBSOCKET, start, text};
use crate::credentials::{expired_token, secret_file, token, token_until};
use crate::server::Server;

fn start_with_credentials(flags: &[&str]) -> (Server, tempfile::TempDir) {
    let (folder, flag) = secret_file();
    (start(&[&[&*flag], flags].concat()), folder)
}

const NONE: &str = r#"44{"message":"this needs credentials: a bearer token","data":{"code":"unauthorized"}}"#;

#[tokio::test]
async fn a_token_comes_with_connect() {
    let (server, _folder) = start_with_credentials(&[]);
    let mut socket = Socket::begin(&server).await;
    socket.says(&format!(r#"40{{"other":1,"token":"{}"}}"#, token("alice"))).await;
    socket.is_greeted().await;
}

#[tokio::test]
async fn a_token_may_come_with_the_first_request() {
    let (server, _folder) = start_with_credentials(&[]);
    let token = token("alice");
    let in_query = server.get(&format!("{POLLING}&access_token={token}")).await;
    let in_header = server.request("GET", POLLING, &[&format!("Authorization: Bearer {token}")]).await;
    for answer in [in_query, in_header] {
        let mut polling = Polling::opened(&server, &text(&answer));
        polling.says("40").await;
        assert!(polling.hear().await.starts_with(r#"40{"sid":"#));
    }
    let mut socket = Socket::open(&server, &format!("{WEBSOCKET}&access_token={token}")).await;
    socket.hear().await;
    socket.says("40").await;
    socket.is_greeted().await;
}

#[tokio::test]
async fn without_a_good_token_connect_is_refused_and_the_page_is_told_why() {
    let (server, _folder) = start_with_credentials(&[]);
    let mut socket = Socket::begin(&server).await;
    for connect in ["40", "40{}", r#"40{"token":7}"#] {
        socket.says(connect).await;
        socket.hears(NONE).await;
    }
    socket.says(r#"40{"token":"x"}"#).await;
    let text = "the credentials are not valid here and now";
    socket.hears(&format!(r#"44{{"message":"{text}","data":{{"code":"unauthorized"}}}}"#)).await;
    socket.says(&format!(r#"40{{"token":"{}"}}"#, expired_token("alice"))).await;
    let text = "the credentials have expired";
    socket.hears(&format!(r#"44{{"message":"{text}","data":{{"code":"unauthorized"}}}}"#)).await;
    assert_eq!(server.hub.peers(), 0);
    socket.says(&format!(r#"40{{"token":"{}"}}"#, token("alice"))).await;
    socket.is_greeted().await;
}

#[tokio::test]
async fn tokens_can_not_be_tried_without_end() {
    let (server, _folder) = start_with_credentials(&["--refused-messages=5"]);
    let mut socket = Socket::begin(&server).await;
    for _ in 0..5 {
        socket.says("40").await;
    }
    for _ in 0..5 {
        match socket.hear_or_closed().await {
            Ok(frame) => assert_eq!(frame, NONE),
            Err(code) => return assert_eq!(code, Some(1008)),
        }
    }
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn two_tokens_that_contradict_each_other_are_a_bad_request() {
    let (server, _folder) = start_with_credentials(&[]);
    let path = format!("{POLLING}&access_token={}", token("alice"));
    assert_eq!(server.request("GET", &path, &["Authorization: Bearer other"]).await.status, 400);
}

#[tokio::test]
async fn a_session_ends_with_its_credentials() {
    let (server, _folder) = start_with_credentials(&[]);
    let mut socket = Socket::begin(&server).await;
    socket.says(&format!(r#"40{{"token":"{}"}}"#, token_until("alice", 2))).await;
    socket.is_greeted().await;
    assert_eq!(socket.closed().await, Some(4003));
}
