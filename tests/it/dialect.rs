//! What is the same for the clients of all other servers: that none is served unless it is asked for.

use std::fs;

use crate::guest::Guest;
use crate::pair::Pair;
use crate::program::Program;
use crate::server::{Server, Site};
use crate::status::{METRICS, becomes, metric};

/// Each dialect with paths that are its own.
const PATHS: [(&str, &[&str]); 6] = [
    ("socket.io", &["/socket.io", "/socket.io/", "/socket.io/?EIO=4&transport=polling"]),
    (
        "peerjs",
        &["/peerjs", "/peerjs/", "/peerjs/peerjs?key=peerjs&id=a&token=b", "/peerjs/id", "/peerjs/peerjs/peers"],
    ),
    ("y-webrtc", &["/y-webrtc", "/y-webrtc/"]),
    ("trystero", &["/trystero", "/trystero/"]),
    ("matchbox", &["/matchbox", "/matchbox/", "/matchbox/hall?next=2"]),
    ("gstreamer", &["/gstreamer", "/gstreamer/"]),
];

async fn assert_hints(site: &Site, spoken: &[&str]) {
    for (name, path) in PATHS.into_iter().flat_map(|(name, paths)| paths.iter().map(move |path| (name, path))) {
        let answer = site.get(path).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let is_hint = answer.status == 404 && text.contains(&format!("--dialect {name}")) && text.lines().count() == 1;
        assert_eq!(is_hint, !spoken.contains(&name), "{path}: {} {text}", answer.status);
    }
}

#[tokio::test]
async fn no_path_is_open_without_its_flag_and_each_names_it() {
    assert_hints(&Server::start(&[]), &[]).await;
    assert_hints(&Server::start(&["--dialect=peerjs", "--dialect=matchbox"]), &["peerjs", "matchbox"]).await;
}

#[tokio::test]
async fn the_variable_has_several_dialects_with_commas() {
    let program = Program::start_with(Pair::new(), &[], |command| {
        command.env("ENTREMISE_DIALECT", "socket.io, gstreamer");
    })
    .await;
    assert_hints(&program, &["socket.io", "gstreamer"]).await;
}

/// Those that are spoken over a WebSocket alone, each with a path at which a client is served.
const WEBSOCKETS: [&str; 5] =
    ["/peerjs?key=peerjs&id=mallory&token=t", "/y-webrtc", "/trystero", "/matchbox/hall", "/gstreamer"];

fn all() -> Server {
    Server::start(&["--dialect=peerjs,y-webrtc,trystero,matchbox,gstreamer", "--refused-messages=20", METRICS])
}

/// What a client is greeted with.
async fn greeted(server: &Server, path: &str) -> Guest {
    let mut guest = server.visit(path).await;
    if !path.contains("y-webrtc") && !path.contains("trystero") {
        guest.hear().await;
    }
    guest
}

#[tokio::test]
async fn bad_input_costs_its_sender_an_error_or_its_connection_and_no_other_anything() {
    let server = all();
    let mut bystander = server.connect().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let in_type = format!(r#"{{"type":{deep}}}"#);
    for path in WEBSOCKETS {
        for frame in ["", "null", "7", "[]", "{}", r#"{"type":7}"#, "\u{0}", &deep, &in_type] {
            let mut mallory = greeted(&server, path).await;
            mallory.say(frame).await;
            mallory.say_binary(b"\x00\xff").await;
            mallory.leave().await;
        }
        bystander.fence().await;
    }
    assert_eq!(metric(&server, r#"entremise_connection_ends_total{dialect="v1",reason="bug"}"#).await, 0);
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_its_sender_with_1009() {
    let server = all();
    for path in WEBSOCKETS {
        let mut mallory = greeted(&server, path).await;
        mallory.say("x".repeat(65_537)).await;
        assert_eq!(mallory.closed().await, (1009, "message too large".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn nonsense_without_end_closes_its_sender_with_1008() {
    let server = all();
    for path in WEBSOCKETS {
        let mut mallory = greeted(&server, path).await;
        for _ in 0..20 {
            mallory.say("no JSON").await;
        }
        assert_eq!(mallory.closed().await.0, 1008, "{path}");
    }
    for realm in ["peerjs", "y-webrtc", "trystero", "matchbox", "gstreamer"] {
        becomes(&server, &format!(r#"entremise_connection_ends_total{{dialect="{realm}",reason="abuse"}}"#), 1).await;
    }
}

#[tokio::test]
async fn a_file_of_ones_own_page_is_served_where_a_dialect_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("peerjs")).expect("a folder");
    fs::write(folder.path().join("peerjs/peerjs.min.js"), "1").expect("a file");
    let page = format!("--page={}", folder.path().display());
    let server = Server::start(&[&page]);
    assert_eq!(server.get("/peerjs/peerjs.min.js").await.body, b"1");
    let answer = server.get("/peerjs/id").await;
    assert!(answer.status == 404 && String::from_utf8_lossy(&answer.body).contains("--dialect peerjs"));
}
