//! Checked settings, and a reason for each default.
//!
//! | Default | Why |
//! |---|---|
//! | 10,000 connections | about 75 MB of idle peers: what a small machine has to spare |
//! | 1,000 connections per address | a school or an office behind one address; a tenth of all for one attacker |
//! | 1,000 new connections at once, 20 per second | that school comes back when the network does; one page that reloads makes 1 |
//! | 2,048 unanswered connections | a restart brings all back within seconds; one that stops within a handshake of 64 KiB has 76 KB, so 155 MB at worst |
//! | 1,000 of them from one address | as many as it may have: they all come back at once too |
//! | request heads of 16 KiB | room for the long cookies of a neighbouring site, far from a burden |
//! | messages of 64 KiB | an SDP offer has 2 to 10 KB, one with many simulcast layers 30; it is also a bound on memory |
//! | burst of 400 | joining a room of 16 and calling all of it: 15 calls of an offer and about 20 candidates, and as many again for answers and a second thought |
//! | 50 messages per second | a second call every half second, for ever |
//! | 256 KiB per second, 2 MiB at once | that burst with room for large offers; far below what a mailbox or a link would mind |
//! | 2,048 messages, 1 MiB waiting | the bursts of five peers at once; a dozen of the largest messages |
//! | 256 MiB waiting for all | 256 peers that stall with a full mailbox at the same time |
//! | 16 rooms, 100 peers | lobby, team, call …; a mesh of calls ends far below, chat and presence do not |
//! | sessions outlive connections by 30 s | a change of network takes seconds, a tunnel half a minute |
//! | 10,000 parked, 1,000 per address | as many as may be connected: all may lose their network at once |
//! | heartbeat 25 s | routers and platforms cut idle sockets at 55 s and later, so two pings come before |
//! | 1,000 relays, 1.25 MB/s each way | 500 calls; a video call in HD takes a fifth of that |
//! | 32 relays of one peer | a browser makes one for each of its interfaces, ways and calls |
//! | 256 relays for one address | a school or an office behind one address |
//! | 200 refusals per second | each relay begins with one: a carrier's NAT with 200 callers a second |
//! | 500 STUN answers per second | a browser asks again every 10 s: a carrier's NAT with 5,000 of them in calls |
//! | interfaces every 2 s | an address that comes is served before a page is loaded by it; a look costs 0.1 ms |
//! | credentials for 1 h | they count when a relay is made; a call may go on for longer |
//! | handshakes 10 s | a phone on a bad line shakes hands in three; a connection that says nothing is gone soon |
//! | 50 refused messages in 10 s | a client with a mistake makes one for each message, and is still told what it is |
//! | writes 10 s, drain 10 s | a phone in a tunnel comes back; what stops a process waits 10 s (docker) or more |

mod auth;
mod ice;
mod look;
mod memory;
mod secret;

use std::net::{SocketAddr, TcpListener};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use auth::verifier;
pub use auth::{own_token, token};
pub use ice::IceSettings;
pub use look::look;
pub use memory::MemoryBounds;
use secret::secret;

use crate::accept::PendingLimits;
use crate::admission::AdmissionLimits;
use crate::cli::Cli;
use crate::connection::{ConnectionLimits, Farewell};
use crate::error::StartError;
use crate::http::{HttpConfig, PeerJsSettings};
use crate::hub::{self, AllowanceLimits, HubLimits, MailboxLimits};
use crate::net::TlsEnd;
use crate::protocol::{Rate, Realm};
use crate::tls::PairPaths;
use crate::token_bucket::TokenRate;

/// What [`Server::bind`](crate::server::Server::bind) needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where to serve.
    pub listen: SocketAddr,
    /// With which certificate, where TLS ends here.
    pub pair: PairPaths,
    /// How often its files are looked at for a change, which is served when it has stood still from one look to the
    /// next.
    pub certificate_poll: Duration,
    /// How many connections there may be that have not been answered yet.
    pub pending: PendingLimits,
    /// Whether the proxies among them say, by the PROXY protocol, whose a connection is. Then they have to.
    pub proxy_protocol: bool,
    /// How long a request's head may be.
    pub max_header_bytes: usize,
    /// The time from a connection's beginning to its first request's.
    pub handshake_timeout: Duration,
    /// The time for which the server goes on when it is told to stop, so that a load balancer can find out.
    pub drain_delay: Duration,
    /// The time that the drain may take.
    pub drain_timeout: Duration,
    /// Where monitors read metrics. None: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// A listening socket that is used instead of `listen`: from systemd.
    pub listener: Option<TcpListener>,
    /// Who gets HTTP without TLS. None: no client.
    pub plain_http: Option<PlainHttp>,
    /// Who may connect, and where they find us.
    pub http: HttpConfig,
    /// What a connection may do.
    pub connection: ConnectionLimits,
    /// What the hub holds.
    pub hub: HubLimits,
    /// What browsers are told to use to reach each other, and what of it is embedded.
    pub ice: IceSettings,
}

/// Who gets HTTP without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// A proxy on this machine, or its user.
    ThisMachine,
    /// All that reach the address: the operator says that the way here is safe.
    AllAddresses,
}

/// Two files to ask the system for: nothing to save, and a renewed certificate has days.
const CERTIFICATE_POLL: Duration = Duration::from_secs(5);

impl Config {
    /// Whether this address, on which we listen, is one for what we serve.
    ///
    /// # Errors
    ///
    /// [`StartError::PlainHttp`] where others could read along.
    pub fn check_address(&self, listen: SocketAddr) -> Result<(), StartError> {
        match self.plain_http {
            Some(PlainHttp::ThisMachine) if !listen.ip().to_canonical().is_loopback() => {
                Err(StartError::PlainHttp { listen })
            }
            _ => Ok(()),
        }
    }

    /// The settings that the command line asks for.
    ///
    /// # Errors
    ///
    /// Where a setting can't be meant, or a file that it names can't be used.
    pub fn from_cli(cli: &Cli) -> Result<Self, StartError> {
        check_pair(cli)?;
        check_dialects(cli)?;
        let max_message_bytes = cli.max_message_bytes.get();
        let mailbox = MailboxLimits { messages: cli.mailbox_messages.get(), bytes: cli.mailbox_bytes.get() };
        let queued_bytes = cli.queued_bytes.get();
        at_least("--mailbox-messages", mailbox.messages, 2, "one message and the answer to one's own")?;
        let one_message = hub::largest_weight(max_message_bytes);
        at_least("--mailbox-bytes", mailbox.bytes, one_message, "one message of --max-message-bytes")?;
        at_least("--queued-bytes", queued_bytes, mailbox.bytes, "one full mailbox of --mailbox-bytes")?;
        let allowance = AllowanceLimits {
            rate: rate(cli.messages_per_second, cli.message_burst),
            bytes_per_second: NonZeroU32::new(cli.bytes_per_second),
            refused_messages: NonZeroU32::new(cli.refused_messages),
        };
        Ok(Self {
            listen: cli.listen,
            pair: PairPaths { cert: cli.cert.clone(), key: cli.key.clone() },
            certificate_poll: CERTIFICATE_POLL,
            pending: PendingLimits {
                connections: NonZeroUsize::new(cli.max_handshakes),
                connections_per_address: NonZeroUsize::new(cli.max_handshakes_per_address),
                proxies: cli.trusted_proxy.clone(),
            },
            proxy_protocol: cli.proxy_protocol,
            max_header_bytes: cli.max_header_bytes as usize,
            handshake_timeout: cli.handshake_timeout,
            drain_delay: cli.drain_delay,
            drain_timeout: cli.drain_timeout,
            metrics_listen: cli.metrics_listen,
            listener: None,
            plain_http: cli.plain_http.then_some(if cli.insecure_plain_http_on_any_address {
                PlainHttp::AllAddresses
            } else {
                PlainHttp::ThisMachine
            }),
            http: http_config(cli)?,
            connection: ConnectionLimits {
                max_message_bytes,
                allowance,
                heartbeat: cli.heartbeat,
                write_timeout: cli.write_timeout,
                farewell: if cli.is_final { Farewell::Final } else { Farewell::Restart },
                resume_window: Some(cli.resume_window).filter(|window| !window.is_zero()),
            },
            hub: HubLimits {
                allowance,
                mailbox,
                queued_bytes,
                rooms_per_peer: NonZeroUsize::new(cli.rooms_per_peer),
                peers_per_room: NonZeroUsize::new(cli.peers_per_room),
            },
            ice: IceSettings::from_cli(cli)?,
        })
    }
}

/// A pair is for TLS.
fn check_pair(cli: &Cli) -> Result<(), StartError> {
    let given = [("cert", "--cert"), ("key", "--key")].into_iter().find(|(name, _)| cli.given.flags.contains(*name));
    match given {
        Some((_, flag)) if cli.plain_http => Err(StartError::PlainWithPair { flag }),
        _ => Ok(()),
    }
}

/// A dialect's setting is for those who have the dialect.
fn check_dialects(cli: &Cli) -> Result<(), StartError> {
    let given = [("--peerjs-key", cli.peerjs_key.is_some()), ("--peerjs-discovery", cli.peerjs_discovery)];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) if !cli.dialect.contains(&Realm::PeerJs) => {
            Err(StartError::WithoutDialect { flag, dialect: Realm::PeerJs.as_str() })
        }
        _ => Ok(()),
    }
}

fn http_config(cli: &Cli) -> Result<HttpConfig, StartError> {
    Ok(HttpConfig {
        admission: AdmissionLimits {
            all: NonZeroUsize::new(cli.max_connections),
            per_address: NonZeroUsize::new(cli.max_connections_per_address),
            newcomers: (cli.connections_per_second > 0.0)
                .then(|| TokenRate { per_second: cli.connections_per_second, burst: cli.connection_burst.into() }),
        },
        parked: AdmissionLimits {
            all: NonZeroUsize::new(cli.max_parked),
            per_address: NonZeroUsize::new(cli.max_parked_per_address),
            newcomers: None,
        },
        allowed_origins: cli.allow_origin.clone(),
        public_host: cli.public_host.clone(),
        trusted_proxies: cli.trusted_proxy.clone(),
        verifier: verifier(cli)?,
        base_path: cli.base_path.clone(),
        dialects: cli.dialect.iter().copied().collect(),
        peerjs: PeerJsSettings {
            key: cli.peerjs_key.clone().unwrap_or_else(|| PeerJsSettings::DEFAULT_KEY.to_owned()),
            has_discovery: cli.peerjs_discovery,
        },
        tls_end: if cli.plain_http { TlsEnd::Proxy } else { TlsEnd::Here },
    })
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
    use std::time::Instant;

    use crate::hub::{Ask, Hub, Lifetime, Session};
    use crate::protocol::{ClientMessage, Request, RoomName};

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
    fn all_members_of_all_rooms_of_a_peer_may_leave_at_once() {
        let limits = config(&[]).unwrap().hub;
        let (rooms, members) = (limits.rooms_per_peer.unwrap().get(), limits.peers_per_room.unwrap().get());
        let hub = Hub::new(limits);
        let enter_all = || {
            let session = hub.open(Realm::V1, Lifetime::Connection, None);
            for number in 0..rooms {
                let room = RoomName::new(&format!("room {number}")).unwrap();
                let join = Request { reference: None, message: ClientMessage::Join(room) };
                let ask = Ask::Frame(Ok(join), session.answer_permit().unwrap());
                assert_eq!(session.hear(ask, 0, Instant::now(), Vec::new).refused, None);
            }
            session
        };
        let read_all = |session: &Session| {
            let told = std::iter::from_fn(|| session.try_next()).count();
            session.written();
            told
        };
        let stays = enter_all();
        let mut others = Vec::new();
        while others.len() < members - 1 {
            others.push(enter_all());
            for session in others.iter().chain([&stays]) {
                read_all(session);
            }
        }
        drop(others);
        assert_eq!(read_all(&stays), rooms * (members - 1));
    }

    #[test]
    fn a_setting_of_a_dialect_that_is_not_spoken_is_refused_and_named() {
        for flag in ["--peerjs-key=mine", "--peerjs-discovery"] {
            let error = config(&[flag]).unwrap_err();
            assert!(error.contains(flag.split('=').next().unwrap()) && error.contains("--dialect peerjs"), "{error}");
            assert!(config(&[flag, "--dialect=y-webrtc"]).is_err());
            assert!(config(&[flag, "--dialect=y-webrtc,peerjs"]).is_ok());
        }
    }

    #[test]
    fn zero_switches_limits_off() {
        let config = config(&[
            "--messages-per-second=0",
            "--refused-messages=0",
            "--max-connections=0",
            "--connections-per-second=0",
        ])
        .unwrap();
        assert!(config.http.admission.newcomers.is_none());
        assert!(config.hub.allowance.rate.is_none());
        assert!(config.hub.allowance.refused_messages.is_none());
        assert!(config.http.admission.all.is_none());
    }

    #[test]
    fn plain_http_for_all_the_world_has_to_be_said_twice() {
        for listen in ["[::]:8443", "0.0.0.0:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let listen = listen.parse().unwrap();
            let once = config(&["--plain-http"]).unwrap();
            let error = once.check_address(listen).unwrap_err().to_string();
            assert!(error.contains("--insecure-plain-http-on-any-address"), "{error}");
            let twice = config(&["--plain-http", "--insecure-plain-http-on-any-address"]).unwrap();
            assert!(twice.check_address(listen).is_ok() && config(&[]).unwrap().check_address(listen).is_ok());
            assert_eq!((once.http.tls_end, twice.http.tls_end), (TlsEnd::Proxy, TlsEnd::Proxy));
        }
        for listen in ["127.0.0.1:8080", "127.0.0.2:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
            let config = config(&["--plain-http"]).unwrap();
            assert!(config.check_address(listen.parse().unwrap()).is_ok(), "{listen}");
        }
    }
}
