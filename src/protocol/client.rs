//! What a client can ask for.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use super::{ExchangeRequest, Kind, Publication, RoomName, TopicNames};

/// A client's frame: what it asks for, and the `ref` under which it wants the answer.
#[derive(Debug)]
pub struct Request<'a> {
    /// Comes back in the one answer. None: no `ack`; an error comes all the same.
    pub reference: Option<Reference>,
    /// What is asked for.
    pub message: ClientMessage<'a>,
}

/// What a client can ask for. Payloads are slices of the frame, unread.
#[derive(Debug)]
pub enum ClientMessage<'a> {
    /// Say something to one peer.
    Relay {
        /// What is said.
        kind: Kind,
        /// The addressee's id, as the client wrote it.
        to: Cow<'a, str>,
        /// JSON text. Of v1's only a `bye` may be without.
        payload: Option<&'a str>,
    },
    /// Say something to all other members of a room.
    Broadcast {
        /// Whose members.
        room: RoomName,
        /// JSON text.
        payload: &'a str,
    },
    /// Enter a room.
    Join(RoomName),
    /// Enter the group of a room that waits for members until it has so many.
    JoinNext {
        /// Which room: it has a waiting group for each size.
        room: RoomName,
        /// How many the group is to have.
        size: NonZeroUsize,
        /// What to do where a member that waits there may be gone.
        doubt: Doubt,
    },
    /// Leave a room.
    Leave(RoomName),
    /// Ask for something in the exchange of producers and consumers.
    Exchange(ExchangeRequest<'a>),
    /// Hear what is said to these topics.
    Subscribe(TopicNames),
    /// Hear it no longer.
    Unsubscribe(TopicNames),
    /// Say something to all that hear a topic.
    Publish(Publication<'a>),
    /// Ask for fresh ICE servers.
    IceServers,
    /// Ask for a sign of life.
    Ping,
    /// Acknowledge that many of the session's frames.
    Received(u64),
}

/// What becomes of a wish to be matched while a member that waits has been silent, and was asked whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is refused as `peer-busy`, and can be said again.
    Heeded,
    /// Nothing.
    Ignored,
}

impl ClientMessage<'_> {
    /// A word for what is asked for: its `type`, but for messages to a room.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Relay { kind, .. } => kind.as_str(),
            Self::Broadcast { .. } => "room-message",
            Self::Join(_) => "join",
            Self::JoinNext { .. } => "join-next",
            Self::Leave(_) => "leave",
            Self::Exchange(request) => request.kind(),
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Publish(_) => "publish",
            Self::IceServers => "ice-servers",
            Self::Ping => "ping",
            Self::Received(_) => "received",
        }
    }
}

/// What a client wants to find again in the answer: text of its dialect, which is not read here.
#[derive(Clone, Debug)]
pub struct Reference(Box<str>);

impl Reference {
    /// The longest one that is kept, in bytes as the client meant them: escapes of its text may make it six times as long.
    pub const MAX_BYTES: usize = 64;

    /// The dialect bounds it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// As the client sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A frame that isn't a message of the protocol: the error `bad-message`.
#[derive(Debug)]
pub struct Unreadable {
    /// The `ref`, where the frame had a valid one.
    pub reference: Option<Reference>,
}
