//! The decoder against a second reading of the same frame, field by field. No part of the server.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode;
use crate::protocol::{ClientMessage, Reference, RoomName};

/// Decodes a frame, and asserts that what comes out is what the frame says.
///
/// # Panics
///
/// Where it isn't.
pub fn play_frame(data: &[u8]) {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    let read = Fields::read(frame);
    let expected = read.as_ref().and_then(Fields::message);
    match decode(frame) {
        Ok(request) => {
            let read = read.expect("what is decoded is an object");
            assert_eq!(Some(Said::of(&request.message)), expected, "{frame}");
            assert_eq!(request.reference.as_ref().map(Reference::as_str), read.get("ref"), "{frame}");
        }
        Err(refusal) => {
            let is_wrong = read.as_ref().is_none_or(|fields| !fields.has_good_reference());
            assert!(expected.is_none() || is_wrong, "refused: {frame}");
            let reference = read.as_ref().filter(|fields| fields.has_good_reference()).and_then(|read| read.get("ref"));
            assert_eq!(refusal.reference.as_ref().map(Reference::as_str), reference, "{frame}");
        }
    }
}

/// What a frame says, in one form for both readings.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: String,
    to: Option<String>,
    room: Option<String>,
    payload: Option<String>,
    count: Option<u64>,
}

impl Said {
    fn of(message: &ClientMessage<'_>) -> Self {
        let mut said = Self { kind: message.kind().to_owned(), to: None, room: None, payload: None, count: None };
        let payload = |payload: &str| {
            serde_json::from_str::<&RawValue>(payload).expect("a payload is JSON");
            payload.to_owned()
        };
        match message {
            ClientMessage::Relay { to, payload: said_payload, .. } => {
                said.to = Some(to.to_string());
                said.payload = said_payload.map(payload);
            }
            ClientMessage::Broadcast { room, payload: said_payload } => {
                said.room = Some(room.to_string());
                said.payload = Some(payload(said_payload));
            }
            ClientMessage::Join(room) | ClientMessage::Leave(room) => said.room = Some(room.to_string()),
            ClientMessage::Received(count) => said.count = Some(*count),
            ClientMessage::JoinNext { .. } | ClientMessage::Exchange(_) => unreachable!("v1 has none"),
            ClientMessage::IceServers
            | ClientMessage::Ping
            | ClientMessage::Subscribe(_)
            | ClientMessage::Unsubscribe(_)
            | ClientMessage::Publish(_) => {}
        }
        said
    }
}

/// An object's fields in their order, none of them known.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

const KNOWN: [&str; 10] = ["type", "to", "room", "ref", "offer", "answer", "candidate", "message", "bye", "count"];

impl<'a> Fields<'a> {
    /// `None`: it isn't an object, or has a known field twice.
    fn read(frame: &'a str) -> Option<Self> {
        let fields: Self = serde_json::from_str(frame).ok()?;
        let times = |known: &str| fields.0.iter().filter(|(name, _)| name == known).count();
        KNOWN.iter().all(|known| times(known) <= 1).then_some(fields)
    }

    /// The JSON text of a field.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.get())
    }

    fn text(&self, name: &str) -> Option<String> {
        match serde_json::from_str(self.get(name)?) {
            Ok(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn room(&self) -> Option<String> {
        self.text("room").filter(|room| (1..=RoomName::MAX_BYTES).contains(&room.len()))
    }

    fn has_good_reference(&self) -> bool {
        let Some(token) = self.get("ref") else { return true };
        match serde_json::from_str(token) {
            Ok(Value::String(text)) => text.len() <= Reference::MAX_BYTES,
            Ok(Value::Number(_)) => token.len() <= Reference::MAX_BYTES && !token.contains(['.', 'e', 'E']),
            _ => false,
        }
    }

    fn message(&self) -> Option<Said> {
        let kind = self.text("type")?;
        let mut said = Said { kind: kind.clone(), to: None, room: None, payload: None, count: None };
        if self.get("to").is_some() && self.get("room").is_some() {
            return None;
        }
        match &*kind {
            "message" if self.get("room").is_some() => {
                "room-message".clone_into(&mut said.kind);
                said.room = Some(self.room()?);
                said.payload = Some(self.get("message")?.to_owned());
            }
            "offer" | "answer" | "candidate" | "message" | "bye" => {
                said.to = Some(self.text("to")?);
                said.payload = self.get(&kind).map(str::to_owned);
                if said.payload.is_none() && kind != "bye" {
                    return None;
                }
            }
            "join" | "leave" => said.room = Some(self.room()?),
            "received" => said.count = Some(serde_json::from_str::<Value>(self.get("count")?).ok()?.as_u64()?),
            "ice-servers" | "ping" => {}
            _ => return None,
        }
        Some(said)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}
