//! What a client says: one JSON text frame into one typed message, or a refusal. Pure.
//!
//! Two steps, because serde's tagged enums can't borrow: first a flat struct of raw slices, which finds duplicate
//! fields and skips unknown ones; then the typed message, which owns nothing but names.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::dialect::json::text;
use crate::protocol::{ClientMessage, Kind, Reference, Request, RoomName, Unreadable};

/// Reads one text frame.
///
/// # Errors
///
/// [`Unreadable`] for all that docs/protocol.md calls `bad-message`.
pub fn decode(frame: &str) -> Result<Request<'_>, Unreadable> {
    let fields = Fields::read(frame).ok_or(Unreadable { reference: None })?;
    let reference = fields.reference.map(reference);
    let message = fields.message();
    match (reference, message) {
        (None, Some(message)) => Ok(Request { reference: None, message }),
        (Some(Some(reference)), Some(message)) => Ok(Request { reference: Some(reference), message }),
        (reference, _) => Err(Unreadable { reference: reference.flatten() }),
    }
}

/// All fields that any client message has, as raw JSON. Absent and `null` differ: the latter is `Some("null")`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "present")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    to: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    room: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref", deserialize_with = "present")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    offer: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    answer: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    candidate: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    message: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    bye: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    count: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(frame: &'a str) -> Option<Self> {
        // serde would take an array for a struct, field by field.
        let is_object = frame.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
        if is_object { serde_json::from_str(frame).ok() } else { None }
    }

    fn message(&self) -> Option<ClientMessage<'a>> {
        if self.to.is_some() && self.room.is_some() {
            return None;
        }
        match text(self.kind?)?.as_ref() {
            "offer" => self.relay(Kind::Offer, Some(self.offer?)),
            "answer" => self.relay(Kind::Answer, Some(self.answer?)),
            "candidate" => self.relay(Kind::Candidate, Some(self.candidate?)),
            "message" if self.room.is_some() => {
                Some(ClientMessage::Broadcast { room: self.room()?, payload: self.message?.get() })
            }
            "message" => self.relay(Kind::Message, Some(self.message?)),
            "bye" => self.relay(Kind::Bye, self.bye),
            "join" => Some(ClientMessage::Join(self.room()?)),
            "leave" => Some(ClientMessage::Leave(self.room()?)),
            "ice-servers" => Some(ClientMessage::IceServers),
            "ping" => Some(ClientMessage::Ping),
            "received" => Some(ClientMessage::Received(serde_json::from_str(self.count?.get()).ok()?)),
            _ => None,
        }
    }

    fn relay(&self, kind: Kind, payload: Option<&'a RawValue>) -> Option<ClientMessage<'a>> {
        Some(ClientMessage::Relay { kind, to: text(self.to?)?, payload: payload.map(RawValue::get) })
    }

    fn room(&self) -> Option<RoomName> {
        RoomName::new(&text(self.room?)?)
    }
}

/// A field that is there, whatever its value: serde's own `Option` would take `null` for absent.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A `ref` is a string of at most 64 bytes, or an integer of at most 64 characters. It comes back as the same JSON token.
fn reference(raw: &RawValue) -> Option<Reference> {
    let token = raw.get();
    let is_valid = match text(raw) {
        Some(string) => string.len() <= Reference::MAX_BYTES,
        None => token.len() <= Reference::MAX_BYTES && is_integer(token),
    };
    is_valid.then(|| Reference::new(token))
}

fn is_integer(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        frame: String,
        ok: Option<serde_json::Value>,
        refused: Option<serde_json::Value>,
    }

    /// What was decoded, in the form in which the vectors say it.
    fn as_vector(request: &Request<'_>) -> serde_json::Value {
        let mut fields = serde_json::Map::new();
        let mut set = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                fields.insert(key.to_owned(), value.into());
            }
        };
        set("ref", request.reference.as_ref().map(Reference::as_str));
        match &request.message {
            ClientMessage::Relay { kind, to, payload } => {
                set("type", Some(kind.as_str()));
                set("to", Some(to));
                set("payload", *payload);
            }
            ClientMessage::Broadcast { room, payload } => {
                set("type", Some("message"));
                set("room", Some(room.as_str()));
                set("payload", Some(payload));
            }
            ClientMessage::Join(room) => {
                set("type", Some("join"));
                set("room", Some(room.as_str()));
            }
            ClientMessage::Leave(room) => {
                set("type", Some("leave"));
                set("room", Some(room.as_str()));
            }
            ClientMessage::JoinNext { .. } | ClientMessage::Exchange(_) => panic!("v1 has none"),
            ClientMessage::IceServers => set("type", Some("ice-servers")),
            ClientMessage::Ping => set("type", Some("ping")),
            other @ (ClientMessage::Subscribe(_) | ClientMessage::Unsubscribe(_) | ClientMessage::Publish(_)) => {
                panic!("not said here: {other:?}");
            }
            ClientMessage::Received(count) => {
                set("type", Some("received"));
                set("count", Some(&count.to_string()));
            }
        }
        fields.into()
    }

    #[test]
    fn every_client_vector_is_read_or_refused_as_it_says() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/client.json")).unwrap();
        assert!(vectors.len() > 50);
        for Vector { name, frame, ok, refused } in vectors {
            match decode(&frame) {
                Ok(request) => assert_eq!(Some(as_vector(&request)), ok, "{name}"),
                Err(Unreadable { reference }) => {
                    let refused = refused.unwrap_or_else(|| panic!("{name}: refused, and should not be"));
                    let said = reference.as_ref().map(Reference::as_str);
                    assert_eq!(said, refused.get("ref").and_then(|value| value.as_str()), "{name}");
                }
            }
        }
    }

    #[test]
    fn noise_is_refused_without_a_panic() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/client.json")).unwrap();
        for Vector { frame, .. } in vectors.iter().filter(|vector| vector.frame.len() < 1000) {
            for cut in (0..frame.len()).filter(|&at| frame.is_char_boundary(at)) {
                let _ = decode(&frame[cut..]);
                let _ = decode(&frame[..cut]);
            }
        }
    }

    #[test]
    fn a_payload_is_a_slice_of_the_frame_and_not_a_copy() {
        let frame = r#"{"type":"bye","to":"x","bye":{"reason":"declined"}}"#;
        let Ok(Request { message: ClientMessage::Relay { payload: Some(payload), .. }, .. }) = decode(frame) else {
            panic!("a bye");
        };
        assert!(frame.as_bytes().as_ptr_range().contains(&payload.as_ptr()));
    }
}
