//! The tutorial's vocabulary: `["offer", {offer, to}]` from a client, `["offer", {offer, from}]` to its addressees; the
//! same with `answer` and `candidate`. Payloads are not read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{Event, Head, Name, quoted};
use super::packet::Outgoing;
use crate::dialect::json::{self, Elements};
use crate::protocol::{ErrorCode, Kind};

/// What a client says to other peers.
#[derive(Debug)]
pub struct Call<'a> {
    /// Offer, answer or candidate.
    pub kind: Kind,
    /// Each once. Empty: it is for none, which is no error.
    pub to: Vec<Cow<'a, str>>,
    /// Its JSON text. `None`: there is none, which is not the same as `null`.
    pub payload: Option<&'a RawValue>,
}

impl Call<'_> {
    /// Addressees of one event.
    pub const MAX_ADDRESSEES: usize = 64;
}

/// Why an event is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACall {
    /// It has another name. As in the original, it has no effect.
    Unknown,
    /// Its argument is missing or `null`, which ends the original's process, or it has too many addressees.
    BadArgument,
}

/// Whether this is said by an event.
#[must_use]
pub fn has_event(kind: Kind) -> bool {
    matches!(kind, Kind::Offer | Kind::Answer | Kind::Candidate)
}

impl<'a> Call<'a> {
    /// Reads an event. Arguments after the first have no effect.
    ///
    /// # Errors
    ///
    /// [`NotACall`]. The connection stays.
    pub fn read(event: &Event<'a>) -> Result<Self, NotACall> {
        let kind = match &event.name {
            Name::Text(name) => match &**name {
                "offer" => Kind::Offer,
                "answer" => Kind::Answer,
                "candidate" => Kind::Candidate,
                _ => return Err(NotACall::Unknown),
            },
            Name::Number(_) => return Err(NotACall::Unknown),
        };
        let argument = event.argument.filter(|argument| argument.get() != "null").ok_or(NotACall::BadArgument)?;
        if !json::is_object(argument) {
            // Neither field is there.
            return Ok(Self { kind, to: Vec::new(), payload: None });
        }
        let fields: Fields<'a> = serde_json::from_str(argument.get()).map_err(|_| NotACall::BadArgument)?;
        let payload = match kind {
            Kind::Offer => fields.offer,
            Kind::Answer => fields.answer,
            _ => fields.candidate,
        };
        Ok(Self { kind, to: fields.to.map_or(Ok(Vec::new()), addressees)?, payload })
    }
}

/// A string, or an array of them. Ids are strings, so whatever else it has is no peer's.
fn addressees(to: &RawValue) -> Result<Vec<Cow<'_, str>>, NotACall> {
    let Some(elements) = Elements::<{ Call::MAX_ADDRESSEES }>::read(to.get()) else {
        return Ok(json::text(to).into_iter().collect());
    };
    if elements.others > 0 {
        return Err(NotACall::BadArgument);
    }
    let mut addressees = Vec::new();
    for address in elements.first.into_iter().filter_map(json::text) {
        if !addressees.contains(&address) {
            addressees.push(address);
        }
    }
    Ok(addressees)
}

/// The fields of an argument that matter. Of one that is there twice, the last counts, as in JavaScript.
#[derive(Default)]
struct Fields<'a> {
    to: Option<&'a RawValue>,
    offer: Option<&'a RawValue>,
    answer: Option<&'a RawValue>,
    candidate: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    match json::text(name).as_deref() {
                        Some("to") => fields.to = Some(value),
                        Some("offer") => fields.offer = Some(value),
                        Some("answer") => fields.answer = Some(value),
                        Some("candidate") => fields.candidate = Some(value),
                        _ => {}
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// What a peer said, for its addressee.
#[must_use]
pub fn relayed(kind: Kind, payload: Option<&str>, from: &str) -> Outgoing {
    let (kind, from) = (kind.as_str(), quoted(from));
    let payload = payload.map(|payload| format!(r#""{kind}":{payload},"#)).unwrap_or_default();
    Head::default().event(&format!(r#"["{kind}",{{{payload}"from":{from}}}]"#))
}

/// The first event of a client: its page shows the text, which has its id.
#[must_use]
pub fn greeting(id: &str) -> Outgoing {
    let text = quoted(&format!("Coucou user :  {id}"));
    Head::default().event(&format!(r#"["newUser",{text}]"#))
}

/// An addressee is not there. Pages that do not know this event do not notice it.
#[must_use]
pub fn unavailable(to: &str) -> Outgoing {
    Head::default().event(&format!(r#"["peer-unavailable",{{"to":{}}}]"#, quoted(to)))
}

/// What came of an event whose client asked.
#[must_use]
pub fn outcome(ack: u64, outcome: Result<(), ErrorCode>) -> Outgoing {
    let head = Head { ack: Some(ack), ..Head::default() };
    match outcome {
        Ok(()) => head.acknowledgement(r#"[{"ok":true}]"#),
        Err(code) => {
            let (code, message) = (code.as_str(), quoted(code.message()));
            head.acknowledgement(&format!(r#"[{{"ok":false,"code":"{code}","message":{message}}}]"#))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Body, Packet};
    use super::*;

    const FROM: &str = "-_v7-_v7-_v7-_v7-_v7";

    fn with_call<T>(json: &str, look: impl FnOnce(Result<Call<'_>, NotACall>) -> T) -> T {
        let text = format!("2{json}");
        match Packet::decode(&text).unwrap_or_else(|_| panic!("{text}")).body {
            Body::Event(event) => look(Call::read(&event)),
            other => panic!("{other:?}"),
        }
    }

    fn read(json: &str) -> (Kind, Vec<String>, Option<String>) {
        with_call(json, |call| {
            let call = call.unwrap();
            let to = call.to.into_iter().map(Cow::into_owned).collect();
            (call.kind, to, call.payload.map(|payload| payload.get().to_owned()))
        })
    }

    fn refused(json: &str) -> NotACall {
        with_call(json, |call| call.unwrap_err())
    }

    fn sent(packet: Outgoing) -> String {
        match packet {
            Outgoing::Text(text) => text,
            Outgoing::Binary(_) => panic!("binary"),
        }
    }

    #[test]
    fn the_three_events_of_the_tutorial_are_calls() {
        let offer = r#"["offer",{"offer":{"type":"offer","sdp":"v=0"},"to":"abc"}]"#;
        let payload = r#"{"type":"offer","sdp":"v=0"}"#.to_owned();
        assert_eq!(read(offer), (Kind::Offer, vec!["abc".into()], Some(payload)));
        assert_eq!(read(r#"["answer",{"answer":1,"to":"a"}]"#).0, Kind::Answer);
        let candidate = r#"["candidate",{"to":"a","candidate":null}]"#;
        assert_eq!(read(candidate), (Kind::Candidate, vec!["a".into()], Some("null".into())));
    }

    #[test]
    fn several_addressees_get_it_once_each() {
        let to = |to: &str| read(&format!(r#"["offer",{{"offer":1,"to":{to}}}]"#)).1;
        assert_eq!(to(r#"["a","b","a","\u0062"]"#), ["a", "b"]);
        assert_eq!(to(r#"["a",5,null,["b"]]"#), ["a"]);
    }

    #[test]
    fn who_is_no_peer_gets_nothing_and_nothing_is_said() {
        for to in ["null", "5", "{}", "[]", "true", r#""\ud800""#] {
            assert_eq!(read(&format!(r#"["offer",{{"offer":1,"to":{to}}}]"#)).1, [""; 0], "{to}");
        }
        assert_eq!(read(r#"["offer",{"offer":1}]"#).1, [""; 0], "without `to`");
        assert_eq!(read(r#"["offer",[1]]"#), (Kind::Offer, vec![], None));
        assert_eq!(read(r#"["offer","x"]"#), (Kind::Offer, vec![], None));
    }

    #[test]
    fn a_missing_payload_is_not_null() {
        assert_eq!(read(r#"["offer",{"to":"a"}]"#).2, None);
        assert_eq!(read(r#"["offer",{"answer":1,"to":"a"}]"#).2, None, "the field has the event's name");
        assert_eq!(read(r#"["offer",{"offer":null,"to":"a"}]"#).2.as_deref(), Some("null"));
    }

    #[test]
    fn the_last_of_a_repeated_field_counts() {
        let (_, to, payload) = read(r#"["offer",{"to":"a","offer":1,"\u0074o":"b","offer":2}]"#);
        assert_eq!((to, payload.as_deref()), (vec!["b".to_owned()], Some("2")));
    }

    #[test]
    fn further_arguments_have_no_effect() {
        assert_eq!(read(r#"["offer",{"to":"a"},{"to":"b"},5]"#).1, ["a"]);
    }

    #[test]
    fn other_events_are_unknown() {
        assert_eq!(refused(r#"["message",{"to":"a"}]"#), NotACall::Unknown);
        assert_eq!(refused(r#"["Offer",{"to":"a"}]"#), NotACall::Unknown);
        assert_eq!(refused("[5]"), NotACall::Unknown);
    }

    #[test]
    fn an_argument_that_ends_the_original_is_an_error_of_its_sender() {
        assert_eq!(refused(r#"["offer"]"#), NotACall::BadArgument);
        assert_eq!(refused(r#"["offer",null]"#), NotACall::BadArgument);
    }

    #[test]
    fn addressees_are_bounded() {
        let to = |count: usize| (0..count).map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",");
        assert_eq!(read(&format!(r#"["offer",{{"to":[{}]}}]"#, to(64))).1.len(), 64);
        assert_eq!(refused(&format!(r#"["offer",{{"to":[{}]}}]"#, to(65))), NotACall::BadArgument);
    }

    #[test]
    fn an_addressee_is_told_payload_and_sender_in_this_order() {
        assert_eq!(
            sent(relayed(Kind::Offer, Some(r#"{"sdp":"v=0"}"#), FROM)),
            r#"42["offer",{"offer":{"sdp":"v=0"},"from":"-_v7-_v7-_v7-_v7-_v7"}]"#
        );
        assert_eq!(
            sent(relayed(Kind::Candidate, Some("null"), FROM)),
            r#"42["candidate",{"candidate":null,"from":"-_v7-_v7-_v7-_v7-_v7"}]"#
        );
    }

    #[test]
    fn without_a_payload_an_addressee_is_told_the_sender_alone() {
        assert_eq!(sent(relayed(Kind::Answer, None, FROM)), r#"42["answer",{"from":"-_v7-_v7-_v7-_v7-_v7"}]"#);
    }

    #[test]
    fn a_client_is_greeted_as_the_tutorial_does() {
        assert_eq!(sent(greeting(FROM)), r#"42["newUser","Coucou user :  -_v7-_v7-_v7-_v7-_v7"]"#);
    }

    #[test]
    fn an_absent_addressee_is_named_whatever_its_name_is() {
        assert_eq!(sent(unavailable("a\"\u{1e}b")), r#"42["peer-unavailable",{"to":"a\"\u001eb"}]"#);
    }

    #[test]
    fn an_acknowledgement_says_what_came_of_it() {
        assert_eq!(sent(outcome(0, Ok(()))), r#"430[{"ok":true}]"#);
        assert_eq!(
            sent(outcome(12, Err(ErrorCode::PeerUnavailable))),
            r#"4312[{"ok":false,"code":"peer-unavailable","message":"no peer with this id is here"}]"#
        );
    }

    #[test]
    fn only_what_the_tutorial_says_has_an_event() {
        let kinds = [Kind::Offer, Kind::Answer, Kind::Candidate, Kind::Message, Kind::Bye];
        assert_eq!(kinds.map(has_event), [true, true, true, false, false]);
    }
}
