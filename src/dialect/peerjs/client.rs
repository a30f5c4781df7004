//! What a client says: one JSON frame into a request, or nothing. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::Heard;
use crate::dialect::json::{self, Text};
use crate::protocol::{ClientMessage, End, Kind, Request, Unreadable};

/// Reads one frame.
pub(in crate::dialect) fn read(frame: &str) -> Heard<'_> {
    let Some(Fields { kind, dst, payload }) = Fields::read(frame) else { return unreadable() };
    let Some(kind) = kind.and_then(json::text) else { return unreadable() };
    let kind = match &*kind {
        "OFFER" => Kind::Offer,
        "ANSWER" => Kind::Answer,
        "CANDIDATE" => Kind::Candidate,
        "LEAVE" => Kind::Bye,
        // `HEARTBEAT` is a sign of life, which every frame is. `EXPIRE` is the server's to say. The original drops all others.
        _ => return Heard::Nothing,
    };
    let dst = dst.and_then(json::text).filter(|dst| !dst.is_empty());
    match (dst, kind) {
        (Some(to), _) => {
            let message = ClientMessage::Relay { kind, to, payload: payload.map(RawValue::get) };
            Heard::Request(Ok(Request { reference: None, message }))
        }
        // Addressed to none, it is the server that the client leaves.
        (None, Kind::Bye) => Heard::Over(End::Left),
        (None, _) => unreadable(),
    }
}

fn unreadable<'a>() -> Heard<'a> {
    Heard::Request(Err(Unreadable { reference: None }))
}

/// The fields that a frame may have, as raw JSON; others are dropped.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a RawValue>,
    dst: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(frame: &'a str) -> Option<Self> {
        serde_json::from_str(frame).ok()
    }
}

/// By hand: of a field that is there twice the last one counts, as in the original, and serde's own calls that an error.
impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(Text(name)) = map.next_key()? {
                    let value = Some(map.next_value()?);
                    match &*name {
                        "type" => fields.kind = value,
                        "dst" => fields.dst = value,
                        "payload" => fields.payload = value,
                        _ => {}
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frame: &str) -> Option<(Kind, String, Option<String>)> {
        match read(frame) {
            Heard::Request(Ok(Request { reference: None, message: ClientMessage::Relay { kind, to, payload } })) => {
                Some((kind, to.into_owned(), payload.map(str::to_owned)))
            }
            _ => None,
        }
    }

    #[test]
    fn what_one_client_says_to_another_keeps_its_payload_byte_for_byte() {
        let frame = r#"{"payload":{ "sdp" : [1e400,"\u0041"] },"dst":"bob","type":"OFFER","src":"mallory"}"#;
        let payload = Some(r#"{ "sdp" : [1e400,"\u0041"] }"#.to_owned());
        assert_eq!(said(frame), Some((Kind::Offer, "bob".to_owned(), payload)));
        for (word, kind) in [("ANSWER", Kind::Answer), ("CANDIDATE", Kind::Candidate), ("LEAVE", Kind::Bye)] {
            let frame = format!(r#"{{"type":"{word}","dst":"\u0062ob","payload":null}}"#);
            assert_eq!(said(&frame), Some((kind, "bob".to_owned(), Some("null".to_owned()))));
        }
        for (word, kind) in [("OFFER", Kind::Offer), ("LEAVE", Kind::Bye)] {
            assert_eq!(said(&format!(r#"{{"type":"{word}","dst":"bob"}}"#)), Some((kind, "bob".to_owned(), None)));
        }
    }

    #[test]
    fn of_a_field_that_is_there_twice_the_last_one_counts() {
        let frame = r#"{"type":"EXPIRE","dst":"a","payload":1,"type":"OFFER","dst":"bob","payload":2}"#;
        assert_eq!(said(frame), Some((Kind::Offer, "bob".to_owned(), Some("2".to_owned()))));
    }

    #[test]
    fn heartbeats_and_what_only_the_server_says_ask_for_nothing() {
        for kind in ["HEARTBEAT", "EXPIRE", "OPEN", "ID-TAKEN", "ERROR", "offer", "__proto__", ""] {
            let frame = format!(r#"{{"type":"{kind}","dst":"bob","payload":1}}"#);
            assert!(matches!(read(&frame), Heard::Nothing), "{kind}");
        }
    }

    #[test]
    fn to_leave_without_an_addressee_is_the_end() {
        for frame in [r#"{"type":"LEAVE"}"#, r#"{"type":"LEAVE","dst":""}"#, r#"{"type":"LEAVE","dst":null}"#] {
            assert!(matches!(read(frame), Heard::Over(End::Left)), "{frame}");
        }
    }

    #[test]
    fn what_no_client_says_is_unreadable() {
        let deep = "[".repeat(10_000);
        for frame in [
            "",
            "x",
            "null",
            "[]",
            r#"["OFFER","bob",1]"#,
            r#"{"type":"OFFER","dst":"bob","payload":1"#,
            r#"{"type":"OFFER","payload":1}"#,
            r#"{"type":"OFFER","dst":"","payload":1}"#,
            r#"{"type":"OFFER","dst":7,"payload":1}"#,
            r#"{"type":["OFFER"],"dst":"bob","payload":1}"#,
            r#"{"dst":"bob","payload":1}"#,
            &deep,
        ] {
            assert!(matches!(read(frame), Heard::Request(Err(Unreadable { reference: None }))), "{frame}");
        }
    }
}
