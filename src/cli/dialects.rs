//! Clients that other servers were made for.

use clap::Args;

use super::value::{dialect, peerjs_key, switch};
use crate::protocol::Realm;

/// Clients that other servers were made for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Other clients")]
pub struct Dialects {
    /// Clients to serve besides our own: socket.io, peerjs, y-webrtc, trystero, matchbox, gstreamer (repeatable)
    #[arg(long, env = "ENTREMISE_DIALECT", value_name = "NAME", value_parser = dialect, value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub dialect: Vec<Realm>,

    /// Key that PeerJS's clients have to give, if not their default peerjs; each page that uses it shows it
    #[arg(long, env = "ENTREMISE_PEERJS_KEY", value_name = "KEY", value_parser = peerjs_key, hide_env_values = true)]
    pub peerjs_key: Option<String>,

    /// Tell PeerJS's clients the ids of all others when they ask
    #[arg(long, env = "ENTREMISE_PEERJS_DISCOVERY", value_parser = switch, hide_env_values = true)]
    pub peerjs_discovery: bool,
}
