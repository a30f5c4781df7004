//! What a session says that is to be done, and why it is over.

use super::packet::Outgoing;
use super::request::Refusal;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, `text/plain; charset=UTF-8`: to a poll.
    Packets(String),
    /// 200, `text/html`, `ok`: to a post.
    Accepted,
    /// 400 without a body: the request is one too many, or binary.
    Misplaced,
    /// 413 without a body.
    TooLarge,
    /// As requests are refused that have no session.
    Refused(Refusal),
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Packets(_) | Self::Accepted => 200,
            Self::Misplaced => 400,
            Self::TooLarge => 413,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// The `Content-Type` and the body. `None`: it has none. All answers are `Cache-Control: no-store`.
    #[must_use]
    pub fn into_body(self) -> Option<(&'static str, String)> {
        match self {
            Self::Packets(packets) => Some(("text/plain; charset=UTF-8", packets)),
            // As the original does: some browsers offered `text/plain` as a download.
            Self::Accepted => Some(("text/html", "ok".into())),
            Self::Misplaced | Self::TooLarge => None,
            Self::Refused(refusal) => refusal.body().map(|body| ("application/json", body)),
        }
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No pong in time.
    PingTimeout,
    /// The client said so: a packet `1`.
    Client,
    /// A poll or a post was aborted, or the WebSocket is closed or lost.
    Lost,
    /// Two polls, or two posts, at once.
    Overlap,
    /// A packet, a post or a frame that the protocol does not have.
    Malformed,
    /// A frame with more than `max_payload` bytes.
    TooLarge,
    /// The application did not say in time that the client is connected.
    NotConnected,
    /// The application closed it. A WebSocket's close frame has this code.
    Server(Option<u16>),
}

impl End {
    /// A word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PingTimeout => "ping-timeout",
            Self::Client => "client",
            Self::Lost => "lost",
            Self::Overlap => "overlap",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::NotConnected => "not-connected",
            Self::Server(_) => "server",
        }
    }

    /// The code of the WebSocket's close frame. `None`: it has none.
    #[must_use]
    pub fn close_code(self) -> Option<u16> {
        match self {
            Self::TooLarge => Some(1009),
            Self::Server(code) => code,
            _ => None,
        }
    }

    /// Whether a client that is not polling at the moment is told at its next poll. All others know, or are gone.
    pub(super) fn waits_for_a_poll(self) -> bool {
        matches!(self, Self::NotConnected | Self::Server(_))
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer the poll.
    Poll(Answer),
    /// Answer the post.
    Post(Answer),
    /// Send a frame over the session's WebSocket.
    Frame(Outgoing),
    /// Close the session's WebSocket, with a code or without.
    Close(Option<u16>),
    /// Send `3probe` over the WebSocket that is tried.
    Probed,
    /// The WebSocket that was tried is the session's.
    Upgraded,
    /// Close the WebSocket that is tried. The session goes on without it.
    CloseProbe,
    /// The last output: nothing of the session is left.
    Over(End),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_as_the_original_gives_them() {
        let answers = [
            (Answer::Packets("6".into()), 200, Some(("text/plain; charset=UTF-8", "6"))),
            (Answer::Accepted, 200, Some(("text/html", "ok"))),
            (Answer::Misplaced, 400, None),
            (Answer::TooLarge, 413, None),
            (
                Answer::Refused(Refusal::UnknownSid),
                400,
                Some(("application/json", r#"{"code":1,"message":"Session ID unknown"}"#)),
            ),
            (Answer::Refused(Refusal::BadMethod), 405, None),
        ];
        for (answer, status, expected) in answers {
            assert_eq!(answer.status(), status);
            let body = answer.into_body();
            assert_eq!(body.as_ref().map(|(content, body)| (*content, &**body)), expected);
        }
    }
}
