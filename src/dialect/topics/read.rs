//! What a client says: one JSON object into one typed message.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Spelling;
use crate::dialect::Heard;
use crate::dialect::json::{Text, text};
use crate::protocol::{ClientMessage, Publication, Reference, Request, RoomName, TopicNames, Unreadable};

/// The longest payload that is looked into for a name, in bytes. An announcement has about 40.
const MAX_ANNOUNCEMENT_BYTES: usize = 512;

/// The longest name, in bytes. Trystero's have 20.
const MAX_NAME_BYTES: usize = 64;

/// What the number of subscribers follows, where the message has no `clients` of its own.
const CLIENTS: &str = r#","clients":"#;

/// Reads a frame. The order of its fields says nothing; of two fields with one name the last counts, as it does for the
/// original servers.
pub(super) fn read(spelling: Spelling, frame: &str) -> Heard<'_> {
    let frame = frame.trim_matches([' ', '\t', '\n', '\r']);
    let unreadable = || Heard::Request(Err(Unreadable { reference: None }));
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(frame) else { return unreadable() };
    // What the originals don't know they ignore.
    let Some(kind) = fields.kind.and_then(text) else { return Heard::Nothing };
    let message = match (&*kind, spelling) {
        ("subscribe", _) => fields.names(spelling).map(ClientMessage::Subscribe),
        ("unsubscribe", _) => fields.names(spelling).map(ClientMessage::Unsubscribe),
        ("publish", Spelling::YWebrtc) => fields.whole(frame).map(ClientMessage::Publish),
        ("publish", Spelling::Trystero) => fields.payload().map(ClientMessage::Publish),
        // The reference has the answer sent.
        ("ping", Spelling::YWebrtc) => {
            let reference = Some(Reference::new(""));
            return Heard::Request(Ok(Request { reference, message: ClientMessage::Ping }));
        }
        _ => return Heard::Nothing,
    };
    message.map_or_else(unreadable, |message| Heard::Request(Ok(Request { reference: None, message })))
}

/// An object's fields that mean something, as raw JSON.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a RawValue>,
    topic: Option<&'a RawValue>,
    topics: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
    clients: Option<&'a RawValue>,
    /// Trystero's, inside a payload.
    peer_id: Option<&'a RawValue>,
    has_signal: bool,
}

impl<'a> Fields<'a> {
    fn topic(&self) -> Option<RoomName> {
        RoomName::topic(&text(self.topic?)?)
    }

    fn names(&self, spelling: Spelling) -> Option<TopicNames> {
        let mut names = TopicNames::default();
        match (spelling, self.topics) {
            (Spelling::Trystero, _) => names.push(&text(self.topic?)?),
            // As in the original, where it is nothing to walk through.
            (Spelling::YWebrtc, None) => {}
            (Spelling::YWebrtc, Some(topics)) if topics.get() == "null" => {}
            (Spelling::YWebrtc, Some(topics)) => return list(topics.get()),
        }
        Some(names)
    }

    /// The message as it came, with a gap for the number of subscribers: in place of its own `clients`, or else last.
    fn whole(&self, frame: &'a str) -> Option<Publication<'a>> {
        let topic = self.topic()?;
        let (before, between, after) = match self.clients {
            Some(clients) => {
                let start = clients.get().as_ptr().addr() - frame.as_ptr().addr();
                (&frame[..start], "", &frame[start + clients.get().len()..])
            }
            None => (frame.strip_suffix('}')?, CLIENTS, "}"),
        };
        let count_at = before.len() + between.len();
        Some(Publication { topic, payload: [before, between, after].concat().into(), count_at, announces: None })
    }

    fn payload(&self) -> Option<Publication<'a>> {
        let (topic, payload) = (self.topic()?, self.payload?);
        Some(Publication { topic, payload: payload.get().into(), count_at: 0, announces: name(payload) })
    }
}

/// The name in an announcement: an object, or the text of one, that has a name and no offer, answer or candidate.
fn name(payload: &RawValue) -> Option<Box<str>> {
    if payload.get().len() > MAX_ANNOUNCEMENT_BYTES {
        return None;
    }
    let object = text(payload).unwrap_or(Cow::Borrowed(payload.get()));
    let fields: Fields<'_> = serde_json::from_str(&object).ok()?;
    let name = text(fields.peer_id?)?;
    let is_name = !fields.has_signal && (1..=MAX_NAME_BYTES).contains(&name.len());
    is_name.then(|| name.as_ref().into())
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    match &*name {
                        "type" => fields.kind = Some(value),
                        "topic" => fields.topic = Some(value),
                        "topics" => fields.topics = Some(value),
                        "payload" => fields.payload = Some(value),
                        "clients" => fields.clients = Some(value),
                        "peerId" => fields.peer_id = Some(value),
                        "offer" | "answer" | "candidate" => fields.has_signal = true,
                        _ => {}
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A list of topics, with a note where it has other things in it. `None`: it is no list.
fn list(json: &str) -> Option<TopicNames> {
    struct Names(TopicNames);
    impl<'de> Visitor<'de> for Names {
        type Value = TopicNames;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let Self(mut names) = self;
            while let Some(element) = list.next_element::<&'de RawValue>()? {
                match text(element) {
                    Some(name) => names.push(&name),
                    None => names.push_other(),
                }
            }
            Ok(names)
        }
    }
    let names = Names(TopicNames::with_capacity(json.len()));
    serde_json::Deserializer::from_str(json).deserialize_seq(names).ok()
}
