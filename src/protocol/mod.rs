//! The wire contract, docs/protocol.md, as types. Pure: no IO, no clock.
//!
//! [`decode`] turns a client's frame into a [`Request`]; [`ServerMessage::encode`] turns what waits in a mailbox into
//! a frame. What two peers say to each other passes as JSON text that is not read here.

mod client;
mod code;
pub mod footprint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod id;
mod server;

pub use client::{ClientMessage, Reference, Request, Unreadable, decode};
pub use code::{End, ErrorCode};
pub use id::{Address, NotAPeerId, PeerId, Realm, RoomKey, RoomName};
pub use server::{ErrorNotice, IceServer, Notice, Rate, Resume, Secret, ServerMessage, Welcome};

/// What a peer can say to another. The word is both the message's `type` and the name of its payload's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SDP offer.
    Offer,
    /// An SDP answer.
    Answer,
    /// An ICE candidate, or `null` at their end.
    Candidate,
    /// The application's own words.
    Message,
    /// This call is over.
    Bye,
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
            Self::Message => "message",
            Self::Bye => "bye",
        }
    }
}
