//! The command line: flags, each with its environment variable, its unit and its default. No IO.

mod usage;
mod value;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::uri::Authority;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
pub use usage::{Given, Usage};
use value::{dialect, host, listen_address, peerjs_key, ports, rate, room, seconds, seconds_or_none, switch};

use crate::http::{AllowedOrigin, BasePath};
use crate::ice::IceUrl;
use crate::net::Cidr;
use crate::protocol::Realm;
use crate::tls::PairPaths;
use crate::turn::External;

/// What the help ends with.
const EXAMPLES: &str = "Examples:
  entremise
      to try it out: on port 8443, with a certificate that is made for it
  entremise --listen :443 --cert fullchain.pem --key privkey.pem --turn
      on the internet, with a relay
  entremise --plain-http --listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1
      behind a proxy on the same machine";

/// The go-between for WebRTC: serves a page over HTTPS and carries offers, answers and candidates between browsers
/// over a WebSocket.
///
/// Each flag can be given as an environment variable too: an empty one is not set, a repeatable one takes a list with
/// commas, a switch takes 1 or 0. Times are in seconds, fractions allowed; sizes in bytes.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 120, hide_possible_values = false)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What of the rest was given.
    #[arg(skip)]
    pub given: Given,

    /// Address and port to serve HTTPS on, or a port for all addresses; the default serves IPv6 and IPv4
    #[arg(long, env = "ENTREMISE_LISTEN", value_name = "ADDRESS:PORT", default_value = "[::]:8443")]
    #[arg(value_parser = listen_address, help_heading = "Listening", hide_env_values = true)]
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
    #[arg(value_parser = listen_address, help_heading = "Listening", hide_env_values = true)]
    pub metrics_listen: Option<SocketAddr>,

    /// Origin whose pages may connect besides our own, such as https://*.example.org, one label more (repeatable); * for all
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

    /// New connections per second from one address, or one IPv6 /64, for long; 0: no limit
    #[arg(long, env = "ENTREMISE_CONNECTIONS_PER_SECOND", value_name = "RATE", default_value = "20")]
    #[arg(value_parser = rate, help_heading = "Admission", hide_env_values = true)]
    pub connections_per_second: f64,

    /// New connections from one address at once
    #[arg(long, env = "ENTREMISE_CONNECTION_BURST", value_name = "COUNT", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..), help_heading = "Admission", hide_env_values = true)]
    pub connection_burst: u32,

    /// File with the secret by which clients' tokens are signed (JWT, HS256), which all need then; a second one counts too
    #[arg(
        long,
        env = "ENTREMISE_AUTH_JWT_SECRET_FILE",
        value_name = "FILE",
        group = "auth_key",
        value_delimiter = ','
    )]
    #[arg(help_heading = "Credentials", hide_env_values = true)]
    pub auth_jwt_secret_file: Vec<PathBuf>,

    /// PEM file of the public key that verifies them instead: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA); or two of them
    #[arg(long, env = "ENTREMISE_AUTH_JWT_PUBLIC_KEY_FILE", value_name = "FILE", group = "auth_key")]
    #[arg(value_delimiter = ',')]
    #[arg(help_heading = "Credentials", hide_env_values = true)]
    pub auth_jwt_public_key_file: Vec<PathBuf>,

    /// Our name, which tokens must have as their audience
    #[arg(long, env = "ENTREMISE_AUTH_AUDIENCE", value_name = "NAME", requires = "auth_key")]
    #[arg(help_heading = "Credentials", hide_env_values = true)]
    pub auth_audience: Option<String>,

    /// Issuer that tokens must have
    #[arg(long, env = "ENTREMISE_AUTH_ISSUER", value_name = "NAME", requires = "auth_key")]
    #[arg(help_heading = "Credentials", hide_env_values = true)]
    pub auth_issuer: Option<String>,

    /// Clients to serve besides our own: socket.io, peerjs, y-webrtc, trystero, matchbox, gstreamer (repeatable)
    #[arg(long, env = "ENTREMISE_DIALECT", value_name = "NAME", value_parser = dialect, value_delimiter = ',')]
    #[arg(help_heading = "Other clients", hide_env_values = true)]
    pub dialect: Vec<Realm>,

    /// Key that PeerJS's clients have to give, if not their default peerjs: it keeps out strays, and is no secret
    #[arg(long, env = "ENTREMISE_PEERJS_KEY", value_name = "KEY", value_parser = peerjs_key)]
    #[arg(help_heading = "Other clients", hide_env_values = true)]
    pub peerjs_key: Option<String>,

    /// Tell PeerJS's clients the ids of all others when they ask
    #[arg(long, env = "ENTREMISE_PEERJS_DISCOVERY", value_parser = switch)]
    #[arg(help_heading = "Other clients", hide_env_values = true)]
    pub peerjs_discovery: bool,

    /// Address block of proxies whose X-Forwarded-For and X-Forwarded-Host are believed (repeatable)
    #[arg(long, env = "ENTREMISE_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    #[arg(help_heading = "Behind a proxy", hide_env_values = true)]
    pub trusted_proxy: Vec<Cidr>,

    /// Each connection from a trusted proxy, on every TCP port but --metrics-listen, begins with the PROXY protocol (version 1 or 2)
    #[arg(long, env = "ENTREMISE_PROXY_PROTOCOL", value_parser = switch, requires = "trusted_proxy")]
    #[arg(help_heading = "Behind a proxy", hide_env_values = true)]
    pub proxy_protocol: bool,

    /// Folder of the public host that is ours: page, /ws and /ice are in it
    #[arg(long, env = "ENTREMISE_BASE_PATH", value_name = "PATH", default_value = "/")]
    #[arg(help_heading = "Behind a proxy", hide_env_values = true)]
    pub base_path: BasePath,

    /// Serve HTTP without TLS and without a certificate, for a proxy on this machine that ends TLS
    #[arg(long, env = "ENTREMISE_PLAIN_HTTP", value_parser = switch, conflicts_with = "turn_tls_port")]
    #[arg(help_heading = "Behind a proxy", hide_env_values = true)]
    pub plain_http: bool,

    /// With --plain-http, serve other machines too: all that is on the way reads and changes everything
    #[arg(long, env = "ENTREMISE_INSECURE_PLAIN_HTTP_ON_ANY_ADDRESS", value_parser = switch, requires = "plain_http")]
    #[arg(help_heading = "Behind a proxy", hide_env_values = true)]
    pub insecure_plain_http_on_any_address: bool,

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
    #[arg(long, env = "ENTREMISE_MAILBOX_MESSAGES", value_name = "COUNT", default_value = "2048")]
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

    /// STUN answers per second to one address, or one IPv6 /64: a browser in a call asks every ten seconds
    #[arg(long, env = "ENTREMISE_STUN_BINDINGS_PER_SECOND", value_name = "COUNT", default_value = "500")]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub stun_bindings_per_second: NonZeroUsize,

    /// Answer STUN to all; false: to clients with TURN credentials alone, and TURN over UDP goes on
    #[arg(long, env = "ENTREMISE_STUN_OPEN", value_name = "BOOL", default_value_t = true)]
    #[arg(action = ArgAction::Set, value_parser = switch, help_heading = "ICE", hide_env_values = true)]
    pub stun_open: bool,

    /// Address of STUN and TURN, whatever the page's is (repeatable); the default is all, as interfaces come and go
    #[arg(long, env = "ENTREMISE_TURN_LISTEN", value_name = "ADDRESS", value_delimiter = ',', default_value = "::")]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_listen: Vec<IpAddr>,

    /// Relay for browsers that can't reach each other: TURN over UDP, TCP, and TLS on the page's own port
    #[arg(long, env = "ENTREMISE_TURN", value_parser = switch, help_heading = "ICE", hide_env_values = true)]
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

    /// Address by which others see this host, if it is behind a NAT; of several, each as ADVERTISED/LOCAL
    #[arg(long, env = "ENTREMISE_TURN_EXTERNAL_IP", value_name = "ADDRESS", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_external_ip: Vec<External>,

    /// Address of this host for relays; without it the one that a client came by or that leads to the internet
    #[arg(long, env = "ENTREMISE_TURN_RELAY_ADDRESS", value_name = "ADDRESS", value_delimiter = ',')]
    #[arg(help_heading = "ICE", hide_env_values = true)]
    pub turn_relay_address: Vec<IpAddr>,

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

    /// Time between the signal to stop and the drain: /readyz says 503, and all are served still; 0: none
    #[arg(long, env = "ENTREMISE_DRAIN_DELAY", value_name = "SECONDS", default_value = "0")]
    #[arg(value_parser = seconds_or_none, help_heading = "Deadlines", hide_env_values = true)]
    pub drain_delay: Duration,

    /// Time that peers have to leave when the server stops
    #[arg(long, env = "ENTREMISE_DRAIN_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds, help_heading = "Deadlines", hide_env_values = true)]
    pub drain_timeout: Duration,

    /// Tell peers when the server stops that it won't come back
    #[arg(long = "final", env = "ENTREMISE_FINAL", value_parser = switch, help_heading = "Deadlines", hide_env_values = true)]
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

/// What the program does instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Print a token, to try credentials out with
    Token(TokenOrder),
    /// Say which ICE servers browsers are offered, and try each: run beside the server, with its flags
    Ice(IceOrder),
}

/// For which page the list is, and how the server was started.
#[derive(Clone, Debug, Args)]
pub struct IceOrder {
    /// The page's host, and its port, as in the address that browsers open
    #[arg(value_name = "HOST", value_parser = host)]
    pub host: Authority,

    /// The flags of the server; its variables count too
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub flags: Vec<OsString>,
}

/// What a token is to say.
#[derive(Clone, Debug, Args)]
pub struct TokenOrder {
    /// File with the secret, as --auth-jwt-secret-file
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,

    /// Whom it is about
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub subject: String,

    /// The rooms that it opens, comma-separated; left out: all
    #[arg(long, value_name = "ROOMS", value_delimiter = ',', value_parser = room)]
    pub rooms: Option<Vec<String>>,

    /// Time that it is good for
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    pub ttl: u64,

    /// For whom it is, as --auth-audience
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,

    /// Who has signed it, as --auth-issuer
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
}

/// How log lines look. They go to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
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
    fn every_flag_of_a_subcommand_has_one_line() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                assert!(argument.get_long_help().is_none() && argument.get_help().is_some(), "{}", argument.get_id());
            }
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        for flags in [
            &["--auth-jwt-secret-file=a", "--auth-jwt-public-key-file=b"][..],
            &["--auth-audience=a"],
            &["--auth-issuer=a"],
            &["--insecure-plain-http-on-any-address"],
            &["--plain-http", "--turn-tls-port=5349"],
            &["--listen=[::]:1", "token", "--secret-file=a", "--subject=b"],
            &["token", "--subject=b"],
            &["token", "--secret-file=a"],
            &["token", "--secret-file=a", "--subject="],
            &["token", "--secret-file=a", "--subject=b", "--rooms=c,,d"],
            &["token", "--secret-file=a", "--subject=b", "--ttl=0"],
        ] {
            assert!(Cli::try_parse_from(["entremise"].iter().chain(flags)).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn a_size_queue_or_deadline_of_zero_is_refused_at_start() {
        let flags = [
            "max-message-bytes",
            "mailbox-messages",
            "mailbox-bytes",
            "queued-bytes",
            "message-burst",
            "connection-burst",
        ];
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
            "connections-per-second",
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
