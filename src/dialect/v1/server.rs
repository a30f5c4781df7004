//! The server's messages as JSON text. Pure.

use std::io::Write as _;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::dialect::json;
use crate::protocol::{
    Address, ErrorCode, ErrorNotice, IceServer, Kind, Notice, Reference, RoomName, ServerMessage, Welcome,
};

/// Writes the first frame of a connection.
pub fn greet(welcome: &Welcome, out: &mut Vec<u8>) {
    let Welcome { id, resumed, resume, accepted, ice_servers, heartbeat, max_message_bytes, rate, bytes_per_second } =
        welcome;
    let frame = WelcomeFrame {
        kind: "welcome",
        id,
        resumed: *resumed,
        resume: resume.as_ref().map(|resume| &*resume.token.0),
        resume_window: resume.as_ref().map(|resume| Seconds(resume.window)),
        accepted: *accepted,
        ice_servers,
        heartbeat: Seconds(*heartbeat),
        max_message_bytes: *max_message_bytes,
        rate: rate.as_ref().map(|rate| RateFields { messages: Seconds(rate.messages), burst: rate.burst }),
        bytes_per_second: bytes_per_second.map(std::num::NonZeroU32::get),
    };
    json::write(&frame, out);
}

/// Writes a message's frame.
pub fn write(message: &ServerMessage, out: &mut Vec<u8>) {
    match message {
        ServerMessage::Relayed { from, kind, payload } => relayed(from, *kind, payload.as_deref(), out),
        ServerMessage::Broadcast { room, from, payload } => broadcast(room, from, payload, out),
        ServerMessage::InSession { .. } => unreachable!("v1 has no sessions of the exchange"),
        // No topic has a subscriber that speaks this.
        ServerMessage::Published(_) => {}
        ServerMessage::Notice(notice) => self::notice(notice, out),
    }
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let frame = match notice {
        Notice::Ack { reference, parked } => return ack(reference, *parked, out),
        Notice::Joined { room, peers, reference } => {
            Frame::Joined { room, peers, reference: token(reference.as_ref()) }
        }
        Notice::Left { room, reference } => Frame::Left { room, reference: token(reference.as_ref()) },
        Notice::PeerJoined { room, peer } => Frame::PeerJoined { room, peer },
        Notice::PeerLeft { room, peer } => Frame::PeerLeft { room, peer },
        Notice::IceServers { ice_servers, reference } => {
            Frame::IceServers { ice_servers, reference: token(reference.as_ref()) }
        }
        Notice::Exchange(_) => unreachable!("v1 has no exchange"),
        Notice::Error(error) => {
            let ErrorNotice { code, to, room, peers, reference } = &**error;
            let (to, room, reference) = (to.as_deref().map(cut), room.as_ref(), token(reference.as_ref()));
            Frame::Error { code: *code, message: code.message(), to, room, peers, reference }
        }
    };
    json::write(&frame, out);
}

/// An addressee comes back as far as this, in bytes.
const MAX_TO_BYTES: usize = 64;

fn cut(to: &str) -> &str {
    &to[..to.floor_char_boundary(MAX_TO_BYTES)]
}

/// A `ref`, as it came.
fn token(reference: Option<&Reference>) -> Option<&RawValue> {
    let reference = reference?;
    Some(serde_json::from_str(reference.as_str()).expect("it was read as a JSON token"))
}

// By hand, because these are the messages of every call: one allocation of the right size, no escaping to look for.

fn relayed(from: &Address, kind: Kind, payload: Option<&str>, out: &mut Vec<u8>) {
    const AROUND: usize = r#"{"type":"candidate","from":"00000000-0000-0000-0000-000000000000","candidate":}"#.len();

    let kind = kind.as_str();
    out.reserve(AROUND + payload.map_or(0, str::len));
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(br#"","from":"#);
    address(from, out);
    if let Some(payload) = payload {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(payload.as_bytes());
    }
    out.push(b'}');
}

fn broadcast(room: &RoomName, from: &Address, payload: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"message","room":"#);
    json::write(room, out);
    out.extend_from_slice(br#","from":"#);
    address(from, out);
    out.extend_from_slice(br#","message":"#);
    out.extend_from_slice(payload.as_bytes());
    out.push(b'}');
}

fn ack(reference: &Reference, parked: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"ack","ref":"#);
    out.extend_from_slice(reference.as_str().as_bytes());
    out.extend_from_slice(if parked { br#","parked":true}"# } else { b"}" });
}

/// An id has nothing to escape; a name may.
fn address(address: &Address, out: &mut Vec<u8>) {
    match address.name() {
        Some(name) => json::write(name, out),
        None => write!(out, "\"{}\"", address.id()).expect("a Vec takes all that is written"),
    }
}

/// The JSON of `welcome`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WelcomeFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a Address,
    resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_window: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<u64>,
    ice_servers: &'a [IceServer],
    heartbeat: Seconds,
    max_message_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<RateFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u32>,
}

#[derive(Serialize)]
struct RateFields {
    messages: Seconds,
    burst: u32,
}

/// A number as people write it: 25, not 25.0.
#[derive(Clone, Copy)]
struct Seconds(f64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "the comparison is there to find out")]
        let whole = self.0 as i64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "equal exactly when nothing was lost")]
        if whole as f64 == self.0 { serializer.serialize_i64(whole) } else { serializer.serialize_f64(self.0) }
    }
}

/// The JSON of a notice that is no `ack`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Frame<'a> {
    Joined {
        room: &'a RoomName,
        peers: &'a [Address],
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a RawValue>,
    },
    Left {
        room: &'a RoomName,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a RawValue>,
    },
    PeerJoined {
        room: &'a RoomName,
        peer: &'a Address,
    },
    PeerLeft {
        room: &'a RoomName,
        peer: &'a Address,
    },
    IceServers {
        ice_servers: &'a [IceServer],
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a RawValue>,
    },
    Error {
        code: ErrorCode,
        message: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a RoomName>,
        #[serde(skip_serializing_if = "<[Address]>::is_empty")]
        peers: &'a [Address],
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a RawValue>,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::dialect::v1::decode;
    use std::num::NonZeroU32;

    use crate::protocol::{PeerId, Rate, Resume, Secret};

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

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
        let message = match kind {
            "welcome" => {
                let rate = &value["rate"];
                let welcome = Welcome {
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
                };
                return text(|out| greet(&welcome, out));
            }
            "ack" => {
                ServerMessage::Notice(Notice::Ack { reference: reference.unwrap(), parked: value["parked"] == true })
            }
            "joined" => ServerMessage::Notice(Notice::Joined { room: room(), peers: ids("peers"), reference }),
            "left" => ServerMessage::Notice(Notice::Left { room: room(), reference }),
            "peer-joined" => ServerMessage::Notice(Notice::PeerJoined { room: room(), peer: id("peer") }),
            "peer-left" => ServerMessage::Notice(Notice::PeerLeft { room: room(), peer: id("peer") }),
            "ice-servers" => {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let entry = |entry: &Value| IceServer {
                    urls: entry["urls"].as_array().unwrap().iter().filter_map(text).collect(),
                    username: text(&entry["username"]),
                    credential: text(&entry["credential"]),
                };
                let ice_servers = value["iceServers"].as_array().unwrap().iter().map(entry).collect();
                ServerMessage::Notice(Notice::IceServers { ice_servers, reference })
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
                ServerMessage::Notice(Notice::Error(Box::new(error)))
            }
            "message" if value["room"].is_string() => {
                let payload = raw("message").unwrap().into();
                ServerMessage::Broadcast { room: room(), from: id("from"), payload }
            }
            _ => {
                let all = [Kind::Offer, Kind::Answer, Kind::Candidate, Kind::Message, Kind::Bye];
                let kind = all.into_iter().find(|each| each.as_str() == kind).unwrap();
                // The first occurrence of the key may be inside `type`: the payload's follows `from`.
                let payload = frame.split_once(&format!("\",\"{}\":", kind.as_str()));
                let payload = payload.map(|(_, rest)| rest[..rest.len() - 1].into());
                ServerMessage::Relayed { from: id("from"), kind, payload }
            }
        };
        text(|out| write(&message, out))
    }

    #[test]
    fn a_refused_to_comes_back_up_to_64_bytes() {
        let came_back = |to: &str| {
            let error = ErrorNotice::new(ErrorCode::PeerUnavailable, None).to(to);
            let frame = text(|out| notice(&Notice::Error(Box::new(error)), out));
            serde_json::from_str::<Value>(&frame).unwrap()["to"].as_str().unwrap().to_owned()
        };
        assert_eq!(came_back(&"é".repeat(100)), "é".repeat(32));
        assert_eq!(came_back(&format!("x{}", "é".repeat(100))).len(), 63);
    }

    #[test]
    fn every_server_vector_is_what_the_encoder_writes() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/server.json")).unwrap();
        assert!(vectors.len() > 30);
        for Vector { name, frame } in vectors {
            assert_eq!(message(&frame), frame, "{name}");
        }
    }
}
