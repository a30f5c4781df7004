//! The server's messages as JSON text.

use std::fmt::Display;
use std::io::Write as _;

use super::{GStreamer, Mistake, Version};
use crate::dialect::{Sink, json};
use crate::protocol::{
    ErrorCode, ErrorNotice, ExchangeNotice, InSession, Listed, Notice, PeerId, Role, Roles, ServerMessage, SessionId,
    Welcome, Word,
};

const NULL: &str = "null";

pub(super) fn greet(welcome: &Welcome, out: &mut Vec<u8>) {
    put(out, format_args!(r#"{{"type":"welcome","peerId":"{}"}}"#, welcome.id.id()));
}

pub(super) fn write(client: &GStreamer, message: &ServerMessage, sink: &mut impl Sink) {
    match message {
        ServerMessage::InSession { from, session, said } => {
            let (peer, session) = (from.id(), *session);
            sink.frame(|out| match said {
                InSession::Started => started(peer, session, out),
                InSession::Start(offer) => start(peer, session, offer.as_deref(), out),
                InSession::Said(word, payload) => say(session, *word, payload, out),
                InSession::Ended(error) => ended(client, session, error, out),
            });
        }
        ServerMessage::Notice(Notice::Exchange(notice)) => sink.frame(|out| match &**notice {
            ExchangeNotice::Status { peer, roles, meta } => status(*peer, *roles, meta.as_deref(), out),
            ExchangeNotice::List { role, peers } => list(*role, peers, out),
            ExchangeNotice::Started { peer, session } => started(*peer, *session, out),
            ExchangeNotice::Start { peer, session, offer } => start(*peer, *session, offer.as_deref(), out),
            ExchangeNotice::Ended(session) => ended(client, *session, NULL, out),
        }),
        ServerMessage::Notice(Notice::Error(error)) => refuse(client, error, sink),
        _ => {}
    }
}

fn status(peer: PeerId, roles: Roles, meta: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"peerStatusChanged","roles":"#);
    json::write(&roles.iter().collect::<Vec<_>>(), out);
    put(out, format_args!(r#","meta":{},"peerId":"{peer}"}}"#, meta.unwrap_or(NULL)));
}

fn list(role: Role, peers: &[Listed], out: &mut Vec<u8>) {
    let around = match role {
        Role::Consumer => r#"{"type":"listConsumers","consumers":["#,
        _ => r#"{"type":"list","producers":["#,
    };
    out.extend_from_slice(around.as_bytes());
    for (index, Listed { id, meta }) in peers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        put(out, format_args!(r#"{comma}{{"id":"{id}","meta":{}}}"#, meta.as_deref().unwrap_or(NULL)));
    }
    out.extend_from_slice(b"]}");
}

fn started(peer: impl Display, session: SessionId, out: &mut Vec<u8>) {
    put(out, format_args!(r#"{{"type":"sessionStarted","peerId":"{peer}","sessionId":"{session}"}}"#));
}

fn start(peer: PeerId, session: SessionId, offer: Option<&str>, out: &mut Vec<u8>) {
    let offer = offer.unwrap_or(NULL);
    put(out, format_args!(r#"{{"type":"startSession","peerId":"{peer}","sessionId":"{session}","offer":{offer}}}"#));
}

fn say(session: SessionId, word: Word, payload: &str, out: &mut Vec<u8>) {
    let field = if word == Word::Candidate { "ice" } else { "sdp" };
    put(out, format_args!(r#"{{"type":"peer","sessionId":"{session}","{field}":{payload}}}"#));
}

/// The form of 1.1 is for those alone that chose it.
fn ended(client: &GStreamer, session: SessionId, error: &str, out: &mut Vec<u8>) {
    match client.version {
        Version::V1_0 => put(out, format_args!(r#"{{"type":"endSession","sessionId":"{session}"}}"#)),
        Version::V1_1 => {
            put(out, format_args!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":{error}}}"#));
        }
    }
}

/// An `error` ends a native client's pipeline, so there is none where the original has none.
fn refuse(client: &GStreamer, error: &ErrorNotice, sink: &mut impl Sink) {
    let Some(details) = details(error) else { return };
    sink.frame(|out| {
        out.extend_from_slice(br#"{"type":"error","details":"#);
        json::write(&details, out);
        out.push(b'}');
    });
    if let (true, ErrorCode::PeerUnavailable, Some(to)) = (client.listens, error.code, &error.to) {
        // A page's session hangs until it has been started and has ended.
        let session = SessionId::random();
        sink.frame(|out| {
            out.extend_from_slice(br#"{"type":"sessionStarted","peerId":"#);
            json::write(to, out);
            put(out, format_args!(r#","sessionId":"{session}"}}"#));
        });
        sink.frame(|out| ended(client, session, NULL, out));
    }
}

fn details(error: &ErrorNotice) -> Option<String> {
    let to = error.to.as_deref().unwrap_or_default();
    let details = match error.code {
        ErrorCode::PeerUnavailable => format!("Peer with ID '{to}' not found"),
        ErrorCode::PeerBusy => format!("Peer with ID '{to}' is busy"),
        ErrorCode::NoProducer => format!("Missing a producer or a consumer: peer '{to}' is neither"),
        ErrorCode::NotTheProducer => "cannot forward an offer of a consumer".to_owned(),
        ErrorCode::RoleConflict => "Cannot register a peer as both producer and passive consumer".to_owned(),
        ErrorCode::TooManySessions => "Too many sessions".to_owned(),
        ErrorCode::RoomFull => "The server has no room for this".to_owned(),
        ErrorCode::BadMessage => Mistake::of(error.reference.as_ref()?)?.details().to_owned(),
        _ => return None,
    };
    Some(details)
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes all that is written");
}
