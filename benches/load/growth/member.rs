//! A client that is in rooms. It compares each frame that it receives, byte by byte, with the frame that is due.

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::peer::{self, LOST, Socket};
use crate::site::Site;

/// A client that is connected.
pub(super) struct Member {
    socket: Socket,
    pub(super) id: String,
}

impl Member {
    /// Connects so many, one after the other.
    pub(super) async fn connect(site: &Site, count: u32) -> Vec<Self> {
        let mut members = Vec::new();
        for number in 0..count {
            let (socket, id) = peer::open(site, number).await;
            members.push(Self { socket, id });
        }
        members
    }

    /// Writes these frames at once.
    pub(super) async fn say(&mut self, frames: impl IntoIterator<Item = String>) {
        for frame in frames {
            self.socket.feed(Message::text(frame)).await.expect("the server listens");
        }
        self.socket.flush().await.expect("the server listens");
    }

    /// The next frame has to be this.
    pub(super) async fn hear(&mut self, expected: &str) {
        assert_eq!(self.next().await.as_str(), expected, "the next frame of {}", self.id);
    }

    /// The next frame has to be the answer to a join. Returns the ids of those in that room already, sorted.
    pub(super) async fn hear_roster(&mut self, room: &str) -> Vec<String> {
        let frame = self.next().await;
        let joined: Joined = serde_json::from_str(&frame).unwrap_or_else(|_| panic!("{frame} is no roster"));
        assert_eq!((joined.kind, joined.room), ("joined", room));
        let mut peers = joined.peers;
        peers.sort_unstable();
        peers
    }

    /// The next frame has to be an error with this code about this room.
    pub(super) async fn hear_refusal(&mut self, code: &str, room: &str) {
        let frame = self.next().await;
        let refused: Refused = serde_json::from_str(&frame).unwrap_or_else(|_| panic!("{frame} is no refusal"));
        assert_eq!((refused.kind, refused.code, refused.room), ("error", code, room));
    }

    async fn next(&mut self) -> Utf8Bytes {
        let frame = timeout(LOST, self.socket.next()).await.expect("what was said arrives");
        let Some(Ok(Message::Text(text))) = frame else { panic!("{} hears {frame:?}", self.id) };
        text
    }

    /// Sends a close frame, and waits for the server's.
    pub(super) async fn close(self) {
        peer::close(self.socket).await;
    }
}

#[derive(Deserialize)]
struct Joined<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    room: &'a str,
    peers: Vec<String>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    code: &'a str,
    room: &'a str,
}

pub(super) fn join(room: &str) -> String {
    format!(r#"{{"type":"join","room":"{room}"}}"#)
}

pub(super) fn leave(room: &str) -> String {
    format!(r#"{{"type":"leave","room":"{room}"}}"#)
}

/// The answer to a [`leave`].
pub(super) fn left(room: &str) -> String {
    format!(r#"{{"type":"left","room":"{room}"}}"#)
}

pub(super) fn peer_joined(room: &str, peer: &str) -> String {
    format!(r#"{{"type":"peer-joined","room":"{room}","peer":"{peer}"}}"#)
}

pub(super) fn message(room: &str, payload: &str) -> String {
    format!(r#"{{"type":"message","room":"{room}","message":{payload}}}"#)
}

/// A [`message`] as the others hear it.
pub(super) fn message_from(from: &str, room: &str, payload: &str) -> String {
    format!(r#"{{"type":"message","room":"{room}","from":"{from}","message":{payload}}}"#)
}
