//! How sessions outlive their connections.

use std::time::Duration;

use clap::Args;

use super::value::seconds_or_none;

/// How sessions outlive their connections.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Resume")]
pub struct Resume {
    /// Time that a session outlives its lost connection, for its client to come back; 0: none
    #[arg(long, env = "ENTREMISE_RESUME_WINDOW", value_name = "SECONDS", default_value = "30")]
    #[arg(value_parser = seconds_or_none, hide_env_values = true)]
    pub resume_window: Duration,

    /// Sessions that may wait for their client to come back; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_PARKED", value_name = "COUNT", default_value_t = 10_000)]
    #[arg(hide_env_values = true)]
    pub max_parked: usize,

    /// Sessions from one address, or one IPv6 /64, that may; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_PARKED_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(hide_env_values = true)]
    pub max_parked_per_address: usize,
}
