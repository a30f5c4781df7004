//! Pages of other sites.

use super::{POLLING, Socket, WEBSOCKET, start, text};

const SITE: &str = "Origin: https://site.example";

#[tokio::test]
async fn a_page_that_is_allowed_may_read_every_answer() {
    let server = start(&["--allow-origin=https://site.example"]);
    for path in [POLLING, "/socket.io/?EIO=3&transport=polling"] {
        let answer = server.request("GET", path, &[SITE]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://site.example", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn the_page_of_the_server_itself_is_allowed() {
    let server = start(&[]);
    let own = format!("Origin: https://{}", server.address);
    assert_eq!(server.request("GET", POLLING, &[&own]).await.status, 200);
}

#[tokio::test]
async fn all_pages_may_be_allowed_and_each_is_named() {
    let server = start(&["--allow-origin=*"]);
    let answer = server.request("GET", POLLING, &[SITE]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://site.example");
}

#[tokio::test]
async fn a_page_that_is_not_allowed_gets_no_session() {
    let server = start(&["--max-connections=1"]);
    for _ in 0..3 {
        let answer = server.request("GET", POLLING, &["Origin: https://evil.example"]).await;
        assert_eq!((answer.status, &*text(&answer)), (403, r#"{"code":4,"message":"Forbidden"}"#));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let refused = Socket::refused(&server, WEBSOCKET, &[("origin", "https://evil.example")]).await;
    assert_eq!(refused, (403, "Forbidden".to_owned()));
    assert_eq!(server.get(POLLING).await.status, 200, "there is room still");
}

#[tokio::test]
async fn a_preflight_says_what_an_allowed_page_may_send() {
    let server = start(&["--allow-origin=https://site.example"]);
    let ask = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,x-own"];
    let answer = server.request("OPTIONS", POLLING, &[&[SITE][..], &ask].concat()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, "GET, POST"));
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,x-own");
    assert_eq!(answer.header("access-control-allow-origin"), "https://site.example");
    let refused = server.request("OPTIONS", POLLING, &[&["Origin: https://evil.example"][..], &ask].concat()).await;
    assert_eq!((refused.status, refused.header("access-control-allow-methods")), (403, ""));
}

#[tokio::test]
async fn two_origins_are_a_bad_request() {
    let server = start(&["--allow-origin=*"]);
    assert_eq!(server.request("GET", POLLING, &[SITE, SITE]).await.status, 400);
}
