//! The embedded STUN/TURN server: what lets two browsers meet that can't reach each other.
//!
//! [`rules`](self) says what each message means, without sockets; `udp` and `stream` bring clients to it, `relay` the
//! peers. `filter` says whom a relay may reach, `quota` how many there may be. The acceptor hands over connections that
//! begin like STUN, so TURN needs no port of its own.

mod counters;
mod families;
mod filter;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod nonce;
mod quota;
mod relay;
mod routes;
mod rules;
mod stream;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UdpSocket;
use turn_types::AddressFamily;

pub(crate) use counters::Counters;
pub use counters::TurnCount;
pub use quota::TurnLimits;

use crate::ice::credential::TurnSecret;
use crate::meter::Meters;
use crate::net::{self, Cidr};
use crate::tasks::Tasks;
use filter::PeerFilter;
use nonce::Nonces;
use quota::{Quota, even};
use relay::{RelayPorts, Sharing};
use rules::{Outcome, Rules};
use stream::StreamClient;
pub(crate) use udp::UdpClients;

/// What the embedded server needs to know.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// Those whose credentials are taken. None: STUN only.
    pub secrets: Vec<TurnSecret>,
    /// Where relays are opened.
    pub relay_ports: RangeInclusive<u16>,
    /// How others see this host, where it is behind a NAT: at most one address of a family.
    pub external: Vec<IpAddr>,
    /// Peers that are reachable although they are not on the public internet.
    pub allowed_peers: Vec<Cidr>,
    /// How many, and how much.
    pub limits: TurnLimits,
    /// How long a connection without an allocation is kept.
    pub handshake_timeout: Duration,
}

/// The server, shared by all its sockets.
#[derive(Debug)]
pub(crate) struct Turn {
    rules: Rules,
    /// Who has been refused, by address: one for all sockets.
    refusals: Mutex<Meters>,
    ports: RelayPorts,
    addresses: Vec<IpAddr>,
    handshake_timeout: Duration,
    tasks: Tasks,
    counters: Counters,
}

impl Turn {
    pub(crate) fn new(config: TurnConfig, tasks: Tasks) -> Arc<Self> {
        let addresses = net::own_addresses();
        let own = addresses.iter().chain(&config.external).copied().collect();
        let rules = Rules {
            secrets: config.secrets,
            nonces: Nonces::new(),
            filter: PeerFilter::new(config.allowed_peers, own, config.relay_ports.clone()),
            quota: Quota::new(config.limits),
            bytes_per_second: config.limits.bytes_per_second.map(even),
        };
        let refusals = Mutex::new(Meters::new(even(config.limits.refusals_per_second), Instant::now()));
        let ports = RelayPorts { range: config.relay_ports, external: config.external };
        let handshake_timeout = config.handshake_timeout;
        Arc::new(Self { rules, refusals, ports, addresses, handshake_timeout, tasks, counters: Counters::default() })
    }

    /// Whether it relays, or only tells clients their addresses.
    pub(crate) fn relays(&self) -> bool {
        !self.rules.secrets.is_empty()
    }

    /// Takes a UDP port on each address that clients may reach. Gives back the port, and who is to be run.
    ///
    /// # Errors
    ///
    /// The first address where the port can't be had; then none is taken.
    pub(crate) fn bind_udp(self: &Arc<Self>, listen: IpAddr, port: u16) -> io::Result<(u16, Vec<UdpClients>)> {
        let mut port = port;
        let mut sockets = Vec::new();
        for ip in self.addresses_behind(listen) {
            // A shared port could be somebody else's too: first it must be ours alone.
            port = relay::bind(SocketAddr::new(ip, port), Sharing::Exclusive)?.local_addr()?.port();
            for _ in 0..std::thread::available_parallelism().map_or(1, NonZeroUsize::get) {
                sockets.push(UdpClients::new(
                    Arc::clone(self),
                    relay::bind(SocketAddr::new(ip, port), Sharing::Shared)?,
                    ip,
                ));
            }
        }
        Ok((port, sockets))
    }

    /// A socket for each of them, because an answer has to leave from the address that was asked.
    fn addresses_behind(&self, listen: IpAddr) -> Vec<IpAddr> {
        if !listen.is_unspecified() {
            return vec![listen.to_canonical()];
        }
        let is_served = |ip: &&IpAddr| (listen.is_ipv6() || ip.is_ipv4()) && !(ip.is_ipv6() && net::is_link_local(ip));
        self.addresses.iter().filter(is_served).copied().collect()
    }

    /// Serves a client over a connection that began like STUN.
    pub(crate) fn serve_stream<S>(self: &Arc<Self>, stream: S, client: SocketAddr, local: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        self.tasks.spawn(StreamClient::new(Arc::clone(self), stream, client, local.ip().to_canonical()).run());
    }

    /// How many allocations there are.
    pub(crate) fn allocations(&self) -> usize {
        self.rules.quota.allocations()
    }

    /// What has been done so far.
    pub(crate) fn count(&self, what: TurnCount) -> u64 {
        self.counters.get(what)
    }

    /// A relay on an address of the family, and how the client is told of it. `None` while draining, and where no
    /// port is free.
    fn open_relay(&self, local: IpAddr, family: AddressFamily, is_even: bool) -> Option<(UdpSocket, SocketAddr)> {
        if self.tasks.stop().is_cancelled() {
            return None;
        }
        let ip = families::address(local, &self.addresses, family)?;
        let socket = self.ports.open(ip, is_even)?;
        let told = self.ports.told(socket.local_addr().ok()?);
        Some((socket, told))
    }

    /// Sends to a peer. What the socket can't take now is lost, as on any full wire.
    fn send(&self, relay: &UdpSocket, peer: SocketAddr, data: &[u8]) {
        // Not tokio's `try_send_to`: on a socket that has just been opened it takes nothing until the reactor has looked
        // at it, and a new relay's first packets would be lost.
        let peer = self.ports.reached(peer, &self.addresses);
        let sent = SockRef::from(relay).send_to(data, &peer.into());
        self.counters.packet(TurnCount::PacketsToPeers, TurnCount::BytesToPeers, data.len(), sent.is_ok());
    }

    /// Whether a client at this address may be told once more that it isn't authorized. Not on the way of packets.
    fn may_refuse(&self, client: IpAddr, now: Instant) -> bool {
        self.refusals.lock().spend(client, now)
    }

    /// Counts what an outcome is.
    fn note(&self, outcome: &Outcome<'_>) {
        match outcome {
            Outcome::Drop => self.counters.count(TurnCount::Dropped),
            Outcome::Bound(_) => self.counters.count(TurnCount::Bindings),
            Outcome::Challenge(_) => self.counters.count(TurnCount::Unauthorized),
            Outcome::Refuse(_) => self.counters.count(TurnCount::Refused),
            Outcome::Answer(_) | Outcome::Relay(..) => {}
        }
    }
}
