//! entremise as in the other benches, with more flags.

use std::process::Command;

use crate::message::Kind;
use crate::pair::Pair;
use crate::rival::{Entremise, Frame, Rival};

/// The flags besides the usual ones.
pub(super) struct Flagged(pub(super) &'static [&'static str]);

impl Rival for Flagged {
    fn name(&self) -> &'static str {
        Entremise.name()
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Entremise.command(pair, port);
        command.args(self.0);
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
