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
    /// The folder of the original's paths.
    pub(crate) folder: &'static str,
}

impl Rival for Foreign {
    fn name(&self) -> &'static str {
        self.dialect
    }

    fn command(&self, pair: &Pair, port: u16) -> Command {
        let mut command = if self.has_tls() { Entremise.command(pair, port) } else { Entremise::plain(port) };
        command.args(["--dialect", self.dialect]);
        command
    }

    fn has_tls(&self) -> bool {
        self.original.has_tls()
    }

    fn path(&self, number: u32) -> String {
        format!("{}{}", self.folder, self.original.path(number))
    }

    fn opening(&self, number: u32) -> Vec<String> {
        self.original.opening(number)
    }

    fn invite(&self, to: &str) -> Option<String> {
        self.original.invite(to)
    }

    fn encode(&self, from: &str, to: &str, kind: Kind, payload: &str) -> String {
        self.original.encode(from, to, kind, payload)
    }

    fn decode<'a>(&self, frame: &'a str) -> Frame<'a> {
        self.original.decode(frame)
    }
}
