//! What is the same for the clients of all other servers: that none is served unless it is asked for.

use std::fs;

use crate::pair::Pair;
use crate::program::Program;
use crate::server::{Server, Site};

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
