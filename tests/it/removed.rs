//! Behind a proxy that takes away what a WebSocket needs: the page hears of it, and once the operator.

use tokio::io::AsyncWriteExt as _;

use crate::http::{Answer, exchange};
use crate::raw::{HANDSHAKE, Raw};
use crate::server::Server;
use crate::within;

const TOLD: &str = "have it pass on Upgrade, Connection and Sec-WebSocket-Protocol";

async fn from(server: &Server, address: [u8; 4], lines: &[&str]) -> Answer {
    exchange(&mut server.tls_from(address).await, &server.head("GET", "/ws", lines)).await
}

fn told(server: &Server) -> usize {
    server.logged("WARN").iter().filter(|line| line.contains(TOLD)).count()
}

#[tokio::test]
async fn a_handshake_without_its_upgrade_is_told_so_and_so_is_the_page_that_asks() {
    let server = Server::start(&[]);
    assert_eq!(from(&server, [127, 0, 0, 2], &[]).await.code(), "upgrade-required");
    let [connection, upgrade, version, key] = HANDSHAKE;
    let passed_on = [
        &[version, key][..],
        &["Connection: close", version, key],
        &["Connection: close", upgrade, version, key],
        &[connection, version, key],
    ];
    for lines in passed_on {
        let refused = from(&server, [127, 0, 0, 2], lines).await;
        assert_eq!((refused.status, &*refused.code()), (426, "upgrade-removed"), "{lines:?}");
    }
    // What nginx makes of it that is not told otherwise.
    let old = server.head("GET", "/ws", &HANDSHAKE).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(exchange(&mut server.tls().await, &old).await.code(), "upgrade-removed");
    assert_eq!(told(&server), 1, "once, however many there are");
    let page = from(&server, [127, 0, 0, 2], &[]).await;
    assert_eq!((page.status, &*page.code()), (426, "upgrade-removed"));
    assert_eq!(page.header("access-control-allow-origin"), "*");
    let evil = from(&server, [127, 0, 0, 2], &["Origin: https://evil.example"]).await;
    assert_eq!(evil.code(), "origin-not-allowed", "what else is wrong comes first");
    assert_eq!(from(&server, [127, 0, 0, 3], &[]).await.code(), "upgrade-required", "others are not concerned");
}

#[tokio::test]
async fn a_page_whose_subprotocols_were_taken_away_is_told_so() {
    let server = Server::start(&[]);
    let own = format!("Origin: https://{}", server.address);
    let handshake = server.head("GET", "/ws", &[&HANDSHAKE[..], &[&own]].concat());
    let mut tls = server.tls().await;
    tls.write_all(handshake.as_bytes()).await.expect("the server reads");
    // A browser that has offered some and sees that none was chosen.
    drop(Raw::welcomed(tls).await);
    let heard = async { while server.get("/ws").await.code() != "upgrade-removed" {} };
    within("the page to be told", heard).await;
    assert_eq!(told(&server), 1);
}

#[tokio::test]
async fn clients_that_need_no_subprotocol_are_not_taken_for_it() {
    let server = Server::start(&[]);
    let own = format!("https://{}", server.address);
    let (mut page, _) = server.connect_with(&[("origin", &own)]).await;
    page.fence().await;
    page.leave(Some(1000)).await;
    // No page, and so no browser that would have offered any.
    drop(server.raw().await);
    let gone = async {
        while server.hub.peers() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("both to be gone", gone).await;
    assert_eq!((server.get("/ws").await.code(), told(&server)), ("upgrade-required".into(), 0));
}
