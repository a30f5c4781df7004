//! peerjs-server, by its own program. Peers choose their ids, each with a secret token of its own.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, node};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct PeerServer;

impl Rival for PeerServer {
    fn name(&self) -> &'static str {
        "peerjs-server"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = node("node_modules/peer/dist/bin/peerjs.js");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--concurrent_limit", "100000"]);
        // Longer than any run: its clients would send a heartbeat every five seconds.
        command.args(["--alive_timeout", "3600000"]);
        command.arg("--sslcert").arg(&pair.cert).arg("--sslkey").arg(&pair.key);
        command
    }

    fn path(&self, number: u32) -> String {
        format!("/peerjs?key=peerjs&id={number}&token=t{number}")
    }

    fn encode(&self, _: &str, to: &str, kind: Kind, payload: &str) -> String {
        let kind = match kind {
            Kind::Offer => "OFFER",
            Kind::Answer => "ANSWER",
            Kind::Candidate => "CANDIDATE",
        };
        format!(r#"{{"type":"{kind}","payload":{payload},"dst":"{to}"}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        match serde_json::from_str::<Said<'a>>(frame) {
            Ok(Said { kind: "OPEN", .. }) => Frame::Welcome(None),
            Ok(Said { kind: "OFFER" | "ANSWER" | "CANDIDATE", from: Some(from), payload: Some(payload) }) => {
                Frame::Relayed { from, payload: payload.get() }
            }
            _ => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "src")]
    from: Option<&'a str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}
