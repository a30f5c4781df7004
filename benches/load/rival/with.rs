//! entremise as in the other benches, with more flags or variables.

use std::process::Command;

use super::{Entremise, Frame, Rival};
use crate::message::Kind;
use crate::pair::Pair;

/// What it has besides the usual.
pub(crate) struct With {
    flags: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

impl With {
    pub(crate) const fn flags(flags: &'static [&'static str]) -> Self {
        Self { flags, variables: &[] }
    }

    pub(crate) const fn variables(variables: &'static [(&'static str, &'static str)]) -> Self {
        Self { flags: &[], variables }
    }
}

impl Rival for With {
    fn name(&self) -> &'static str {
        Entremise.name()
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Entremise.command(pair, port);
        command.args(self.flags).envs(self.variables.iter().copied());
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
