//! entremise as it serves the clients of another server: their protocol, by our program.

use std::process::Command;

use super::{Entremise, Frame, Rival};
use crate::message::Kind;
use crate::pair::Pair;

/// entremise in place of another server.
pub(crate) struct Foreign {
    /// The server whose protocol its clients speak.
    pub(crate) original: &'static dyn Rival,
    /// The flag's value.
    pub(crate) dialect: &'static str,
    /// The path, where it is another than the original's.
    pub(crate) path: Option<&'static str>,
}

impl Rival for Foreign {
    fn name(&self) -> &'static str {
        self.dialect
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = Entremise.command(pair, port);
        command.args(["--dialect", self.dialect]);
        command
    }

    fn path(&self, number: u32) -> String {
        self.path.map_or_else(|| self.original.path(number), str::to_owned)
    }

    fn opening(&self, number: u32) -> Vec<String> {
        self.original.opening(number)
    }

    fn encode(&self, from: &str, to: &str, kind: Kind, payload: &str) -> String {
        self.original.encode(from, to, kind, payload)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        self.original.decode(frame)
    }
}
