//! gst-plugin-webrtc-signalling, a server in Rust, by its own program. All peers produce; one of two partners starts a session
//! with the other.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, installed};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct GStreamer;

impl Rival for GStreamer {
    fn name(&self) -> &'static str {
        "gst-plugin-webrtc-signalling"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = installed("gst-webrtc-signalling-server");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.arg("--cert").arg(&pair.cert).arg("--key").arg(&pair.key);
        command
    }

    fn path(&self, _: u32) -> String {
        "/".to_owned()
    }

    /// The answer to the second shows that the first has been read.
    fn opening(&self, _: u32) -> Vec<String> {
        let opening = [r#"{"type":"setPeerStatus","roles":["producer"],"meta":null}"#, r#"{"type":"listConsumers"}"#];
        opening.map(str::to_owned).into()
    }

    fn invite(&self, to: &str) -> Option<String> {
        Some(format!(r#"{{"type":"startSession","peerId":"{to}"}}"#))
    }

    /// Only one end of a session may offer, so both answer.
    fn encode(&self, _: &str, session: &str, kind: Kind, payload: &str) -> String {
        let (field, payload) = match kind {
            Kind::Offer => ("sdp", payload.replacen("offer", "answer", 1)),
            Kind::Answer => ("sdp", payload.to_owned()),
            Kind::Candidate => ("ice", payload.to_owned()),
        };
        format!(r#"{{"type":"peer","sessionId":"{session}","{field}":{payload}}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        let Ok(said) = serde_json::from_str::<Said<'a>>(frame) else { return Frame::Refused };
        match (said.kind, said.peer, said.session, said.payload) {
            ("welcome", Some(id), ..) => Frame::Named(id),
            ("listConsumers", ..) => Frame::Welcome(None),
            ("startSession" | "sessionStarted", _, Some(session), _) => Frame::Session(session),
            ("peer", _, Some(session), Some(payload)) => Frame::Relayed { from: session, payload: payload.get() },
            _ => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "peerId")]
    peer: Option<&'a str>,
    #[serde(rename = "sessionId")]
    session: Option<&'a str>,
    #[serde(borrow, alias = "sdp", alias = "ice")]
    payload: Option<&'a RawValue>,
}
