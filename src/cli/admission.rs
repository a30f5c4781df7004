//! Who may connect, and how many.

use clap::Args;

use super::value::rate;
use crate::http::AllowedOrigin;

/// Who may connect, and how many.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Admission")]
pub struct Admission {
    /// Origin whose pages may connect besides our own, such as https://*.example.org, one label more (repeatable); * for all
    #[arg(long, env = "ENTREMISE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub allow_origin: Vec<AllowedOrigin>,

    /// Connections in all; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 10_000)]
    #[arg(hide_env_values = true)]
    pub max_connections: usize,

    /// Connections from one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(hide_env_values = true)]
    pub max_connections_per_address: usize,

    /// Connections that have not been answered yet, in all; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_HANDSHAKES", value_name = "COUNT", default_value_t = 2048)]
    #[arg(hide_env_values = true)]
    pub max_handshakes: usize,

    /// Connections that have not been answered yet, from one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_HANDSHAKES_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(hide_env_values = true)]
    pub max_handshakes_per_address: usize,

    /// Largest request head, in bytes; at least 8192
    #[arg(long, env = "ENTREMISE_MAX_HEADER_BYTES", value_name = "BYTES", default_value_t = 16384)]
    // hyper reads as much at once.
    #[arg(value_parser = clap::value_parser!(u32).range(8192..), hide_env_values = true)]
    pub max_header_bytes: u32,

    /// New connections per second from one address, or one IPv6 /64, for long; 0: no limit
    #[arg(long, env = "ENTREMISE_CONNECTIONS_PER_SECOND", value_name = "RATE", default_value = "20")]
    #[arg(value_parser = rate, hide_env_values = true)]
    pub connections_per_second: f64,

    /// New connections from one address at once
    #[arg(long, env = "ENTREMISE_CONNECTION_BURST", value_name = "COUNT", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..), hide_env_values = true)]
    pub connection_burst: u32,
}
