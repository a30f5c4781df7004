//! How large rooms may be.

use clap::Args;

/// How large rooms may be.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Rooms")]
pub struct Rooms {
    /// Rooms that one peer may be in; 0: no limit
    #[arg(long, env = "ENTREMISE_ROOMS_PER_PEER", value_name = "COUNT", default_value_t = 16)]
    #[arg(hide_env_values = true)]
    pub rooms_per_peer: usize,

    /// Peers that may be in one room; 0: no limit
    #[arg(long, env = "ENTREMISE_PEERS_PER_ROOM", value_name = "COUNT", default_value_t = 100)]
    #[arg(hide_env_values = true)]
    pub peers_per_room: usize,

    /// Topics that one client of y-webrtc or Trystero may hear, which is not told that it hears no more; 0: no limit
    #[arg(long, env = "ENTREMISE_TOPICS_PER_PEER", value_name = "COUNT", default_value_t = 256)]
    #[arg(hide_env_values = true)]
    pub topics_per_peer: usize,

    /// Clients that may hear one topic; 0: no limit
    #[arg(long, env = "ENTREMISE_PEERS_PER_TOPIC", value_name = "COUNT", default_value_t = 1000)]
    #[arg(hide_env_values = true)]
    pub peers_per_topic: usize,
}
