//! The first frame, and the handshake that precedes it.

use std::collections::HashSet;

use crate::client::PROTOCOL;
use crate::server::Server;

#[tokio::test]
async fn the_first_frame_is_the_welcome_with_every_field_in_its_place() {
    let server = Server::start(&[]);
    let client = server.connect().await;
    let expected = format!(
        r#"{{"type":"welcome","id":"{}","resumed":false,"iceServers":[],"heartbeat":25,"maxMessageBytes":65536,"rate":{{"messages":50,"burst":400}},"bytesPerSecond":262144}}"#,
        client.id
    );
    assert_eq!(client.welcome, expected);
}

#[tokio::test]
async fn the_welcome_tells_what_the_operator_has_set() {
    let server = Server::start(&[
        "--heartbeat=12.5",
        "--max-message-bytes=1000",
        "--messages-per-second=0.5",
        "--message-burst=7",
        "--bytes-per-second=100000",
    ]);
    let client = server.connect().await;
    let expected =
        r#""heartbeat":12.5,"maxMessageBytes":1000,"rate":{"messages":0.5,"burst":7},"bytesPerSecond":100000}"#;
    assert!(client.welcome.ends_with(expected), "{}", client.welcome);
}

#[tokio::test]
async fn a_welcome_without_a_rate_means_that_there_is_none() {
    let server = Server::start(&["--messages-per-second=0", "--bytes-per-second=0"]);
    let client = server.connect().await;
    assert!(client.welcome.ends_with(r#""maxMessageBytes":65536}"#), "{}", client.welcome);
}

#[tokio::test]
async fn every_peer_has_an_id_of_its_own() {
    let server = Server::start(&[]);
    let clients = server.connect_many::<5>().await;
    let ids: HashSet<_> = clients.iter().map(|client| &client.id).collect();
    assert_eq!(ids.len(), clients.len());
    assert!(ids.iter().all(|id| id.len() == 36));
}

#[tokio::test]
async fn v1_is_selected_whenever_it_is_offered() {
    let server = Server::start(&[]);
    for offered in ["entremise.v1", "chat, entremise.v1", "entremise.v1,entremise.v2"] {
        let (mut client, response) = server.connect_with(&[(PROTOCOL, offered)]).await;
        assert_eq!(response.headers()[PROTOCOL], "entremise.v1", "{offered}");
        client.fence().await;
    }
}

#[tokio::test]
async fn nothing_is_selected_where_nothing_was_offered() {
    let server = Server::start(&[]);
    let (_client, response) = server.connect_with(&[]).await;
    assert!(response.headers().get(PROTOCOL).is_none());
}

#[tokio::test]
async fn secrets_in_an_offer_are_never_echoed() {
    let server = Server::start(&[]);
    let offered = "entremise.bearer.eyJ.eyJ.sig, entremise.resume.AAAAAAAAAAAAAAAAAAAAAA.3, entremise.v1";
    let (_client, response) = server.connect_with(&[(PROTOCOL, offered)]).await;
    assert_eq!(response.headers().get_all(PROTOCOL).iter().collect::<Vec<_>>(), ["entremise.v1"]);
}

#[tokio::test]
async fn compression_is_never_negotiated() {
    let server = Server::start(&[]);
    let offered = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let (_client, response) = server.connect_with(&offered).await;
    assert!(response.headers().get("sec-websocket-extensions").is_none());
}

#[tokio::test]
async fn ice_servers_are_told_again_to_whom_asks() {
    let server = Server::start(&[]);
    let mut client = server.connect().await;
    client.say(r#"{"type":"ice-servers"}"#).await;
    client.hears(r#"{"type":"ice-servers","iceServers":[]}"#).await;
    client.say(r#"{"type":"ice-servers","ref":"again"}"#).await;
    client.hears(r#"{"type":"ice-servers","iceServers":[],"ref":"again"}"#).await;
}
