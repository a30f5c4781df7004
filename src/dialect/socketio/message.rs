//! Socket.IO 5's packets: `<type>[<attachments>-][<namespace>,][<ack>][<JSON>]` in an Engine.IO message.
//!
//! Whether a packet fits what came before it is judged in [`namespace`](super::namespace).

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::packet::Outgoing;
use crate::dialect::json::{self, Elements};

/// The namespace that has no name on the wire.
pub const MAIN: &str = "/";

/// Words that the libraries use for themselves. Who sends an event of such a name is no socket.io client.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A client's packet.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The namespace that it is for, such as `/` or `/custom`.
    pub namespace: &'a str,
    /// Of an event: the number under which its client wants an answer. Of an acknowledgement: the event's number.
    pub ack: Option<u64>,
    /// How many binary messages follow, which belong to it.
    pub attachments: usize,
    /// What it says.
    pub body: Body<'a>,
}

/// What a client's packet says.
#[derive(Debug)]
pub enum Body<'a> {
    /// It wants to be in the namespace. With its credentials, an object, if it has some.
    Connect(Option<&'a RawValue>),
    /// It leaves the namespace.
    Disconnect,
    /// An event, with or without attachments.
    Event(Event<'a>),
    /// An answer to an event of ours: an array.
    Ack(&'a RawValue),
}

/// An event: an array with its name at the head.
#[derive(Debug)]
pub struct Event<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// The first argument. Most events have one alone.
    pub argument: Option<&'a RawValue>,
    /// The JSON text of all arguments as it stands behind the name: nothing, or a comma and what follows it.
    pub arguments: &'a str,
}

/// The name of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// Almost always.
    Text(Cow<'a, str>),
    /// A number, as it is written.
    Number(&'a str),
}

/// It is no packet of Socket.IO, or none that a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
}

impl<'a> Packet<'a> {
    /// Reads the text of an Engine.IO message.
    ///
    /// # Errors
    ///
    /// [`Malformed`], for which a client is closed.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let (kind, rest) = split_first(text).ok_or(Malformed)?;
        let (kind, has_attachments) = match kind {
            '0' => (Kind::Connect, false),
            '1' => (Kind::Disconnect, false),
            '2' => (Kind::Event, false),
            '3' => (Kind::Ack, false),
            '5' => (Kind::Event, true),
            '6' => (Kind::Ack, true),
            // 4 tells a client that it may not connect: no client says that.
            _ => return Err(Malformed),
        };
        let (attachments, rest) = if has_attachments { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest)?;
        let (ack, rest) = ack(rest)?;
        Ok(Self { namespace, ack, attachments, body: body(kind, rest.trim_matches(json::BLANK))? })
    }
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut letters = text.chars();
    letters.next().map(|first| (first, letters.as_str()))
}

/// The digits at the beginning, and what follows them.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len())
}

fn attachments(text: &str) -> Result<(usize, &str), Malformed> {
    let (digits, rest) = split_digits(text);
    let attachments = digits.parse().ok().filter(|number| *number > 0).ok_or(Malformed)?;
    Ok((attachments, rest.strip_prefix('-').ok_or(Malformed)?))
}

/// A name begins with a slash and ends with a comma, or with the packet.
fn namespace(text: &str) -> Result<(&str, &str), Malformed> {
    if !text.starts_with('/') {
        return Ok((MAIN, text));
    }
    let (name, rest) = text.split_once(',').unwrap_or((text, ""));
    // It is said back in text where control characters separate packets.
    if name.contains(char::is_control) {
        return Err(Malformed);
    }
    Ok((name, rest))
}

fn ack(text: &str) -> Result<(Option<u64>, &str), Malformed> {
    match split_digits(text) {
        ("", rest) => Ok((None, rest)),
        (digits, rest) => Ok((Some(digits.parse().map_err(|_| Malformed)?), rest)),
    }
}

fn body(kind: Kind, data: &str) -> Result<Body<'_>, Malformed> {
    match kind {
        Kind::Connect | Kind::Disconnect if data.is_empty() => {
            Ok(if kind == Kind::Connect { Body::Connect(None) } else { Body::Disconnect })
        }
        Kind::Connect if data.starts_with('{') => Ok(Body::Connect(Some(json::value(data).ok_or(Malformed)?))),
        Kind::Event => Event::read(data).map(Body::Event),
        Kind::Ack if data.starts_with('[') => Ok(Body::Ack(json::value(data).ok_or(Malformed)?)),
        Kind::Connect | Kind::Disconnect | Kind::Ack => Err(Malformed),
    }
}

impl<'a> Event<'a> {
    /// The array has nothing around it.
    fn read(array: &'a str) -> Result<Self, Malformed> {
        let elements = Elements::<2>::read(array).ok_or(Malformed)?;
        let head = *elements.first.first().ok_or(Malformed)?;
        let name = Name::read(head).ok_or(Malformed)?;
        // The array begins with `[` and ends with `]`, and its head is the first occurrence of the head's own text.
        let start = array.find(head.get()).ok_or(Malformed)? + head.get().len();
        let arguments = array[start..array.len() - 1].trim();
        Ok(Self { name, argument: elements.first.get(1).copied(), arguments })
    }
}

impl<'a> Name<'a> {
    fn read(head: &'a RawValue) -> Option<Self> {
        match head.get().as_bytes().first()? {
            b'"' => json::text(head).filter(|name| !RESERVED.contains(&&**name)).map(Self::Text),
            b'-' | b'0'..=b'9' => Some(Self::Number(head.get())),
            _ => None,
        }
    }
}

/// Where a packet for a client belongs.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Of an acknowledgement: the event's number. Of an event: the number under which we want one.
    pub ack: Option<u64>,
    /// How many binary packets are sent right after it.
    pub attachments: usize,
}

impl Default for Head<'_> {
    fn default() -> Self {
        Self { namespace: MAIN, ack: None, attachments: 0 }
    }
}

impl Head<'_> {
    /// An event: a JSON array with its name at the head.
    #[must_use]
    pub fn event(&self, array: &str) -> Outgoing {
        self.packet(if self.attachments > 0 { '5' } else { '2' }, array)
    }

    /// The answer to a client's event: a JSON array.
    #[must_use]
    pub fn acknowledgement(&self, array: &str) -> Outgoing {
        self.packet(if self.attachments > 0 { '6' } else { '3' }, array)
    }

    fn packet(&self, kind: char, json: &str) -> Outgoing {
        let mut text = String::with_capacity(json.len() + self.namespace.len() + 26);
        text.push('4');
        text.push(kind);
        // Writing to a string does not fail.
        if self.attachments > 0 {
            let _ = write!(text, "{}-", self.attachments);
        }
        if self.namespace != MAIN {
            let _ = write!(text, "{},", self.namespace);
        }
        if let Some(ack) = self.ack {
            let _ = write!(text, "{ack}");
        }
        text.push_str(json);
        Outgoing::Text(text)
    }
}

/// The client is in the namespace, as this peer.
#[must_use]
pub fn connected(namespace: &str, id: &str) -> Outgoing {
    let head = Head { namespace, ..Head::default() };
    head.packet('0', &format!(r#"{{"sid":{}}}"#, quoted(id)))
}

/// The client may not be in the namespace. It does not try again by itself, and its page gets text and data: a JSON text.
#[must_use]
pub fn refused(namespace: &str, message: &str, data: Option<&str>) -> Outgoing {
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    let head = Head { namespace, ..Head::default() };
    head.packet('4', &format!(r#"{{"message":{}{data}}}"#, quoted(message)))
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Packet<'_> {
        Packet::decode(text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn event(text: &str) -> Event<'_> {
        match decode(text).body {
            Body::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    fn sent(packet: &Outgoing) -> &str {
        match packet {
            Outgoing::Text(text) => text,
            Outgoing::Binary(_) => panic!("binary"),
        }
    }

    #[test]
    fn a_client_connects_with_or_without_credentials() {
        let packet = decode("0");
        assert_eq!((packet.namespace, packet.ack), ("/", None));
        assert!(matches!(packet.body, Body::Connect(None)));
        let packet = decode(r#"0/custom,{"token":"123"}"#);
        assert_eq!(packet.namespace, "/custom");
        let Body::Connect(Some(auth)) = packet.body else { panic!("{packet:?}") };
        assert_eq!(auth.get(), r#"{"token":"123"}"#);
    }

    #[test]
    fn a_namespace_ends_with_a_comma_or_with_the_packet() {
        assert_eq!(decode("0/random").namespace, "/random");
        assert_eq!(decode("0/random,").namespace, "/random");
        assert_eq!(decode("0/,").namespace, "/");
        assert_eq!(decode("1/custom").namespace, "/custom");
        let packet = decode(r#"2/a/b?c=d,12["x"]"#);
        assert_eq!((packet.namespace, packet.ack), ("/a/b?c=d", Some(12)));
    }

    #[test]
    fn an_event_has_a_name_and_arguments() {
        let read = event(r#"2["offer",{"to":"x"}]"#);
        assert_eq!(read.name, Name::Text("offer".into()));
        assert_eq!((read.argument.unwrap().get(), read.arguments), (r#"{"to":"x"}"#, r#",{"to":"x"}"#));
        let read = event(r#"2["message",1,"2",{"3":[true]}]"#);
        assert_eq!((read.argument.unwrap().get(), read.arguments), ("1", r#",1,"2",{"3":[true]}"#));
        let read = event(r#"2[ "none" ]"#);
        assert_eq!((read.argument.is_none(), read.arguments), (true, ""));
        assert_eq!(event(r#"2["a\"b\u00e9"]"#).name, Name::Text("a\"bé".into()));
        assert_eq!(event("2[-5,6]").name, Name::Number("-5"));
    }

    #[test]
    fn a_number_before_the_array_asks_for_an_acknowledgement() {
        assert_eq!(decode(r#"20["x"]"#).ack, Some(0));
        assert_eq!(decode(r#"2456["x"]"#).ack, Some(456));
        let packet = decode("3456[1]");
        assert!(matches!(packet.body, Body::Ack(array) if array.get() == "[1]"));
        assert_eq!(packet.ack, Some(456));
    }

    #[test]
    fn attachments_are_counted_before_a_hyphen() {
        let packet = decode(r#"52-/custom,789["x",{"_placeholder":true,"num":0}]"#);
        assert_eq!((packet.attachments, packet.namespace, packet.ack), (2, "/custom", Some(789)));
        assert!(matches!(packet.body, Body::Event(_)));
        let packet = decode("61-7[]");
        assert!(packet.attachments == 1 && matches!(packet.body, Body::Ack(_)));
    }

    #[test]
    fn what_no_client_says_is_malformed() {
        let packets = [
            "",
            "abc",
            "7",
            // Credentials that are no object.
            "0[]",
            "0null",
            "0\"x\"",
            "0{",
            // A disconnect has nothing to say.
            "1{}",
            // Events without a name.
            "2",
            "2{}",
            "2[]",
            "2[null]",
            "2[{}]",
            "2[true]",
            "2[\"x\"",
            "2[\"x\"]]",
            "2\"x\"",
            "2abc[\"x\"]",
            "2-1[\"x\"]",
            "299999999999999999999[\"x\"]",
            // An acknowledgement is an array.
            "3",
            "31",
            "31{}",
            // Only servers refuse.
            "4{\"message\":\"x\"}",
            "4",
            // Attachments.
            "5",
            "5[\"x\"]",
            "5-[\"x\"]",
            "50-[\"x\"]",
            "5a-[\"x\"]",
            "5-1-[\"x\"]",
            "51[\"x\"]",
            // What would separate packets.
            "0/a\u{1e}b",
        ];
        for packet in packets {
            assert!(Packet::decode(packet).is_err(), "{packet}");
        }
    }

    #[test]
    fn reserved_names_are_malformed() {
        for name in RESERVED {
            assert!(Packet::decode(&format!("2[{}]", quoted(name))).is_err(), "{name}");
        }
        assert!(Packet::decode("2[\"\\u0063onnect\"]").is_err(), "in any spelling");
        assert!(Packet::decode("2[\"connected\"]").is_ok());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!(r#"2["offer",{}{}]"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(Packet::decode(&deep).is_ok());
    }

    #[test]
    fn packets_are_written_as_the_original_writes_them() {
        let main = Head::default();
        assert_eq!(sent(&main.event(r#"["a",1]"#)), r#"42["a",1]"#);
        assert_eq!(sent(&Head { ack: Some(0), ..main }.acknowledgement("[1]")), "430[1]");
        let custom = Head { namespace: "/custom", ack: Some(7), attachments: 2 };
        assert_eq!(sent(&custom.event(r#"["a"]"#)), r#"452-/custom,7["a"]"#);
        assert_eq!(sent(&custom.acknowledgement("[]")), "462-/custom,7[]");
        assert_eq!(sent(&connected("/", "x")), r#"40{"sid":"x"}"#);
        assert_eq!(sent(&connected("/custom", "x")), r#"40/custom,{"sid":"x"}"#);
        assert_eq!(sent(&refused("/nope", "Invalid namespace", None)), r#"44/nope,{"message":"Invalid namespace"}"#);
        assert_eq!(sent(&refused("/", "no", Some("{\"a\":1}"))), r#"44{"message":"no","data":{"a":1}}"#);
    }
}
