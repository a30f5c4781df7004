//! The reference relay: what this program serves when it is called `relay`.

use std::process::Command;

use super::{Frame, Rival};
use crate::message::Kind;
use crate::pair::Pair;
use crate::relay::ID_BYTES;

pub(crate) struct Reference;

impl Rival for Reference {
    fn name(&self) -> &'static str {
        "bare Rust relay"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("relay").arg(port.to_string()).args([&pair.cert, &pair.key]);
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

    /// The relay stops reading while the addressee's queue is full.
    fn takes_a_flood(&self) -> bool {
        false
    }
}
