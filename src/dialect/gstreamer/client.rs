//! What a client says: one JSON text frame into one request. What others get of it is written anew, with the fields that the
//! protocol knows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::sound::is_sound;
use super::{Heard, Version};
use crate::protocol::{ClientMessage, ExchangeRequest, Request, Role, SessionId, Word};

/// What a frame comes to.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Version(Version),
    Request(ExchangeRequest<'a>),
}

/// All fields that any message has. `null` is as good as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(default)]
    roles: Option<Vec<Role>>,
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    peer_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    offer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sdp: Option<Sdp<'a>>,
    #[serde(borrow, default)]
    ice: Option<Ice<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Sdp<'a> {
    #[serde(rename = "type")]
    kind: SdpType,
    #[serde(borrow)]
    sdp: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SdpType {
    Offer,
    Answer,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ice<'a> {
    #[serde(borrow)]
    candidate: Cow<'a, str>,
    #[serde(rename = "sdpMLineIndex")]
    sdp_m_line_index: u32,
}

/// Reads one text frame. `None`: it is no message of the protocol.
pub(super) fn read(frame: &str) -> Option<Said<'_>> {
    // serde would take an array for a struct, field by field.
    let is_object = frame.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    let fields: Fields<'_> = if is_object { serde_json::from_str(frame).ok()? } else { return None };
    if &*fields.kind == "setProtocolVersion" {
        return Some(Said::Version(version(&fields.version?)?));
    }
    fields.request().map(Said::Request)
}

/// A request for the exchange.
pub(super) fn heard(request: ExchangeRequest<'_>) -> Heard<'_> {
    Heard::Request(Ok(Request { reference: None, message: ClientMessage::Exchange(request) }))
}

fn version(name: &str) -> Option<Version> {
    match name {
        "v1_0" => Some(Version::V1_0),
        "v1_1" => Some(Version::V1_1),
        _ => None,
    }
}

impl<'a> Fields<'a> {
    fn request(self) -> Option<ExchangeRequest<'a>> {
        match &*self.kind {
            "setPeerStatus" => {
                let roles = self.roles?.into_iter().collect();
                Some(ExchangeRequest::SetStatus { roles, meta: sound(self.meta)?, of: self.peer_id })
            }
            "list" => Some(ExchangeRequest::List(Role::Producer)),
            "listConsumers" => Some(ExchangeRequest::List(Role::Consumer)),
            "startSession" => {
                let offer = self.offer.map(|offer| json(&offer));
                Some(ExchangeRequest::StartSession { with: self.peer_id?, offer })
            }
            "peer" => {
                let session = session(&self.session_id?);
                let (word, payload) = match (self.sdp, self.ice) {
                    (Some(sdp), None) => (sdp.word(), json(&sdp)),
                    (None, Some(ice)) => (Word::Candidate, json(&ice)),
                    _ => return None,
                };
                Some(ExchangeRequest::Say { session, word, payload })
            }
            "endSession" => Some(ExchangeRequest::EndSession { session: session(&self.session_id?), error: None }),
            "endSessionV1_1" => {
                let session = session(&self.session_id?);
                Some(ExchangeRequest::EndSession { session, error: sound(self.error)? })
            }
            _ => None,
        }
    }
}

impl Sdp<'_> {
    fn word(&self) -> Word {
        match self.kind {
            SdpType::Offer => Word::Offer,
            SdpType::Answer => Word::Answer,
        }
    }
}

/// The session that a text names, if it names any.
fn session(text: &str) -> Option<SessionId> {
    text.parse().ok()
}

/// JSON that is passed on as it is. `None`: some client could not read it.
#[expect(clippy::option_option, reason = "whether it is there, and whether it may be")]
fn sound(json: Option<&RawValue>) -> Option<Option<&str>> {
    match json {
        None => Some(None),
        Some(json) => is_sound(json.get()).then(|| Some(json.get())),
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Box<str> {
    serde_json::to_string(value).expect("no map has a key that is not text").into()
}
