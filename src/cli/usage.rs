//! Sentences for what was typed and can't be meant.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::AddrParseError;
use std::num::{IntErrorKind, ParseIntError};

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use super::given::is_set;

/// How the list of servers is tried.
const ICE: &str = "entremise ice HOST";

/// Why the program prints something about itself and ends.
#[derive(Debug)]
pub enum Usage {
    /// It was asked to (help, the version), or was called in a way that it can't understand.
    Clap {
        /// What clap says.
        error: Box<clap::Error>,
        /// Variables that had a part in it.
        variables: Vec<String>,
    },
    /// A value can't be meant.
    Value {
        /// The flag or the variable, with its value.
        what: String,
        /// What to give instead.
        advice: String,
    },
    /// A switch has a value.
    Switch {
        /// Its flag.
        flag: String,
    },
    /// A word is no command.
    Command {
        /// The word.
        word: String,
    },
    /// A command stands behind flags of the server.
    Mixed {
        /// The command.
        command: String,
    },
    /// `ice` without the host, which its flags stand behind.
    NoHost,
}

impl Usage {
    pub(super) fn of(error: clap::Error, typed: &[OsString]) -> Self {
        let context = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            _ => None,
        };
        match (error.kind(), context(ContextKind::InvalidArg), context(ContextKind::InvalidValue)) {
            (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(arg), Some(value)) => {
                Self::Value { what: named(&arg, &value, typed), advice: advice(&error, &value) }
            }
            (ErrorKind::TooManyValues, Some(arg), _) => Self::Switch { flag: flag(&arg).to_owned() },
            (ErrorKind::ArgumentConflict, None, _) => {
                Self::Mixed { command: context(ContextKind::InvalidSubcommand).unwrap_or_default() }
            }
            (ErrorKind::InvalidSubcommand, ..) => {
                Self::Command { word: context(ContextKind::InvalidSubcommand).unwrap_or_default() }
            }
            // Behind its host all are taken.
            (ErrorKind::UnknownArgument, ..) if typed.first().is_some_and(|first| first == "ice") => Self::NoHost,
            _ => Self::Clap { variables: variables_in(&error.to_string(), typed), error: Box::new(error) },
        }
    }

    /// Prints it, and says with which exit code the program is to end.
    #[must_use]
    pub fn print(&self) -> u8 {
        let Self::Clap { error, variables } = self else {
            // Where standard error can't be written there is no place to say so.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("entremise: {self}\n").as_bytes());
            return 2;
        };
        let _ = error.print();
        for variable in variables {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{variable} is set.\n").as_bytes());
        }
        u8::try_from(error.exit_code()).unwrap_or(2)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clap { error, .. } => error.fmt(f),
            Self::Value { what, advice } => write!(f, "{what}: {advice}"),
            Self::Switch { flag } => write!(f, "{flag} is a switch: give it without a value, or leave it out"),
            Self::Command { word } => write!(
                f,
                "{word}: no such command; entremise alone serves, entremise check tries a start, entremise health asks whether it lives, entremise token prints a \
                 token, {ICE} tries the servers that browsers are offered, entremise flags lists all flags, entremise man \
                 and entremise completions print what systems and shells want"
            ),
            Self::Mixed { command } if command == "check" || command == "health" => {
                write!(f, "the server's flags stand behind the word: entremise {command} FLAGS")
            }
            Self::Mixed { command } if command == "ice" => {
                write!(f, "the server's flags stand behind the host: {ICE} FLAGS")
            }
            Self::Mixed { command } => {
                write!(f, "entremise {command} has flags of its own alone: leave out those before it")
            }
            Self::NoHost => write!(f, "give the page's host first, and the server's flags behind it: {ICE} FLAGS"),
        }
    }
}

/// The flag of an argument as clap writes it: `--flag <VALUE>`.
fn flag(arg: &str) -> &str {
    arg.split_whitespace().next().unwrap_or(arg)
}

/// The flag or the variable that this value came from, with the value.
fn named(arg: &str, value: &str, typed: &[OsString]) -> String {
    let flag = flag(arg);
    match variable_of(flag).filter(|_| !is_typed(flag, typed)) {
        Some(variable) => format!("{variable}={value}"),
        None if value.is_empty() => flag.to_owned(),
        None => format!("{flag} {value}"),
    }
}

fn variable_of(flag: &str) -> Option<String> {
    let command = Cli::command();
    let arg = command.get_arguments().find(|arg| arg.get_long() == flag.strip_prefix("--"))?;
    arg.get_env()?.to_str().map(str::to_owned)
}

fn is_typed(flag: &str, typed: &[OsString]) -> bool {
    let is_it = |word: &str| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    typed.iter().any(|word| word.to_str().is_some_and(is_it))
}

/// Variables that set flags which a message is about.
fn variables_in(message: &str, typed: &[OsString]) -> Vec<String> {
    let flags = message.split(|char: char| !char.is_ascii_alphanumeric() && char != '-');
    let flags: BTreeSet<&str> = flags.filter(|word| word.starts_with("--") && !is_typed(word, typed)).collect();
    flags.into_iter().filter_map(variable_of).filter(|name| is_set(OsStr::new(name))).collect()
}

/// What to give instead of this value.
fn advice(error: &clap::Error, value: &str) -> String {
    if value.is_empty() {
        return "give a value".into();
    }
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) {
        return format!("give {}", values.join(" or "));
    }
    let Some(source) = error.source() else { return error.to_string() };
    if let Some(error) = source.downcast_ref::<ParseIntError>() {
        return number(error).into();
    }
    if source.is::<AddrParseError>() {
        return "give an IP address, such as 203.0.113.7".into();
    }
    let text = source.to_string();
    range(&text).unwrap_or(text)
}

fn number(error: &ParseIntError) -> &'static str {
    match error.kind() {
        IntErrorKind::PosOverflow => "this is too large a number",
        IntErrorKind::Zero => "give a whole number above 0",
        IntErrorKind::NegOverflow => "give a whole number that is not below 0",
        _ => "give a whole number, without a unit, a fraction or a sign",
    }
}

/// What clap says of a number outside of its range, `N is not in FIRST..=LAST`, as a sentence.
fn range(text: &str) -> Option<String> {
    let (_, range) = text.split_once(" is not in ")?;
    let (first, last) = range.split_once("..")?;
    let last = last.trim_start_matches('=');
    // What the type alone ends is no bound that was meant.
    let is_bound = last.parse::<u64>().is_ok_and(|last| last < u32::MAX.into());
    Some(if is_bound { format!("give a number from {first} to {last}") } else { format!("give {first} or more") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::error;
    use super::*;

    #[test]
    fn a_value_that_cannot_be_meant_is_answered_by_a_sentence() {
        for (typed, sentence) in [
            (
                "--max-connections=many",
                "--max-connections many: give a whole number, without a unit, a fraction or a sign",
            ),
            (
                "--max-connections=10k",
                "--max-connections 10k: give a whole number, without a unit, a fraction or a sign",
            ),
            ("--max-connections=-1", "--max-connections -1: give a whole number, without a unit, a fraction or a sign"),
            (
                "--max-connections=99999999999999999999",
                "--max-connections 99999999999999999999: this is too large a number",
            ),
            ("--max-message-bytes=0", "--max-message-bytes 0: give a whole number above 0"),
            ("--message-burst=0", "--message-burst 0: give 1 or more"),
            ("--max-header-bytes=8191", "--max-header-bytes 8191: give 8192 or more"),
            ("--stun-port=70000", "--stun-port 70000: give a number from 0 to 65535"),
            ("--turn-listen=me", "--turn-listen me: give an IP address, such as 203.0.113.7"),
            ("--log-format=xml", "--log-format xml: give text or json"),
            ("--cert=", "--cert: give a value"),
            ("--heartbeat=10s", "--heartbeat 10s: give a number of seconds above 0, such as 10 or 0.5"),
        ] {
            assert_eq!(error(&[typed]), sentence);
        }
        assert!(error(&["--max-connections", "-1"]).starts_with("--max-connections -1: give a whole number"));
    }

    #[test]
    fn a_commands_flags_are_its_own() {
        let mixed = error(&["--listen=[::]:1", "token", "--secret-file=a", "--subject=b"]);
        assert_eq!(mixed, "entremise token has flags of its own alone: leave out those before it");
    }

    #[test]
    fn the_servers_flags_stand_behind_the_host_that_is_tried() {
        for typed in [&["--turn", "ice", "example.org"][..], &["--turn", "--listen=[::]:1", "ice", "example.org"]] {
            assert_eq!(error(typed), "the server's flags stand behind the host: entremise ice HOST FLAGS");
        }
        for typed in [&["ice", "--turn"][..], &["ice", "--turn", "example.org"], &["ice", "--listen=[::]:1"]] {
            let first = "give the page's host first, and the server's flags behind it: entremise ice HOST FLAGS";
            assert_eq!(error(typed), first);
        }
        assert!(error(&["token", "--turn"]).contains("unexpected argument"), "that one has no host");
    }

    #[test]
    fn a_switch_with_a_value_and_an_unknown_command_are_answered_by_a_sentence() {
        assert_eq!(error(&["--turn=yes"]), "--turn is a switch: give it without a value, or leave it out");
        let unknown = error(&["serve"]);
        assert!(unknown.starts_with("serve: no such command; entremise alone serves, "), "{unknown}");
        for command in Cli::command().get_subcommands() {
            assert!(unknown.contains(&format!("entremise {}", command.get_name())), "{unknown}");
        }
    }
}
