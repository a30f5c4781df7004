//! The servers that are compared: how each is started, and the protocol of each.

mod entremise;
mod foreign;
mod peer_server;
mod reference;
mod tutorial;
mod y_webrtc;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::message::Kind;
use crate::pair::Pair;

pub(crate) use entremise::Entremise;
pub(crate) use foreign::Foreign;
pub(crate) use peer_server::PeerServer;
pub(crate) use reference::Reference;
pub(crate) use tutorial::Tutorial;
pub(crate) use y_webrtc::YWebrtc;

/// A server, and the protocol that it speaks over WebSockets.
pub(crate) trait Rival: Sync {
    /// The name in tables.
    fn name(&self) -> &'static str;

    /// The command that serves TLS on this port of 127.0.0.1.
    fn command(&self, pair: &Pair, port: u16) -> Command;

    /// The path of the WebSocket, query included, for the peer with this number.
    fn path(&self, number: u32) -> String;

    /// What a client of that number says before the server does, frame by frame.
    fn opening(&self, _number: u32) -> Vec<String> {
        Vec::new()
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
    /// The client's id; None: the id that it asked for, its number.
    Welcome(Option<&'a str>),
    /// Has to be answered by this.
    Ask(&'static str),
    /// A message from a peer.
    Relayed { from: &'a str, payload: &'a str },
    /// An error: a message was not delivered, or the frame is not understood.
    Refused,
    /// A frame that is of no interest here.
    Other,
}

/// Node, with this script in the rivals' folder.
fn node(script: impl AsRef<Path>) -> Command {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "benches", "rivals"].iter().collect();
    let mut command = Command::new("node");
    command.env("NODE_ENV", "production").arg(folder.join(script));
    command
}
