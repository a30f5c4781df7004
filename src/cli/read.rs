//! From what was typed, and the environment, to [`Cli`].

use std::ffi::OsString;
use std::io::{self, Write};

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, FromArgMatches as _};
use clap_complete::Shell;

use super::essential::short;
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

    /// All flags with their variables, in groups.
    #[must_use]
    pub fn all_flags() -> String {
        Self::command().render_long_help().to_string()
    }

    /// Writes the manual page, in roff.
    ///
    /// # Errors
    ///
    /// Where it can't be written.
    pub fn write_manual(out: &mut impl Write) -> io::Result<()> {
        clap_mangen::Man::new(Self::command()).render(out)
    }

    /// What a shell has to know to complete flags and commands.
    #[must_use]
    pub fn completions(shell: Shell) -> Vec<u8> {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Self::command(), "entremise", &mut script);
        script
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
        Some("--help-all") if typed.len() == 1 => typed[0] = "flags".into(),
        _ => {}
    }
    typed
}

/// The help, with the flags that most people use.
fn help(words: Vec<OsString>) -> clap::Error {
    let command = Cli::command();
    let command = if is_subcommand(&command, words.get(1)) { command } else { short(command) };
    let asked = command.try_get_matches_from(words);
    asked.expect_err("what asks for help gets it, whatever else is wrong")
}

fn is_subcommand(command: &Command, word: Option<&OsString>) -> bool {
    word.is_some_and(|word| command.get_subcommands().any(|one| word == one.get_name()))
}

/// The command line, with those variables that count.
fn command(typed: &[OsString]) -> Command {
    let command = Cli::command();
    // The variables are the server's: a container that has them set can still print a token.
    let has_variables = !is_subcommand(&command, typed.first());
    command.mut_args(|arg| {
        let is_set = has_variables && counts(&arg);
        let arg = if is_set { arg } else { arg.env(Resettable::Reset) };
        // So that a number below 0 is told to be one, and is not taken for a flag.
        if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::tests::error;
    use crate::cli::{Cli, ESSENTIAL};

    #[test]
    fn help_and_version_are_words_too() {
        for (word, dashed) in [("help", "--help"), ("version", "--version")] {
            assert_eq!(error(&[word]), error(&[dashed]));
        }
        assert_eq!(error(&["help", "token"]), error(&["token", "--help"]));
        let help = error(&["help"]);
        assert_eq!(help, error(&["-h"]));
        for word in ["--listen", "ENTREMISE_LISTEN", "Examples:", "All flags: entremise flags"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }

    #[test]
    fn the_help_has_the_flags_that_most_people_use_and_another_one_has_all() {
        let (help, all) = (error(&["--help"]), Cli::all_flags());
        let has = |text: &str, flag: &str| text.lines().any(|line| line.trim_start().starts_with(&format!("--{flag}")));
        for flag in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
            assert!(has(&all, flag), "{flag}");
            assert_eq!(has(&help, flag), ESSENTIAL.contains(&flag), "{flag}");
        }
        assert_eq!(
            ESSENTIAL.iter().filter(|flag| has(&help, flag)).count(),
            ESSENTIAL.len() - usize::from(cfg!(not(feature = "cluster")))
        );
        assert!(matches!(
            Cli::parse_typed(&super::words(vec!["--help-all".into()])).unwrap().command,
            Some(crate::cli::Command::Flags)
        ));
    }
}
