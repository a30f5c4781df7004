//! The codec against a second reading of the same frame, by serde_json's own values. No part of the server.

use serde_json::Value;

use super::{Heard, PeerJs, Sink, read_binary};
use crate::protocol::{Address, ClientMessage, Kind, Realm, ServerMessage};

struct Frames(Vec<Vec<u8>>);

impl Sink for Frames {
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.0.push(out);
    }
}

/// Reads a frame, text or not, and writes what comes of it to another client.
///
/// # Panics
///
/// Where the two do not say the same, or the server's frame is no JSON.
pub fn play_peerjs(data: &[u8]) {
    let name = |name| Address::named(Realm::PeerJs, name).expect("a short name");
    let bob = PeerJs::new(name("bob"));
    let value: Option<Value> = serde_json::from_slice(data).ok();
    let Heard::Request(Ok(request)) = read_binary(data) else { return };
    let ClientMessage::Relay { kind, to, payload } = request.message else { panic!("no client says so") };
    if let Some(value) = value {
        // Numbers that no f64 holds are no value of serde_json's, and pass here unread.
        assert_eq!((value["type"].as_str(), value["dst"].as_str()), (Some(word(kind)), Some(&*to)));
    }
    let message = ServerMessage::Relayed { from: name("alice"), kind, payload: payload.map(Into::into) };
    let mut frames = Frames(Vec::new());
    bob.write(&message, &mut frames);
    let [frame] = &frames.0[..] else { panic!("one message is one frame") };
    let text = std::str::from_utf8(frame).expect("text");
    let head = format!(r#"{{"type":"{}","src":"alice","dst":"bob""#, word(kind));
    let rest = text.strip_prefix(&head).expect("who says it is the server's to say");
    let said = payload.map_or("}".to_owned(), |payload| format!(",\"payload\":{payload}}}"));
    assert_eq!(rest, said, "the payload passes untouched");
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Offer => "OFFER",
        Kind::Answer => "ANSWER",
        Kind::Candidate => "CANDIDATE",
        Kind::Bye => "LEAVE",
        Kind::Message => panic!("PeerJS has no such message"),
    }
}
