//! What the server says: messages as they wait in a mailbox, and their JSON text. Pure.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Address, ClientMessage, ErrorCode, Kind, PeerId, Reference, Request, RoomName, footprint};

/// A server's message, before it is text.
///
/// The hub stores what was said; the owner of the socket decides how that looks on the wire.
#[derive(Clone, Debug)]
pub enum ServerMessage {
    /// What one peer says to another.
    Relayed {
        /// Who says it: set by the server, never by the client.
        from: Address,
        /// What is said.
        kind: Kind,
        /// The sender's JSON text, byte for byte. Only a `bye` may be without.
        payload: Option<Arc<str>>,
    },
    /// What one member says to the others of a room. They share the payload.
    Broadcast {
        /// Where it is said.
        room: RoomName,
        /// Who says it.
        from: Address,
        /// The sender's JSON text, byte for byte.
        payload: Arc<str>,
    },
    /// Everything that is small and rare enough to be written by serde.
    Notice(Notice),
}

/// Answers and announcements.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Notice {
    /// The message with this `ref` is in the addressee's queue, or its `ping` has been heard.
    Ack {
        /// As the client sent it.
        #[serde(rename = "ref")]
        reference: Reference,
        /// Whether the addressee's connection is lost at the moment.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        parked: bool,
    },
    /// The answer to `join`.
    Joined {
        /// Which room.
        room: RoomName,
        /// Who was there already, in no order.
        peers: Vec<Address>,
        /// As the client sent it.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// The answer to `leave`.
    Left {
        /// Which room.
        room: RoomName,
        /// As the client sent it.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// A peer entered a room that this one is in.
    PeerJoined {
        /// Which room.
        room: RoomName,
        /// Who.
        peer: Address,
    },
    /// A peer left it, or is gone.
    PeerLeft {
        /// Which room.
        room: RoomName,
        /// Who.
        peer: Address,
    },
    /// The answer to `ice-servers`.
    IceServers {
        /// For `new RTCPeerConnection({ iceServers })`.
        ice_servers: Vec<IceServer>,
        /// As the client sent it.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// A client's message was refused.
    Error(Box<ErrorNotice>),
}

/// The error message: what went wrong with which message.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorNotice {
    code: ErrorCode,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<RoomName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<Address>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
}

impl ErrorNotice {
    /// The longest part of a refused message's `to` that comes back, in bytes.
    pub const MAX_TO_BYTES: usize = 64;

    /// An error about no peer in particular.
    #[must_use]
    pub fn new(code: ErrorCode, reference: Option<Reference>) -> Self {
        Self { code, message: code.message(), to: None, room: None, peers: Vec::new(), reference }
    }

    /// An error about this request.
    #[must_use]
    pub fn about(code: ErrorCode, request: Request<'_>) -> Self {
        let error = Self::new(code, request.reference);
        match request.message {
            ClientMessage::Relay { to, .. } => error.to(&to),
            ClientMessage::Broadcast { room, .. } | ClientMessage::Join(room) | ClientMessage::Leave(room) => {
                error.room(room)
            }
            ClientMessage::IceServers | ClientMessage::Ping | ClientMessage::Received(_) => error,
        }
    }

    /// … about a message to this peer, whose id is the client's text.
    #[must_use]
    pub fn to(mut self, to: &str) -> Self {
        self.to = Some(to[..to.floor_char_boundary(Self::MAX_TO_BYTES)].into());
        self
    }

    /// … about this room.
    #[must_use]
    pub fn room(mut self, room: RoomName) -> Self {
        self.room = Some(room);
        self
    }

    /// … that hit these members of it.
    #[must_use]
    pub fn peers(mut self, peers: Vec<Address>) -> Self {
        self.peers = peers;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }
}

/// The first frame of a connection. It is no part of the session's sequence, so it never waits in a mailbox.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "welcome", rename_all = "camelCase")]
pub struct Welcome {
    /// The peer's address.
    pub id: Address,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// How to take this session up again. None: that is not possible.
    #[serde(flatten)]
    pub resume: Option<Resume>,
    /// Of a session that goes on: how many of the client's frames have been processed, over all its connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// For `new RTCPeerConnection({ iceServers })`.
    pub ice_servers: Vec<IceServer>,
    /// Seconds between the server's pings.
    #[serde(serialize_with = "number")]
    pub heartbeat: f64,
    /// The largest message that the client may send, in bytes.
    pub max_message_bytes: usize,
    /// How much the client may send. None: as much as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How many bytes the client may send for long, eight times that at once. None: as many as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<NonZeroU32>,
}

impl Welcome {
    /// The JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        json(self)
    }
}

/// What a client needs to take its session up again.
#[derive(Clone, Debug, Serialize)]
pub struct Resume {
    /// Secret.
    #[serde(rename = "resume")]
    pub token: Secret,
    /// How long the session outlives its connection, in seconds.
    #[serde(rename = "resumeWindow", serialize_with = "number")]
    pub window: f64,
}

/// Text that is shown to its owner alone.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A token bucket: its refill and its size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Messages per second.
    #[serde(serialize_with = "number")]
    pub messages: f64,
    /// Messages at once.
    pub burst: u32,
}

/// One entry of `RTCConfiguration.iceServers`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Without what is secret in it.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.urls).finish()
    }
}

impl IceServer {
    fn heap_bytes(&self) -> usize {
        let texts = self.urls.iter().chain(&self.username).chain(&self.credential);
        list_bytes(&self.urls) + texts.map(|text| footprint::allocated(text.capacity())).sum::<usize>()
    }
}

impl ServerMessage {
    /// The bytes of memory that it holds besides itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Relayed { from, payload, .. } => {
                from.heap_bytes() + payload.as_ref().map_or(0, |payload| footprint::shared(payload.len()))
            }
            Self::Broadcast { room, from, payload } => {
                name_bytes(room) + from.heap_bytes() + footprint::shared(payload.len())
            }
            Self::Notice(notice) => notice.heap_bytes(),
        }
    }

    /// Who says it. `None`: the server.
    #[must_use]
    pub fn sender(&self) -> Option<PeerId> {
        match self {
            Self::Relayed { from, .. } | Self::Broadcast { from, .. } => Some(from.id()),
            Self::Notice(_) => None,
        }
    }

    /// The JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Relayed { from, kind, payload } => relayed(from, *kind, payload.as_deref()),
            Self::Broadcast { room, from, payload } => {
                format!(r#"{{"type":"message","room":{},"from":"{from}","message":{payload}}}"#, json(room))
            }
            Self::Notice(notice) => json(notice),
        }
    }
}

impl Notice {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Ack { reference, .. } => reference_bytes(Some(reference)),
            Self::Joined { room, peers, reference } => {
                name_bytes(room) + list_bytes(peers) + reference_bytes(reference.as_ref())
            }
            Self::Left { room, reference } => name_bytes(room) + reference_bytes(reference.as_ref()),
            Self::PeerJoined { room, .. } | Self::PeerLeft { room, .. } => name_bytes(room),
            Self::IceServers { ice_servers, reference } => {
                let heap: usize = ice_servers.iter().map(IceServer::heap_bytes).sum();
                list_bytes(ice_servers) + heap + reference_bytes(reference.as_ref())
            }
            Self::Error(error) => footprint::allocated(size_of::<ErrorNotice>()) + error.heap_bytes(),
        }
    }
}

impl ErrorNotice {
    fn heap_bytes(&self) -> usize {
        self.to.as_ref().map_or(0, |to| footprint::allocated(to.len()))
            + self.room.as_ref().map_or(0, name_bytes)
            + list_bytes(&self.peers)
            + reference_bytes(self.reference.as_ref())
    }
}

fn name_bytes(room: &RoomName) -> usize {
    footprint::shared(room.as_str().len())
}

fn reference_bytes(reference: Option<&Reference>) -> usize {
    reference.map_or(0, |reference| footprint::allocated(reference.as_json().len()))
}

/// A list that grew by doubling has up to twice the room that it needs.
fn list_bytes<T>(list: &Vec<T>) -> usize {
    footprint::allocated(list.capacity() * size_of::<T>())
}

/// By hand, because this is every message of every call: one allocation of the right size, no escaping to look for.
fn relayed(from: &Address, kind: Kind, payload: Option<&str>) -> String {
    use std::fmt::Write as _;
    const AROUND: usize = r#"{"type":"candidate","from":"00000000-0000-0000-0000-000000000000","candidate":}"#.len();

    let kind = kind.as_str();
    let mut text = String::with_capacity(AROUND + payload.map_or(0, str::len));
    write!(text, r#"{{"type":"{kind}","from":"{from}""#).expect("a String takes all that is written");
    if let Some(payload) = payload {
        text.push_str(",\"");
        text.push_str(kind);
        text.push_str("\":");
        text.push_str(payload);
    }
    text.push('}');
    text
}

fn json<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("no map has a key that is not text")
}

/// A number as people write it: 25, not 25.0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "the comparison is there to find out")]
    let whole = *value as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "equal exactly when nothing was lost")]
    if whole as f64 == *value { serializer.serialize_i64(whole) } else { serializer.serialize_f64(*value) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::protocol::decode;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        frame: String,
    }

    /// The message that a vector's frame says, built from its parts, as the hub would build it.
    fn message(frame: &str) -> String {
        let value: Value = serde_json::from_str(frame).unwrap();
        let address = |id: &Value| -> Address { id.as_str().unwrap().parse::<PeerId>().unwrap().into() };
        let id = |key: &str| address(&value[key]);
        let ids = |key: &str| -> Vec<Address> {
            let list = value[key].as_array().map_or(&[][..], Vec::as_slice);
            list.iter().map(address).collect()
        };
        let room = || RoomName::new(value["room"].as_str().unwrap()).unwrap();
        let raw = |key: &str| frame.split_once(&format!("\"{key}\":")).map(|(_, rest)| &rest[..rest.len() - 1]);
        let reference =
            raw("ref").map(|raw| decode(&format!(r#"{{"type":"ping","ref":{raw}}}"#)).unwrap().reference.unwrap());
        let kind = value["type"].as_str().unwrap();
        let notice = match kind {
            "welcome" => {
                let rate = &value["rate"];
                return Welcome {
                    id: id("id"),
                    resumed: value["resumed"].as_bool().unwrap(),
                    resume: value["resume"].as_str().map(|token| Resume {
                        token: Secret(token.to_owned()),
                        window: value["resumeWindow"].as_f64().unwrap(),
                    }),
                    accepted: value["accepted"].as_u64(),
                    ice_servers: Vec::new(),
                    heartbeat: value["heartbeat"].as_f64().unwrap(),
                    max_message_bytes: 65536,
                    rate: Some(Rate {
                        messages: rate["messages"].as_f64().unwrap(),
                        burst: rate["burst"].as_u64().unwrap().try_into().unwrap(),
                    }),
                    bytes_per_second: value["bytesPerSecond"]
                        .as_u64()
                        .map(|bytes| NonZeroU32::try_from(u32::try_from(bytes).unwrap()).unwrap()),
                }
                .encode();
            }
            "ack" => Notice::Ack { reference: reference.unwrap(), parked: value["parked"] == true },
            "joined" => Notice::Joined { room: room(), peers: ids("peers"), reference },
            "left" => Notice::Left { room: room(), reference },
            "peer-joined" => Notice::PeerJoined { room: room(), peer: id("peer") },
            "peer-left" => Notice::PeerLeft { room: room(), peer: id("peer") },
            "ice-servers" => {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let entry = |entry: &Value| IceServer {
                    urls: entry["urls"].as_array().unwrap().iter().filter_map(text).collect(),
                    username: text(&entry["username"]),
                    credential: text(&entry["credential"]),
                };
                let ice_servers = value["iceServers"].as_array().unwrap().iter().map(entry).collect();
                Notice::IceServers { ice_servers, reference }
            }
            "error" => {
                let code = [
                    ErrorCode::BadMessage,
                    ErrorCode::PeerUnavailable,
                    ErrorCode::PeerBusy,
                    ErrorCode::Undelivered,
                    ErrorCode::RateLimited,
                    ErrorCode::NotInRoom,
                    ErrorCode::RoomFull,
                    ErrorCode::TooManyRooms,
                    ErrorCode::RoomNotAllowed,
                ]
                .into_iter()
                .find(|code| serde_json::to_value(code).unwrap() == value["code"])
                .unwrap();
                let mut error = ErrorNotice::new(code, reference).peers(ids("peers"));
                if let Some(to) = value["to"].as_str() {
                    error = error.to(to);
                }
                if value["room"].is_string() {
                    error = error.room(room());
                }
                Notice::Error(Box::new(error))
            }
            "message" if value["room"].is_string() => {
                let payload = raw("message").unwrap().into();
                return ServerMessage::Broadcast { room: room(), from: id("from"), payload }.encode();
            }
            _ => {
                let all = [Kind::Offer, Kind::Answer, Kind::Candidate, Kind::Message, Kind::Bye];
                let kind = all.into_iter().find(|each| each.as_str() == kind).unwrap();
                // The first occurrence of the key may be inside `type`: the payload's follows `from`.
                let payload = frame.split_once(&format!("\",\"{}\":", kind.as_str()));
                let payload = payload.map(|(_, rest)| rest[..rest.len() - 1].into());
                return ServerMessage::Relayed { from: id("from"), kind, payload }.encode();
            }
        };
        ServerMessage::Notice(notice).encode()
    }

    #[test]
    fn every_server_vector_is_what_the_encoder_writes() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../tests/vectors/server.json")).unwrap();
        assert!(vectors.len() > 30);
        for Vector { name, frame } in vectors {
            assert_eq!(message(&frame), frame, "{name}");
        }
    }

    #[test]
    fn a_refused_to_comes_back_up_to_64_bytes() {
        let error = ErrorNotice::new(ErrorCode::PeerUnavailable, None).to(&"é".repeat(100));
        assert_eq!(error.to.as_deref(), Some(&*"é".repeat(32)));
        let error = ErrorNotice::new(ErrorCode::PeerUnavailable, None).to(&format!("x{}", "é".repeat(100)));
        assert_eq!(error.to.unwrap().len(), 63);
    }

    #[test]
    fn a_message_holds_at_least_its_payload() {
        let payload: Arc<str> = "x".repeat(1000).into();
        let from = PeerId::random();
        let relayed = ServerMessage::Relayed { from: from.into(), kind: Kind::Offer, payload: Some(payload) };
        assert!((1000..1200).contains(&relayed.heap_bytes()));
    }
}
