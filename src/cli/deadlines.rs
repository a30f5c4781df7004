//! How long things may take.

use std::time::Duration;

use clap::Args;

use super::value::{seconds, seconds_or_none, switch};

/// How long things may take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Deadlines")]
pub struct Deadlines {
    /// Time between two pings; a peer silent for two of them is gone
    #[arg(long, env = "ENTREMISE_HEARTBEAT", value_name = "SECONDS", default_value = "25")]
    #[arg(value_parser = seconds, hide_env_values = true)]
    pub heartbeat: Duration,

    /// Time that one write to a peer may take
    #[arg(long, env = "ENTREMISE_WRITE_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, hide_env_values = true)]
    pub write_timeout: Duration,

    /// Time for a new connection to shake hands and begin its request, and for each request's header
    #[arg(long, env = "ENTREMISE_HANDSHAKE_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, hide_env_values = true)]
    pub handshake_timeout: Duration,

    /// Time between the signal to stop and the drain: /readyz says 503, and all are served still; 0: none
    #[arg(long, env = "ENTREMISE_DRAIN_DELAY", value_name = "SECONDS", default_value = "0")]
    #[arg(value_parser = seconds_or_none, hide_env_values = true)]
    pub drain_delay: Duration,

    /// Time that peers have to leave when the server stops
    #[arg(long, env = "ENTREMISE_DRAIN_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, hide_env_values = true)]
    pub drain_timeout: Duration,

    /// Tell peers when the server stops that it won't come back
    #[arg(long = "final", env = "ENTREMISE_FINAL", value_parser = switch, hide_env_values = true)]
    pub is_final: bool,
}
