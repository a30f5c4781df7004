//! The two kinds of clients that meet on topics, y-webrtc's and Trystero's: one protocol in two spellings. Pure.
//!
//! Both servers are silent about what they don't do, and so is this one: a client is told what is said on its topics, and
//! the answer to its ping.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod read;

use std::io::Write as _;

use super::{Heard, Sink};
use crate::protocol::{Notice, Published, Realm, ServerMessage, Unreadable};

/// How topics are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `topics`, all of a message's own fields, and `clients`.
    YWebrtc,
    /// `topic` and `payload`.
    Trystero,
}

impl Spelling {
    /// Where its topics are.
    #[must_use]
    pub fn realm(self) -> Realm {
        match self {
            Self::YWebrtc => Realm::YWebrtc,
            Self::Trystero => Realm::Trystero,
        }
    }

    /// Reads a text frame.
    #[must_use]
    pub fn read(self, frame: &str) -> Heard<'_> {
        read::read(self, frame)
    }

    /// Reads a message that is no text frame: the original servers take it for one.
    #[must_use]
    pub fn read_binary(self, frame: &[u8]) -> Heard<'_> {
        match std::str::from_utf8(frame) {
            Ok(frame) => self.read(frame),
            Err(_) => Heard::Request(Err(Unreadable { reference: None })),
        }
    }

    /// Says what these clients can be told.
    pub fn write(self, message: &ServerMessage, sink: &mut impl Sink) {
        match message {
            ServerMessage::Published(published) => sink.frame(|out| self.published(published, out)),
            // Only a ping has a reference.
            ServerMessage::Notice(Notice::Ack { .. }) => sink.frame(|out| out.extend_from_slice(br#"{"type":"pong"}"#)),
            ServerMessage::Notice(_)
            | ServerMessage::Relayed { .. }
            | ServerMessage::Broadcast { .. }
            | ServerMessage::InSession { .. } => {}
        }
    }

    fn published(self, published: &Published, out: &mut Vec<u8>) {
        let Published { topic, payload, count_at, subscribers } = published;
        match self {
            Self::YWebrtc => {
                let (before, after) = payload.split_at(*count_at);
                write!(out, "{before}{subscribers}{after}")
            }
            Self::Trystero => {
                let topic = serde_json::to_string(topic.as_str()).expect("a text is JSON");
                write!(out, r#"{{"topic":{topic},"payload":{payload}}}"#)
            }
        }
        .expect("a Vec takes all that is written");
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::protocol::{ClientMessage, Publication, Request};

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        dialect: String,
        frame: String,
        /// What it comes to: its kind and topics; `ignored`, or `refused`.
        heard: serde_json::Value,
        /// What three subscribers are told.
        told: Option<String>,
        announces: Option<String>,
    }

    fn spelling(name: &str) -> Spelling {
        let both = [Spelling::YWebrtc, Spelling::Trystero];
        both.into_iter().find(|spelling| spelling.realm().as_str() == name).unwrap()
    }

    fn heard(heard: &Heard<'_>) -> serde_json::Value {
        let names = |kind: &str, topics: Vec<&str>| serde_json::json!({"kind": kind, "topics": topics});
        match heard {
            Heard::Nothing => "ignored".into(),
            Heard::Request(Err(Unreadable { reference: None })) => "refused".into(),
            Heard::Request(Ok(Request { message, .. })) => match message {
                ClientMessage::Subscribe(topics) | ClientMessage::Unsubscribe(topics) => {
                    names(message.kind(), topics.iter().collect())
                }
                ClientMessage::Publish(publication) => names(message.kind(), vec![publication.topic.as_str()]),
                other => names(other.kind(), Vec::new()),
            },
            other => panic!("{other:?}"),
        }
    }

    fn told(spelling: Spelling, publication: Publication<'_>) -> String {
        let Publication { topic, payload, count_at, .. } = publication;
        let published = Published { topic, payload: payload.as_ref().into(), count_at, subscribers: 3 };
        let mut frames = Vec::new();
        spelling.write(&ServerMessage::Published(published), &mut frames);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }

    #[test]
    fn every_topic_vector_is_read_and_told_as_it_says() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/topics.json")).unwrap();
        for vector in vectors {
            let (name, spelling) = (vector.name, spelling(&vector.dialect));
            let read = spelling.read(&vector.frame);
            assert_eq!(heard(&read), vector.heard, "{name}");
            assert_eq!(heard(&spelling.read_binary(vector.frame.as_bytes())), vector.heard, "{name}");
            if let Heard::Request(Ok(Request { message: ClientMessage::Publish(publication), .. })) = read {
                assert_eq!(publication.announces.as_deref(), vector.announces.as_deref(), "{name}");
                assert_eq!(Some(told(spelling, publication)), vector.told, "{name}");
            }
        }
    }

    #[test]
    fn a_frame_that_is_not_utf_8_is_refused() {
        assert_eq!(heard(&Spelling::Trystero.read_binary(b"\"\xff\"")), "refused");
    }
}
