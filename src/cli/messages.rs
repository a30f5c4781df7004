//! What a client may say.

use std::num::NonZeroUsize;

use clap::Args;

use super::value::rate;

/// What a client may say.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct Messages {
    /// Largest message that a client may send, in bytes
    #[arg(long, env = "ENTREMISE_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value = "65536")]
    #[arg(hide_env_values = true)]
    pub max_message_bytes: NonZeroUsize,

    /// Messages per second that a client may send for long; 0: no limit
    #[arg(long, env = "ENTREMISE_MESSAGES_PER_SECOND", value_name = "RATE", default_value = "50")]
    #[arg(value_parser = rate, hide_env_values = true)]
    pub messages_per_second: f64,

    /// Messages that a client may send at once
    #[arg(long, env = "ENTREMISE_MESSAGE_BURST", value_name = "COUNT", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..), hide_env_values = true)]
    pub message_burst: u32,

    /// Bytes per second that a client may send for long, and eight times that at once; 0: no limit
    #[arg(long, env = "ENTREMISE_BYTES_PER_SECOND", value_name = "BYTES", default_value_t = 262_144)]
    #[arg(hide_env_values = true)]
    pub bytes_per_second: u32,

    /// Refused messages within 10 seconds that end a connection; 0: none do
    #[arg(long, env = "ENTREMISE_REFUSED_MESSAGES", value_name = "COUNT", default_value_t = 50)]
    #[arg(hide_env_values = true)]
    pub refused_messages: u32,
}
