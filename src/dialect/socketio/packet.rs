//! Engine.IO 4's packets. A WebSocket frame is one; the body of a poll or of a post is several, with U+001E between them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use serde::Serialize;

use super::engine::{Config, Transport};
use super::sid::Sid;

const SEPARATOR: char = '\u{1e}';

/// Marks binary data in text.
const BINARY: char = 'b';

/// Padding may be left out by clients that are not socket.io's own.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client's frame is, or a part of its post.
#[derive(Clone, Copy, Debug)]
pub enum Received<'a> {
    /// Text: a packet's digit and its data, or `b` and base64.
    Text(&'a str),
    /// A binary frame: data without a digit.
    Binary(&'a [u8]),
}

/// Data for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// What follows the digit 4.
    Text(&'a str),
    /// An attachment.
    Binary(Cow<'a, [u8]>),
}

/// A client's packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// `1`: it ends the session.
    Close,
    /// `2`: only servers may send it, but while an upgrade is tried. With its data.
    Ping(&'a str),
    /// `3`: an answer to the server's ping.
    Pong,
    /// `4`, or binary data.
    Message(Message<'a>),
    /// `5`: the session goes on over the WebSocket that was tried.
    Upgrade,
    /// `0` and `6`, which mean nothing from a client.
    Ignored,
}

/// It is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Packet<'a> {
    pub(super) fn decode(received: Received<'a>) -> Result<Self, Malformed> {
        let text = match received {
            Received::Text(text) => text,
            Received::Binary(bytes) => return Ok(Self::Message(Message::Binary(Cow::Borrowed(bytes)))),
        };
        let mut letters = text.chars();
        let kind = letters.next().ok_or(Malformed)?;
        let data = letters.as_str();
        Ok(match kind {
            '0' | '6' => Self::Ignored,
            '1' => Self::Close,
            '2' => Self::Ping(data),
            '3' => Self::Pong,
            '4' => Self::Message(Message::Text(data)),
            '5' => Self::Upgrade,
            BINARY => Self::Message(Message::Binary(Cow::Owned(BASE64.decode(data).map_err(|_| Malformed)?))),
            _ => return Err(Malformed),
        })
    }
}

/// The body of a post, packet by packet.
#[derive(Debug)]
pub struct Payload {
    body: String,
    /// Where the next packet begins. `None`: there is none.
    next: Option<usize>,
}

impl Payload {
    /// The body as it came. An empty one is one empty packet, which is malformed.
    #[must_use]
    pub fn new(body: String) -> Self {
        Self { body, next: Some(0) }
    }

    /// The next packet, for [`Engine::receive`](super::engine::Engine::receive).
    pub fn next_packet(&mut self) -> Option<Received<'_>> {
        let rest = &self.body[self.next?..];
        let packet = rest.split(SEPARATOR).next().unwrap_or(rest);
        self.next = self.next.map(|start| start + packet.len() + 1).filter(|next| *next <= self.body.len());
        Some(Received::Text(packet))
    }
}

/// A packet for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A packet with its digit. It has no U+001E, which JSON has only escaped.
    Text(String),
    /// An attachment.
    Binary(Vec<u8>),
}

impl Outgoing {
    /// Text of the application.
    #[must_use]
    pub fn message(text: &str) -> Self {
        Self::Text(format!("4{text}"))
    }

    pub(super) fn close() -> Self {
        Self::Text("1".into())
    }

    pub(super) fn ping() -> Self {
        Self::Text("2".into())
    }

    pub(super) fn noop() -> Self {
        Self::Text("6".into())
    }

    /// Its bytes, without what a transport adds.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there are none, as in an empty attachment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The body of a poll's answer.
pub(super) fn join(packets: impl IntoIterator<Item = Outgoing>) -> String {
    let mut body = String::new();
    for (index, packet) in packets.into_iter().enumerate() {
        if index > 0 {
            body.push(SEPARATOR);
        }
        match packet {
            Outgoing::Text(text) if body.is_empty() => body = text,
            Outgoing::Text(text) => body.push_str(&text),
            Outgoing::Binary(bytes) => {
                body.push(BINARY);
                general_purpose::STANDARD.encode_string(bytes, &mut body);
            }
        }
    }
    body
}

/// The first packet of a session. Clients read it by names, but the order is the original's all the same.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

pub(super) fn open(sid: Sid, transport: Transport, config: &Config) -> Outgoing {
    let upgrades: &[&str] = match transport {
        Transport::Polling => &["websocket"],
        Transport::WebSocket => &[],
    };
    let open = Open {
        sid: &sid.to_string(),
        upgrades,
        ping_interval: config.ping_interval.as_millis(),
        ping_timeout: config.ping_timeout.as_millis(),
        max_payload: config.max_payload,
    };
    Outgoing::Text(format!("0{}", serde_json::to_string(&open).expect("text and numbers are JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Packet<'_>, Malformed> {
        Packet::decode(Received::Text(text))
    }

    fn packets(body: &str) -> Vec<String> {
        let (mut payload, mut packets) = (Payload::new(body.to_owned()), Vec::new());
        while let Some(Received::Text(packet)) = payload.next_packet() {
            packets.push(packet.to_owned());
        }
        packets
    }

    #[test]
    fn the_first_character_is_the_kind() {
        assert_eq!(decode("0"), Ok(Packet::Ignored));
        assert_eq!(decode("1"), Ok(Packet::Close));
        assert_eq!(decode("2probe"), Ok(Packet::Ping("probe")));
        assert_eq!(decode("3"), Ok(Packet::Pong));
        assert_eq!(decode("4hé"), Ok(Packet::Message(Message::Text("hé"))));
        assert_eq!(decode("4"), Ok(Packet::Message(Message::Text(""))));
        assert_eq!(decode("5"), Ok(Packet::Upgrade));
        assert_eq!(decode("6"), Ok(Packet::Ignored));
    }

    #[test]
    fn binary_is_base64_in_text_and_bare_in_a_binary_frame() {
        let expected = Packet::Message(Message::Binary(Cow::Borrowed(&[1, 2, 3, 4])));
        assert_eq!(decode("bAQIDBA==").as_ref(), Ok(&expected));
        assert_eq!(decode("bAQIDBA").as_ref(), Ok(&expected), "without padding");
        assert_eq!(Packet::decode(Received::Binary(&[1, 2, 3, 4])), Ok(expected));
        assert_eq!(decode("b").ok(), Some(Packet::Message(Message::Binary(Cow::Borrowed(&[])))));
    }

    #[test]
    fn what_is_no_packet_is_malformed() {
        for text in ["", "7", "abc", "b!", "bA", "é", "\u{1e}"] {
            assert_eq!(decode(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_post_is_packets_between_separators() {
        assert_eq!(packets("4a"), ["4a"]);
        assert_eq!(packets("4test1\u{1e}4test2\u{1e}bAQ=="), ["4test1", "4test2", "bAQ=="]);
        assert_eq!(packets("4é\u{1e}3"), ["4é", "3"]);
        assert_eq!(packets(""), [""], "an empty body is malformed");
        assert_eq!(packets("4a\u{1e}"), ["4a", ""]);
        assert_eq!(packets("\u{1e}\u{1e}"), ["", "", ""]);
    }

    #[test]
    fn the_answer_to_a_poll_is_packets_between_separators() {
        let text = |text: &str| Outgoing::Text(text.to_owned());
        assert_eq!(join([text("4a")]), "4a");
        assert_eq!(join([text("4a"), Outgoing::Binary(vec![1, 2, 3, 4]), text("2")]), "4a\u{1e}bAQIDBA==\u{1e}2");
        assert_eq!(join([Outgoing::Binary(vec![]), text("4a")]), "b\u{1e}4a");
    }

    #[test]
    fn the_open_packet_has_its_fields_in_the_order_of_the_original() {
        let sid = Sid::from([0xfb; 15]);
        let opened = |transport| open(sid, transport, &Config::default());
        let rest = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        let polling = format!(r#"0{{"sid":"-_v7-_v7-_v7-_v7-_v7","upgrades":["websocket"],{rest}"#);
        assert_eq!(opened(Transport::Polling), Outgoing::Text(polling));
        let websocket = format!(r#"0{{"sid":"-_v7-_v7-_v7-_v7-_v7","upgrades":[],{rest}"#);
        assert_eq!(opened(Transport::WebSocket), Outgoing::Text(websocket));
    }
}
