//! What the server tells a peer, as it waits in the peer's mailbox.

use std::sync::Arc;

use super::{Address, InSession, Kind, Notice, Published, RoomName, SessionId, footprint};

/// A message of the server's.
///
/// The hub stores what was said; the dialect of the receiver decides how that looks on the wire.
#[derive(Clone, Debug)]
pub enum ServerMessage {
    /// What one peer says to another.
    Relayed {
        /// Who says it: set by the server, never by the client.
        from: Address,
        /// What is said.
        kind: Kind,
        /// The sender's JSON text, byte for byte. Of v1's only a `bye` may be without.
        payload: Option<Arc<str>>,
    },
    /// What one member says to the others of a room. They share the payload.
    Broadcast {
        /// Where it is said.
        room: RoomName,
        /// Who says it.
        from: Address,
        /// The sender's JSON text, byte for byte.
        payload: Arc<str>,
    },
    /// What one end of a session tells the other.
    InSession {
        /// Which end: set by the server.
        from: Address,
        /// Which session.
        session: SessionId,
        /// What it tells.
        said: InSession,
    },
    /// What a peer says to all that hear a topic. They are not told which peer.
    Published(Published),
    /// What the server itself says.
    Notice(Notice),
}

impl ServerMessage {
    /// The bytes of memory that it holds besides itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Relayed { from, payload, .. } => {
                from.heap_bytes() + payload.as_ref().map_or(0, |payload| footprint::shared(payload.len()))
            }
            Self::Broadcast { room, from, payload } => {
                footprint::shared(room.as_str().len()) + from.heap_bytes() + footprint::shared(payload.len())
            }
            Self::InSession { from, said, .. } => from.heap_bytes() + said.heap_bytes(),
            Self::Published(published) => published.heap_bytes(),
            Self::Notice(notice) => notice.heap_bytes(),
        }
    }

    /// Who has to be told if it is not delivered.
    #[must_use]
    pub fn sender(&self) -> Option<&Address> {
        match self {
            Self::Relayed { from, .. } | Self::Broadcast { from, .. } | Self::InSession { from, .. } => Some(from),
            Self::Published(_) | Self::Notice(_) => None,
        }
    }

    /// Whether a peer says it, and not the server.
    #[must_use]
    pub fn is_said(&self) -> bool {
        !matches!(self, Self::Notice(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_at_least_its_payload() {
        let payload: Arc<str> = "x".repeat(1000).into();
        let relayed = ServerMessage::Relayed { from: Address::random(), kind: Kind::Offer, payload: Some(payload) };
        assert!((1000..1200).contains(&relayed.heap_bytes()));
    }
}
