//! The command line: flags, each with its environment variable, its unit and its default. No IO.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::uri::Authority;
use clap::{Parser, ValueEnum};

use crate::http::AllowedOrigin;
use crate::ice::IceUrl;
use crate::tls::PairPaths;
use crate::turn::Cidr;

/// The go-between for WebRTC: serves a page over HTTPS and carries offers, answers and candidates between browsers
/// over a WebSocket.
///
/// Each flag can be given as an environment variable too. Times are in seconds, fractions allowed; sizes in bytes.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 120, hide_possible_values = false)]
pub struct Cli {
    /// Address and port to serve HTTPS on; the default serves IPv6 and IPv4
    #[arg(long, env = "ENTREMISE_LISTEN", value_name = "ADDRESS:PORT", default_value = "[::]:8443")]
    #[arg(help_heading = "Listening", hide_env_values = true)]
    pub listen: SocketAddr,

    /// PEM file of the certificate chain; this default is made for development if both files are absent
    #[arg(long, env = "ENTREMISE_CERT", value_name = "FILE", default_value = PairPaths::DEVELOPMENT_CERT)]
    #[arg(help_heading = "Listening", hide_env_values = true)]
    pub cert: PathBuf,

    /// PEM file of its private key
    #[arg(long, env = "ENTREMISE_KEY", value_name = "FILE", default_value = PairPaths::DEVELOPMENT_KEY)]
    #[arg(help_heading = "Listening", hide_env_values = true)]
    pub key: PathBuf,

    /// Address and port of metrics, over plain HTTP, for monitors; without it there are none
    #[arg(long, env = "ENTREMISE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(help_heading = "Listening", hide_env_values = true)]
    pub metrics_listen: Option<SocketAddr>,

    /// Origin whose pages may connect besides our own (repeatable; in the variable, comma-separated); * for all
    #[arg(long, env = "ENTREMISE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    #[arg(help_heading = "Admission", hide_env_values = true)]
    pub allow_origin: Vec<AllowedOrigin>,

    /// Connections in all; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 10_000)]
    #[arg(help_heading = "Admission", hide_env_values = true)]
    pub max_connections: usize,

    /// Connections from one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(help_heading = "Admission", hide_env_values = true)]
    pub max_connections_per_address: usize,

    /// Connections that have not been answered yet, in all; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_HANDSHAKES", value_name = "COUNT", default_value_t = 2048)]
    #[arg(help_heading = "Admission", hide_env_values = true)]
    pub max_handshakes: usize,

    /// Connections that have not been answered yet, from one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_HANDSHAKES_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(help_heading = "Admission", hide_env_values = true)]
    pub max_handshakes_per_address: usize,

    /// Largest request head, in bytes; at least 8192
    #[arg(long, env = "ENTREMISE_MAX_HEADER_BYTES", value_name = "BYTES", default_value_t = 16384)]
    // hyper reads as much at once.
    #[arg(value_parser = clap::value_parser!(u32).range(8192..), help_heading = "Admission", hide_env_values = true)]
    pub max_header_bytes: u32,

    /// Time that a session outlives its lost connection, for its client to come back; 0: none
    #[arg(long, env = "ENTREMISE_RESUME_WINDOW", value_name = "SECONDS", default_value = "30")]
    #[arg(value_parser = seconds_or_none, help_heading = "Resume", hide_env_values = true)]
    pub resume_window: Duration,

    /// Sessions that may wait for their client to come back; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_PARKED", value_name = "COUNT", default_value_t = 10_000)]
    #[arg(help_heading = "Resume", hide_env_values = true)]
    pub max_parked: usize,

    /// Sessions from one address, or one IPv6 /64, that may; 0: no limit
    #[arg(long, env = "ENTREMISE_MAX_PARKED_PER_ADDRESS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(help_heading = "Resume", hide_env_values = true)]
    pub max_parked_per_address: usize,

    /// Largest message that a client may send, in bytes
    #[arg(long, env = "ENTREMISE_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value = "65536")]
    #[arg(help_heading = "Messages", hide_env_values = true)]
    pub max_message_bytes: NonZeroUsize,

    /// Messages per second that a client may send for long; 0: no limit
    #[arg(long, env = "ENTREMISE_MESSAGES_PER_SECOND", value_name = "RATE", default_value = "50")]
    #[arg(value_parser = rate, help_heading = "Messages", hide_env_values = true)]
    pub messages_per_second: f64,

    /// Messages that a client may send at once
    #[arg(long, env = "ENTREMISE_MESSAGE_BURST", value_name = "COUNT", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..), help_heading = "Messages", hide_env_values = true)]
    pub message_burst: u32,

    /// Bytes per second that a client may send for long, and eight times that at once; 0: no limit
    #[arg(long, env = "ENTREMISE_BYTES_PER_SECOND", value_name = "BYTES", default_value_t = 262_144)]
    #[arg(help_heading = "Messages", hide_env_values = true)]
    pub bytes_per_second: u32,

    /// Refused messages within 10 seconds that end a connection; 0: none do
    #[arg(long, env = "ENTREMISE_REFUSED_MESSAGES", value_name = "COUNT", default_value_t = 50)]
    #[arg(help_heading = "Messages", hide_env_values = true)]
    pub refused_messages: u32,

    /// Messages that may wait for one peer
    #[arg(long, env = "ENTREMISE_MAILBOX_MESSAGES", value_name = "COUNT", default_value = "512")]
    #[arg(help_heading = "Queues", hide_env_values = true)]
    pub mailbox_messages: NonZeroUsize,

    /// Bytes that may wait for one peer
    #[arg(long, env = "ENTREMISE_MAILBOX_BYTES", value_name = "BYTES", default_value = "1048576")]
    #[arg(help_heading = "Queues", hide_env_values = true)]
    pub mailbox_bytes: NonZeroUsize,

    /// Bytes that may wait for all peers together
    #[arg(long, env = "ENTREMISE_QUEUED_BYTES", value_name = "BYTES", default_value = "268435456")]
    #[arg(help_heading = "Queues", hide_env_values = true)]
    pub queued_bytes: NonZeroUsize,

    /// Rooms that one peer may be in; 0: no limit
    #[arg(long, env = "ENTREMISE_ROOMS_PER_PEER", value_name = "COUNT", default_value_t = 16)]
    #[arg(help_heading = "Rooms", hide_env_values = true)]
    pub rooms_per_peer: usize,

    /// Peers that may be in one room; 0: no limit
    #[arg(long, env = "ENTREMISE_PEERS_PER_ROOM", value_name = "COUNT", default_value_t = 100)]
    #[arg(help_heading = "Rooms", hide_env_values = true)]
    pub peers_per_room: usize,

    /// UDP port of STUN, and with --turn UDP and TCP port of TURN; 0: none
    #[arg(long, env = "ENTREMISE_STUN_PORT", value_name = "PORT", default_value_t = 3478)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub stun_port: u16,

    /// Relay for browsers that can't reach each other: TURN over UDP, TCP, and TLS on the page's own port
    #[arg(long, env = "ENTREMISE_TURN", help_heading = "ICE", hide_env_values = true)]
    pub turn: bool,

    /// File with the secret for TURN credentials, here and at the servers of --ice-server; a second one is taken too
    #[arg(long, env = "ENTREMISE_TURN_SECRET_FILE", value_name = "FILE", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_secret_file: Vec<PathBuf>,

    /// Time that TURN credentials are good for
    #[arg(long, env = "ENTREMISE_TURN_TTL", value_name = "SECONDS", default_value = "3600")]
    #[arg(value_parser = clap::value_parser!(u64).range(60..), help_heading = "ICE", hide_env_values = true)]
    pub turn_ttl: u64,

    /// TLS port of TURN besides the page's; 0: none
    #[arg(long, env = "ENTREMISE_TURN_TLS_PORT", value_name = "PORT", default_value_t = 0)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_tls_port: u16,

    /// UDP ports for relays
    #[arg(long, env = "ENTREMISE_TURN_RELAY_PORTS", value_name = "FIRST-LAST", default_value = "49152-65535")]
    #[arg(value_parser = ports, help_heading = "ICE", hide_env_values = true)]
    pub turn_relay_ports: RangeInclusive<u16>,

    /// Address by which others see this host, if it is behind a NAT; one for IPv4, one for IPv6
    #[arg(long, env = "ENTREMISE_TURN_EXTERNAL_IP", value_name = "ADDRESS", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_external_ip: Vec<IpAddr>,

    /// Address block that relays may reach although it is not on the public internet (repeatable)
    #[arg(long, env = "ENTREMISE_TURN_ALLOW_PEER", value_name = "CIDR", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_allow_peer: Vec<Cidr>,

    /// Relays in all; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS", value_name = "COUNT", default_value_t = 1000)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_allocations: usize,

    /// Relays of one peer; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS_PER_USER", value_name = "COUNT", default_value_t = 32)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_allocations_per_user: usize,

    /// Relays for one address, or one IPv6 /64; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_ALLOCATIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 256)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_allocations_per_address: usize,

    /// Bytes per second through one relay, each way; 0: no limit
    #[arg(long, env = "ENTREMISE_TURN_BYTES_PER_SECOND", value_name = "BYTES", default_value_t = 1_250_000)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_bytes_per_second: usize,

    /// Refusals per second to one address, or one IPv6 /64: each honest relay begins with one
    #[arg(long, env = "ENTREMISE_TURN_REFUSALS_PER_SECOND", value_name = "COUNT", default_value = "200")]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_refusals_per_second: NonZeroUsize,

    /// STUN or TURN server elsewhere, such as turn:turn.example.org:3478?transport=tcp (repeatable)
    #[arg(long, env = "ENTREMISE_ICE_SERVER", value_name = "URL", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub ice_server: Vec<IceUrl>,

    /// User at the TURN servers of --ice-server, where they share no secret with us
    #[arg(long, env = "ENTREMISE_ICE_USERNAME", value_name = "NAME", requires = "ice_password_file")]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub ice_username: Option<String>,

    /// File with that user's password
    #[arg(long, env = "ENTREMISE_ICE_PASSWORD_FILE", value_name = "FILE", requires = "ice_username")]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub ice_password_file: Option<PathBuf>,

    /// Host, and the page's port, by which clients reach us, where their Host header does not say it
    #[arg(long, env = "ENTREMISE_PUBLIC_HOST", value_name = "HOST", value_parser = host)]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub public_host: Option<Authority>,

    /// Time between two pings; a peer silent for two of them is gone
    #[arg(long, env = "ENTREMISE_HEARTBEAT", value_name = "SECONDS", default_value = "25")]
    #[arg(value_parser = seconds, help_heading = "Deadlines", hide_env_values = true)]
    pub heartbeat: Duration,

    /// Time that one write to a peer may take
    #[arg(long, env = "ENTREMISE_WRITE_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, help_heading = "Deadlines", hide_env_values = true)]
    pub write_timeout: Duration,

    /// Time for a new connection to shake hands and begin its request, and for each request's header
    #[arg(long, env = "ENTREMISE_HANDSHAKE_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, help_heading = "Deadlines", hide_env_values = true)]
    pub handshake_timeout: Duration,

    /// Time that peers have to leave when the server stops
    #[arg(long, env = "ENTREMISE_DRAIN_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, help_heading = "Deadlines", hide_env_values = true)]
    pub drain_timeout: Duration,

    /// Tell peers when the server stops that it won't come back
    #[arg(long = "final", env = "ENTREMISE_FINAL", help_heading = "Deadlines", hide_env_values = true)]
    pub is_final: bool,

    /// What to log: error, warn, info, debug or trace, or a filter such as entremise=debug
    #[arg(long, env = "ENTREMISE_LOG", value_name = "FILTER", default_value = "info")]
    #[arg(help_heading = "Logging", hide_env_values = true)]
    pub log: String,

    /// How to log
    #[arg(long, env = "ENTREMISE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    #[arg(help_heading = "Logging", hide_env_values = true)]
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

/// A time that is neither nothing nor for ever.
fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= YEAR => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds above 0, such as 10 or 0.5".into()),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first, last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("give two ports, such as 49152-65535".into()),
    }
}

fn host(text: &str) -> Result<Authority, String> {
    let authority: Option<Authority> = text.parse().ok().filter(|_| !text.contains('@') && !text.ends_with(':'));
    authority.ok_or_else(|| "give a host, or host:port, such as example.org".into())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate >= 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("give a number that is not below 0, such as 50 or 0.5".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable_its_heading_and_one_line() {
        for argument in Cli::command().get_arguments() {
            let flag = argument.get_long().unwrap();
            let variable = format!("ENTREMISE_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap().to_str(), Some(&*variable));
            assert!(argument.get_help_heading().is_some(), "{flag}");
            assert!(argument.get_long_help().is_none() && argument.get_help().is_some(), "{flag}");
        }
    }

    #[test]
    fn durations_take_fractions_and_refuse_zero() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["0", "-1", "inf", "NaN", "1e30", "", "10s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_queue_or_deadline_of_zero_is_refused_at_start() {
        let flags = ["max-message-bytes", "mailbox-messages", "mailbox-bytes", "queued-bytes", "message-burst"];
        let deadlines = ["heartbeat", "write-timeout", "drain-timeout", "handshake-timeout"];
        for flag in flags.into_iter().chain(deadlines) {
            assert!(Cli::try_parse_from(["entremise", &format!("--{flag}=0")]).is_err(), "{flag}");
        }
    }

    #[test]
    fn an_admission_rate_or_room_limit_of_zero_is_no_limit() {
        for flag in [
            "max-connections",
            "max-connections-per-address",
            "max-handshakes",
            "max-handshakes-per-address",
            "messages-per-second",
            "refused-messages",
            "rooms-per-peer",
            "peers-per-room",
        ] {
            assert!(Cli::try_parse_from(["entremise", &format!("--{flag}=0")]).is_ok(), "{flag}");
        }
    }
}
