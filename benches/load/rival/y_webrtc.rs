//! y-webrtc's signaling server, by its own program. A peer is a topic, to which it alone subscribes.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, node_behind_https};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct YWebrtc;

impl Rival for YWebrtc {
    fn name(&self) -> &'static str {
        "y-webrtc's server"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        node_behind_https("./node_modules/y-webrtc/bin/server.js", pair, port)
    }

    fn path(&self, _: u32) -> String {
        "/".to_owned()
    }

    /// The server greets no client: the answer to a ping shows that the subscription before it has been read.
    fn opening(&self, number: u32) -> Vec<String> {
        vec![format!(r#"{{"type":"subscribe","topics":["{number}"]}}"#), r#"{"type":"ping"}"#.to_owned()]
    }

    fn encode(&self, from: &str, to: &str, _: Kind, payload: &str) -> String {
        format!(r#"{{"type":"publish","topic":"{to}","data":{{"from":"{from}","payload":{payload}}}}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        match serde_json::from_str::<Said<'a>>(frame) {
            Ok(Said { kind: "pong", .. }) => Frame::Welcome(None),
            Ok(Said { kind: "publish", data: Some(Data { from, payload }) }) => {
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
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    from: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
}
