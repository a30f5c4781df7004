//! The servers that are compared: how each is started, and the protocol of each.

mod entremise;
mod foreign;
mod gstreamer;
mod matchbox;
mod peer_server;
mod reference;
mod trystero;
mod tutorial;
mod with;
mod y_webrtc;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::message::Kind;
use crate::pair::Pair;

pub(crate) use entremise::{Entremise, Node};
pub(crate) use foreign::Foreign;
pub(crate) use gstreamer::GStreamer;
pub(crate) use matchbox::Matchbox;
pub(crate) use peer_server::PeerServer;
pub(crate) use reference::{BARE, LIMIT};
pub(crate) use trystero::Trystero;
pub(crate) use tutorial::Tutorial;
pub(crate) use with::With;
pub(crate) use y_webrtc::YWebrtc;

/// A server, and the protocol that it speaks over WebSockets.
pub(crate) trait Rival: Sync {
    /// The name in tables.
    fn name(&self) -> &'static str;

    /// The command that serves this port of 127.0.0.1, by TLS where it has that.
    fn command(&self, pair: &Pair, port: u16) -> Command;

    /// Whether it speaks TLS.
    fn has_tls(&self) -> bool {
        true
    }

    /// The path of the WebSocket, query included, for the peer with this number. Partners are a peer with an even number and
    /// the one with the next.
    fn path(&self, number: u32) -> String;

    /// What a client of that number says before the server does, frame by frame.
    fn opening(&self, _number: u32) -> Vec<String> {
        Vec::new()
    }

    /// What a peer says to one that it wants to talk to, where there are sessions: then both hear that they have one.
    fn invite(&self, _to: &str) -> Option<String> {
        None
    }

    /// The frame with this message from one peer for the other.
    fn encode(&self, from: &str, to: &str, kind: Kind, payload: &str) -> String;

    /// The meaning of a frame of the server.
    fn decode<'a>(&self, frame: &'a str) -> Frame<'a>;

    /// Whether it goes on reading from a peer that floods another that does not read.
    fn takes_a_flood(&self) -> bool {
        true
    }
}

/// A frame of a server.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// The client's id, where the server has not read its opening yet.
    Named(&'a str),
    /// The client can be reached: by this id; None: by the one that it was named by, or that it asked for, its number.
    Welcome(Option<&'a str>),
    /// A session with another peer has begun: messages are for the session from now on, and come from it.
    Session(&'a str),
    /// Has to be answered by this.
    Ask(&'static str),
    /// A message from a peer.
    Relayed { from: &'a str, payload: &'a str },
    /// An error: a message was not delivered, or the frame is not understood.
    Refused,
    /// A frame that is of no interest here.
    Other,
}

/// A program of a crate that `make bench` installs.
fn installed(program: &str) -> Command {
    let path = installed_in().join("bin").join(program);
    assert!(path.exists(), "{} is missing: make rivals", path.display());
    Command::new(path)
}

/// The folder of such crates.
pub(crate) fn installed_in() -> PathBuf {
    let target =
        Path::new(env!("CARGO_BIN_EXE_entremise")).ancestors().nth(2).expect("the program is in target/release");
    target.join("originals/release")
}

/// Node, with this script of another folder, whose server speaks plain HTTP, behind HTTPS.
fn node_behind_https(script: &str, pair: &Pair, port: u16) -> Command {
    let mut command = node("https.js");
    command.arg(port.to_string()).args([&pair.cert, &pair.key]).arg(script);
    command
}

/// Node, with this script in the rivals' folder.
fn node(script: impl AsRef<Path>) -> Command {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "benches", "rivals"].iter().collect();
    let mut command = Command::new("node");
    command.env("NODE_ENV", "production").arg(folder.join(script));
    command
}
