//! What went wrong, in the words of the wire: error codes, and how a connection ends. Pure.

use serde::{Serialize, Serializer};

/// Why a client's message was refused. The connection stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not a message of this protocol.
    BadMessage,
    /// No peer that is present has that id.
    PeerUnavailable,
    /// The addressee's queue, or the budget of all queues, is full; nothing was delivered.
    PeerBusy,
    /// The addressee's session ended before it acknowledged what was accepted for it.
    Undelivered,
    /// The addressee may be on another node, which can't be reached now.
    ClusterUnavailable,
    /// Over the rate in `welcome`; nothing was delivered.
    RateLimited,
    /// The room isn't one that the sender has joined.
    NotInRoom,
    /// The room has as many members as it may have.
    RoomFull,
    /// The sender is in as many rooms as it may be.
    TooManyRooms,
    /// The sender's credentials are not for this room.
    RoomNotAllowed,
    /// Of the two of a session, neither produces, or waits for a producer.
    NoProducer,
    /// It is the producer that offers.
    NotTheProducer,
    /// No peer produces and waits for a producer.
    RoleConflict,
    /// One of the two has as many sessions as it may have.
    TooManySessions,
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadMessage => "bad-message",
            Self::PeerUnavailable => "peer-unavailable",
            Self::PeerBusy => "peer-busy",
            Self::Undelivered => "undelivered",
            Self::ClusterUnavailable => "cluster-unavailable",
            Self::RateLimited => "rate-limited",
            Self::NotInRoom => "not-in-room",
            Self::RoomFull => "room-full",
            Self::TooManyRooms => "too-many-rooms",
            Self::RoomNotAllowed => "room-not-allowed",
            Self::NoProducer => "no-producer",
            Self::NotTheProducer => "not-the-producer",
            Self::RoleConflict => "role-conflict",
            Self::TooManySessions => "too-many-sessions",
        }
    }

    /// The text for people that goes with the code: fixed, so that nothing of ours leaks through it.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::BadMessage => "the message is not one that this protocol knows",
            Self::PeerUnavailable => "no peer with this id is here",
            Self::PeerBusy => "the peer's queue is full; nothing was delivered to it",
            Self::Undelivered => {
                "the peer's session ended before it acknowledged what you sent; it may have arrived or not"
            }
            Self::ClusterUnavailable => {
                "the peer may be on another node, which did not answer; it may have got the message or not"
            }
            Self::RateLimited => "too many messages; this one was not delivered",
            Self::NotInRoom => "you are not in this room",
            Self::RoomFull => "the room is full",
            Self::TooManyRooms => "you are in too many rooms",
            Self::RoomNotAllowed => "your credentials are not for this room",
            Self::NoProducer => "neither of you produces",
            Self::NotTheProducer => "it is the producer that offers",
            Self::RoleConflict => "no peer is both producer and passive consumer",
            Self::TooManySessions => "one of you has too many sessions",
        }
    }

    /// Whether it counts as abuse: what a client of good will never does, or does once by mistake.
    #[must_use]
    pub fn is_abuse(self) -> bool {
        matches!(self, Self::BadMessage | Self::RateLimited)
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a client that has a WebSocket gets no session: what clients of its kind expect to be told in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It does not say all that it has to.
    Incomplete,
    /// It does not know the server's key.
    WrongKey,
    /// The name that it wants, or the proof that this is its own, is longer than what is kept.
    TooLong,
    /// Another client has the name.
    Taken,
}

/// How a connection ended, by either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client said that it is through: it closed with 1000 or without a code.
    ClientClosed,
    /// The client said so in a message.
    Left,
    /// The client closed with another code, such as 1001: its page went away, and may come back.
    ClientAway,
    /// The connection broke without one.
    Lost,
    /// The client broke RFC 6455.
    ProtocolError,
    /// A binary frame: the protocol is text.
    Binary,
    /// A text frame that isn't UTF-8.
    NotUtf8,
    /// Refused frames without end.
    Abuse,
    /// A message over `maxMessageBytes`.
    TooLarge,
    /// This server stops.
    Restarting,
    /// A write missed its deadline, or an announcement found the queue full.
    TooSlow,
    /// Nothing heard for two heartbeats.
    Silent,
    /// The client's credentials have expired.
    Expired,
    /// A newer connection has the session.
    TakenOver,
    /// This server stops for good.
    ShuttingDown,
    /// A bug of this server.
    Bug,
    /// The session that was to be taken up again is gone, and there is no room for a new one.
    Full,
    /// There was no session: the client was told why in a frame, and then there is a close without a code.
    Denied,
}

impl End {
    /// The close code (RFC 6455, 7.4) and reason that the client is told, or `None` where the client ended it.
    #[must_use]
    pub fn close(self) -> Option<(u16, &'static str)> {
        match self {
            Self::ClientClosed | Self::ClientAway | Self::Lost | Self::Denied => None,
            Self::Left => Some((1000, "you have left")),
            Self::ProtocolError => Some((1002, "broken WebSocket frame")),
            Self::Binary => Some((1003, "binary frame: the protocol is text")),
            Self::NotUtf8 => Some((1007, "text that is not UTF-8")),
            Self::Abuse => Some((1008, "too many refused frames")),
            Self::TooLarge => Some((1009, "message too large: see maxMessageBytes in welcome")),
            Self::Restarting => Some((1012, "the server restarts: connect again")),
            Self::TooSlow => Some((4001, "too slow: what was sent to you was not read in time")),
            Self::Silent => Some((4002, "no sign of life for two heartbeats")),
            Self::Expired => Some((4003, "the credentials have expired: connect again with new ones")),
            Self::ShuttingDown => Some((1001, "the server shuts down for good")),
            Self::Full => Some((1013, "too many connections: try again later")),
            Self::Bug => Some((1011, "a bug of the server, which has been counted")),
            Self::TakenOver => Some((4000, "a newer connection has taken this session over")),
        }
    }

    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::Left => "left",
            Self::ClientAway => "client-away",
            Self::Lost => "lost",
            Self::ProtocolError => "protocol-error",
            Self::Binary => "binary",
            Self::NotUtf8 => "not-utf8",
            Self::Abuse => "abuse",
            Self::TooLarge => "too-large",
            Self::Restarting => "restarting",
            Self::TooSlow => "too-slow",
            Self::Silent => "silent",
            Self::Expired => "expired",
            Self::TakenOver => "taken-over",
            Self::Bug => "bug",
            Self::Full => "full",
            Self::Denied => "denied",
            Self::ShuttingDown => "shutting-down",
        }
    }

    /// Whether the session waits for a newer connection. Where it doesn't, it ends; a session that was taken over is
    /// no longer this connection's, whose end means nothing to it.
    #[must_use]
    pub fn parks(self) -> bool {
        matches!(self, Self::ClientAway | Self::Lost | Self::TooSlow | Self::Silent | Self::Expired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_that_the_server_starts_carries_a_reason_that_fits_a_control_frame() {
        let ours = [
            (End::ProtocolError, 1002),
            (End::Binary, 1003),
            (End::NotUtf8, 1007),
            (End::Abuse, 1008),
            (End::TooLarge, 1009),
            (End::Restarting, 1012),
            (End::TooSlow, 4001),
            (End::Silent, 4002),
            (End::Expired, 4003),
            (End::TakenOver, 4000),
            (End::ShuttingDown, 1001),
            (End::Bug, 1011),
            (End::Full, 1013),
            (End::Left, 1000),
        ];
        for (end, expected) in ours {
            let (code, reason) = end.close().unwrap();
            assert_eq!(code, expected);
            // RFC 6455, 5.5: a control frame's payload has at most 125 bytes, two of them the code.
            assert!((1..=123).contains(&reason.len()), "{reason}");
        }
    }
}
