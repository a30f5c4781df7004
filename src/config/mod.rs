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
//! | 256 topics, 1,000 subscribers | a document or a room is a topic or two; each message to 1,000 costs its sender as much as 64 to one |
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
//! | HTTPS alone for 30 days | a month is over soon for a host whose next owner has no certificate |
//! | writes 10 s, drain 10 s | a phone in a tunnel comes back; what stops a process waits 10 s (docker) or more |

mod acme;
mod admission;
mod auth;
#[cfg(feature = "cluster")]
mod cluster;
mod dialects;
mod ice;
mod listening;
mod look;
mod memory;
mod page;
mod queues;
mod secret;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use auth::verifier;
pub use auth::{own_token, token};
#[cfg(feature = "cluster")]
pub use cluster::ClusterConfig;
pub use ice::IceSettings;
pub use listening::PlainHttp;
use listening::check_pair;
pub use look::look;
pub use memory::MemoryBounds;
use queues::hub_limits;
use secret::secret;

use crate::accept::PendingLimits;
use crate::cli::Cli;
use crate::connection::{ConnectionLimits, Farewell};
use crate::error::StartError;
use crate::http::HttpConfig;
use crate::hub::HubLimits;
use crate::net::TlsEnd;
use crate::tls::PairPaths;

/// What [`Server::bind`](crate::server::Server::bind) needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where to serve.
    pub listen: SocketAddr,
    /// With which certificate, where TLS ends here.
    pub pair: PairPaths,
    /// What the operator should know of the settings, for the page that shows it.
    pub warnings: Vec<String>,
    /// Whether the start is only tried: then nothing is made or written for it.
    pub is_rehearsal: bool,
    /// From which authority it comes instead. None: it is in files.
    pub acme: Option<crate::acme::Settings>,
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
    /// The other nodes of the service. None: there are none.
    #[cfg(feature = "cluster")]
    pub cluster: Option<ClusterConfig>,
}

/// Two files to ask the system for: nothing to save, and a renewed certificate has days.
const CERTIFICATE_POLL: Duration = Duration::from_secs(5);

/// Trystero announces itself every minute, and may need as long for a connection.
const TOPIC_WINDOW: Duration = Duration::from_mins(2);

impl Config {
    /// The settings that the command line asks for.
    ///
    /// # Errors
    ///
    /// Where a setting can't be meant, or a file that it names can't be used.
    pub fn from_cli(cli: &Cli) -> Result<Self, StartError> {
        check_pair(cli)?;
        let hub = hub_limits(cli)?;
        Ok(Self {
            listen: cli.listening.listen,
            pair: PairPaths { cert: cli.listening.cert.clone(), key: cli.listening.key.clone() },
            warnings: look(cli),
            is_rehearsal: false,
            acme: acme::settings(cli)?,
            certificate_poll: CERTIFICATE_POLL,
            pending: admission::pending(cli),
            proxy_protocol: cli.proxy.proxy_protocol,
            max_header_bytes: cli.admission.max_header_bytes as usize,
            handshake_timeout: cli.deadlines.handshake_timeout,
            drain_delay: cli.deadlines.drain_delay,
            drain_timeout: cli.deadlines.drain_timeout,
            metrics_listen: cli.listening.metrics_listen,
            listener: None,
            plain_http: PlainHttp::from_cli(cli),
            http: http_config(cli)?,
            connection: ConnectionLimits {
                max_message_bytes: cli.messages.max_message_bytes.get(),
                allowance: hub.allowance,
                heartbeat: cli.deadlines.heartbeat,
                write_timeout: cli.deadlines.write_timeout,
                farewell: if cli.deadlines.is_final { Farewell::Final } else { Farewell::Restart },
                resume_window: Some(cli.resume.resume_window).filter(|window| !window.is_zero()),
                topic_window: TOPIC_WINDOW,
            },
            hub,
            ice: IceSettings::from_cli(cli)?,
            #[cfg(feature = "cluster")]
            cluster: ClusterConfig::from_cli(cli)?,
        })
    }
}

fn http_config(cli: &Cli) -> Result<HttpConfig, StartError> {
    Ok(HttpConfig {
        admission: admission::connections(cli),
        parked: admission::parked(cli),
        allowed_origins: cli.admission.allow_origin.clone(),
        public_host: cli.ice.public_host.clone(),
        trusted_proxies: cli.proxy.trusted_proxy.clone(),
        verifier: verifier(cli)?,
        base_path: cli.proxy.base_path.clone(),
        dialects: cli.dialects.dialect.iter().copied().collect(),
        peerjs: dialects::peerjs(&cli.dialects)?,
        mounts: Vec::new(),
        page: page::folder(cli)?,
        hsts: cli.listening.hsts,
        tls_end: if cli.proxy.plain_http { TlsEnd::Proxy } else { TlsEnd::Here },
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// What these flags say, and that they were given.
    pub(super) fn given(flags: &[&str]) -> Cli {
        let mut cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        let names = flags.iter().map(|flag| flag.trim_start_matches('-').split('=').next().unwrap().to_owned());
        cli.given.flags = names.collect();
        cli
    }

    pub(super) fn config(flags: &[&str]) -> Result<Config, String> {
        let cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        Config::from_cli(&cli).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_fit_each_other() {
        assert!(config(&[]).is_ok());
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
}
