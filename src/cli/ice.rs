//! STUN and TURN, here and elsewhere.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use axum::http::uri::Authority;
use clap::{ArgAction, Args};

use super::value::{host, ports, switch};
use crate::ice::IceUrl;
use crate::net::Cidr;
use crate::turn::External;

/// STUN and TURN, here and elsewhere.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "ICE")]
pub struct Ice {
    /// UDP port of STUN, and with --turn UDP and TCP port of TURN; 0: none
    #[arg(long, env = "ENTREMISE_STUN_PORT", value_name = "PORT", default_value_t = 3478)]
    #[arg(hide_env_values = true)]
    pub stun_port: u16,

    /// STUN answers per second to one address, or one IPv6 /64: a browser in a call asks every ten seconds
    #[arg(long, env = "ENTREMISE_STUN_BINDINGS_PER_SECOND", value_name = "COUNT", default_value = "500")]
    #[arg(hide_env_values = true)]
    pub stun_bindings_per_second: NonZeroUsize,

    /// Answer STUN to all; false: to clients with TURN credentials alone, and TURN over UDP goes on
    #[arg(long, env = "ENTREMISE_STUN_OPEN", value_name = "BOOL", default_value_t = true)]
    #[arg(action = ArgAction::Set, value_parser = switch, hide_env_values = true)]
    pub stun_open: bool,

    /// Address of STUN and TURN, whatever the page's is (repeatable); the default is all, as interfaces come and go
    #[arg(long, env = "ENTREMISE_TURN_LISTEN", value_name = "ADDRESS", value_delimiter = ',', default_value = "::")]
    #[arg(hide_env_values = true)]
    pub turn_listen: Vec<IpAddr>,

    /// Relay for browsers that can't reach each other: TURN over UDP, TCP, and TLS on the page's own port
    #[arg(long, env = "ENTREMISE_TURN", value_parser = switch, hide_env_values = true)]
    pub turn: bool,

    /// File with the secret for TURN credentials, here and at the servers of --ice-server; a second one is taken too
    #[arg(long, env = "ENTREMISE_TURN_SECRET_FILE", value_name = "FILE", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub turn_secret_file: Vec<PathBuf>,

    /// Time that TURN credentials are good for
    #[arg(long, env = "ENTREMISE_TURN_TTL", value_name = "SECONDS", default_value = "3600")]
    #[arg(value_parser = clap::value_parser!(u64).range(60..), hide_env_values = true)]
    pub turn_ttl: u64,

    /// TLS port of TURN besides the page's; 0: none
    #[arg(long, env = "ENTREMISE_TURN_TLS_PORT", value_name = "PORT", default_value_t = 0)]
    #[arg(hide_env_values = true)]
    pub turn_tls_port: u16,

    /// UDP ports for relays
    #[arg(long, env = "ENTREMISE_TURN_RELAY_PORTS", value_name = "FIRST-LAST", default_value = "49152-65535")]
    #[arg(value_parser = ports, hide_env_values = true)]
    pub turn_relay_ports: RangeInclusive<u16>,

    /// Address by which others see this host, if it is behind a NAT; of several, each as ADVERTISED/LOCAL
    #[arg(long, env = "ENTREMISE_TURN_EXTERNAL_IP", value_name = "ADDRESS", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub turn_external_ip: Vec<External>,

    /// Address of this host for relays; without it the one that a client came by or that leads to the internet
    #[arg(long, env = "ENTREMISE_TURN_RELAY_ADDRESS", value_name = "ADDRESS", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub turn_relay_address: Vec<IpAddr>,

    /// Address block that relays may reach although it is not on the public internet (repeatable)
    #[arg(long, env = "ENTREMISE_TURN_ALLOW_PEER", value_name = "CIDR", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub turn_allow_peer: Vec<Cidr>,

    /// Relays in all; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(hide_env_values = true)]
    pub turn_allocations: usize,

    /// Relays of one peer; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS_PER_USER", value_name = "COUNT", default_value_t = 32)]
    #[arg(hide_env_values = true)]
    pub turn_allocations_per_user: usize,

    /// Relays for one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 256)]
    #[arg(hide_env_values = true)]
    pub turn_allocations_per_address: usize,

    /// Bytes per second through one relay, each way; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_BYTES_PER_SECOND", value_name = "BYTES", default_value_t = 1_250_000)]
    #[arg(hide_env_values = true)]
    pub turn_bytes_per_second: usize,

    /// Refusals per second to one address, or one IPv6 /64: each honest relay begins with one
    #[arg(long, env = "ENTREMISE_TURN_REFUSALS_PER_SECOND", value_name = "COUNT", default_value = "200")]
    #[arg(hide_env_values = true)]
    pub turn_refusals_per_second: NonZeroUsize,

    /// STUN or TURN server elsewhere, such as turn:turn.example.org:3478?transport=tcp (repeatable)
    #[arg(long, env = "ENTREMISE_ICE_SERVER", value_name = "URL", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub ice_server: Vec<IceUrl>,

    /// User at the TURN servers of --ice-server, where they share no secret with us
    #[arg(long, env = "ENTREMISE_ICE_USERNAME", value_name = "NAME", requires = "ice_password_file")]
    #[arg(hide_env_values = true)]
    pub ice_username: Option<String>,

    /// File with that user's password
    #[arg(long, env = "ENTREMISE_ICE_PASSWORD_FILE", value_name = "FILE", requires = "ice_username")]
    #[arg(hide_env_values = true)]
    pub ice_password_file: Option<PathBuf>,

    /// Host, and the page's port, by which clients reach us, where their Host header does not say it
    #[arg(long, env = "ENTREMISE_PUBLIC_HOST", value_name = "HOST", value_parser = host)]
    #[arg(hide_env_values = true)]
    pub public_host: Option<Authority>,
}
