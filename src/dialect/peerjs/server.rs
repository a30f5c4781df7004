//! What the server says, as JSON text. Pure.

use serde::Serialize;

use crate::dialect::{Sink, json};
use crate::protocol::{Address, Denial, ErrorCode, Kind, Notice, ServerMessage};

/// Writes a message's frame, where the client has words for it.
pub(super) fn write(message: &ServerMessage, name: &Address, sink: &mut impl Sink) {
    match message {
        ServerMessage::Relayed { from, kind, payload } => {
            if let Some(word) = word(*kind) {
                sink.frame(|out| frame(word, from, name, payload.as_deref(), out));
            }
        }
        ServerMessage::Notice(Notice::Error(error)) => {
            if let Some(to) = error.to.as_deref().filter(|_| was_not_delivered(error.code)) {
                sink.frame(|out| frame("EXPIRE", to, name, None, out));
            }
        }
        ServerMessage::Notice(_)
        | ServerMessage::Broadcast { .. }
        | ServerMessage::Published(_)
        | ServerMessage::InSession { .. } => {}
    }
}

/// The frame that says why there is no session.
pub(super) fn denial(denial: Denial) -> &'static str {
    match denial {
        Denial::Incomplete => {
            r#"{"type":"ERROR","payload":{"msg":"No id, token, or key supplied to websocket server"}}"#
        }
        Denial::WrongKey => r#"{"type":"ERROR","payload":{"msg":"Invalid key provided"}}"#,
        Denial::TooLong => r#"{"type":"ERROR","payload":{"msg":"The id or the token is longer than 128 bytes"}}"#,
        Denial::Taken => r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#,
    }
}

fn word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Offer => Some("OFFER"),
        Kind::Answer => Some("ANSWER"),
        Kind::Candidate => Some("CANDIDATE"),
        Kind::Bye => Some("LEAVE"),
        Kind::Message => None,
    }
}

/// The one word that the client has for it is that of an addressee who did not come.
fn was_not_delivered(code: ErrorCode) -> bool {
    use ErrorCode::{ClusterUnavailable, PeerBusy, PeerUnavailable, RateLimited, Undelivered};
    matches!(code, PeerUnavailable | PeerBusy | Undelivered | RateLimited | ClusterUnavailable)
}

fn frame<T: Serialize + ?Sized>(kind: &str, src: &T, dst: &Address, payload: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(br#"","src":"#);
    json::write(src, out);
    out.extend_from_slice(br#","dst":"#);
    json::write(dst, out);
    if let Some(payload) = payload {
        out.extend_from_slice(br#","payload":"#);
        out.extend_from_slice(payload.as_bytes());
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ErrorNotice, Realm};

    fn written(message: &ServerMessage) -> Vec<String> {
        let mut frames = Vec::new();
        write(message, &Address::named(Realm::PeerJs, "bob \"b\"").unwrap(), &mut frames);
        frames
    }

    #[test]
    fn what_another_client_says_is_written_with_its_name_and_its_very_payload() {
        let from = Address::named(Realm::PeerJs, "alice").unwrap();
        for (kind, word) in
            [(Kind::Offer, "OFFER"), (Kind::Answer, "ANSWER"), (Kind::Candidate, "CANDIDATE"), (Kind::Bye, "LEAVE")]
        {
            let payload = Some(r#"{ "a" : 1 }"#.into());
            let frames = written(&ServerMessage::Relayed { from: from.clone(), kind, payload });
            let expected = format!(r#"{{"type":"{word}","src":"alice","dst":"bob \"b\"","payload":{{ "a" : 1 }}}}"#);
            assert_eq!(frames, [expected]);
        }
        let leave = ServerMessage::Relayed { from, kind: Kind::Bye, payload: None };
        assert_eq!(written(&leave), [r#"{"type":"LEAVE","src":"alice","dst":"bob \"b\""}"#]);
    }

    #[test]
    fn what_was_not_delivered_has_expired_and_other_errors_are_silent() {
        let error = |code| ErrorNotice::new(code, None).to(&"x".repeat(128));
        let written = |error| written(&ServerMessage::Notice(Notice::Error(Box::new(error))));
        let expire = format!(r#"{{"type":"EXPIRE","src":"{}","dst":"bob \"b\""}}"#, "x".repeat(128));
        for code in [ErrorCode::PeerUnavailable, ErrorCode::PeerBusy, ErrorCode::Undelivered, ErrorCode::RateLimited] {
            assert_eq!(written(error(code)), [&*expire], "{code:?}");
        }
        assert!(written(error(ErrorCode::BadMessage)).is_empty());
        assert!(written(ErrorNotice::new(ErrorCode::RateLimited, None)).is_empty());
    }

    #[test]
    fn what_the_client_has_no_words_for_is_not_written() {
        let message =
            ServerMessage::Relayed { from: Address::random(), kind: Kind::Message, payload: Some("1".into()) };
        assert!(written(&message).is_empty());
    }
}
