//! What the program does instead of serving, and what it is told for that.

use std::ffi::OsString;
use std::path::PathBuf;

use axum::http::uri::Authority;
use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::value::{host, room};

/// What the program does instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Print a token, to try credentials out with
    Token(TokenOrder),
    /// Say what a start would make of these flags and variables, without one; it fails where a start would
    Check(CheckOrder),
    /// Ask the server on this machine, at --metrics-listen, whether it lives: for a container's health check
    Health(HealthOrder),
    /// List all flags, in groups: the help has those that most people use
    Flags,
    /// Print the manual page: entremise man | man -l -
    Man,
    /// Print completions for a shell, such as: source <(entremise completions bash)
    Completions(CompletionsOrder),
    /// Say which ICE servers browsers are offered, and try each: run beside the server, with its flags
    Ice(IceOrder),
}

/// For which page the list is, and how the server was started.
#[derive(Clone, Debug, Args)]
pub struct IceOrder {
    /// The page's host, and its port, as in the address that browsers open
    #[arg(value_name = "HOST", value_parser = host)]
    pub host: Authority,

    /// The flags of the server; its variables count too
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub flags: Vec<OsString>,
}

/// How the server would be started.
#[derive(Clone, Debug, Args)]
pub struct CheckOrder {
    /// The flags of the server; its variables count too
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub flags: Vec<OsString>,
}

/// Which server.
#[derive(Clone, Debug, Args)]
pub struct HealthOrder {
    /// The flags of the server; its variables count too
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub flags: Vec<OsString>,
}

/// Whose completions.
#[derive(Clone, Debug, Args)]
pub struct CompletionsOrder {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// What a token is to say.
#[derive(Clone, Debug, Args)]
pub struct TokenOrder {
    /// File with the secret, as --auth-jwt-secret-file
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,

    /// Whom it is about
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub subject: String,

    /// The rooms that it opens, comma-separated; left out: all
    #[arg(long, value_name = "ROOMS", value_delimiter = ',', value_parser = room)]
    pub rooms: Option<Vec<String>>,

    /// Time that it is good for
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    pub ttl: u64,

    /// For whom it is, as --auth-audience
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,

    /// Who has signed it, as --auth-issuer
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
}
