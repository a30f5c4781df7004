//! The vocabulary: what clients can ask for, and what the server can tell them. Pure: no IO, no clock.
//!
//! How it looks on the wire is [`dialect`](crate::dialect)'s business. What two peers say to each other passes as JSON text
//! that is not read.

mod client;
mod code;
mod exchange;
pub mod footprint;
mod ice_server;
mod id;
mod node;
mod notice;
mod server;
mod topic;
mod welcome;

pub use client::{ClientMessage, Doubt, Reference, Request, Unreadable};
pub use code::{Denial, End, ErrorCode};
pub use exchange::{ExchangeNotice, ExchangeRequest, InSession, Listed, Role, Roles, SessionId, Word};
pub use ice_server::IceServer;
pub use id::{Address, NotAPeerId, PeerId, Realm, RoomKey, RoomName};
pub use node::NodeId;
pub use notice::{ErrorNotice, Notice};
pub use server::ServerMessage;
pub use topic::{Publication, Published, TopicNames};
pub use welcome::{Rate, Resume, Secret, Welcome};

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
