//! The tutorial's server, by frames of Engine.IO 4 and Socket.IO 5: a digit for the packet's type before each.
//! See <https://socket.io/docs/v4/engine-io-protocol/> and <https://socket.io/docs/v4/socket-io-protocol/>.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, node};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct Tutorial;

impl Rival for Tutorial {
    fn name(&self) -> &'static str {
        "socket.io tutorial server"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = node("tutorial.js");
        command.arg(port.to_string()).args([&pair.cert, &pair.key]);
        command
    }

    fn path(&self, _: u32) -> String {
        "/socket.io/?EIO=4&transport=websocket".to_owned()
    }

    fn encode(&self, _: &str, to: &str, kind: Kind, payload: &str) -> String {
        let kind = kind.as_str();
        format!(r#"42["{kind}",{{"{kind}":{payload},"to":"{to}"}}]"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        if let Some(event) = frame.strip_prefix("42") {
            return relayed(event).unwrap_or(Frame::Other);
        }
        if let Some(connected) = frame.strip_prefix("40") {
            return serde_json::from_str(connected)
                .map_or(Frame::Refused, |Connected { sid }| Frame::Welcome(Some(sid)));
        }
        match frame.as_bytes().first() {
            // Engine.IO is open: connect to Socket.IO's main namespace.
            Some(b'0') => Frame::Ask("40"),
            // A ping.
            Some(b'2') => Frame::Ask("3"),
            _ => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
struct Connected<'a> {
    sid: &'a str,
}

/// Any other event is the server's greeting.
fn relayed(event: &str) -> Option<Frame<'_>> {
    let Event(kind, said) = serde_json::from_str(event).ok()?;
    matches!(kind, "offer" | "answer" | "candidate")
        .then_some(Frame::Relayed { from: said.from, payload: said.payload.get() })
}

#[derive(Deserialize)]
struct Event<'a>(&'a str, #[serde(borrow)] Said<'a>);

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, alias = "offer", alias = "answer", alias = "candidate")]
    payload: &'a RawValue,
    from: &'a str,
}
