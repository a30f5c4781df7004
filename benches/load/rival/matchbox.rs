//! matchbox_server, a server in Rust without TLS, by its own program. Partners are alone in a room.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, installed};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct Matchbox;

impl Rival for Matchbox {
    fn name(&self) -> &'static str {
        "matchbox_server"
    }

    fn command(&self, _: &Pair, port: u16) -> Command {
        let mut command = installed("matchbox_server");
        command.arg(format!("127.0.0.1:{port}"));
        command
    }

    fn has_tls(&self) -> bool {
        false
    }

    fn path(&self, number: u32) -> String {
        format!("/{}", number / 2)
    }

    fn encode(&self, _: &str, to: &str, _: Kind, payload: &str) -> String {
        format!(r#"{{"Signal":{{"receiver":"{to}","data":{payload}}}}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        match serde_json::from_str(frame) {
            Ok(Said::IdAssigned(id)) => Frame::Welcome(Some(id)),
            Ok(Said::Signal { sender, data }) => Frame::Relayed { from: sender, payload: data.get() },
            Ok(Said::NewPeer(_)) => Frame::Other,
            Err(_) => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
enum Said<'a> {
    IdAssigned(&'a str),
    NewPeer(#[expect(dead_code, reason = "no peer looks for its partner")] &'a str),
    Signal {
        sender: &'a str,
        #[serde(borrow)]
        data: &'a RawValue,
    },
}
