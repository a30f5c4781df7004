//! What is logged, and how.

use clap::{Args, ValueEnum};

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct Logging {
    /// What to log: error, warn, info, debug or trace, or a filter such as entremise=debug
    #[arg(long, env = "ENTREMISE_LOG", value_name = "FILTER", default_value = "info")]
    #[arg(hide_env_values = true)]
    pub log: String,

    /// How to log
    #[arg(long, env = "ENTREMISE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_env_values = true)]
    pub log_format: LogFormat,
}

/// How log lines look. They go to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}
