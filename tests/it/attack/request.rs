//! Requests that HTTP itself forbids, or that two readers would take for two things: answered with 400, whatever they ask.

use crate::http::{Answer, exchange};
use crate::raw::{HANDSHAKE, offering};
use crate::server::Server;

const KEY: &str = HANDSHAKE[3];

/// Sends a head of these lines as they are.
async fn answer(server: &Server, lines: &[&str]) -> Answer {
    exchange(&mut server.tls().await, &(lines.join("\r\n") + "\r\n\r\n")).await
}

#[tokio::test]
async fn http_1_1_without_one_valid_host_is_a_bad_request_everywhere() {
    let server = Server::start(&["--metrics-listen=127.0.0.1:0"]);
    let host = &*format!("Host: {}", server.address);
    for target in ["/", "/ws", "/ice", "/healthz", "/js/none.js", "http://localhost/"] {
        let request = format!("GET {target} HTTP/1.1");
        for hosts in [&[][..], &[host, host], &[host, "host: evil.example"], &["Host:"], &["Host: a b"], &["Host: a@b"]]
        {
            let lines = [&[&*request][..], hosts].concat();
            assert_eq!(answer(&server, &lines).await.status, 400, "{lines:?}");
        }
    }
    for hosts in [&[][..], &[host, host]] {
        let lines = [&["GET /metrics HTTP/1.1"][..], hosts].concat().join("\r\n") + "\r\n\r\n";
        let metrics = tokio::net::TcpStream::connect(server.metrics.expect("it was asked for"));
        assert_eq!(exchange(&mut metrics.await.expect("it listens"), &lines).await.status, 400, "{lines:?}");
    }
    assert_eq!(answer(&server, &["GET / HTTP/1.0"]).await.status, 200, "HTTP/1.0 needs none");
    assert_eq!(answer(&server, &["GET / HTTP/1.0", host, host]).await.status, 400, "but has no two");
    assert_eq!(answer(&server, &["GET / HTTP/1.1", host]).await.status, 200);
}

#[tokio::test]
async fn a_target_that_is_no_path_is_a_bad_request() {
    let server = Server::start(&[]);
    let host = format!("Host: {}", server.address);
    for target in
        ["GET *", "POST *", "GET evil.example:443", "CONNECT evil.example:443", "GET ftp://a/", "GET http://a@b/"]
    {
        let request = format!("{target} HTTP/1.1");
        assert_eq!(answer(&server, &[&request, &host]).await.status, 400, "{target}");
        let mut plain = server.tcp().await;
        let plain = exchange(&mut plain, &format!("{request}\r\n{host}\r\n\r\n")).await;
        assert_eq!(plain.status, 400, "{target} in plain text is sent nowhere");
    }
    let options = answer(&server, &["OPTIONS * HTTP/1.1", &host]).await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn an_absolute_target_is_served_and_its_host_is_the_one_that_counts() {
    let server = Server::start(&[]);
    let host = format!("Host: {}", server.address);
    assert_eq!(answer(&server, &["GET https://calls.example/js/client.js HTTP/1.1", &host]).await.status, 200);
    let asks = "GET https://calls.example/ws HTTP/1.1";
    let of = |origin: &str| format!("Origin: https://{origin}");
    assert_eq!(answer(&server, &[asks, &host, &of("calls.example")]).await.status, 426, "its own page");
    assert_eq!(answer(&server, &[asks, &host, &of(&server.address.to_string())]).await.status, 403, "another's");
    let mut plain = server.tcp().await;
    let plain = exchange(&mut plain, "GET http://calls.example/a?b HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!((plain.status, plain.header("location")), (308, "https://calls.example/a?b"));
}

#[tokio::test]
async fn headers_that_may_be_there_once_are_refused_twice() {
    let server = Server::start(&[]);
    let own = format!("Origin: https://{}", server.address);
    let pairs = [
        [KEY, KEY],
        [KEY, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="],
        [HANDSHAKE[2], HANDSHAKE[2]],
        [HANDSHAKE[2], "Sec-WebSocket-Version: 8"],
        [&*own, &*own],
        [&*own, "Origin: https://evil.example"],
        ["Authorization: Bearer a", "Authorization: Bearer a"],
        ["Authorization: Basic eDp5", "Authorization: Bearer a"],
    ];
    for pair in pairs {
        let others = HANDSHAKE.iter().filter(|line| !pair.contains(line)).copied();
        let lines: Vec<&str> = others.chain(pair).collect();
        let refused = server.request("GET", "/ws", &lines).await;
        assert_eq!((refused.status, &*refused.code()), (400, "bad-handshake"), "{pair:?}");
    }
    for pair in &pairs[4..] {
        for path in ["/ws", "/ice"] {
            let refused = server.request("GET", path, pair).await;
            assert_eq!((refused.status, &*refused.code()), (400, "bad-handshake"), "{path} {pair:?}");
        }
    }
    let refused = server.request("OPTIONS", "/ice", &pairs[5]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, ""));
}

#[tokio::test]
async fn a_handshake_with_a_body_is_refused() {
    let server = Server::start(&[]);
    for body in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
        let refused = server.request("GET", "/ws", &[&HANDSHAKE[..], &[body]].concat()).await;
        assert_eq!((refused.status, &*refused.code()), (400, "bad-handshake"), "{body}");
    }
    let (empty, offer) = ("Content-Length: 0", offering("entremise.v1"));
    let taken = server.request("GET", "/ws", &[&HANDSHAKE[..], &[empty, &offer]].concat()).await;
    assert_eq!(taken.status, 101);
}
