//! A relay for Trystero's clients, as the tests have it: their own is in no registry. A peer is a topic, to which it alone
//! subscribes.

use std::process::Command;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Frame, Rival, node_behind_https};
use crate::message::Kind;
use crate::pair::Pair;

pub(crate) struct Trystero;

impl Rival for Trystero {
    fn name(&self) -> &'static str {
        "a relay as Trystero's own"
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        node_behind_https("../../tests/dialects/originals/trystero.js", pair, port)
    }

    fn path(&self, _: u32) -> String {
        "/".to_owned()
    }

    /// The server greets no client: what a client publishes comes back to itself.
    fn opening(&self, number: u32) -> Vec<String> {
        vec![
            format!(r#"{{"type":"subscribe","topic":"{number}"}}"#),
            format!(r#"{{"type":"publish","topic":"{number}","payload":{{}}}}"#),
        ]
    }

    fn encode(&self, from: &str, to: &str, _: Kind, payload: &str) -> String {
        format!(r#"{{"type":"publish","topic":"{to}","payload":{{"from":"{from}","said":{payload}}}}}"#)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        match serde_json::from_str::<Published<'a>>(frame) {
            Ok(Published { payload: Payload { from: Some(from), said: Some(said) } }) => {
                Frame::Relayed { from, payload: said.get() }
            }
            Ok(_) => Frame::Welcome(None),
            Err(_) => Frame::Refused,
        }
    }
}

#[derive(Deserialize)]
struct Published<'a> {
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    from: Option<&'a str>,
    #[serde(borrow)]
    said: Option<&'a RawValue>,
}
