//! PeerJS's clients: each frame as theirs is, each path, and each of the things that the server they know does wrong.

mod memory;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::credentials::{secret_file, token};
use crate::program::Program;
use crate::raw::HANDSHAKE;
use crate::server::{Server, Site};
use crate::status::{METRICS, becomes};
use crate::within;

const DIALECT: &str = "--dialect=peerjs";

const OPEN: &str = r#"{"type":"OPEN"}"#;
const TAKEN: &str = r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;

/// A page's connection. A page that is not read from answers no ping either.
struct Page {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    id: String,
    pings: usize,
}

fn url(id: &str, token: &str) -> String {
    format!("/peerjs?key=peerjs&id={id}&token={token}&version=1.5.5")
}

impl Page {
    /// A WebSocket at this path and query.
    async fn at(site: &Site, path: &str) -> Self {
        Self::over(site, site.tls().await, path).await
    }

    async fn over(site: &Site, tls: TlsStream<TcpStream>, path: &str) -> Self {
        let request = format!("wss://{}{path}", site.address).into_client_request().expect("a URL");
        let (socket, _) = within("the upgrade", Box::pin(client_async(request, tls))).await.expect("a WebSocket");
        Self { socket, id: String::new(), pings: 0 }
    }

    /// A client with this id and this token, that is open.
    async fn open(site: &Site, id: &str, token: &str) -> Self {
        let mut page = Self::at(site, &url(id, token)).await;
        page.hears(OPEN).await;
        page.id = id.to_owned();
        page
    }

    async fn say(&mut self, frame: impl Into<String>) {
        let frame = Message::text(frame.into());
        within("the frame to be sent", self.socket.send(frame)).await.expect("the connection is open");
    }

    async fn next(&mut self, what: &str) -> Message {
        loop {
            match within(what, self.socket.next()).await.expect("the connection goes on").expect("a frame") {
                Message::Ping(_) => self.pings += 1,
                message => return message,
            }
        }
    }

    async fn hear(&mut self) -> String {
        match self.next("a text frame").await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    async fn hears(&mut self, expected: &str) {
        assert_eq!(self.hear().await, expected);
    }

    /// Says something to itself, which comes back behind all that is on its way.
    async fn fence(&mut self) {
        let id = self.id.clone();
        self.say(offer(&id, r#""fence""#)).await;
        self.hears(&heard("OFFER", &id, &id, r#""fence""#)).await;
    }

    /// The server's close, with its code.
    async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(frame) = self.next("a close frame").await {
                return frame.map(|frame| frame.code.into());
            }
        }
    }
}

fn offer(dst: &str, payload: &str) -> String {
    said("OFFER", dst, payload)
}

fn said(kind: &str, dst: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","payload":{payload},"dst":"{dst}"}}"#)
}

fn heard(kind: &str, src: &str, dst: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","src":"{src}","dst":"{dst}","payload":{payload}}}"#)
}

fn expire(src: &str, dst: &str) -> String {
    format!(r#"{{"type":"EXPIRE","src":"{src}","dst":"{dst}"}}"#)
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).expect("text")
}

#[tokio::test]
async fn clients_of_both_folders_meet_and_everything_they_say_keeps_its_payload() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut bob = Page::at(&server, "/peerjs/peerjs?key=peerjs&id=bob%20b&token=b&version=1.5.5").await;
    bob.hears(OPEN).await;
    for kind in ["OFFER", "ANSWER", "CANDIDATE", "LEAVE"] {
        for payload in ["{ \"a\" : [ 1e400, \"\\u0041\\/\" ] }", "null", "\"\"", r#"{"type":"EXPIRE","src":"x"}"#] {
            alice.say(format!(r#"{{"x":1,"src":"mallory","type":"{kind}","payload":{payload},"dst":"bob b"}}"#)).await;
            bob.hears(&heard(kind, "alice", "bob b", payload)).await;
        }
    }
    for kind in ["OFFER", "LEAVE"] {
        alice.say(format!(r#"{{"type":"{kind}","dst":"bob b"}}"#)).await;
        bob.hears(&format!(r#"{{"type":"{kind}","src":"alice","dst":"bob b"}}"#)).await;
    }
    alice.fence().await;
}

#[tokio::test]
async fn json_in_a_binary_frame_is_taken() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let frame = Message::binary(offer("alice", "1").into_bytes());
    alice.socket.send(frame).await.expect("the connection is open");
    alice.hears(&heard("OFFER", "alice", "alice", "1")).await;
    alice.socket.send(Message::binary(vec![0xff, 0])).await.expect("the connection is open");
    alice.fence().await;
}

#[tokio::test]
async fn an_id_from_the_server_is_a_uuid_and_new_each_time() {
    let server = Server::start(&[DIALECT, "--allow-origin=https://page.example"]);
    let mut ids = Vec::new();
    for path in ["/peerjs/id?ts=1&version=1.5.5", "/peerjs/peerjs/id?ts=1&version=1.5.5"] {
        let answer = server.request("GET", path, &["Origin: https://page.example"]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(answer.header("access-control-allow-origin"), "https://page.example");
        assert_eq!((answer.header("vary"), answer.header("cache-control")), ("Origin", "no-store"));
        let id = text(&answer.body).to_owned();
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        Page::open(&server, &id, "t").await.fence().await;
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn answers_are_readable_for_the_origins_that_may_connect_alone() {
    let server = Server::start(&[DIALECT, "--allow-origin=https://page.example"]);
    for path in ["/peerjs/", "/peerjs/id", "/peerjs/peers", "/peerjs/x/id"] {
        for (origin, reader) in [("https://page.example", "https://page.example"), ("https://other.example", "")] {
            let answer = server.request("GET", path, &[&format!("Origin: {origin}")]).await;
            assert_eq!(answer.header("access-control-allow-origin"), reader, "{path}");
            assert_eq!(answer.header("vary"), "Origin", "{path}");
            assert_eq!(answer.status == 403, reader.is_empty(), "{path}");
        }
        assert_eq!(server.request("OPTIONS", path, &["Origin: https://page.example"]).await.status, 204);
        assert_eq!(server.request("OPTIONS", path, &["Origin: https://other.example"]).await.status, 403);
    }
}

#[tokio::test]
async fn the_root_is_the_page_s_and_the_folder_says_what_the_original_says() {
    let server = Server::start(&[DIALECT]);
    assert!(server.get("/").await.header("content-type").starts_with("text/html"));
    let answer = server.get("/peerjs/").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    let expected = r#"{"name":"PeerJS Server","description":"A server side element to broker connections between PeerJS clients.","website":"https://peerjs.com/"}"#;
    assert_eq!(text(&answer.body), expected);
    assert_eq!(server.get("/peerjs").await.code(), "upgrade-required");
    let a_slash_too_many = server.request("GET", "/peerjs/?key=peerjs&id=a&token=t", &HANDSHAKE).await;
    assert_eq!((a_slash_too_many.status, &*a_slash_too_many.code()), (400, "bad-handshake"));
}

#[tokio::test]
async fn beneath_a_base_path_all_is_beneath_it() {
    let server = Server::start(&[DIALECT, "--base-path=/rtc", "--peerjs-key=mine"]);
    for path in ["/rtc/mine/id", "/rtc/peerjs/mine/id"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let mut page = Page::at(&server, "/rtc/peerjs?key=mine&id=alice&token=a").await;
    page.hears(OPEN).await;
}

#[tokio::test]
async fn without_its_flag_the_paths_say_which_flag_it_is() {
    let server = Server::start(&[]);
    for path in ["/peerjs?key=peerjs&id=a&token=b", "/peerjs/id", "/peerjs/peerjs/peers"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(text(&answer.body).contains("--dialect peerjs"), "{path}");
    }
}

#[tokio::test]
async fn another_key_is_asked_for_everywhere() {
    let server = Server::start(&[DIALECT, "--peerjs-key=mine", "--peerjs-discovery"]);
    for path in ["/mine/id", "/peerjs/mine/id", "/mine/peers", "/peerjs/mine/peers"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/peerjs/id", "/peerjs/peerjs/id", "/peerjs/peers", "/peerjs/peerjs/peers", "/peerjs/x/id"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, text(&answer.body)), (401, "Invalid key provided"), "{path}");
    }
    for path in ["/peerjs", "/peerjs/peerjs"] {
        let mut page = Page::at(&server, &format!("{path}?key=peerjs&id=a&token=b")).await;
        page.hears(r#"{"type":"ERROR","payload":{"msg":"Invalid key provided"}}"#).await;
        assert_eq!(page.closed().await, None, "without a code");
        Page::at(&server, &format!("{path}?key=mine&id={}&token=b", &path[1..5])).await.hears(OPEN).await;
    }
}

#[tokio::test]
async fn a_key_that_is_another_path_s_name_takes_nothing_from_it() {
    for key in ["matchbox", "ws", "ice", "js", "id", "peers", "healthz"] {
        let server = Server::start(&[DIALECT, &format!("--peerjs-key={key}")]);
        assert_eq!(server.get(&format!("/{key}/id")).await.status, 200, "{key}");
        server.connect().await.fence().await;
        assert_eq!(server.get("/js/client.js").await.status, 200, "{key}");
        assert!(text(&server.get("/matchbox/room").await.body).contains("--dialect matchbox"), "{key}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_say_all_is_told_so_and_closed() {
    let server = Server::start(&[DIALECT]);
    let missing = r#"{"type":"ERROR","payload":{"msg":"No id, token, or key supplied to websocket server"}}"#;
    let long = r#"{"type":"ERROR","payload":{"msg":"The id or the token is longer than 128 bytes"}}"#;
    for (query, expected) in [
        (String::new(), missing),
        ("?key=peerjs&id=a".to_owned(), missing),
        ("?key=peerjs&id=&token=t".to_owned(), missing),
        (format!("?key=peerjs&id={}&token=t", "x".repeat(3000)), long),
        (format!("?key=peerjs&id=a&token={}", "x".repeat(3000)), long),
    ] {
        let mut page = Page::at(&server, &format!("/peerjs{query}")).await;
        page.hears(expected).await;
        assert_eq!(page.closed().await, None, "without a code");
    }
    assert_eq!(server.hub.peers(), 0);
}

#[tokio::test]
async fn an_id_may_be_any_text_even_another_peer_s_address() {
    let server = Server::start(&[DIALECT]);
    let mut native = server.connect().await;
    for id in ["__proto__", "constructor", "%F0%9F%98%80", "%22%5C%00", &native.id.clone()] {
        let mut page = Page::at(&server, &url(id, "t")).await;
        page.hears(OPEN).await;
    }
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut proto = Page::open(&server, "__proto__", "t").await;
    alice.say(offer("__proto__", "1")).await;
    proto.hears(&heard("OFFER", "alice", "__proto__", "1")).await;
    native.fence().await;
}

#[tokio::test]
async fn refusals_of_all_clients_are_statuses_before_the_101() {
    let server = Server::start(&[DIALECT, "--max-connections=1"]);
    let handshake =
        async |headers: &[&str]| server.request("GET", &url("a", "t"), &[&HANDSHAKE, headers].concat()).await;
    assert_eq!(handshake(&["Origin: https://evil.example"]).await.code(), "origin-not-allowed");
    let holder = Page::open(&server, "alice", "a").await;
    assert_eq!(handshake(&[]).await.code(), "server-full");
    drop(holder);
}

// Their bug: no OPEN when a client comes back with its token.
#[tokio::test]
async fn the_same_token_takes_over_with_an_open_and_closes_the_older_socket() {
    let server = Server::start(&[DIALECT]);
    let mut bob = Page::open(&server, "bob", "b").await;
    let mut older = Page::open(&server, "alice", "a").await;
    let mut newer = Page::open(&server, "alice", "a").await;
    assert_eq!(older.closed().await, Some(4000));
    bob.say(offer("alice", "1")).await;
    newer.hears(&heard("OFFER", "bob", "alice", "1")).await;
    newer.fence().await;
    assert_eq!(server.hub.peers(), 2);
}

#[tokio::test]
async fn a_storm_of_reconnects_leaves_one_session_and_no_message_behind() {
    let server = Server::start(&[DIALECT]);
    let mut bob = Page::open(&server, "bob", "b").await;
    let mut older = Vec::new();
    for _ in 0..100 {
        older.push(Page::open(&server, "alice", "a").await);
    }
    assert_eq!(server.hub.peers(), 2);
    let mut alice = older.pop().expect("the newest");
    for number in 0..20 {
        bob.say(offer("alice", &number.to_string())).await;
        alice.hears(&heard("OFFER", "bob", "alice", &number.to_string())).await;
    }
    let closed = join_all(older.iter_mut().map(Page::closed)).await;
    assert!(closed.into_iter().all(|code| code == Some(4000)));
    alice.fence().await;
}

#[tokio::test]
async fn an_id_whose_holder_answers_is_taken() {
    let server = Server::start(&[DIALECT]);
    let mut holder = Page::open(&server, "alice", "a").await;
    let begun = Instant::now();
    let mut claimant = Page::at(&server, &url("alice", "other")).await;
    let refused = async {
        claimant.hears(TAKEN).await;
        assert_eq!(claimant.closed().await, None, "without a code");
    };
    // The holder answers the ping, because it reads; it stays, and hears nothing of it.
    tokio::select! {
        () = refused => {}
        message = holder.next("nothing") => panic!("{message:?}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
    holder.fence().await;
    assert_eq!(holder.pings, 1);
}

// Their bug: "ID is taken" for a minute after a lost network or a reload.
#[tokio::test]
async fn an_id_whose_holder_is_silent_is_free_after_3_seconds() {
    let server = Server::start(&[DIALECT]);
    let holder = Page::open(&server, "alice", "a").await;
    let begun = Instant::now();
    let mut claimant = Page::open(&server, "alice", "other").await;
    assert!((3..6).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    claimant.id = "alice".to_owned();
    claimant.fence().await;
    assert_eq!(server.hub.peers(), 1);
    drop(holder);
    claimant.fence().await;
}

#[tokio::test]
async fn a_holder_that_leaves_while_a_claimant_waits_makes_room_at_once() {
    let server = Server::start(&[DIALECT]);
    let holder = Page::open(&server, "alice", "a").await;
    let mut claimant = Page::at(&server, &url("alice", "other")).await;
    drop(holder);
    let begun = Instant::now();
    claimant.hears(OPEN).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn of_ten_that_want_a_silent_holder_s_id_one_is_opened() {
    let server = Server::start(&[DIALECT]);
    let holder = Page::open(&server, "alice", "a").await;
    // Kept, or the server may notice that it is gone before it is counted.
    let open = opened_of_ten(&server).await;
    assert_eq!((open.len(), server.hub.peers()), (1, 1));
    drop(holder);
}

#[tokio::test]
async fn of_ten_that_want_a_free_id_one_is_opened() {
    let server = Server::start(&[DIALECT]);
    assert_eq!(opened_of_ten(&server).await.len(), 1);
}

/// Those of ten pages at once that get the id. They go on reading, and so keep it.
async fn opened_of_ten(server: &Server) -> Vec<Page> {
    let takers = (0..10).map(async |number| {
        let mut page = Page::at(server, &url("alice", &number.to_string())).await;
        let first = page.hear().await;
        assert!(first == OPEN || first == TAKEN, "{first}");
        (page, first == OPEN)
    });
    let (mut open, mut taken) = (Vec::new(), 0);
    let mut takers: futures_util::stream::FuturesUnordered<_> = takers.collect();
    while open.len() + taken < 10 {
        let is_read = !open.is_empty();
        let reading = join_all(open.iter_mut().map(|page: &mut Page| page.next("nothing")));
        let (page, is_open) = tokio::select! {
            next = takers.next() => next.expect("ten come"),
            messages = reading, if is_read => panic!("{messages:?}"),
        };
        if is_open {
            open.push(page);
        } else {
            taken += 1;
        }
    }
    open
}

#[tokio::test]
async fn a_holder_is_not_flooded_with_pings_by_those_who_want_its_id() {
    let server = Server::start(&[DIALECT]);
    let mut holder = Page::open(&server, "alice", "a").await;
    let begun = Instant::now();
    let claims = async {
        for number in 0..50 {
            let mut claimant = Page::at(&server, &url("alice", &number.to_string())).await;
            claimant.hears(TAKEN).await;
        }
    };
    tokio::select! {
        () = claims => {}
        message = holder.next("nothing") => panic!("{message:?}"),
    }
    holder.fence().await;
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("a few");
    assert!((1..=seconds + 1).contains(&holder.pings), "{} pings in {seconds} s", holder.pings);
}

#[tokio::test]
async fn what_is_said_to_an_absent_peer_waits_for_it_in_order() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut carol = Page::open(&server, "carol", "c").await;
    alice.say(offer("bob", "0")).await;
    for number in 1..20 {
        alice.say(said("CANDIDATE", "bob", &number.to_string())).await;
    }
    alice.fence().await;
    carol.say(offer("bob", "20")).await;
    carol.fence().await;
    let mut bob = Page::open(&server, "bob", "b").await;
    alice.say(said("CANDIDATE", "bob", "21")).await;
    bob.hears(&heard("OFFER", "alice", "bob", "0")).await;
    for number in 1..20 {
        bob.hears(&heard("CANDIDATE", "alice", "bob", &number.to_string())).await;
    }
    bob.hears(&heard("OFFER", "carol", "bob", "20")).await;
    bob.hears(&heard("CANDIDATE", "alice", "bob", "21")).await;
    bob.fence().await;
    assert_eq!(server.hub.awaited(), 0);
    // Nothing expires of what was delivered.
    alice.fence().await;
}

#[tokio::test]
async fn what_no_peer_came_for_expires_once_for_each_sender_after_5_seconds() {
    let server = Server::start(&[DIALECT, "--metrics-listen=127.0.0.1:0"]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut carol = Page::open(&server, "carol", "c").await;
    let begun = Instant::now();
    for kind in ["OFFER", "CANDIDATE", "CANDIDATE", "LEAVE"] {
        alice.say(said(kind, "bob", "1")).await;
        carol.say(said(kind, "bob", "1")).await;
    }
    alice.hears(&expire("bob", "alice")).await;
    let waited = begun.elapsed();
    carol.hears(&expire("bob", "carol")).await;
    assert!((5.0..6.0).contains(&waited.as_secs_f64()), "{waited:?}");
    alice.fence().await;
    carol.fence().await;
    let forgotten = async {
        while (server.hub.awaited(), server.hub.queued_bytes()) != (0, 0) {
            tokio::task::yield_now().await;
        }
    };
    within("all of it to be forgotten", forgotten).await;
    let series = r#"entremise_messages_total{dialect="peerjs",kind="awaited",result="undelivered"}"#;
    becomes(&server, series, 2).await;
    let mut bob = Page::open(&server, "bob", "b").await;
    bob.fence().await;
}

#[tokio::test]
async fn a_sender_that_leaves_takes_what_waits_with_it() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    alice.say(offer("bob", "1")).await;
    alice.fence().await;
    assert_eq!(server.hub.awaited(), 1);
    drop(alice);
    let gone = async {
        while server.hub.awaited() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("what waits to be gone", gone).await;
    Page::open(&server, "bob", "b").await.fence().await;
}

// Their bug: unbounded queues.
#[tokio::test]
async fn absent_names_that_one_client_waits_for_are_bounded() {
    let server = Server::start(&[DIALECT, "--messages-per-second=0"]);
    let mut alice = Page::open(&server, "alice", "a").await;
    for number in 0..200 {
        alice.say(offer(&format!("no-{number}"), "1")).await;
    }
    for number in 64..200 {
        alice.hears(&expire(&format!("no-{number}"), "alice")).await;
    }
    assert_eq!(server.hub.awaited(), 64);
    alice.fence().await;
    // A name that was claimed makes room for another.
    let _claimed = Page::open(&server, "no-7", "t").await;
    alice.say(offer("one-more", "1")).await;
    alice.fence().await;
    assert_eq!(server.hub.awaited(), 64);
}

#[tokio::test]
async fn what_waits_for_one_absent_name_is_bounded() {
    let server = Server::start(&[
        DIALECT,
        "--messages-per-second=0",
        "--bytes-per-second=0",
        "--mailbox-messages=40",
        "--mailbox-bytes=400000",
        "--metrics-listen=127.0.0.1:0",
    ]);
    let mut alice = Page::open(&server, "alice", "a").await;
    for number in 0..15 {
        alice.say(offer("bob", &number.to_string())).await;
    }
    // A quarter of a mailbox is one sender's.
    for _ in 10..15 {
        alice.hears(&expire("bob", "alice")).await;
    }
    let large = format!("\"{}\"", "x".repeat(60_000));
    let mut carol = Page::open(&server, "carol", "c").await;
    for _ in 0..3 {
        carol.say(offer("dave", &large)).await;
    }
    carol.hears(&expire("dave", "carol")).await;
    carol.hears(&expire("dave", "carol")).await;
    carol.fence().await;
    becomes(&server, r#"entremise_messages_total{dialect="peerjs",kind="offer",result="peer-busy"}"#, 7).await;
    let mut bob = Page::open(&server, "bob", "b").await;
    for number in 0..10 {
        bob.hears(&heard("OFFER", "alice", "bob", &number.to_string())).await;
    }
    bob.fence().await;
}

#[tokio::test]
async fn a_name_that_no_client_can_have_expires_at_once() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    alice.say(offer(&"x".repeat(3000), "1")).await;
    alice.hears(&expire(&"x".repeat(128), "alice")).await;
    alice.fence().await;
}

#[tokio::test]
async fn what_a_full_queue_does_not_take_expires_at_once() {
    let server = Server::start(&[DIALECT, "--messages-per-second=0", "--bytes-per-second=0"]);
    let mut stalled = Page::over(&server, server.narrow_tls().await, &url("bob", "b")).await;
    stalled.hears(OPEN).await;
    let mut alice = Page::open(&server, "alice", "a").await;
    let large = format!("\"{}\"", "x".repeat(60_000));
    let refused = async {
        loop {
            alice.say(offer("bob", &large)).await;
            alice.say(offer("alice", "0")).await;
            let answer = alice.hear().await;
            if answer != heard("OFFER", "alice", "alice", "0") {
                return answer;
            }
        }
    };
    assert_eq!(within("a full queue", refused).await, expire("bob", "alice"));
}

/// Others can make a client's line slow, but not take its name by that.
#[tokio::test]
async fn a_client_that_was_flooded_until_it_was_too_slow_keeps_its_id_for_its_token() {
    let flags = [DIALECT, METRICS, "--messages-per-second=0", "--bytes-per-second=0", "--write-timeout=0.3"];
    let server = Server::start(&flags);
    let mut stalled = Page::over(&server, server.narrow_tls().await, &url("bob", "b")).await;
    stalled.hears(OPEN).await;
    let mut alice = Page::open(&server, "alice", "a").await;
    let large = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..150 {
        alice.say(offer("bob", &large)).await;
    }
    becomes(&server, r#"entremise_connection_ends_total{dialect="peerjs",reason="too-slow"}"#, 1).await;
    let mut mallory = Page::at(&server, &url("bob", "other")).await;
    assert_eq!(mallory.hear().await, TAKEN);
    Page::open(&server, "bob", "b").await;
}

/// The client has another connection, and this one's message is lost: better that the caller knows.
#[tokio::test]
async fn what_an_older_connection_did_not_take_expires() {
    let flags = [
        DIALECT,
        "--max-message-bytes=16777216",
        "--mailbox-bytes=33554432",
        "--messages-per-second=0",
        "--bytes-per-second=0",
    ];
    let server = Server::start(&flags);
    let mut stalled = Page::over(&server, server.narrow_tls().await, &url("bob", "b")).await;
    stalled.hears(OPEN).await;
    let mut alice = Page::open(&server, "alice", "a").await;
    // More than the system keeps between two sockets.
    alice.say(offer("bob", &format!("\"{}\"", "x".repeat(12 << 20)))).await;
    alice.fence().await;
    let mut bob = Page::open(&server, "bob", "b").await;
    alice.hears(&expire("bob", "alice")).await;
    bob.fence().await;
}

// Their bug: an EXPIRE of a client's is relayed, and the zombie after a LEAVE without `dst` can be robbed of its id.
#[tokio::test]
async fn what_only_the_server_says_is_dropped_and_unknown_types_are() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut bob = Page::open(&server, "bob", "b").await;
    for kind in ["EXPIRE", "OPEN", "ERROR", "ID-TAKEN", "HEARTBEAT", "offer", "x"] {
        alice.say(said(kind, "bob", "1")).await;
    }
    alice.say(r#"{"type":"HEARTBEAT"}"#).await;
    alice.fence().await;
    bob.fence().await;
}

#[tokio::test]
async fn to_leave_without_an_addressee_ends_the_session_and_frees_the_id() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    alice.say(r#"{"type":"LEAVE"}"#).await;
    assert_eq!(alice.closed().await, Some(1000));
    let begun = Instant::now();
    Page::open(&server, "alice", "other").await.fence().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_socket_that_closes_is_no_leave() {
    let server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut bob = Page::open(&server, "bob", "b").await;
    bob.say(offer("alice", "1")).await;
    alice.hears(&heard("OFFER", "bob", "alice", "1")).await;
    alice.say(said("ANSWER", "bob", "2")).await;
    bob.hears(&heard("ANSWER", "alice", "bob", "2")).await;
    drop(bob);
    let gone = async {
        while server.hub.peers() > 1 {
            tokio::task::yield_now().await;
        }
    };
    within("bob's session to end", gone).await;
    alice.fence().await;
}

// Their bug: bad JSON wedges the reader.
#[tokio::test]
async fn bad_frames_are_dropped_and_many_of_them_close() {
    let server = Server::start(&[DIALECT, "--refused-messages=20"]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let mut bob = Page::open(&server, "bob", "b").await;
    let deep = "[".repeat(50_000);
    let bad =
        ["", "x", "null", "[]", "{", r#"{"type":1}"#, r#"{"type":"OFFER","dst":7}"#, r#"{"type":"OFFER"}"#, &deep];
    for frame in bad {
        alice.say(frame).await;
    }
    alice.fence().await;
    for _ in bad.len()..20 {
        alice.say("x").await;
    }
    assert_eq!(alice.closed().await, Some(1008));
    bob.fence().await;
}

#[tokio::test]
async fn a_flood_is_its_sender_s_end_and_touches_no_other() {
    let server = Server::start(&[DIALECT, "--message-burst=50", "--messages-per-second=1"]);
    let mut mallory = Page::open(&server, "mallory", "m").await;
    let mut bob = Page::open(&server, "bob", "b").await;
    for _ in 0..100 {
        if mallory.socket.send(Message::text(r#"{"type":"HEARTBEAT"}"#)).await.is_err() {
            break;
        }
    }
    assert_eq!(mallory.closed().await, Some(1008));
    bob.fence().await;
}

// Their bug: background tabs, whose timers are throttled, die.
#[tokio::test]
async fn pongs_alone_keep_a_client_of_peerjs() {
    let server = Server::start(&[DIALECT, "--heartbeat=1"]);
    let mut alice = Page::open(&server, "alice", "a").await;
    let lived = async {
        while alice.pings < 4 {
            let message = alice.socket.next().await.expect("the connection goes on").expect("a frame");
            assert!(message.is_ping(), "{message:?}");
            alice.pings += 1;
        }
    };
    within("four heartbeats", lived).await;
    alice.fence().await;
}

#[tokio::test]
async fn clients_are_told_of_each_other_by_the_operator_s_flag_alone() {
    let server = Server::start(&[DIALECT]);
    let _alice = Page::open(&server, "alice", "a").await;
    for path in ["/peerjs/peers", "/peerjs/peerjs/peers"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    let server = Server::start(&[DIALECT, "--peerjs-discovery"]);
    let _native = server.connect().await;
    let (_alice, _bob) = (Page::open(&server, "alice", "a").await, Page::open(&server, "b%20b", "b").await);
    for path in ["/peerjs/peers?ts=1", "/peerjs/peerjs/peers"] {
        let answer = server.get(path).await;
        let mut ids: Vec<String> = serde_json::from_slice(&answer.body).expect("a list");
        ids.sort_unstable();
        assert_eq!(ids, ["alice", "b b"]);
        let refused = server.request("GET", path, &["Origin: https://evil.example"]).await;
        assert_eq!(refused.code(), "origin-not-allowed");
    }
}

#[tokio::test]
async fn with_credentials_the_url_carries_a_token() {
    let (_secret, flag) = secret_file();
    let server = Server::start(&[DIALECT, &flag, "--peerjs-discovery"]);
    let (alices, bobs) = (token("alice"), token("bob"));
    let refused = server.request("GET", &url("alice", "a"), &HANDSHAKE).await;
    assert_eq!(refused.code(), "unauthorized");
    let mut holder = Page::open(&server, "alice", &format!("a&access_token={alices}")).await;
    // The secret of a name is not enough where its holder is another subject.
    let mut thief = Page::at(&server, &url("alice", &format!("a&access_token={bobs}"))).await;
    tokio::select! {
        () = thief.hears(TAKEN) => {}
        message = holder.next("nothing") => panic!("{message:?}"),
    }
    let mut newer = Page::open(&server, "alice", &format!("a&access_token={alices}")).await;
    newer.fence().await;
    assert_eq!(server.get("/peerjs/id").await.status, 200, "an id gives a right to nothing");
    assert_eq!(server.get("/peerjs/peers").await.code(), "unauthorized");
    assert_eq!(server.get(&format!("/peerjs/peers?access_token={alices}")).await.status, 200);
}

#[tokio::test]
async fn tokens_and_keys_of_peerjs_are_not_logged() {
    let (_secret, flag) = secret_file();
    let program = Program::start(&[DIALECT, &flag, "--peerjs-key=a-key-of-few", "--log=trace"]).await;
    let credentials = token("alice");
    let path = |key: &str| format!("/peerjs?key={key}&id=alice&token=proof-of-name&access_token={credentials}");
    let mut page = Page::at(&program, &path("a-key-of-few")).await;
    page.hears(OPEN).await;
    page.say(offer("bob", r#""what is said""#)).await;
    Page::at(&program, &path("another-key")).await.closed().await;
    program.get("/a-key-of-few/id").await;
    program.get("/peerjs/a-key-of-few/peers").await;
    let refused = program.request("GET", "/peerjs?key=a-key-of-few&token=proof-of-name", &HANDSHAKE).await;
    assert_eq!(refused.code(), "unauthorized");
    program.logs("no WebSocket", 1).await;
    let log = program.log();
    let signature = credentials.rsplit('.').next().expect("a signature");
    for secret in ["a-key-of-few", "another-key", "proof-of-name", signature, "what is said"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

// Their bug: a signal to stop hangs.
#[tokio::test]
async fn a_server_that_stops_closes_its_clients_and_gives_up_what_waits() {
    let mut server = Server::start(&[DIALECT]);
    let mut alice = Page::open(&server, "alice", "a").await;
    alice.say(offer("bob", "1")).await;
    alice.fence().await;
    let holder = Page::open(&server, "carol", "c").await;
    let mut claimant = Page::at(&server, &url("carol", "other")).await;
    server.stop();
    assert_eq!(alice.closed().await, Some(1012));
    // It waited for a holder that the stop has ended.
    let last = claimant.closed().await;
    assert!(last.is_none() || last == Some(1012), "{last:?}");
    drop(holder);
}
