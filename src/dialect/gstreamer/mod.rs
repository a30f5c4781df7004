//! GStreamer's webrtcsink, webrtcsrc and gstwebrtc-api, protocol 1.0 and 1.1: who produces, who consumes, and sessions
//! between two of them. Pure.
//!
//! A native client's pipeline ends at the first frame that it does not know, and at each `error`. So it is told nothing that
//! it did not ask for, and all that others say to it is written anew and not passed on.

mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod server;
mod sound;

use crate::protocol::{ClientMessage, ExchangeRequest, Reference, Role, Roles, ServerMessage, Unreadable, Welcome};

use super::{Heard, Sink};
use client::Said;

/// One client.
#[derive(Debug, Default)]
pub struct GStreamer {
    version: Version,
    has_spoken: bool,
    /// Whether it wants to know who produces, as pages do.
    listens: bool,
}

/// The protocol's version that a client has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    #[default]
    V1_0,
    /// The end of a session may say why.
    V1_1,
}

/// Why a client's frame is answered with an error although its exchange never hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// The version is chosen in the first frame or not at all.
    LateVersion,
    /// A client of version 1.0 says why a session ends.
    ErrorOfOldVersion,
}

impl Mistake {
    const ALL: [Self; 2] = [Self::LateVersion, Self::ErrorOfOldVersion];

    fn details(self) -> &'static str {
        match self {
            Self::LateVersion => "setProtocolVersion has to be the first message",
            Self::ErrorOfOldVersion => "the error of an ended session is for protocol version 1.1",
        }
    }

    /// As what it comes back in the answer.
    fn reference(self) -> Reference {
        Reference::new(self.details())
    }

    fn of(reference: &Reference) -> Option<Self> {
        Self::ALL.into_iter().find(|mistake| mistake.details() == reference.as_str())
    }
}

impl GStreamer {
    pub(super) fn enters() -> ClientMessage<'static> {
        ClientMessage::Exchange(ExchangeRequest::Enter)
    }

    pub(super) fn greet(welcome: &Welcome, out: &mut Vec<u8>) {
        server::greet(welcome, out);
    }

    /// Reads a text frame. What is none of the protocol's has no answer, and is counted.
    pub(super) fn read<'a>(&mut self, frame: &'a str) -> Heard<'a> {
        let Some(said) = client::read(frame) else { return unreadable(None) };
        let is_first = !std::mem::replace(&mut self.has_spoken, true);
        match said {
            Said::Version(version) if is_first => {
                self.version = version;
                Heard::Nothing
            }
            Said::Version(_) => unreadable(Some(Mistake::LateVersion)),
            Said::Request(ExchangeRequest::EndSession { error: Some(_), .. }) if self.version == Version::V1_0 => {
                unreadable(Some(Mistake::ErrorOfOldVersion))
            }
            Said::Request(request) => {
                if let ExchangeRequest::SetStatus { roles, .. } = &request {
                    self.listens = Self::may_listen(*roles);
                }
                client::heard(request)
            }
        }
    }

    pub(super) fn read_binary() -> Heard<'static> {
        unreadable(None)
    }

    pub(super) fn write(&self, message: &ServerMessage, sink: &mut impl Sink) {
        server::write(self, message, sink);
    }

    fn may_listen(roles: Roles) -> bool {
        roles.has(Role::Listener) && !(roles.has(Role::Producer) && roles.has(Role::Consumer))
    }
}

fn unreadable(mistake: Option<Mistake>) -> Heard<'static> {
    Heard::Request(Err(Unreadable { reference: mistake.map(Mistake::reference) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        Address, ErrorCode, ErrorNotice, ExchangeNotice, InSession, Listed, Notice, PeerId, Request, SessionId, Word,
    };

    fn written(client: &GStreamer, message: &ServerMessage) -> Vec<String> {
        let mut frames = Vec::new();
        client.write(message, &mut frames);
        for frame in &frames {
            serde_json::from_str::<serde_json::Value>(frame).unwrap();
        }
        frames
    }

    fn notice(notice: ExchangeNotice) -> ServerMessage {
        ServerMessage::Notice(Notice::Exchange(Box::new(notice)))
    }

    fn error(code: ErrorCode, to: Option<&str>, reference: Option<Reference>) -> ServerMessage {
        let mut error = ErrorNotice::new(code, reference);
        if let Some(to) = to {
            error = error.to(to);
        }
        ServerMessage::Notice(Notice::Error(Box::new(error)))
    }

    /// What a frame asks for, as its `Debug` says it.
    fn asked(client: &mut GStreamer, frame: &str) -> Option<String> {
        match client.read(frame) {
            Heard::Request(Ok(Request { reference: None, message: ClientMessage::Exchange(request) })) => {
                Some(format!("{request:?}"))
            }
            Heard::Request(Err(Unreadable { reference: None })) => None,
            other => panic!("{frame}: {other:?}"),
        }
    }

    #[test]
    fn every_frame_of_its_clients_is_understood() {
        let session = SessionId::random();
        let frames = [
            (r#"{"type":"list"}"#.to_owned(), "List(Producer)".to_owned()),
            (r#"{"type":"listConsumers"}"#.to_owned(), "List(Consumer)".to_owned()),
            (
                r#"{"type":"setPeerStatus","roles":["listener","producer"],"meta":{"name":"a"},"peerId":"x"}"#.to_owned(),
                r#"SetStatus { roles: Roles([Some(Listener), Some(Producer), None]), meta: Some("{\"name\":\"a\"}"), of: Some("x") }"#.to_owned(),
            ),
            (
                r#"{"type":"setPeerStatus","roles":[],"meta":null}"#.to_owned(),
                "SetStatus { roles: Roles([None, None, None]), meta: None, of: None }".to_owned(),
            ),
            (
                r#"{"type":"startSession","peerId":"x","offer":"v=0\r\n"}"#.to_owned(),
                r#"StartSession { with: "x", offer: Some("\"v=0\\r\\n\"") }"#.to_owned(),
            ),
            (
                r#"{"type":"startSession","peerId":"x"}"#.to_owned(),
                r#"StartSession { with: "x", offer: None }"#.to_owned(),
            ),
            (
                format!(r#"{{"type":"peer","sessionId":"{session}","sdp":{{"type":"offer","sdp":"a"}}}}"#),
                format!(r#"Say {{ session: Some(SessionId({session})), word: Offer, payload: "{{\"type\":\"offer\",\"sdp\":\"a\"}}" }}"#),
            ),
            (
                format!(r#"{{"type":"peer","sessionId":"{session}","ice":{{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}}}}"#),
                format!(r#"Say {{ session: Some(SessionId({session})), word: Candidate, payload: "{{\"candidate\":\"c\",\"sdpMLineIndex\":0}}" }}"#),
            ),
            (
                format!(r#"{{"type":"endSession","sessionId":"{session}"}}"#),
                format!("EndSession {{ session: Some(SessionId({session})), error: None }}"),
            ),
            (
                r#"{"type":"endSession","sessionId":"unknown"}"#.to_owned(),
                "EndSession { session: None, error: None }".to_owned(),
            ),
            (
                format!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":null}}"#),
                format!("EndSession {{ session: Some(SessionId({session})), error: None }}"),
            ),
        ];
        for (frame, expected) in frames {
            assert_eq!(asked(&mut GStreamer::default(), &frame), Some(expected), "{frame}");
        }
    }

    /// A native client takes what others say apart, and its pipeline ends where it can't.
    #[test]
    fn what_a_native_client_could_not_read_is_not_passed_on() {
        let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
        let frames = [
            "x".to_owned(),
            "[]".to_owned(),
            r#""list""#.to_owned(),
            r#"{"type":"unknown"}"#.to_owned(),
            r#"{"type":1}"#.to_owned(),
            r#"{"type":"newPeer"}"#.to_owned(),
            r#"{"type":"setPeerStatus","roles":["spectator"]}"#.to_owned(),
            r#"{"type":"setPeerStatus","meta":null}"#.to_owned(),
            r#"{"type":"setPeerStatus","roles":[],"meta":{"a":"\ud800"}}"#.to_owned(),
            r#"{"type":"setPeerStatus","roles":[],"meta":{"\ud800":1}}"#.to_owned(),
            r#"{"type":"setPeerStatus","roles":[],"meta":[1e999]}"#.to_owned(),
            format!(r#"{{"type":"setPeerStatus","roles":[],"meta":{deep}}}"#),
            r#"{"type":"startSession"}"#.to_owned(),
            r#"{"type":"startSession","peerId":"x","offer":{}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x"}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","sdp":{"type":"offer"}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","sdp":{"type":"pranswer","sdp":"a"}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","sdp":{"type":"offer","sdp":"\ud800"}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","ice":{"candidate":"c"}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","ice":{"candidate":"c","sdpMLineIndex":-1}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"x","ice":{"candidate":"c","sdpMLineIndex":4294967296}}"#.to_owned(),
            r#"{"type":"peer","sdp":{"type":"offer","sdp":"a"}}"#.to_owned(),
            r#"{"type":"endSession"}"#.to_owned(),
            r#"{"type":"endSession","sessionId":1}"#.to_owned(),
            r#"{"type":"setProtocolVersion","version":"v9"}"#.to_owned(),
        ];
        for frame in frames {
            assert_eq!(asked(&mut GStreamer::default(), &frame), None, "{frame}");
        }
        assert!(matches!(GStreamer::read_binary(), Heard::Request(Err(Unreadable { reference: None }))));
    }

    fn mistake(client: &mut GStreamer, frame: &str) -> Vec<String> {
        let Heard::Request(Err(Unreadable { reference: Some(reference) })) = client.read(frame) else {
            panic!("{frame}");
        };
        written(client, &error(ErrorCode::BadMessage, None, Some(reference)))
    }

    #[test]
    fn a_version_is_chosen_first_or_not_at_all() {
        let version = r#"{"type":"setProtocolVersion","version":"v1_1"}"#;
        let mut client = GStreamer::default();
        assert!(matches!(client.read(version), Heard::Nothing));
        assert_eq!(client.version, Version::V1_1);
        let expected = r#"{"type":"error","details":"setProtocolVersion has to be the first message"}"#;
        assert_eq!(mistake(&mut client, version), [expected]);
        let mut client = GStreamer::default();
        assert!(asked(&mut client, r#"{"type":"list"}"#).is_some());
        assert_eq!(mistake(&mut client, version), [expected]);
        assert_eq!(client.version, Version::V1_0);
    }

    #[test]
    fn why_a_session_ended_is_for_version_1_1() {
        let session = SessionId::random();
        let frame = format!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":{{"a":1}}}}"#);
        let mut old = GStreamer::default();
        assert_eq!(mistake(&mut old, &frame).len(), 1);
        let new = &mut GStreamer { version: Version::V1_1, ..GStreamer::default() };
        assert!(asked(new, &frame).unwrap().contains(r#"error: Some("{\"a\":1}")"#));
        let from = Address::random();
        let ended = ServerMessage::InSession { from, session, said: InSession::Ended(r#"{"a":1}"#.into()) };
        let plain = format!(r#"{{"type":"endSession","sessionId":"{session}"}}"#);
        assert_eq!(written(&old, &ended), std::slice::from_ref(&plain));
        assert_eq!(written(&old, &notice(ExchangeNotice::Ended(session))), [plain]);
        let with = |error| format!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":{error}}}"#);
        assert_eq!(written(new, &ended), [with(r#"{"a":1}"#)]);
        assert_eq!(written(new, &notice(ExchangeNotice::Ended(session))), [with("null")]);
    }

    #[test]
    fn every_message_is_said_as_the_original_says_it() {
        let (client, peer, session) = (GStreamer::default(), PeerId::random(), SessionId::random());
        let roles: Roles = [Role::Listener, Role::Producer].into_iter().collect();
        let meta = Some(r#"{"name":"a"}"#.into());
        let in_session = |said| ServerMessage::InSession { from: peer.into(), session, said };
        let listed = vec![Listed { id: peer, meta: None }, Listed { id: peer, meta: Some("{}".into()) }];
        let messages = [
            (
                notice(ExchangeNotice::Status { peer, roles, meta }),
                format!(
                    r#"{{"type":"peerStatusChanged","roles":["listener","producer"],"meta":{{"name":"a"}},"peerId":"{peer}"}}"#
                ),
            ),
            (
                notice(ExchangeNotice::Status { peer, roles: Roles::default(), meta: None }),
                format!(r#"{{"type":"peerStatusChanged","roles":[],"meta":null,"peerId":"{peer}"}}"#),
            ),
            (
                notice(ExchangeNotice::List { role: Role::Producer, peers: listed }),
                format!(
                    r#"{{"type":"list","producers":[{{"id":"{peer}","meta":null}},{{"id":"{peer}","meta":{{}}}}]}}"#
                ),
            ),
            (
                notice(ExchangeNotice::List { role: Role::Consumer, peers: Vec::new() }),
                r#"{"type":"listConsumers","consumers":[]}"#.to_owned(),
            ),
            (
                notice(ExchangeNotice::Started { peer, session }),
                format!(r#"{{"type":"sessionStarted","peerId":"{peer}","sessionId":"{session}"}}"#),
            ),
            (
                in_session(InSession::Started),
                format!(r#"{{"type":"sessionStarted","peerId":"{peer}","sessionId":"{session}"}}"#),
            ),
            (
                in_session(InSession::Start(Some(r#""v=0""#.into()))),
                format!(r#"{{"type":"startSession","peerId":"{peer}","sessionId":"{session}","offer":"v=0"}}"#),
            ),
            (
                notice(ExchangeNotice::Start { peer, session, offer: None }),
                format!(r#"{{"type":"startSession","peerId":"{peer}","sessionId":"{session}","offer":null}}"#),
            ),
            (
                in_session(InSession::Said(Word::Answer, r#"{"type":"answer","sdp":"a"}"#.into())),
                format!(r#"{{"type":"peer","sessionId":"{session}","sdp":{{"type":"answer","sdp":"a"}}}}"#),
            ),
            (
                in_session(InSession::Said(Word::Candidate, r#"{"candidate":"c","sdpMLineIndex":0}"#.into())),
                format!(r#"{{"type":"peer","sessionId":"{session}","ice":{{"candidate":"c","sdpMLineIndex":0}}}}"#),
            ),
        ];
        for (message, expected) in messages {
            assert_eq!(written(&client, &message), [expected]);
        }
    }

    #[test]
    fn errors_are_said_where_the_original_says_them_and_nowhere_else() {
        let client = GStreamer::default();
        let said = |code, to| written(&client, &error(code, to, None));
        assert_eq!(
            said(ErrorCode::PeerUnavailable, Some("x'\"")),
            [r#"{"type":"error","details":"Peer with ID 'x'\"' not found"}"#]
        );
        for code in [
            ErrorCode::NoProducer,
            ErrorCode::PeerBusy,
            ErrorCode::NotTheProducer,
            ErrorCode::RoleConflict,
            ErrorCode::TooManySessions,
            ErrorCode::RoomFull,
        ] {
            assert_eq!(said(code, Some("x")).len(), 1, "{code:?}");
        }
        for code in [ErrorCode::BadMessage, ErrorCode::RateLimited, ErrorCode::Undelivered] {
            assert!(said(code, None).is_empty(), "{code:?}");
        }
    }

    /// A page waits for ever otherwise: it drops its session only when it has been started.
    #[test]
    fn a_page_that_asks_for_an_absent_producer_is_told_that_the_session_ended() {
        let mut page = GStreamer::default();
        page.read(r#"{"type":"setPeerStatus","roles":["listener"],"meta":null}"#);
        let frames = written(&page, &error(ErrorCode::PeerUnavailable, Some("x"), None));
        let types = ["error", "sessionStarted", "endSession"];
        let values: Vec<serde_json::Value> = frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        assert_eq!(values.iter().map(|value| &value["type"]).collect::<Vec<_>>(), types);
        assert_eq!(values[1]["peerId"], "x");
        assert_eq!(values[1]["sessionId"], values[2]["sessionId"]);
    }
}
