//! The servers that are compared: how each is started, and how it is spoken to.

mod entremise;
mod peer_server;
mod reference;
mod tutorial;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::message::Kind;
use crate::site::Pair;

pub(crate) use entremise::Entremise;
pub(crate) use peer_server::PeerServer;
pub(crate) use reference::Reference;
pub(crate) use tutorial::Tutorial;

/// A server, and the protocol that it speaks over WebSockets.
pub(crate) trait Rival: Sync {
    /// For people.
    fn name(&self) -> &'static str;

    /// Serves TLS on this port of 127.0.0.1.
    fn command(&self, pair: &Pair, port: u16) -> Command;

    /// Where a WebSocket is asked for, query included, by the peer with this number.
    fn path(&self, number: u32) -> String;

    /// The frame that says this to the peer with that id.
    fn encode(&self, to: &str, kind: Kind, payload: &str) -> String;

    /// What a frame of the server's is.
    fn decode<'a>(&self, frame: &'a str) -> Frame<'a>;

    /// Whether it goes on reading from who floods a peer that does not read.
    fn takes_a_flood(&self) -> bool {
        true
    }
}

/// What a server says.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// Who the client is; None: who it asked to be, its number.
    Welcome(Option<&'a str>),
    /// Wants this answer.
    Ask(&'static str),
    /// From a peer.
    Relayed { from: &'a str, payload: &'a str },
    /// A message was not delivered, or the frame makes no sense.
    Refused,
    /// Nothing to a peer.
    Other,
}

/// Node, with this script in the rivals' folder.
fn node(script: impl AsRef<Path>) -> Command {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "benches", "rivals"].iter().collect();
    let mut command = Command::new("node");
    command.env("NODE_ENV", "production").arg(folder.join(script));
    command
}
