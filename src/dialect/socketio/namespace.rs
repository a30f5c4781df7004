//! Socket.IO's packets in their order: which namespaces a client is in, and which attachments are still to come.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::message::{self, Body, MAIN, Packet};
use super::packet::{Message, Outgoing};

/// What an endpoint has. The default is the main namespace alone, and no attachments.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Namespaces besides the main one, such as `/custom`.
    pub namespaces: Vec<String>,
    /// Attachments of a packet. Who sends more is closed. socket.io allows 10.
    pub max_attachments: usize,
    /// Bytes of a packet with its attachments.
    pub max_binary_bytes: usize,
}

/// What a client has said, and what is to be done about it.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It wants to be in a namespace that there is: [let it in](Namespaces::join), or say that it may not.
    Connect {
        /// Which.
        namespace: &'a str,
        /// Its credentials.
        auth: Option<&'a RawValue>,
    },
    /// It has left a namespace. The connection stays.
    Left(&'a str),
    /// An event, or an answer to one, of a namespace that it is in.
    Said(Packet<'a>),
    /// The same, with all its attachments.
    SaidBinary(Whole),
    /// It is to be told this.
    Answer(Outgoing),
    /// Nothing: attachments are still to come.
    Wait,
    /// Close it: it is no client of socket.io's.
    Close,
}

/// A packet and its attachments.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// The packet's text, for [`Packet::decode`].
    pub text: String,
    /// In their order.
    pub attachments: Vec<Vec<u8>>,
}

/// A packet whose attachments have not all come.
#[derive(Debug)]
struct Partial {
    whole: Whole,
    missing: usize,
    /// How many more there may be.
    bytes_left: usize,
}

/// What one client has said so far.
#[derive(Debug)]
pub struct Namespaces {
    offered: Arc<Offered>,
    // Invariant: at most the main one and each of those that are offered, once each (`a_second_connect_is_closed`).
    joined: Vec<Box<str>>,
    // Invariant: at most `max_attachments` and `max_binary_bytes` (`attachments_are_bounded`).
    partial: Option<Partial>,
}

impl Namespaces {
    /// A client that has said nothing.
    #[must_use]
    pub fn new(offered: Arc<Offered>) -> Self {
        Self { offered, joined: Vec::new(), partial: None }
    }

    /// Whether the client is in this namespace.
    #[must_use]
    pub fn has_joined(&self, namespace: &str) -> bool {
        self.joined.iter().any(|joined| **joined == *namespace)
    }

    /// The client is in this namespace from now on.
    pub fn join(&mut self, namespace: &str) {
        if !self.has_joined(namespace) {
            self.joined.push(namespace.into());
        }
    }

    /// What a message of the client is.
    pub fn judge<'a>(&mut self, message: Message<'a>) -> Verdict<'a> {
        match message {
            Message::Binary(bytes) => self.attach(&bytes),
            // A packet whose attachments are missing can't be read any more.
            Message::Text(_) if self.partial.is_some() => Verdict::Close,
            Message::Text(text) => match Packet::decode(text) {
                Ok(packet) => self.judge_packet(packet, text),
                Err(message::Malformed) => Verdict::Close,
            },
        }
    }

    fn judge_packet<'a>(&mut self, packet: Packet<'a>, text: &str) -> Verdict<'a> {
        let namespace = packet.namespace;
        match (&packet.body, self.has_joined(namespace)) {
            (Body::Connect(_), true) | (Body::Disconnect | Body::Event(_) | Body::Ack(_), false) => Verdict::Close,
            (Body::Connect(_), false) if !self.is_offered(namespace) => {
                Verdict::Answer(message::refused(namespace, "Invalid namespace", None))
            }
            (Body::Connect(auth), false) => Verdict::Connect { namespace, auth: *auth },
            (Body::Disconnect, true) => {
                self.joined.retain(|joined| **joined != *namespace);
                Verdict::Left(namespace)
            }
            (Body::Event(_) | Body::Ack(_), true) if packet.attachments > 0 => self.begin(packet.attachments, text),
            (Body::Event(_) | Body::Ack(_), true) => Verdict::Said(packet),
        }
    }

    fn is_offered(&self, namespace: &str) -> bool {
        namespace == MAIN || self.offered.namespaces.iter().any(|offered| offered == namespace)
    }

    fn begin(&mut self, attachments: usize, text: &str) -> Verdict<'static> {
        let bytes_left = self.offered.max_binary_bytes.checked_sub(text.len());
        match bytes_left {
            Some(bytes_left) if attachments <= self.offered.max_attachments => {
                let whole = Whole { text: text.to_owned(), attachments: Vec::new() };
                self.partial = Some(Partial { whole, missing: attachments, bytes_left });
                Verdict::Wait
            }
            _ => Verdict::Close,
        }
    }

    fn attach(&mut self, bytes: &[u8]) -> Verdict<'static> {
        let Some(mut partial) = self.partial.take() else { return Verdict::Close };
        let Some(bytes_left) = partial.bytes_left.checked_sub(bytes.len()) else { return Verdict::Close };
        partial.bytes_left = bytes_left;
        partial.missing -= 1;
        partial.whole.attachments.push(bytes.to_vec());
        if partial.missing == 0 {
            return Verdict::SaidBinary(partial.whole);
        }
        self.partial = Some(partial);
        Verdict::Wait
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    /// As the server is.
    fn plain() -> Namespaces {
        Namespaces::new(Arc::default())
    }

    /// As the program for the protocol's test suites is.
    fn rich() -> Namespaces {
        let namespaces = vec!["/custom".to_owned()];
        Namespaces::new(Arc::new(Offered { namespaces, max_attachments: 10, max_binary_bytes: 100 }))
    }

    fn text<'a>(namespaces: &mut Namespaces, text: &'a str) -> Verdict<'a> {
        namespaces.judge(Message::Text(text))
    }

    fn binary(namespaces: &mut Namespaces, bytes: &[u8]) -> Verdict<'static> {
        namespaces.judge(Message::Binary(Cow::Owned(bytes.to_vec())))
    }

    fn closes(namespaces: &mut Namespaces, packet: &str) -> bool {
        matches!(text(namespaces, packet), Verdict::Close)
    }

    #[test]
    fn a_client_connects_talks_and_leaves() {
        let mut client = plain();
        let verdict = text(&mut client, r#"0{"token":"123"}"#);
        assert!(matches!(verdict, Verdict::Connect { namespace: "/", auth: Some(_) }), "{verdict:?}");
        client.join("/");
        assert!(matches!(text(&mut client, r#"27["offer",{}]"#), Verdict::Said(Packet { ack: Some(7), .. })));
        assert!(matches!(text(&mut client, "30[]"), Verdict::Said(Packet { body: Body::Ack(_), .. })));
        assert!(matches!(text(&mut client, "1"), Verdict::Left("/")));
        assert!(!client.has_joined("/"));
        assert!(matches!(text(&mut client, "0"), Verdict::Connect { .. }), "it may come back");
    }

    #[test]
    fn a_second_connect_is_closed() {
        let mut client = plain();
        client.join("/");
        client.join("/");
        assert_eq!(client.joined.len(), 1);
        assert!(closes(&mut client, "0"));
    }

    #[test]
    fn what_comes_before_the_connect_is_closed() {
        for packet in [r#"2["offer",{}]"#, "30[]", "1", r#"51-["x"]"#] {
            assert!(closes(&mut rich(), packet), "{packet}");
        }
    }

    #[test]
    fn a_client_that_was_refused_may_not_talk() {
        let mut client = plain();
        assert!(matches!(text(&mut client, "0"), Verdict::Connect { .. }));
        assert!(closes(&mut client, r#"2["offer",{}]"#));
    }

    #[test]
    fn an_unknown_namespace_is_refused_and_the_connection_stays() {
        let mut client = plain();
        client.join("/");
        let Verdict::Answer(answer) = text(&mut client, "0/nope") else { panic!("no answer") };
        assert_eq!(answer, Outgoing::Text(r#"44/nope,{"message":"Invalid namespace"}"#.into()));
        assert!(matches!(text(&mut client, r#"2["x"]"#), Verdict::Said(_)));
        assert!(closes(&mut client, r#"2/nope,["x"]"#));
    }

    #[test]
    fn namespaces_are_left_one_by_one() {
        let mut client = rich();
        client.join("/");
        assert!(matches!(text(&mut client, "0/custom"), Verdict::Connect { namespace: "/custom", auth: None }));
        client.join("/custom");
        assert!(matches!(text(&mut client, "1/custom"), Verdict::Left("/custom")));
        assert!(matches!(text(&mut client, r#"2["message"]"#), Verdict::Said(_)));
        assert!(closes(&mut client, r#"2/custom,["message"]"#));
    }

    #[test]
    fn what_is_malformed_is_closed() {
        let mut client = plain();
        client.join("/");
        for packet in ["abc", "2{}", r#"2abc["x"]"#, r#"2["connect"]"#, "4{}"] {
            assert!(closes(&mut client, packet), "{packet}");
        }
    }

    #[test]
    fn a_packet_waits_for_its_attachments() {
        let mut client = rich();
        client.join("/");
        assert!(matches!(text(&mut client, r#"52-["x"]"#), Verdict::Wait));
        assert!(matches!(binary(&mut client, &[1, 2]), Verdict::Wait));
        let Verdict::SaidBinary(whole) = binary(&mut client, &[]) else { panic!("not whole") };
        assert_eq!(whole, Whole { text: r#"52-["x"]"#.into(), attachments: vec![vec![1, 2], vec![]] });
        assert!(matches!(text(&mut client, r#"2["x"]"#), Verdict::Said(_)), "and then as before");
    }

    #[test]
    fn text_among_attachments_is_closed() {
        let mut client = rich();
        client.join("/");
        assert!(matches!(text(&mut client, r#"51-["x"]"#), Verdict::Wait));
        assert!(closes(&mut client, r#"2["x"]"#));
    }

    #[test]
    fn an_attachment_of_nothing_is_closed() {
        let mut client = rich();
        client.join("/");
        assert!(matches!(binary(&mut client, &[1]), Verdict::Close));
    }

    #[test]
    fn the_server_takes_no_attachments() {
        let mut client = plain();
        client.join("/");
        assert!(closes(&mut client, r#"51-["x"]"#));
    }

    #[test]
    fn attachments_are_bounded() {
        let mut client = rich();
        client.join("/");
        assert!(closes(&mut client, r#"511-["x"]"#), "in number");
        assert!(closes(&mut client, &format!("51-[\"{}\"]", "x".repeat(100))), "in text");
        assert!(matches!(text(&mut client, r#"510-["x"]"#), Verdict::Wait));
        assert!(matches!(binary(&mut client, &[0; 91]), Verdict::Wait));
        assert!(matches!(binary(&mut client, &[0]), Verdict::Close), "in bytes");
    }
}
