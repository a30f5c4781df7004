//! Behind a proxy: which of its headers are believed, HTTP without TLS, and a folder of the host.

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::http::{Answer, exchange};
use crate::pair::Pair;
use crate::raw::{HANDSHAKE, Raw};
use crate::server::{Server, Site};
use crate::turn_client::LOOPBACK;
use crate::within;

/// Every address of this machine is a trusted proxy.
const TRUSTING: &str = "--trusted-proxy=127.0.0.0/8";

const PING: &str = r#"{"type":"ping","ref":1}"#;
const ACK: &str = r#"{"type":"ack","ref":1}"#;

async fn status_for(site: &Site, forwarded: &str) -> u16 {
    site.request("GET", "/ws", &[&format!("X-Forwarded-For: {forwarded}")]).await.status
}

#[tokio::test]
async fn the_limits_are_for_the_client_that_a_trusted_proxy_names() {
    let server = Server::start(&[TRUSTING, "--max-connections-per-address=1"]);
    let (_one, _) = server.connect_with(&[("x-forwarded-for", "198.51.100.1")]).await;
    assert_eq!(status_for(&server, "198.51.100.1").await, 429);
    assert_eq!(status_for(&server, "203.0.113.9, 198.51.100.1, 127.0.0.9").await, 429);
    assert_eq!(status_for(&server, "198.51.100.1, 198.51.100.2").await, 426);
    let (mut two, _) = server.connect_with(&[("x-forwarded-for", "[2001:db8::1]:4711")]).await;
    assert_eq!(status_for(&server, "2001:db8::2").await, 429, "one /64 is one client");
    two.fence().await;
}

#[tokio::test]
async fn what_a_stranger_says_of_itself_is_not_believed() {
    let server = Server::start(&["--trusted-proxy=10.0.0.0/8", "--max-connections-per-address=1"]);
    let (mut client, _) = server.connect_with(&[("x-forwarded-for", "198.51.100.1")]).await;
    assert_eq!(status_for(&server, "198.51.100.2").await, 429);
    client.fence().await;
    let host = ["X-Forwarded-Host: evil.example", "Origin: https://evil.example"];
    assert_eq!(server.request("GET", "/ws", &host).await.status, 403);
}

#[tokio::test]
async fn the_rate_of_newcomers_is_for_the_client_that_a_trusted_proxy_names() {
    let server = Server::start(&[TRUSTING, "--connections-per-second=0.001", "--connection-burst=1"]);
    for client in ["198.51.100.1", "198.51.100.2"] {
        server.connect_with(&[("x-forwarded-for", client)]).await.0.fence().await;
        assert_eq!(status_for(&server, client).await, 429);
    }
}

#[tokio::test]
async fn a_trusted_proxy_may_have_many_connections_that_are_not_answered_yet() {
    let server = Server::start(&[TRUSTING, "--max-handshakes-per-address=1"]);
    let _silent = [server.tcp().await, server.tcp().await];
    let opened = async {
        while server.pending.connections() < 2 {
            tokio::task::yield_now().await;
        }
    };
    within("two connections that send nothing", opened).await;
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn the_host_that_a_trusted_proxy_names_is_our_own() {
    let server = Server::start(&[TRUSTING]);
    let host = "X-Forwarded-Host: calls.example";
    assert_eq!(server.request("GET", "/ws", &[host, "Origin: https://calls.example"]).await.status, 426);
    assert_eq!(server.request("GET", "/ws", &[host, "Origin: https://other.example"]).await.status, 403);
}

fn urls(answer: &Answer) -> Vec<String> {
    let ice: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let servers = ice["iceServers"].as_array().expect("a list").iter();
    let urls = servers.flat_map(|server| server["urls"].as_array().expect("a list"));
    urls.map(|url| url.as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn ice_servers_have_the_host_that_a_trusted_proxy_names_and_not_its_tls() {
    let server = Server::start_turn(&[TRUSTING]);
    let urls = urls(&server.request("GET", "/ice", &["X-Forwarded-Host: calls.example"]).await);
    let kinds: Vec<_> = urls.iter().map(|url| url.split_once(':').expect("a scheme")).collect();
    assert_eq!(kinds.iter().map(|(scheme, _)| *scheme).collect::<Vec<_>>(), ["stun", "turn", "turn"]);
    assert!(kinds.iter().all(|(_, rest)| rest.starts_with("calls.example:")), "{urls:?}");
}

#[tokio::test]
async fn over_plain_http_everything_is_served_and_nothing_redirected() {
    let server = Server::start(&["--plain-http"]);
    let mut tcp = server.tcp().await;
    assert_eq!(exchange(&mut tcp, &server.head("GET", "/", &[])).await.status, 200);
    assert_eq!(exchange(&mut tcp, &server.head("GET", "/ws", &[])).await.status, 426);
    // The page of a developer without TLS, and one behind a proxy that does not forward the scheme.
    for (scheme, status) in [("http", 426), ("https", 426), ("ftp", 403)] {
        let origin = format!("Origin: {scheme}://{}", server.address);
        assert_eq!(exchange(&mut tcp, &server.head("GET", "/ws", &[&origin])).await.status, status, "{scheme}");
    }
    tcp.write_all(server.head("GET", "/ws", &HANDSHAKE).as_bytes()).await.expect("the server reads");
    let mut peer = Raw::welcomed(tcp).await;
    assert_eq!(peer.ask(PING).await, ACK);
}

#[tokio::test]
async fn over_plain_http_there_is_no_tls_and_none_is_listed() {
    let server = Server::start_turn(&["--plain-http", LOOPBACK]);
    let mut tcp = server.tcp().await;
    let urls = urls(&exchange(&mut tcp, &server.head("GET", "/ice", &[])).await);
    assert!(urls.len() == 3 && urls.iter().all(|url| !url.starts_with("turns:")), "{urls:?}");
    let mut tls = server.tcp().await;
    tls.write_all(&[22, 3, 1, 0, 1, 1]).await.expect("the server reads");
    crate::accept::assert_ended(&mut tls).await;
}

#[tokio::test]
async fn over_plain_http_turn_has_the_pages_port_too() {
    let server = Server::start_turn(&["--plain-http", LOOPBACK]);
    let mut tcp = server.tcp().await;
    let ice = exchange(&mut tcp, &server.head("GET", "/ice", &[])).await;
    let access = crate::turn_client::TurnAccess::read(&serde_json::from_slice(&ice.body).expect("JSON"));
    let mut client = access.stream_client(server.tcp().await);
    client.allocate().await;
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn over_plain_http_no_certificate_is_needed() {
    let nowhere = Pair::new();
    for file in [nowhere.cert(), nowhere.key()] {
        std::fs::remove_file(file).expect("it is there");
    }
    let server = Server::start_with(nowhere, &["--plain-http"]);
    assert_eq!(exchange(&mut server.tcp().await, &server.head("GET", "/", &[])).await.status, 200);
}

#[tokio::test]
async fn everything_is_in_the_base_path_and_nothing_beside_it() {
    let server = Server::start(&["--base-path=/signal/"]);
    for (path, status) in [
        ("/signal/", 200),
        ("/signal/index.html", 200),
        ("/signal/js/client.js", 200),
        ("/signal/ws", 426),
        ("/signal/ice", 200),
        ("/", 404),
        ("/ws", 404),
        ("/ice", 404),
        ("/index.html", 404),
        ("/signals", 404),
        ("/signal/signal/", 404),
        ("/signal/nothing", 404),
    ] {
        assert_eq!(server.get(path).await.status, status, "{path}");
    }
    let mut tls = server.tls().await;
    tls.write_all(server.head("GET", "/signal/ws", &HANDSHAKE).as_bytes()).await.expect("the server reads");
    assert_eq!(Raw::welcomed(tls).await.ask(PING).await, ACK);
}

#[tokio::test]
async fn the_base_path_without_its_slash_leads_to_the_page() {
    let server = Server::start(&["--base-path=signal"]);
    for (path, location) in [("/signal", "/signal/"), ("/signal?relay", "/signal/?relay")] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (308, location));
    }
    let answer = exchange(&mut server.tcp().await, &server.head("GET", "/signal/ws?x", &[])).await;
    assert_eq!(answer.header("location"), format!("https://{}/signal/ws?x", server.address), "in plain text");
}

#[tokio::test]
async fn what_holds_for_every_answer_holds_beside_the_base_path() {
    let server = Server::start(&["--base-path=/a/b"]);
    for path in ["/", "/a/b", "/a/b/", "/a/b/nothing"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
}
