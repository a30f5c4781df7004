//! Checked settings, and a reason for each default.
//!
//! | Default | Why |
//! |---|---|
//! | 10,000 connections | about 150 MB of idle peers: what a small machine has to spare |
//! | 1,000 connections per address | a school or an office behind one address; a tenth of all for one attacker |
//! | messages of 64 KiB | an SDP offer has 2 to 10 KB, one with many simulcast layers 30; it is also a bound on memory |
//! | burst of 400 | joining a room of 16 and calling everybody: 15 calls of an offer and about 20 candidates, and as many again for answers and a second thought |
//! | 50 messages per second | a second call every half second, for ever |
//! | 512 messages, 1 MiB waiting | that burst, from the others' side; 16 of the largest messages |
//! | 256 MiB waiting for all | 256 peers that stall with a full mailbox at the same time |
//! | 16 rooms, 100 peers | lobby, team, call …; a mesh of calls ends far below, chat and presence do not |
//! | heartbeat 25 s | routers and platforms cut idle sockets at 55 s and later, so two pings come before |
//! | writes 10 s, drain 10 s | a phone in a tunnel comes back; what stops a process waits 10 s (docker) or more |

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::cli::Cli;
use crate::connection::ConnectionLimits;
use crate::error::StartError;
use crate::http::{AdmissionLimits, AllowedOrigin};
use crate::hub::{HubLimits, MailboxLimits};
use crate::protocol::Rate;
use crate::tls::PairPaths;

/// What [`Server::bind`](crate::server::Server::bind) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to serve.
    pub listen: SocketAddr,
    /// With which certificate.
    pub pair: PairPaths,
    /// The time from a connection's beginning to its first request's.
    pub handshake_timeout: Duration,
    /// The time that the drain may take.
    pub drain_timeout: Duration,
    /// Whose pages may connect, besides our own.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// How many may connect.
    pub admission: AdmissionLimits,
    /// What a connection may do.
    pub connection: ConnectionLimits,
    /// What the hub holds.
    pub hub: HubLimits,
}

/// What a queued message weighs beyond its payload, generously.
const MESSAGE_OVERHEAD_BYTES: usize = 512;

impl Config {
    /// The settings that the command line asks for.
    ///
    /// # Errors
    ///
    /// [`StartError::TooSmall`] where one setting can't hold another.
    pub fn from_cli(cli: &Cli) -> Result<Self, StartError> {
        let max_message_bytes = cli.max_message_bytes.get();
        let mailbox = MailboxLimits { messages: cli.mailbox_messages.get(), bytes: cli.mailbox_bytes.get() };
        let queued_bytes = cli.queued_bytes.get();
        at_least("--mailbox-messages", mailbox.messages, 2, "one message and the answer to one's own")?;
        let one_message = max_message_bytes.saturating_add(MESSAGE_OVERHEAD_BYTES);
        at_least("--mailbox-bytes", mailbox.bytes, one_message, "one message of --max-message-bytes")?;
        at_least("--queued-bytes", queued_bytes, mailbox.bytes, "one full mailbox of --mailbox-bytes")?;
        Ok(Self {
            listen: cli.listen,
            pair: PairPaths { cert: cli.cert.clone(), key: cli.key.clone() },
            handshake_timeout: cli.handshake_timeout,
            drain_timeout: cli.drain_timeout,
            allowed_origins: cli.allow_origin.clone(),
            admission: AdmissionLimits {
                connections: NonZeroUsize::new(cli.max_connections),
                connections_per_address: NonZeroUsize::new(cli.max_connections_per_address),
            },
            connection: ConnectionLimits {
                max_message_bytes,
                rate: rate(cli.messages_per_second, cli.message_burst),
                refused_messages: NonZeroU32::new(cli.refused_messages),
                heartbeat: cli.heartbeat,
                write_timeout: cli.write_timeout,
            },
            hub: HubLimits {
                mailbox,
                queued_bytes,
                rooms_per_peer: NonZeroUsize::new(cli.rooms_per_peer),
                peers_per_room: NonZeroUsize::new(cli.peers_per_room),
            },
        })
    }
}

fn rate(messages: f64, burst: u32) -> Option<Rate> {
    (messages > 0.0).then_some(Rate { messages, burst })
}

fn at_least(flag: &'static str, value: usize, least: usize, holds: &str) -> Result<(), StartError> {
    if value >= least {
        return Ok(());
    }
    Err(StartError::TooSmall { flag, value, reason: format!("it has to hold {holds}, which takes {least}") })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn config(flags: &[&str]) -> Result<Config, String> {
        let cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        Config::from_cli(&cli).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_fit_each_other() {
        assert!(config(&[]).is_ok());
    }

    #[test]
    fn a_queue_that_cannot_hold_one_message_is_refused_and_named() {
        for (flags, named) in [
            (&["--mailbox-messages=1"][..], "--mailbox-messages 1"),
            (&["--mailbox-bytes=65536"], "--mailbox-bytes 65536"),
            (&["--max-message-bytes=2000000"], "--mailbox-bytes 1048576"),
            (&["--queued-bytes=100000"], "--queued-bytes 100000"),
        ] {
            let error = config(flags).unwrap_err();
            assert!(error.contains(named) && error.contains("has to hold"), "{error}");
        }
    }

    #[test]
    fn zero_switches_limits_off() {
        let config = config(&["--messages-per-second=0", "--refused-messages=0", "--max-connections=0"]).unwrap();
        assert!(config.connection.rate.is_none());
        assert!(config.connection.refused_messages.is_none());
        assert!(config.admission.connections.is_none());
    }
}
