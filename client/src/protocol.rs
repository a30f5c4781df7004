//! The signaling protocol, version 1, as text and as types. Pure: no socket, no clock.
//!
//! The server's own types are not shared: they hold what waits in a mailbox and slices of frames that are not read, and their crate is
//! the whole server. What the two have in common is `tests/vectors/`, which the tests of both read, and the browser's client's too.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::event::{Event, Rate, Welcome};
use crate::{ErrorCode, Payload, PeerId, Refusal};

/// Of a time that a server tells. Far beyond it, adding it to a time of day would overflow.
const LONGEST: Duration = Duration::from_hours(24);

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Request {
    kind: &'static str,
    addressee: Option<Addressee>,
    /// Under the name of the kind.
    payload: Option<Box<RawValue>>,
}

#[derive(Debug)]
pub(crate) enum Addressee {
    Peer(String),
    Room(String),
}

impl Request {
    pub(crate) fn relay(kind: &'static str, addressee: Addressee, payload: Option<Box<RawValue>>) -> Self {
        Self { kind, addressee: Some(addressee), payload }
    }

    pub(crate) fn join(room: &str) -> Self {
        Self::relay("join", Addressee::Room(room.to_owned()), None)
    }

    pub(crate) fn leave(room: &str) -> Self {
        Self::relay("leave", Addressee::Room(room.to_owned()), None)
    }

    pub(crate) fn ping() -> Self {
        Self { kind: "ping", addressee: None, payload: None }
    }

    pub(crate) fn ice_servers() -> Self {
        Self { kind: "ice-servers", addressee: None, payload: None }
    }

    /// The frame, whose answer will carry this `ref`.
    pub(crate) fn text(&self, reference: u64) -> String {
        let addressee = match &self.addressee {
            Some(Addressee::Peer(id)) => format!(r#","to":{}"#, quoted(id)),
            Some(Addressee::Room(room)) => format!(r#","room":{}"#, quoted(room)),
            None => String::new(),
        };
        let payload = self.payload.as_ref().map(|payload| format!(r#","{}":{payload}"#, self.kind));
        format!(r#"{{"type":"{}"{addressee}{},"ref":{reference}}}"#, self.kind, payload.unwrap_or_default())
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// Tells the server how many of the session's frames have come. It has no answer.
pub(crate) fn received(count: u64) -> String {
    format!(r#"{{"type":"received","count":{count}}}"#)
}

/// A frame of the server's.
#[derive(Debug)]
pub(crate) enum Frame {
    Welcome(Box<Greeting>),
    /// Answers the message with this `ref`, or none that is known.
    Answer {
        reference: Option<u64>,
        answer: Answer,
    },
    /// Is an event as it stands.
    Event(Event),
}

/// `welcome`: what the application is told of it, and what it is not.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) told: Welcome,
    pub(crate) resumed: bool,
    pub(crate) token: Option<Secret>,
    /// Of a session that goes on: how many of our frames the server has processed.
    pub(crate) accepted: Option<u64>,
}

/// Text that takes a session over.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What answers one message.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Ack { parked: bool },
    Joined { room: String, peers: Vec<PeerId> },
    Left { room: String },
    IceServers(Vec<IceServer>),
    Refused(Refusal),
}

/// One entry of `RTCConfiguration.iceServers`. It serializes to what a browser takes.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs.
    #[serde(deserialize_with = "one_or_many")]
    pub urls: Vec<String>,
    /// For TURN: when it expires (seconds since 1970), and for which peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN: the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Without what is secret in it.
impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.urls).finish()
    }
}

/// As browsers do, one URL is taken for a list of one.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::Many(urls) => urls,
    })
}

/// Reads one frame. None for what isn't a message that this version knows: a newer server may say more, and a client passes over it.
pub(crate) fn read(text: &str) -> Option<Frame> {
    // In two steps, as only the fields of the type that it has are to be looked at; and serde's own tagged enums can't hold a `RawValue`.
    let Type { kind } = parse(text)?;
    match &*kind {
        "welcome" => parse(text).and_then(Greeted::greeting),
        "offer" => parse(text).map(|Offer { from, offer }| Event::Offer { from, offer: Payload::new(offer) }.into()),
        "answer" => {
            parse(text).map(|Answered { from, answer }| Event::Answer { from, answer: Payload::new(answer) }.into())
        }
        "candidate" => parse(text)
            .map(|Candidate { from, candidate }| Event::Candidate { from, candidate: Payload::new(candidate) }.into()),
        "message" => parse(text)
            .map(|Said { from, room, message }| Event::Message { from, room, message: Payload::new(message) }.into()),
        "bye" => parse(text).map(|Bye { from, bye }| Event::Bye { from, bye: bye.map(Payload::new) }.into()),
        "peer-joined" => parse(text).map(|Moved { room, peer }| Event::PeerJoined { room, peer }.into()),
        "peer-left" => parse(text).map(|Moved { room, peer }| Event::PeerLeft { room, peer }.into()),
        "ack" => parse::<Ack>(text).map(|Ack { reference, parked }| answer(Some(reference), Answer::Ack { parked })),
        "joined" => {
            parse(text).map(|Joined { room, peers, reference }| answer(reference, Answer::Joined { room, peers }))
        }
        "left" => parse(text).map(|Left { room, reference }| answer(reference, Answer::Left { room })),
        "ice-servers" => {
            parse(text).map(|IceServers { servers, reference }| answer(reference, Answer::IceServers(servers)))
        }
        "error" => parse(text).map(Refused::frame),
        _ => None,
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn answer(reference: Option<Reference>, answer: Answer) -> Frame {
    Frame::Answer { reference: reference.and_then(Reference::ours), answer }
}

impl From<Event> for Frame {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

/// A `ref`. Ours are whole numbers from 1.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Number(serde_json::Number),
    Text(#[expect(dead_code, reason = "it only has to be text")] String),
}

impl Reference {
    fn ours(self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            Self::Text(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Type<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Greeted {
    id: PeerId,
    resumed: bool,
    ice_servers: Vec<IceServer>,
    heartbeat: f64,
    max_message_bytes: usize,
    rate: Option<RateTold>,
    bytes_per_second: Option<f64>,
    resume: Option<Secret>,
    resume_window: Option<f64>,
    accepted: Option<u64>,
}

#[derive(Deserialize)]
struct RateTold {
    messages: f64,
    burst: f64,
}

impl Greeted {
    fn greeting(self) -> Option<Frame> {
        let seconds = |seconds| Some(Duration::try_from_secs_f64(seconds).ok()?.min(LONGEST));
        let told = Welcome {
            id: self.id,
            ice_servers: self.ice_servers,
            heartbeat: seconds(self.heartbeat)?,
            max_message_bytes: self.max_message_bytes,
            rate: self.rate.map(|RateTold { messages, burst }| Rate { messages, burst }),
            bytes_per_second: self.bytes_per_second,
            resume_window: self.resume_window.and_then(seconds),
        };
        let Self { resumed, resume: token, accepted, .. } = self;
        Some(Frame::Welcome(Box::new(Greeting { told, resumed, token, accepted })))
    }
}

#[derive(Deserialize)]
struct Offer<'a> {
    from: PeerId,
    #[serde(borrow)]
    offer: &'a RawValue,
}

#[derive(Deserialize)]
struct Answered<'a> {
    from: PeerId,
    #[serde(borrow)]
    answer: &'a RawValue,
}

#[derive(Deserialize)]
struct Candidate<'a> {
    from: PeerId,
    #[serde(borrow)]
    candidate: &'a RawValue,
}

#[derive(Deserialize)]
struct Said<'a> {
    from: PeerId,
    room: Option<String>,
    #[serde(borrow)]
    message: &'a RawValue,
}

#[derive(Deserialize)]
struct Bye<'a> {
    from: PeerId,
    #[serde(borrow, default, deserialize_with = "present")]
    bye: Option<&'a RawValue>,
}

/// `null` is a value, and not the same as a missing field.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Moved {
    room: String,
    peer: PeerId,
}

#[derive(Deserialize)]
struct Ack {
    #[serde(rename = "ref")]
    reference: Reference,
    #[serde(default)]
    parked: bool,
}

#[derive(Deserialize)]
struct Joined {
    room: String,
    peers: Vec<PeerId>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

#[derive(Deserialize)]
struct Left {
    room: String,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

#[derive(Deserialize)]
struct IceServers {
    #[serde(rename = "iceServers")]
    servers: Vec<IceServer>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
    to: Option<PeerId>,
    room: Option<String>,
    #[serde(default)]
    peers: Vec<PeerId>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

impl Refused {
    fn frame(self) -> Frame {
        let Self { code, message, to, room, peers, reference } = self;
        answer(reference, Answer::Refused(Refusal { code: ErrorCode::from(&*code), message, to, room, peers }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Those that the tests of the server and of the browser's client read too.
    fn vectors(name: &str) -> Vec<Value> {
        let path = format!("{}/../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// What was read, as JSON again: all fields of it that this version knows.
    fn shown(frame: Frame) -> Value {
        let mut shown = match frame {
            Frame::Welcome(greeting) => {
                let Greeting { told, resumed, token, accepted } = *greeting;
                json!({
                    "id": told.id, "resumed": resumed, "iceServers": told.ice_servers,
                    "heartbeat": told.heartbeat.as_secs_f64(), "maxMessageBytes": told.max_message_bytes,
                    "rate": told.rate.map(|Rate { messages, burst }| json!({ "messages": messages, "burst": burst })),
                    "bytesPerSecond": told.bytes_per_second, "resume": token.map(|Secret(token)| token),
                    "resumeWindow": told.resume_window.map(|window| window.as_secs_f64()), "accepted": accepted,
                })
            }
            Frame::Event(Event::Offer { from, offer }) => json!({ "from": from, "offer": offer }),
            Frame::Event(Event::Answer { from, answer }) => json!({ "from": from, "answer": answer }),
            Frame::Event(Event::Candidate { from, candidate }) => json!({ "from": from, "candidate": candidate }),
            Frame::Event(Event::Message { from, room, message }) => {
                json!({ "from": from, "room": room, "message": message })
            }
            Frame::Event(Event::Bye { from, bye: None }) => json!({ "from": from }),
            Frame::Event(Event::Bye { from, bye }) => json!({ "from": from, "bye": bye, "a bye": true }),
            Frame::Event(Event::PeerJoined { room, peer } | Event::PeerLeft { room, peer }) => {
                json!({ "room": room, "peer": peer })
            }
            Frame::Event(other) => panic!("{other:?}"),
            Frame::Answer { answer: Answer::Ack { parked }, .. } => json!({ "parked": parked.then_some(true) }),
            Frame::Answer { answer: Answer::Joined { room, peers }, .. } => json!({ "room": room, "peers": peers }),
            Frame::Answer { answer: Answer::Left { room }, .. } => json!({ "room": room }),
            Frame::Answer { answer: Answer::IceServers(servers), .. } => json!({ "iceServers": servers }),
            Frame::Answer { answer: Answer::Refused(refusal), .. } => json!({
                "code": refusal.code.as_str(), "message": refusal.message, "to": refusal.to, "room": refusal.room,
                "peers": (!refusal.peers.is_empty()).then_some(refusal.peers),
            }),
        };
        let is_null_said = |name: &str, value: &Value| {
            value.is_null() && !matches!(name, "offer" | "answer" | "candidate" | "message")
        };
        let fields = shown.as_object_mut().unwrap();
        let is_bye = fields.remove("a bye").is_some();
        fields.retain(|name, value| !is_null_said(name, value) || (is_bye && name == "bye"));
        shown
    }

    /// Numbers compared as numbers: `25` is `25.0`.
    fn plain(mut value: Value) -> Value {
        match &mut value {
            Value::Number(number) => number.as_f64().map_or(value.clone(), Value::from),
            Value::Array(items) => items.drain(..).map(plain).collect(),
            Value::Object(fields) => {
                std::mem::take(fields).into_iter().map(|(name, value)| (name, plain(value))).collect()
            }
            _ => value,
        }
    }

    #[test]
    fn each_frame_of_the_server_is_understood_whole() {
        let vectors = vectors("server");
        assert!(vectors.len() > 20);
        for vector in vectors {
            let text = vector["frame"].as_str().unwrap();
            let frame = read(text).unwrap_or_else(|| panic!("not understood: {text}"));
            let mut expected = value(text);
            let fields = expected.as_object_mut().unwrap();
            fields.remove("type");
            let told = fields.remove("ref");
            if let Frame::Answer { reference, .. } = &frame {
                assert_eq!(*reference, told.and_then(|told| told.as_u64()), "{text}");
            }
            assert_eq!(plain(shown(frame)), plain(expected), "{text}");
        }
    }

    #[test]
    fn what_a_peer_says_is_kept_byte_for_byte() {
        let vectors = vectors("server");
        let byte_for_byte = vectors.iter().find(|vector| vector["name"] == "message byte for byte").expect("a vector");
        let text = byte_for_byte["frame"].as_str().unwrap();
        let Some(Frame::Event(Event::Message { message, .. })) = read(text) else { panic!("a message: {text}") };
        assert!(text.ends_with(&format!(r#""message":{}}}"#, message.as_json())), "{message:?}");
    }

    #[test]
    fn each_message_of_a_client_is_written_as_the_server_reads_it() {
        let mut kinds = std::collections::BTreeSet::new();
        for vector in vectors("client") {
            let (ok, frame) = (&vector["ok"], vector["frame"].as_str().unwrap());
            let text = |field: &str| ok[field].as_str();
            let payload = || text("payload").map(|payload| RawValue::from_string(payload.to_owned()).unwrap());
            let peer = || Addressee::Peer(text("to").unwrap().to_owned());
            let request = match (text("type"), text("room")) {
                (Some("offer"), _) => Request::relay("offer", peer(), payload()),
                (Some("answer"), _) => Request::relay("answer", peer(), payload()),
                (Some("candidate"), _) => Request::relay("candidate", peer(), payload()),
                (Some("bye"), _) => Request::relay("bye", peer(), payload()),
                (Some("message"), None) => Request::relay("message", peer(), payload()),
                (Some("message"), Some(room)) => Request::relay("message", Addressee::Room(room.to_owned()), payload()),
                (Some("join"), Some(room)) => Request::join(room),
                (Some("leave"), Some(room)) => Request::leave(room),
                (Some("ping"), _) => Request::ping(),
                (Some("ice-servers"), _) => Request::ice_servers(),
                _ => continue,
            };
            let known = ["type", "to", "room", request.kind];
            // A half of a surrogate pair, which passes as it is, is no text that `Value` could hold.
            let Ok(mut expected) = serde_json::from_str::<Value>(frame) else { continue };
            expected.as_object_mut().unwrap().retain(|name, _| known.contains(&&**name));
            expected["ref"] = 7.into();
            assert_eq!(value(&request.text(7)), expected, "{frame}");
            kinds.insert(request.kind);
        }
        assert_eq!(kinds.len(), 9, "{kinds:?}");
        assert_eq!(received(8), r#"{"type":"received","count":8}"#);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        for text in [
            "",
            "not json",
            "null",
            "7",
            "\"ack\"",
            "[]",
            "[\"ack\",1]",
            "{}",
            r#"{"type":null}"#,
            r#"{"type":"dance","from":"a"}"#,
            r#"{"type":"offer","from":"a"}"#,
            r#"{"type":"offer","offer":1}"#,
            r#"{"type":"message","from":7,"message":1}"#,
            r#"{"type":"joined","room":"r","peers":"a"}"#,
            r#"{"type":"joined","room":"r","peers":[1]}"#,
            r#"{"type":"ack"}"#,
            r#"{"type":"ack","ref":null}"#,
            r#"{"type":"error","code":"bad-message"}"#,
            r#"{"type":"ice-servers","iceServers":[{"url":"stun:a"}]}"#,
            r#"{"type":"candidate","from":"a"}"#,
            r#"{"type":"welcome","id":"a","resumed":false,"iceServers":[],"heartbeat":25}"#,
            r#"{"type":"welcome","id":"a","resumed":false,"iceServers":[],"heartbeat":-1,"maxMessageBytes":1}"#,
            r#"{"type":"welcome","id":"a","resumed":true,"iceServers":[],"heartbeat":25,"maxMessageBytes":1,"accepted":"7"}"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn fields_that_are_not_known_are_ignored_whatever_they_hold() {
        let text = r#"{"type":"ack","ref":1,"mood":"good","peers":7,"from":[]}"#;
        assert!(matches!(
            read(text),
            Some(Frame::Answer { reference: Some(1), answer: Answer::Ack { parked: false } })
        ));
        let text = r#"{"type":"error","code":"too-shy","message":"no","ref":"theirs"}"#;
        assert!(matches!(read(text), Some(Frame::Answer { reference: None, .. })));
    }

    #[test]
    fn a_time_that_a_server_tells_is_a_day_at_most() {
        let text = r#"{"type":"welcome","id":"a","resumed":false,"iceServers":[],"heartbeat":1e18,"resumeWindow":1e18,"maxMessageBytes":1}"#;
        let Some(Frame::Welcome(greeting)) = read(text) else { panic!("a welcome") };
        assert_eq!((greeting.told.heartbeat, greeting.told.resume_window), (LONGEST, Some(LONGEST)));
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = r#"{"type":"welcome","id":"a","resumed":false,"resume":"tell-none","iceServers":[{"urls":"turn:a","username":"1:a","credential":"tell-none"}],"heartbeat":25,"maxMessageBytes":1}"#;
        let shown = format!("{:?}", read(text).expect("a welcome"));
        assert!(!shown.contains("tell-none"), "{shown}");
    }
}
