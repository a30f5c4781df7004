//! The decoder against a second reading of the same frame. No part of the server.

use serde_json::Value;

use super::GStreamer;
use crate::dialect::Heard;
use crate::protocol::{ClientMessage, ExchangeRequest, Role, Word};

/// Reads a frame, and asserts that what comes out is what the frame says, and what any client can read.
///
/// # Panics
///
/// Where it isn't.
pub fn play_gstreamer(data: &[u8]) {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    let value: Option<Value> = serde_json::from_str(frame).ok();
    match GStreamer::default().read(frame) {
        Heard::Request(Ok(request)) => {
            let ClientMessage::Exchange(request) = request.message else { panic!("{frame}") };
            // A field that nothing comes of may be what no reader takes.
            if let Some(value) = value {
                assert_same(&request, &value);
            }
            assert_readable(&request, frame);
        }
        Heard::Request(Err(_)) => {
            let kind = value.as_ref().map(|value| &value["type"]).and_then(Value::as_str);
            let is_bare = value.as_ref().and_then(Value::as_object).is_some_and(|object| object.len() == 1);
            assert!(!(is_bare && matches!(kind, Some("list" | "listConsumers"))), "{frame}");
        }
        Heard::Nothing => assert!(frame.contains("v1_") || frame.contains('\\'), "{frame}"),
        Heard::Over(end) => panic!("{end:?}: {frame}"),
    }
}

fn assert_same(request: &ExchangeRequest<'_>, value: &Value) {
    let text = |field: &str| value[field].as_str();
    let kind = text("type").expect("a type");
    match request {
        ExchangeRequest::Enter => panic!("no frame says so"),
        ExchangeRequest::SetStatus { roles, meta, of } => {
            assert_eq!((kind, of.as_deref()), ("setPeerStatus", text("peerId")));
            let named = |role: &str| value["roles"].as_array().is_some_and(|roles| roles.iter().any(|one| one == role));
            let has = [Role::Producer, Role::Listener, Role::Consumer].map(|role| roles.has(role));
            assert_eq!(has, ["producer", "listener", "consumer"].map(named));
            assert_eq!(parsed(meta.unwrap_or("null")), value.get("meta").cloned().unwrap_or_default());
        }
        ExchangeRequest::List(Role::Consumer) => assert_eq!(kind, "listConsumers"),
        ExchangeRequest::List(_) => assert_eq!(kind, "list"),
        ExchangeRequest::StartSession { with, offer } => {
            assert_eq!((kind, Some(&**with)), ("startSession", text("peerId")));
            assert_eq!(offer.as_deref().map(parsed), value.get("offer").filter(|offer| !offer.is_null()).cloned());
        }
        ExchangeRequest::Say { word, payload, .. } => {
            let payload = parsed(payload);
            let field = if *word == Word::Candidate { "ice" } else { "sdp" };
            let fields = payload.as_object().expect("an object");
            assert_eq!((kind, fields.len()), ("peer", 2));
            assert!(fields.iter().all(|(name, said)| value[field][name] == *said));
        }
        ExchangeRequest::EndSession { .. } => assert!(kind.starts_with("endSession")),
    }
}

/// What is passed on is what a reader of JSON takes.
fn assert_readable(request: &ExchangeRequest<'_>, frame: &str) {
    let passed_on = match request {
        ExchangeRequest::SetStatus { meta, .. } => *meta,
        ExchangeRequest::StartSession { offer, .. } => offer.as_deref(),
        ExchangeRequest::Say { payload, .. } => Some(&**payload),
        ExchangeRequest::EndSession { error, .. } => *error,
        ExchangeRequest::Enter | ExchangeRequest::List(_) => None,
    };
    if let Some(json) = passed_on {
        assert!(serde_json::from_str::<Value>(json).is_ok(), "{frame}");
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("what is passed on is JSON")
}
