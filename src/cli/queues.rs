//! What may wait for peers.

use std::num::NonZeroUsize;

use clap::Args;

/// What may wait for peers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Queues")]
pub struct Queues {
    /// Messages that may wait for one peer
    #[arg(long, env = "ENTREMISE_MAILBOX_MESSAGES", value_name = "COUNT", default_value = "2048")]
    #[arg(hide_env_values = true)]
    pub mailbox_messages: NonZeroUsize,

    /// Bytes that may wait for one peer
    #[arg(long, env = "ENTREMISE_MAILBOX_BYTES", value_name = "BYTES", default_value = "1048576")]
    #[arg(hide_env_values = true)]
    pub mailbox_bytes: NonZeroUsize,

    /// Bytes that may wait for all peers together
    #[arg(long, env = "ENTREMISE_QUEUED_BYTES", value_name = "BYTES", default_value = "268435456")]
    #[arg(hide_env_values = true)]
    pub queued_bytes: NonZeroUsize,
}
