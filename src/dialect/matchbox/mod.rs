//! matchbox 0.15, and 0.14, whose wire is the same: a room, or a group of so many, is in the path, and all that clients say
//! to each other are signals. Pure.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::borrow::Cow;
use std::io::Write as _;
use std::num::NonZeroUsize;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Heard, Sink};
use crate::protocol::{
    Address, ClientMessage, Doubt, Kind, Notice, Request, RoomName, ServerMessage, Unreadable, Welcome,
};

/// One client's path: what it asks for before it says anything.
#[derive(Debug)]
pub struct Matchbox {
    room: RoomName,
    /// The members that its group is to have. None: it enters the room itself.
    next: Option<NonZeroUsize>,
}

impl Matchbox {
    /// A client that asks for a room, or for the next group there of so many.
    #[must_use]
    pub fn new(room: RoomName, next: Option<NonZeroUsize>) -> Self {
        Self { room, next }
    }

    /// The room of its path.
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    /// The members that its group is to have. None: it enters the room itself.
    pub(crate) fn next(&self) -> Option<NonZeroUsize> {
        self.next
    }

    /// Whether it waits to be matched before all else.
    pub(super) fn waits(&self) -> bool {
        self.next.is_some()
    }

    /// What it asks for first.
    pub(super) fn enters(&self, doubt: Doubt) -> ClientMessage<'static> {
        let room = self.room.clone();
        match self.next {
            Some(size) => ClientMessage::JoinNext { room, size, doubt },
            None => ClientMessage::Join(room),
        }
    }
}

/// A frame of the client's.
#[derive(Deserialize)]
enum Said<'a> {
    Signal {
        #[serde(borrow)]
        receiver: Cow<'a, str>,
        #[serde(borrow)]
        data: &'a RawValue,
    },
    KeepAlive,
}

/// Reads a text frame. What is none of the protocol's has no answer, and is counted.
pub(super) fn read(frame: &str) -> Heard<'_> {
    match serde_json::from_str(frame) {
        Ok(Said::Signal { receiver, data }) => {
            let message = ClientMessage::Relay { kind: Kind::Message, to: receiver, payload: Some(data.get()) };
            Heard::Request(Ok(Request { reference: None, message }))
        }
        Ok(Said::KeepAlive) => Heard::Nothing,
        Err(_) => unreadable(),
    }
}

/// What no client of this kind says.
pub(super) fn unreadable() -> Heard<'static> {
    Heard::Request(Err(Unreadable { reference: None }))
}

pub(super) fn greet(welcome: &Welcome, out: &mut Vec<u8>) {
    about("IdAssigned", &welcome.id, out);
}

/// A newcomer is told of no one: of each pair it is the older member that begins. The client knows no errors.
pub(super) fn write(message: &ServerMessage, sink: &mut impl Sink) {
    match message {
        ServerMessage::Relayed { from, payload: Some(payload), .. } => sink.frame(|out| signal(from, payload, out)),
        ServerMessage::Notice(Notice::PeerJoined { peer, .. }) => sink.frame(|out| about("NewPeer", peer, out)),
        ServerMessage::Notice(Notice::PeerLeft { peer, .. }) => sink.frame(|out| about("PeerLeft", peer, out)),
        _ => {}
    }
}

fn about(event: &str, peer: &Address, out: &mut Vec<u8>) {
    write!(out, r#"{{"{event}":"{}"}}"#, peer.id()).expect("a Vec takes all that is written");
}

fn signal(from: &Address, data: &str, out: &mut Vec<u8>) {
    const AROUND: usize = r#"{"Signal":{"sender":"00000000-0000-0000-0000-000000000000","data":}}"#.len();

    out.reserve(AROUND + data.len());
    write!(out, r#"{{"Signal":{{"sender":"{}","data":"#, from.id()).expect("a Vec takes all that is written");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::protocol::{End, ErrorCode, ErrorNotice, PeerId};

    fn written(message: &ServerMessage) -> Vec<String> {
        let mut frames = Vec::new();
        write(message, &mut frames);
        frames
    }

    fn peer() -> (Address, String) {
        let id = PeerId::random();
        (id.into(), id.to_string())
    }

    #[test]
    fn a_signal_is_relayed_with_its_data_byte_for_byte() {
        for data in [r#"{"Offer":"v=0\r\n"}"#, r#"{"IceCandidate":"{\"candidate\":\"\"}"}"#, "null", r#" {"a" : 1} "#] {
            let frame = format!(r#"{{"Signal":{{"receiver":"an id","data":{data}}}}}"#);
            let Heard::Request(Ok(Request { reference: None, message })) = read(&frame) else { panic!("{frame}") };
            let ClientMessage::Relay { kind: Kind::Message, to, payload: Some(payload) } = message else {
                panic!("{frame}");
            };
            assert_eq!((&*to, payload), ("an id", data.trim()));
            let (from, id) = peer();
            let relayed = ServerMessage::Relayed { from, kind: Kind::Message, payload: Some(payload.into()) };
            let expected = format!(r#"{{"Signal":{{"sender":"{id}","data":{}}}}}"#, data.trim());
            assert_eq!(written(&relayed), [expected]);
        }
    }

    #[test]
    fn a_keep_alive_is_a_sign_of_life_and_nothing_else() {
        assert!(matches!(read(r#""KeepAlive""#), Heard::Nothing));
    }

    #[test]
    fn what_is_not_of_the_protocol_is_unreadable() {
        let frames = [
            "",
            "x",
            "{}",
            "null",
            "[]",
            r#""Signal""#,
            r#""keepAlive""#,
            r#"{"Signal":{"receiver":"x"}}"#,
            r#"{"Signal":{"data":1}}"#,
            r#"{"Signal":{"receiver":1,"data":1}}"#,
            r#"{"Signal":{"receiver":"x","data":1},"Signal":{}}"#,
            r#"{"IdAssigned":"x"}"#,
            r#"{"Signal":{"receiver":"x","data":}}"#,
        ];
        for frame in frames {
            assert!(matches!(read(frame), Heard::Request(Err(Unreadable { reference: None }))), "{frame}");
        }
        let mut dialect = Dialect::Matchbox(Box::new(Matchbox::new(RoomName::new("hall").unwrap(), None)));
        assert!(matches!(dialect.read_binary(b"x"), Heard::Request(Err(_))));
    }

    #[test]
    fn who_comes_and_goes_is_told_and_nothing_else_is() {
        let (room, (peer, id)) = (RoomName::new("hall").unwrap(), peer());
        let notices = [
            (Notice::PeerJoined { room: room.clone(), peer: peer.clone() }, Some("NewPeer")),
            (Notice::PeerLeft { room: room.clone(), peer: peer.clone() }, Some("PeerLeft")),
            (Notice::Joined { room: room.clone(), peers: vec![peer], reference: None }, None),
            (Notice::Left { room, reference: None }, None),
            (Notice::Error(Box::new(ErrorNotice::new(ErrorCode::PeerUnavailable, None))), None),
        ];
        for (notice, event) in notices {
            let expected: Vec<String> = event.map(|event| format!(r#"{{"{event}":"{id}"}}"#)).into_iter().collect();
            assert_eq!(written(&ServerMessage::Notice(notice)), expected);
        }
    }

    #[test]
    fn the_path_is_what_it_asks_for_first() {
        let room = || RoomName::new("hall").unwrap();
        let enters = |next| Matchbox::new(room(), next).enters(Doubt::Heeded);
        assert!(matches!(enters(None), ClientMessage::Join(name) if name == room()));
        let two = NonZeroUsize::new(2);
        assert!(
            matches!(enters(two), ClientMessage::JoinNext { room: name, size, .. } if name == room() && Some(size) == two)
        );
    }

    #[test]
    fn a_restart_is_said_with_a_code_and_a_reason() {
        let dialect = Dialect::Matchbox(Box::new(Matchbox::new(RoomName::new("hall").unwrap(), None)));
        assert_eq!(dialect.close(End::Restarting).map(|(code, _)| code), Some(1012));
    }
}
