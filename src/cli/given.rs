//! Which settings were given, as flags or as variables, and which variables look like settings and are none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _};

use super::Cli;

/// What the names of all variables begin with.
const PREFIX: &str = "ENTREMISE_";

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This variable.
    Variable(String),
    /// It was not given.
    Default,
}

/// A setting in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name, without `--`.
    pub flag: String,
    /// Its values as they were written, with commas. Empty: it has none.
    pub value: String,
    /// Where they come from.
    pub origin: Origin,
}

/// Which flags were given, on the command line or as a variable.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Their names, without `--`.
    pub flags: BTreeSet<String>,
    /// The variables that gave some of them, by their names.
    pub variables: BTreeMap<String, String>,
    /// All settings, in the order of the help.
    pub settings: Vec<Setting>,
    /// Variables that look like a flag's and are none's, each with the most similar one that is.
    pub unknown_variables: Vec<(String, Option<String>)>,
}

impl Given {
    /// What the parsed command line and the environment gave.
    pub(super) fn read(matches: &ArgMatches) -> Self {
        let command = Cli::command();
        let mut given = Self { unknown_variables: unknown_variables(&command), ..Self::default() };
        for arg in command.get_arguments() {
            given.settings.extend(Setting::read(arg, matches));
            let source =
                matches.value_source(arg.get_id().as_str()).filter(|source| *source != ValueSource::DefaultValue);
            let (Some(source), Some(flag)) = (source, arg.get_long()) else { continue };
            given.flags.insert(flag.to_owned());
            let variable = arg.get_env().filter(|_| source == ValueSource::EnvVariable).and_then(OsStr::to_str);
            given.variables.extend(variable.map(|variable| (flag.to_owned(), variable.to_owned())));
        }
        given
    }

    /// What the operator wrote for this flag (`--flag`): itself, or its variable.
    #[must_use]
    pub fn name<'a>(&'a self, flag: &'a str) -> &'a str {
        let variable = flag.strip_prefix("--").and_then(|name| self.variables.get(name));
        variable.map_or(flag, String::as_str)
    }

    /// A message by its setting's name, where it begins with a flag that was given as a variable.
    #[must_use]
    pub fn named<'a>(&self, message: &'a str) -> Cow<'a, str> {
        let end = message.find([' ', ':']).unwrap_or(message.len());
        let (flag, rest) = message.split_at(end);
        match self.name(flag) {
            name if name == flag => message.into(),
            name => format!("{name}{rest}").into(),
        }
    }
}

impl Setting {
    fn read(arg: &Arg, matches: &ArgMatches) -> Option<Self> {
        let flag = arg.get_long()?.to_owned();
        let id = arg.get_id().as_str();
        let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy());
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Variable(arg.get_env()?.to_string_lossy().into_owned()),
            _ => Origin::Default,
        };
        Some(Self { flag, value: values.collect::<Vec<_>>().join(","), origin })
    }
}

/// Whether an argument's variable says anything. A switch that is off is as good as unset.
pub(super) fn counts(arg: &Arg) -> bool {
    let Some(variable) = arg.get_env() else { return false };
    let is_off = || std::env::var(variable).is_ok_and(|value| super::value::switch(&value) == Ok(false));
    is_set(variable) && (arg.get_action().takes_values() || !is_off())
}

/// An empty variable is not set: compose files and unit files have no other way to say so.
pub(super) fn is_set(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn unknown_variables(command: &Command) -> Vec<(String, Option<String>)> {
    let known: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    let set = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let unknown = set
        .filter(|(name, value)| name.starts_with(PREFIX) && !known.contains(&&**name) && !is_kubernetes(name, value));
    let mut unknown: Vec<_> =
        unknown.map(|(name, _)| (similar(&name, &known), name)).map(|(one, of)| (of, one)).collect();
    unknown.sort();
    unknown
}

/// Whether Kubernetes sets this, for a service that is called entremise.
fn is_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_url = value.to_str().is_some_and(|value| value.contains("://"));
    name.starts_with("ENTREMISE_SERVICE_") || name.starts_with("ENTREMISE_PORT_") || name == "ENTREMISE_PORT" && is_url
}

/// The most similar of these names, if it is similar enough to have been meant.
fn similar(name: &str, known: &[&str]) -> Option<String> {
    let name = &name[PREFIX.len()..];
    let likeness = |known: &&str| strsim::jaro_winkler(name, &known[PREFIX.len()..]);
    let best = known.iter().map(|known| (likeness(known), *known)).max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness > 0.8).map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn flags_that_were_given_are_known() {
        let typed = ["--turn-ttl=60", "--turn"].map(OsString::from);
        let given = Cli::with_flags(&typed).unwrap().given.flags;
        assert!(given.contains("turn-ttl") && given.contains("turn") && !given.contains("stun-port"));
    }

    #[test]
    fn a_message_about_a_variable_begins_with_it() {
        let variables = BTreeMap::from([("cert".to_owned(), "ENTREMISE_CERT".to_owned())]);
        let given = Given { variables, ..Given::default() };
        assert_eq!(given.named("--cert a.pem: no such file"), "ENTREMISE_CERT a.pem: no such file");
        assert_eq!(given.named("--cert: give it"), "ENTREMISE_CERT: give it");
        for other in ["--key a.pem: does not fit --cert", "--certs", "cert", ""] {
            assert_eq!(given.named(other), other);
        }
    }

    #[test]
    fn a_variable_that_is_no_flags_may_be_meant_as_a_similar_one() {
        let known = ["ENTREMISE_LISTEN", "ENTREMISE_METRICS_LISTEN", "ENTREMISE_CERT"];
        assert_eq!(similar("ENTREMISE_LISTN", &known).as_deref(), Some("ENTREMISE_LISTEN"));
        assert_eq!(similar("ENTREMISE_CERTIFICATE", &known).as_deref(), Some("ENTREMISE_CERT"));
        assert_eq!(similar("ENTREMISE_VOLUME", &known), None);
        assert!(is_kubernetes("ENTREMISE_SERVICE_HOST", OsStr::new("10.0.0.1")));
        assert!(is_kubernetes("ENTREMISE_PORT", OsStr::new("tcp://10.0.0.1:8443")));
        assert!(!is_kubernetes("ENTREMISE_PORT", OsStr::new("8443")));
    }
}
