//! PeerJS 1: a frame is `{"type", "payload", "dst"}` from a client, and `{"type", "src", "dst", "payload"}` to one.

mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod server;

pub(super) use client::read;

use super::{Heard, Sink};
use crate::protocol::{Address, Denial, ServerMessage, Unreadable};

/// What a connection of a PeerJS client knows.
#[derive(Debug)]
pub struct PeerJs {
    /// The client's own name: the `dst` of all that it is told.
    name: Address,
}

impl PeerJs {
    /// Of a client with this name.
    #[must_use]
    pub fn new(name: Address) -> Self {
        Self { name }
    }

    pub(super) fn write(&self, message: &ServerMessage, sink: &mut impl Sink) {
        server::write(message, &self.name, sink);
    }
}

/// JSON in a binary frame is taken as the original takes it.
pub(super) fn read_binary(frame: &[u8]) -> Heard<'_> {
    match std::str::from_utf8(frame) {
        Ok(frame) => read(frame),
        Err(_) => Heard::Request(Err(Unreadable { reference: None })),
    }
}

/// The session is there.
pub(super) fn greet(sink: &mut impl Sink) {
    sink.frame(|out| out.extend_from_slice(br#"{"type":"OPEN"}"#));
}

/// Why there is none.
pub(super) fn deny(denial: Denial, sink: &mut impl Sink) {
    sink.frame(|out| out.extend_from_slice(server::denial(denial).as_bytes()));
}
