//! How the vocabulary looks on the wire: a dialect for each kind of client. Pure: no IO, no clock.
//!
//! A dialect makes requests to the hub of what its client says, and frames of what the hub has to say. It belongs to one
//! connection, and knows nothing of others.

pub mod gstreamer;
mod json;
pub mod matchbox;
pub mod peerjs;
pub mod socketio;
pub mod topics;
pub mod v1;

use crate::protocol::{ClientMessage, Denial, Doubt, End, Realm, Request, ServerMessage, Unreadable, Welcome};
use gstreamer::GStreamer;
use matchbox::Matchbox;
use topics::Spelling;

/// The language of one client. What it remembers is in a box: it would be room in each peer of all others.
#[derive(Debug)]
pub enum Dialect {
    /// This project's own protocol.
    V1,
    /// PeerJS.
    PeerJs(Box<peerjs::PeerJs>),
    /// matchbox.
    Matchbox(Box<Matchbox>),
    /// GStreamer.
    GStreamer(GStreamer),
    /// y-webrtc's or Trystero's.
    Topics(Spelling),
}

/// What a client's frame comes to.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Something for the hub, or what no client of this kind says.
    Request(Result<Request<'a>, Unreadable>),
    /// A sign of life, which the hub need not know of.
    Nothing,
    /// The client has said its last.
    Over(End),
}

/// Where a dialect's frames go.
pub trait Sink {
    /// Takes one text frame: what `write` appends.
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>));
}

impl Dialect {
    /// Where its client's addresses and rooms mean something.
    #[must_use]
    pub fn realm(&self) -> Realm {
        match self {
            Self::V1 => Realm::V1,
            Self::PeerJs(_) => Realm::PeerJs,
            Self::Matchbox(_) => Realm::Matchbox,
            Self::GStreamer(_) => Realm::GStreamer,
            Self::Topics(spelling) => spelling.realm(),
        }
    }

    /// Whether its clients may send messages that are no text.
    #[must_use]
    pub fn takes_binary(&self) -> bool {
        match self {
            Self::V1 => false,
            Self::PeerJs(_) | Self::Matchbox(_) | Self::GStreamer(_) | Self::Topics(_) => true,
        }
    }

    /// What its client asks for before it says anything.
    #[must_use]
    pub fn enters(&self, doubt: Doubt) -> Option<ClientMessage<'static>> {
        match self {
            Self::V1 | Self::PeerJs(_) | Self::Topics(_) => None,
            Self::Matchbox(client) => Some(client.enters(doubt)),
            Self::GStreamer(_) => Some(GStreamer::enters()),
        }
    }

    /// Whether its client waits to be matched with others, each of which has to be there then.
    #[must_use]
    pub fn is_matched(&self) -> bool {
        matches!(self, Self::Matchbox(client) if client.waits())
    }

    /// Says what comes first.
    pub fn greet(&mut self, welcome: impl FnOnce() -> Welcome, sink: &mut impl Sink) {
        match self {
            Self::V1 => sink.frame(|out| v1::greet(&welcome(), out)),
            Self::Matchbox(_) => sink.frame(|out| matchbox::greet(&welcome(), out)),
            Self::GStreamer(_) => sink.frame(|out| GStreamer::greet(&welcome(), out)),
            Self::Topics(_) => {}
            Self::PeerJs(_) => peerjs::greet(sink),
        }
    }

    /// Says why there is no session, instead of what comes first.
    pub fn deny(&self, denial: Denial, sink: &mut impl Sink) {
        match self {
            // Its clients are refused before they have a WebSocket.
            Self::V1 | Self::Matchbox(_) | Self::GStreamer(_) | Self::Topics(_) => {}
            Self::PeerJs(_) => peerjs::deny(denial, sink),
        }
    }

    /// Reads a client's text frame.
    pub fn read<'a>(&mut self, frame: &'a str) -> Heard<'a> {
        match self {
            Self::V1 => Heard::Request(v1::decode(frame)),
            Self::PeerJs(_) => peerjs::read(frame),
            Self::Matchbox(_) => matchbox::read(frame),
            Self::GStreamer(client) => client.read(frame),
            Self::Topics(spelling) => spelling.read(frame),
        }
    }

    /// Reads a client's message that is no text.
    pub fn read_binary<'a>(&mut self, frame: &'a [u8]) -> Heard<'a> {
        match self {
            Self::V1 => Heard::Over(End::Binary),
            Self::PeerJs(_) => peerjs::read_binary(frame),
            Self::Matchbox(_) => matchbox::unreadable(),
            Self::GStreamer(_) => GStreamer::read_binary(),
            Self::Topics(spelling) => spelling.read_binary(frame),
        }
    }

    /// Says a message, in none, one or several frames.
    pub fn write(&mut self, message: &ServerMessage, sink: &mut impl Sink) {
        match self {
            Self::V1 => sink.frame(|out| v1::write(message, out)),
            Self::PeerJs(peerjs) => peerjs.write(message, sink),
            Self::Matchbox(_) => matchbox::write(message, sink),
            Self::GStreamer(client) => client.write(message, sink),
            Self::Topics(spelling) => spelling.write(message, sink),
        }
    }

    /// The close code and reason for an end, or `None` where the client ended it.
    #[must_use]
    pub fn close(&self, end: End) -> Option<(u16, &'static str)> {
        match (self, end) {
            (Self::V1, _) => end.close(),
            // There is no `welcome` that says how much is allowed.
            (_, End::TooLarge) => end.close().map(|(code, _)| (code, "message too large")),
            _ => end.close(),
        }
    }
}

#[cfg(test)]
impl Sink for Vec<String> {
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.push(String::from_utf8(out).expect("a frame is text"));
    }
}
