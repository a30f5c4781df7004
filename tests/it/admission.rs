//! The checks before a WebSocket's 101, in their order, and the plain GET that runs the same checks.

use tokio_tungstenite::tungstenite::Error;

use crate::http::{Answer, exchange};
use crate::raw::HANDSHAKE;
use crate::server::{Server, Site};
use crate::within;

const EVIL: &str = "Origin: https://evil.example";

/// A handshake with these headers besides the required ones.
async fn handshake(site: &Site, headers: &[&str]) -> Answer {
    site.request("GET", "/ws", &[&HANDSHAKE, headers].concat()).await
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &*answer.code()), (status, code));
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{code}");
    assert_eq!(answer.header("content-type"), "application/json", "{code}");
    assert_eq!(answer.header("cache-control"), "no-store", "{code}");
}

#[tokio::test]
async fn a_plain_get_that_passes_all_checks_is_answered_426() {
    let server = Server::start(&[]);
    let answer = server.get("/ws").await;
    assert_refused(&answer, 426, "upgrade-required");
    assert_eq!(answer.header("upgrade"), "websocket");
    assert_eq!(answer.header("sec-websocket-version"), "13");
    let answer = server.request("HEAD", "/ws", &[]).await;
    assert_eq!((answer.status, answer.body.len()), (426, 0));
}

#[tokio::test]
async fn a_plain_get_takes_no_permit() {
    let server = Server::start(&["--max-connections=1"]);
    for _ in 0..10 {
        assert_eq!(server.get("/ws").await.status, 426);
    }
    server.connect().await.fence().await;
}

#[tokio::test]
async fn only_get_is_allowed() {
    let server = Server::start(&[]);
    let answer = server.request("POST", "/ws", &["Content-Length: 0"]).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET,HEAD,OPTIONS"));
}

#[tokio::test]
async fn a_bad_offer_is_refused_with_400() {
    let server = Server::start(&[]);
    for offered in [
        "chat",
        "entremise.v2",
        "entremise.bearer.x",
        "entremise.resume.AAAAAAAAAAAAAAAAAAAAAA.0",
        "entremise.v1, entremise.v1",
        "entremise.v1, entremise.bearer.x, entremise.bearer.y",
        "entremise.v1, entremise.resume.x.0, entremise.resume.y.0",
    ] {
        let answer = handshake(&server, &[&format!("Sec-WebSocket-Protocol: {offered}")]).await;
        assert_refused(&answer, 400, "bad-handshake");
    }
    let two =
        ["Sec-WebSocket-Protocol: entremise.v1, entremise.bearer.x", "Sec-WebSocket-Protocol: entremise.bearer.y"];
    assert_refused(&handshake(&server, &two).await, 400, "bad-handshake");
}

#[tokio::test]
async fn a_malformed_resume_offer_is_an_ordinary_new_session() {
    let server = Server::start(&[]);
    for resume in ["entremise.resume.", "entremise.resume.x", "entremise.resume.AAAAAAAAAAAAAAAAAAAAAA.-1"] {
        let offered = format!("entremise.v1, {resume}");
        let (client, _) = server.connect_with(&[("sec-websocket-protocol", &offered)]).await;
        assert!(client.welcome.contains(r#""resumed":false"#), "{resume}");
    }
}

#[tokio::test]
async fn a_broken_handshake_is_refused_with_400_or_426() {
    let server = Server::start(&[]);
    let [connection, upgrade, version, key] = HANDSHAKE;
    for (headers, status, code) in [
        (&[upgrade, version, key][..], 426, "upgrade-removed"),
        (&[connection, upgrade, version], 400, "bad-handshake"),
        (&[connection, upgrade, version, "Sec-WebSocket-Key: short"], 400, "bad-handshake"),
        (&[connection, upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="], 400, "bad-handshake"),
        (&[connection, upgrade, "Sec-WebSocket-Version: 12", key], 426, "bad-version"),
        (&[connection, upgrade, key], 426, "bad-version"),
        (&[connection, version, key], 426, "upgrade-removed"),
    ] {
        let answer = server.request("GET", "/ws", headers).await;
        assert_refused(&answer, status, code);
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), "13", "{code}");
        }
    }
}

#[tokio::test]
async fn pages_of_the_same_host_may_connect_and_others_may_not() {
    let server = Server::start(&["--allow-origin=https://app.example", "--allow-origin=http://localhost:3000"]);
    let port = server.address.port();
    for origin in [
        &*format!("https://127.0.0.1:{port}"),
        "https://app.example",
        "https://APP.example:443",
        "http://localhost:3000",
    ] {
        let (mut client, _) = server.connect_with(&[("origin", origin)]).await;
        client.fence().await;
        let answer = server.request("GET", "/ws", &[&format!("Origin: {origin}")]).await;
        assert_eq!(answer.status, 426, "{origin}");
    }
    for origin in [
        "https://evil.example",
        "https://127.0.0.1",
        &format!("http://127.0.0.1:{port}"),
        "null",
        "https://app.example.evil.example",
    ] {
        let origin = format!("Origin: {origin}");
        assert_refused(&handshake(&server, &[&origin]).await, 403, "origin-not-allowed");
        assert_refused(&server.request("GET", "/ws", &[&origin]).await, 403, "origin-not-allowed");
    }
}

#[tokio::test]
async fn a_star_lets_every_page_in() {
    let server = Server::start(&["--allow-origin=*"]);
    for origin in ["https://evil.example", "null"] {
        let (mut client, _) = server.connect_with(&[("origin", origin)]).await;
        client.fence().await;
    }
}

#[tokio::test]
async fn a_full_server_refuses_with_503_until_a_peer_leaves() {
    let server = Server::start(&["--max-connections=2", "--max-connections-per-address=0"]);
    let [first, _second] = server.connect_many().await;
    let answer = handshake(&server, &[]).await;
    assert_refused(&answer, 503, "server-full");
    assert_eq!(answer.header("retry-after"), "10");
    assert_refused(&server.get("/ws").await, 503, "server-full");
    first.leave(Some(1000)).await;
    assert_has_room(&server).await;
}

/// Waits, because a permit is released a moment after its connection's last byte.
async fn assert_has_room(site: &Site) {
    let freed = async {
        loop {
            let tls = site.tls().await;
            match site.upgrade(tls, &[]).await {
                Ok((mut client, _)) => return client.fence().await,
                Err(Error::Http(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    within("a permit to be free", freed).await;
}

#[tokio::test]
async fn an_address_has_a_limit_of_its_own() {
    let server = Server::start(&["--max-connections-per-address=2"]);
    let [first, _second] = server.connect_many().await;
    let answer = handshake(&server, &[]).await;
    assert_refused(&answer, 429, "too-many-connections");
    assert_eq!(answer.header("retry-after"), "10");
    assert_refused(&server.get("/ws").await, 429, "too-many-connections");
    let elsewhere = server.tls_from([127, 0, 0, 2]).await;
    let (mut client, _) = server.upgrade(elsewhere, &[]).await.expect("another address has its own limit");
    client.fence().await;
    drop(first);
    assert_has_room(&server).await;
}

#[tokio::test]
async fn a_permit_is_released_however_a_connection_ends() {
    let server = Server::start(&["--max-connections=1", "--refused-messages=1"]);
    let client = server.connect().await;
    client.leave(None).await;
    assert_has_room(&server).await;
    let mut raw = within("a permit to be free", async {
        while server.get("/ws").await.status != 426 {}
        server.raw().await
    })
    .await;
    raw.write(&[0xff; 100]).await;
    assert_eq!(raw.closed().await.0, 1002);
    drop(raw);
    assert_has_room(&server).await;
}

#[tokio::test]
async fn zero_is_no_limit_of_connections() {
    let server = Server::start(&["--max-connections=0", "--max-connections-per-address=0"]);
    let mut clients = server.connect_many::<20>().await;
    clients[19].fence().await;
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    // The first request breaks every rule, and each later one breaks one rule less.
    let server = Server::start(&["--max-connections=1", "--max-connections-per-address=1"]);
    let [connection, upgrade, version, key] = HANDSHAKE;
    let mut client = server.connect().await;
    let bad_offer = "Sec-WebSocket-Protocol: chat";
    let bad_version = "Sec-WebSocket-Version: 8";
    let answer = server.request("GET", "/ws", &[connection, upgrade, bad_version, key, EVIL]).await;
    assert_refused(&answer, 426, "bad-version");
    let answer = server.request("GET", "/ws", &[connection, upgrade, version, key, bad_offer, EVIL]).await;
    assert_refused(&answer, 400, "bad-handshake");
    assert_refused(&handshake(&server, &[EVIL]).await, 403, "origin-not-allowed");
    assert_refused(&server.request("GET", "/ws", &[EVIL]).await, 403, "origin-not-allowed");
    assert_refused(&handshake(&server, &[]).await, 429, "too-many-connections");
    assert_refused(&server.get("/ws").await, 429, "too-many-connections");
    let mut elsewhere = server.tls_from([127, 0, 0, 3]).await;
    let answer = exchange(&mut elsewhere, &server.head("GET", "/ws", &[])).await;
    assert_refused(&answer, 503, "server-full");
    let answer = exchange(&mut elsewhere, &server.head("GET", "/ws", &HANDSHAKE)).await;
    assert_refused(&answer, 503, "server-full");
    client.fence().await;
}

#[tokio::test]
async fn pages_of_the_public_host_are_our_own_whatever_name_a_request_has() {
    let server = Server::start(&["--public-host=calls.example"]);
    let (mut client, _) = server.connect_with(&[("origin", "https://calls.example")]).await;
    client.fence().await;
    for other in ["https://calls.example:8443", "http://calls.example", "https://other.example"] {
        let origin = format!("Origin: {other}");
        assert_refused(&handshake(&server, &[&origin]).await, 403, "origin-not-allowed");
    }
}

#[tokio::test]
async fn pages_that_may_connect_may_read_ice_and_others_may_not() {
    let server = Server::start(&["--allow-origin=https://app.example"]);
    let own = format!("https://{}", server.address);
    for origin in ["https://app.example", &own] {
        let answer = server.request("GET", "/ice", &[&format!("Origin: {origin}")]).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
        assert_eq!((answer.header("vary"), answer.header("cache-control")), ("Origin", "no-store"));
    }
    let answer = server.request("GET", "/ice", &[EVIL]).await;
    assert_eq!((answer.status, &*answer.code()), (403, "origin-not-allowed"));
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", "Origin"));
    let answer = server.get("/ice").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""), "not asked by a page");
}

#[tokio::test]
async fn a_page_that_may_read_ice_may_read_why_there_is_none() {
    let server = Server::start(&["--allow-origin=*", "--max-connections=1"]);
    let _client = server.connect().await;
    let answer = server.request("GET", "/ice", &[EVIL]).await;
    assert_eq!((answer.status, &*answer.code()), (503, "server-full"));
    assert_eq!(answer.header("access-control-allow-origin"), "https://evil.example");
}

#[tokio::test]
async fn a_browser_may_ask_beforehand_whether_a_page_may_send_credentials() {
    const ASKS: [&str; 2] = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"];
    let server = Server::start(&["--allow-origin=https://app.example"]);
    let ask = async |path: &str, origin: &str| {
        let origin = format!("Origin: {origin}");
        let headers = [&ASKS[..], &[&origin]].concat();
        server.request("OPTIONS", path, &headers).await
    };
    for (path, origin, allowed) in [
        ("/ice", "https://app.example", "https://app.example"),
        ("/ws", "https://app.example", "*"),
        ("/ws", "https://evil.example", "*"),
    ] {
        let answer = ask(path, origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, allowed), "{path} {origin}");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization", "{path} {origin}");
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD", "{path} {origin}");
    }
    let answer = ask("/ice", "https://evil.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, ""));
    assert_eq!(answer.header("access-control-allow-headers"), "");
}

#[tokio::test]
async fn newcomers_from_one_address_are_limited_in_their_rate() {
    let server = Server::start(&["--connections-per-second=0.001", "--connection-burst=2"]);
    for _ in 0..5 {
        assert_eq!(server.get("/ws").await.status, 426, "a plain GET does not count as a newcomer");
        assert_refused(&handshake(&server, &[EVIL]).await, 403, "origin-not-allowed");
    }
    for _ in 0..2 {
        server.connect().await.leave(None).await;
    }
    let answer = handshake(&server, &[]).await;
    assert_refused(&answer, 429, "too-many-connections");
    let seconds: u32 = answer.header("retry-after").parse().expect("seconds");
    assert!((900..=1001).contains(&seconds), "{seconds}");
    assert_refused(&server.get("/ws").await, 429, "too-many-connections");
    let elsewhere = server.tls_from([127, 0, 0, 4]).await;
    server.upgrade(elsewhere, &[]).await.expect("another address has its own rate").0.fence().await;
}

#[tokio::test]
async fn the_rate_of_newcomers_refills_and_zero_is_none() {
    let server = Server::start(&["--connections-per-second=20", "--connection-burst=1"]);
    server.connect().await;
    assert_has_room(&server).await;
    let server = Server::start(&["--connections-per-second=0", "--connection-burst=1"]);
    server.connect_many::<20>().await[19].fence().await;
}

#[tokio::test]
async fn a_resumed_session_meets_no_limit() {
    let server = Server::start(&["--max-connections=1", "--connections-per-second=0.001", "--connection-burst=1"]);
    let (client, _) = server.connect_with(&[("sec-websocket-protocol", "entremise.v1")]).await;
    assert_refused(&handshake(&server, &[]).await, 429, "too-many-connections");
    let (mut again, _) = server.connect_with(&[("sec-websocket-protocol", &client.ticket().offer())]).await;
    assert_eq!(again.id, client.id);
    again.fence().await;
}

#[tokio::test]
async fn a_secret_in_the_url_is_never_read() {
    let server = Server::start(&[]);
    let answer = server.get("/ws?token=secret&resume=secret").await;
    assert_refused(&answer, 426, "upgrade-required");
    assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
}
