//! What the server itself has to say to a client: answers, announcements, errors.

use super::{Address, ClientMessage, ErrorCode, ExchangeNotice, IceServer, Reference, Request, RoomName, footprint};

/// Answers and announcements.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The message with this `ref` is in the addressee's queue, or its `ping` has been heard.
    Ack {
        /// As the client sent it.
        reference: Reference,
        /// Whether the addressee's connection is lost at the moment.
        parked: bool,
    },
    /// The answer to `join`.
    Joined {
        /// Which room.
        room: RoomName,
        /// Who was there already, in no order.
        peers: Vec<Address>,
        /// As the client sent it.
        reference: Option<Reference>,
    },
    /// The answer to `leave`.
    Left {
        /// Which room.
        room: RoomName,
        /// As the client sent it.
        reference: Option<Reference>,
    },
    /// A peer entered a room that this one is in.
    PeerJoined {
        /// Which room.
        room: RoomName,
        /// Who.
        peer: Address,
    },
    /// A peer left it, or is gone.
    PeerLeft {
        /// Which room.
        room: RoomName,
        /// Who.
        peer: Address,
    },
    /// The answer to `ice-servers`.
    IceServers {
        /// For `new RTCPeerConnection({ iceServers })`.
        ice_servers: Vec<IceServer>,
        /// As the client sent it.
        reference: Option<Reference>,
    },
    /// What the exchange of producers and consumers says.
    Exchange(Box<ExchangeNotice>),
    /// A client's message was refused.
    Error(Box<ErrorNotice>),
}

/// The error message: what went wrong with which message.
#[derive(Clone, Debug)]
pub struct ErrorNotice {
    /// What went wrong.
    pub code: ErrorCode,
    /// The addressee's id as the client wrote it, cut to [`MAX_TO_BYTES`](Self::MAX_TO_BYTES).
    pub to: Option<Box<str>>,
    /// The room that it is about.
    pub room: Option<RoomName>,
    /// The members of it that the message did not reach.
    pub peers: Vec<Address>,
    /// As the client sent it.
    pub reference: Option<Reference>,
}

impl ErrorNotice {
    /// The longest part of a refused message's `to` that comes back, in bytes.
    pub const MAX_TO_BYTES: usize = Address::MAX_NAME_BYTES;

    /// An error about no peer in particular.
    #[must_use]
    pub fn new(code: ErrorCode, reference: Option<Reference>) -> Self {
        Self { code, to: None, room: None, peers: Vec::new(), reference }
    }

    /// An error about this request.
    #[must_use]
    pub fn about(code: ErrorCode, request: Request<'_>) -> Self {
        let error = Self::new(code, request.reference);
        match request.message {
            ClientMessage::Relay { to, .. } => error.to(&to),
            ClientMessage::Broadcast { room, .. }
            | ClientMessage::Join(room)
            | ClientMessage::JoinNext { room, .. }
            | ClientMessage::Leave(room) => error.room(room),
            ClientMessage::Exchange(_)
            | ClientMessage::Subscribe(_)
            | ClientMessage::Publish(_)
            | ClientMessage::Unsubscribe(_)
            | ClientMessage::IceServers
            | ClientMessage::Ping
            | ClientMessage::Received(_) => error,
        }
    }

    /// … about a message to this peer, whose id is the client's text.
    #[must_use]
    pub fn to(mut self, to: &str) -> Self {
        self.to = Some(to[..to.floor_char_boundary(Self::MAX_TO_BYTES)].into());
        self
    }

    /// … about this room.
    #[must_use]
    pub fn room(mut self, room: RoomName) -> Self {
        self.room = Some(room);
        self
    }

    /// … that hit these members of it.
    #[must_use]
    pub fn peers(mut self, peers: Vec<Address>) -> Self {
        self.peers = peers;
        self
    }
}

impl Notice {
    /// The bytes of memory that it holds besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Ack { reference, .. } => reference_bytes(Some(reference)),
            Self::Joined { room, peers, reference } => {
                name_bytes(room) + footprint::list(peers) + reference_bytes(reference.as_ref())
            }
            Self::Left { room, reference } => name_bytes(room) + reference_bytes(reference.as_ref()),
            Self::PeerJoined { room, .. } | Self::PeerLeft { room, .. } => name_bytes(room),
            Self::IceServers { ice_servers, reference } => {
                let heap: usize = ice_servers.iter().map(IceServer::heap_bytes).sum();
                footprint::list(ice_servers) + heap + reference_bytes(reference.as_ref())
            }
            Self::Exchange(notice) => footprint::allocated(size_of::<ExchangeNotice>()) + notice.heap_bytes(),
            Self::Error(error) => footprint::allocated(size_of::<ErrorNotice>()) + error.heap_bytes(),
        }
    }
}

impl ErrorNotice {
    fn heap_bytes(&self) -> usize {
        self.to.as_ref().map_or(0, |to| footprint::allocated(to.len()))
            + self.room.as_ref().map_or(0, name_bytes)
            + footprint::list(&self.peers)
            + reference_bytes(self.reference.as_ref())
    }
}

fn name_bytes(room: &RoomName) -> usize {
    footprint::shared(room.as_str().len())
}

fn reference_bytes(reference: Option<&Reference>) -> usize {
    reference.map_or(0, |reference| footprint::allocated(reference.as_str().len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_to_comes_back_as_far_as_a_name_may_go() {
        let error = ErrorNotice::new(ErrorCode::PeerUnavailable, None).to(&"é".repeat(100));
        assert_eq!(error.to.as_deref(), Some(&*"é".repeat(64)));
        let error = ErrorNotice::new(ErrorCode::PeerUnavailable, None).to(&format!("x{}", "é".repeat(100)));
        assert_eq!(error.to.unwrap().len(), 127);
    }
}
