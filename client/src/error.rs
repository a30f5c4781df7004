//! What went wrong with one message, and what is wrong with a client's settings.

use std::fmt;

use crate::PeerId;

/// What went wrong with one message. The connection stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused it.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There is no session: there was no welcome yet, or the last session is over and the next has not begun.
    /// [`Client::ready`](crate::Client::ready) waits for one.
    #[error("there is no session with the server")]
    NotConnected,
    /// The session ended before the answer came; the message may have arrived or not. The text says why.
    #[error("the session is over: {0}")]
    ConnectionLost(String),
    /// The client was closed, before this or meanwhile.
    #[error("the client is closed")]
    Closed,
    /// The server did not answer within 10 seconds of a connection. The message may have arrived or not; it is not sent again.
    #[error("the server did not answer in time")]
    Timeout,
    /// 256 messages, or 1 MiB of them, are unanswered. This one was not sent.
    #[error("too many messages are still unanswered")]
    TooManyRequests,
    /// The frame would be larger than `maxMessageBytes` of the server's welcome. It was not sent.
    #[error("the message has {bytes} bytes, and the server takes {limit} at most")]
    MessageTooLarge {
        /// Of the whole frame.
        bytes: usize,
        /// The server's limit.
        limit: usize,
    },
    /// The server answered with another kind of message than this version of the protocol has for it.
    #[error("the server answered with an answer to something else")]
    UnexpectedAnswer,
    /// The payload can't be written as JSON. Nothing was sent.
    #[error("the payload can't be written as JSON")]
    NotJson(#[source] serde_json::Error),
}

impl Error {
    /// The code: the server's own, or the one that the browser's client has for the same.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::NotConnected => "not-connected",
            Self::ConnectionLost(_) => "connection-lost",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::TooManyRequests => "too-many-requests",
            Self::MessageTooLarge { .. } => "message-too-large",
            Self::UnexpectedAnswer => "unexpected-answer",
            Self::NotJson(_) => "not-json",
        }
    }
}

/// An error in the server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Refusal {
    /// Which one.
    pub code: ErrorCode,
    /// For people, in English.
    pub message: String,
    /// The peer that was meant, where the error is about one; up to 64 bytes of what was written.
    pub to: Option<PeerId>,
    /// The room that was meant, where the error is about one.
    pub room: Option<String>,
    /// Of a message to a room: the members that did not get it. Empty otherwise.
    pub peers: Vec<PeerId>,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why the server refused a message. `docs/protocol.md` has the table.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code that a newer server knows and this version does not.
            Other(String),
        }

        impl ErrorCode {
            /// Those that this version knows.
            #[cfg(test)]
            const KNOWN: &'static [Self] = &[$(Self::$name),*];

            /// The code on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

error_codes! {
    /// The server did not understand it: most likely a server that is older than this client.
    BadMessage = "bad-message",
    /// No peer with this id is there.
    PeerUnavailable = "peer-unavailable",
    /// The addressee, or the room's home, may be on another node, which did not answer. The message may have arrived or not.
    ClusterUnavailable = "cluster-unavailable",
    /// The addressee's queue is full, or too much of what this peer sent is unacknowledged. Nothing was delivered to it.
    PeerBusy = "peer-busy",
    /// Answers no message: the session of `to` ended, and what was said to it last may have arrived or not.
    Undelivered = "undelivered",
    /// Over the rate in [`Welcome`](crate::Welcome). Nothing was delivered.
    RateLimited = "rate-limited",
    /// This peer is not in the room.
    NotInRoom = "not-in-room",
    /// The room has as many members as it may have.
    RoomFull = "room-full",
    /// This peer is in as many rooms as it may be.
    TooManyRooms = "too-many-rooms",
    /// This peer's credentials are not for the room.
    RoomNotAllowed = "room-not-allowed",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What keeps a client from being made. It is a mistake in a program or in its settings, and no state of a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The url of the server can't be used. The text does not repeat it, as there may be a secret in it.
    #[error("the url of the signaling server: {0}; an example of one: wss://localhost:8443/ws")]
    Url(&'static str),
    /// What was given as a root certificate is no PEM, or has no certificate in it.
    #[error("the root certificates: no certificate in PEM is in them")]
    RootCertificate,
    /// [`Builder::connect`](crate::Builder::connect) was called outside of a tokio runtime.
    #[error("a client needs a tokio runtime")]
    NoRuntime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_codes_are_those_of_the_protocol_page() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md")).unwrap();
        let (_, table) = page.split_once("\n## Errors\n").expect("a section");
        let (table, _) = table.split_once("\n## ").expect("it ends");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let told: Vec<&str> = rows.collect();
        let known: Vec<&str> = ErrorCode::KNOWN.iter().map(ErrorCode::as_str).collect();
        assert_eq!(known, told);
    }

    #[test]
    fn a_code_that_is_not_known_is_kept() {
        assert_eq!(ErrorCode::from("too-shy").as_str(), "too-shy");
        assert_eq!(ErrorCode::from("room-full"), ErrorCode::RoomFull);
    }
}
