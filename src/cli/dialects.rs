//! Clients that other servers were made for.

use clap::Args;

use super::value::dialect;
use crate::protocol::Realm;

/// Clients that other servers were made for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Other clients")]
pub struct Dialects {
    /// Clients to serve besides our own: socket.io, peerjs, y-webrtc, trystero, matchbox, gstreamer (repeatable)
    #[arg(long, env = "ENTREMISE_DIALECT", value_name = "NAME", value_parser = dialect, value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub dialect: Vec<Realm>,
}
