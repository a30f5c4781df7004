//! From what was typed, and the environment, to [`Cli`].

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::given::counts;
use super::{Cli, Given, Usage};

impl Cli {
    /// What the command line and the environment say.
    ///
    /// # Errors
    ///
    /// Where there is nothing to do but to print something.
    pub fn read() -> Result<Self, Usage> {
        Self::parse_typed(&words(std::env::args_os().skip(1).collect()))
    }

    /// What these flags of the server and the environment say.
    ///
    /// # Errors
    ///
    /// Where they can't be understood.
    pub fn with_flags(flags: &[OsString]) -> Result<Self, Usage> {
        Self::parse_typed(flags)
    }

    pub(super) fn parse_typed(typed: &[OsString]) -> Result<Self, Usage> {
        let words: Vec<_> = [OsString::from("entremise")].into_iter().chain(typed.iter().cloned()).collect();
        let parsed = command(typed).try_get_matches_from(words.clone()).and_then(|matches| {
            let mut cli = Self::from_arg_matches(&matches)?;
            cli.given = Given::read(&matches);
            Ok(cli)
        });
        parsed.map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => Usage::of(help(words), typed),
            _ => Usage::of(error, typed),
        })
    }
}

/// `help` and `version` as words are what they are with dashes.
pub(super) fn words(mut typed: Vec<OsString>) -> Vec<OsString> {
    match typed.first().and_then(|first| first.to_str()) {
        Some("help") => {
            typed.remove(0);
            typed.truncate(1);
            typed.push("--help".into());
        }
        Some("version") if typed.len() == 1 => typed[0] = "--version".into(),
        _ => {}
    }
    typed
}

/// The help, with all variables.
fn help(words: Vec<OsString>) -> clap::Error {
    let asked = Cli::command().try_get_matches_from(words);
    asked.expect_err("what asks for help gets it, whatever else is wrong")
}

/// The command line, with those variables that count.
fn command(typed: &[OsString]) -> Command {
    let command = Cli::command();
    let is_subcommand = |typed: &OsString| command.get_subcommands().any(|one| typed == one.get_name());
    // The variables are the server's: a container that has them set can still print a token.
    let has_variables = !typed.first().is_some_and(is_subcommand);
    command.mut_args(|arg| {
        let is_set = has_variables && counts(&arg);
        let arg = if is_set { arg } else { arg.env(Resettable::Reset) };
        // So that a number below 0 is told to be one, and is not taken for a flag.
        if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg }
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::error;

    #[test]
    fn help_and_version_are_words_too() {
        for (word, dashed) in [("help", "--help"), ("version", "--version")] {
            assert_eq!(error(&[word]), error(&[dashed]));
        }
        assert_eq!(error(&["help", "token"]), error(&["token", "--help"]));
        let help = error(&["help"]);
        for word in ["--listen", "[env: ENTREMISE_LISTEN]", "Examples:"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}
