//! entremise as it is released: every protection is on, with limits that a load generator does not reach.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct Entremise;

/// Limits far above the load: all peers connect from one address, all the time, and send as much as hundreds would.
const FLAGS: [&str; 14] = [
    "--max-connections=100000",
    "--max-connections-per-address=100000",
    "--max-handshakes=100000",
    "--max-handshakes-per-address=100000",
    "--connections-per-second=100000",
    "--connection-burst=100000",
    "--max-parked=100000",
    "--max-parked-per-address=100000",
    "--messages-per-second=1000000",
    "--message-burst=1000000",
    "--bytes-per-second=400000000",
    "--refused-messages=400000000",
    "--stun-port=0",
    "--log=error",
];

impl Entremise {
    /// The command that serves this port without TLS.
    pub(super) fn plain(port: u16) -> Command {
        let mut command = command(port);
        command.arg("--plain-http");
        command
    }
}

/// A node of a service, with a NATS server between the nodes.
pub(crate) struct Node {
    pub(crate) nats: String,
    pub(crate) key: PathBuf,
    /// Where it says whether it is ready.
    pub(crate) monitor: u16,
}

impl Rival for Node {
    fn name(&self) -> &'static str {
        "entremise, a node"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Entremise.command(pair, port);
        command.arg(format!("--cluster={}", self.nats)).arg("--cluster-key-file").arg(&self.key);
        command.arg(format!("--metrics-listen=127.0.0.1:{}", self.monitor)).arg("--dialect=peerjs,y-webrtc");
        command
    }

    fn path(&self, number: u32) -> String {
        Entremise.path(number)
    }

    fn encode(&self, from: &str, to: &str, kind: Kind, payload: &str) -> String {
        Entremise.encode(from, to, kind, payload)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        Entremise.decode(frame)
    }
}

fn command(port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entremise"));
    command.arg(format!("--listen=127.0.0.1:{port}")).args(FLAGS);
    command
}

impl Rival for Entremise {
    fn name(&self) -> &'static str {
        "entremise"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = command(port);
        command.arg("--cert").arg(&pair.cert).arg("--key").arg(&pair.key);
        command
    }

    fn path(&self, _: u32) -> String {
        "/ws".to_owned()
    }

    fn encode(&self, _: &str, to: &str, kind: Kind, payload: &str) -> String {
        let kind = kind.as_str();
        format!(r#"{{"type":"{kind}","to":"{to}","{kind}":{payload}}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        let Ok(said) = serde_json::from_str::<Said<'a>>(frame) else { return Frame::Refused };
        match (said.kind, said.id, said.from, said.payload) {
            ("welcome", id @ Some(_), ..) => Frame::Welcome(id),
            (_, _, Some(from), Some(payload)) => Frame::Relayed { from, payload: payload.get() },
            _ => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<&'a str>,
    from: Option<&'a str>,
    #[serde(borrow, alias = "offer", alias = "answer", alias = "candidate")]
    payload: Option<&'a RawValue>,
}
