//! What this program serves itself: the bare relay, and the limit, which have one protocol.

use std::process::Command;

use super::{Frame, Rival};
use crate::message::Kind;
use crate::pair::Pair;
use crate::relay::ID_BYTES;

/// What it is called, and the word by which this program serves it.
pub(crate) struct Reference {
    name: &'static str,
    word: &'static str,
}

/// [`relay`](crate::relay).
pub(crate) const BARE: Reference = Reference { name: "bare Rust relay", word: "relay" };

/// [`limit`](crate::limit).
pub(crate) const LIMIT: Reference = Reference { name: "hand-written epoll", word: "epoll" };

impl Rival for Reference {
    fn name(&self) -> &'static str {
        self.name
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(self.word).arg(port.to_string()).args([&pair.cert, &pair.key]);
        command
    }

    fn path(&self, _: u32) -> String {
        "/".to_owned()
    }

    fn encode(&self, _: &str, to: &str, _: Kind, payload: &str) -> String {
        format!("{to}{payload}")
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        match frame.split_at_checked(ID_BYTES) {
            Some((id, "")) => Frame::Welcome(Some(id)),
            Some((from, payload)) => Frame::Relayed { from, payload },
            None => Frame::Refused,
        }
    }

    /// The one stops reading while the addressee's queue is full, the other has no bound.
    fn takes_a_flood(&self) -> bool {
        false
    }
}
