//! The embedded STUN/TURN server: what lets two browsers meet that can't reach each other.
//!
//! [`rules`](self) says what each message means, without sockets; `udp` and `stream` bring clients to it, `relay` the
//! peers. `filter` says whom a relay may reach, `quota` how many there may be. The acceptor hands over connections that
//! begin like STUN, so TURN needs no port of its own.

mod advertised;
mod concern;
mod counters;
mod datagram;
mod filter;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod inbound;
mod interface;
mod nonce;
mod patience;
mod quota;
mod relay;
mod routes;
mod rules;
mod stream;
mod stream_framing;
mod udp;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

pub use advertised::{External, NotAnExternal};
pub(crate) use counters::Counters;
pub use counters::TurnCount;
pub use quota::TurnLimits;
pub use rules::Stun;

use crate::admission::{Admission, AdmissionLimits, Permit};
use crate::ice::credential::TurnSecret;
use crate::net::{Cidr, Family, Host};
use crate::tasks::Tasks;
use crate::token_bucket::AddressBuckets;
use advertised::Advertised;
use concern::Relaying;
use datagram::DatagramSocket;
use filter::PeerFilter;
use inbound::Inbound;
use interface::Choice;
use nonce::Nonces;
use patience::Patience;
use quota::{Quota, even};
use rules::{ForStrangers, Outcome, Rules};
use stream::StreamClient;
pub(crate) use udp::UdpClients;

/// What the embedded server needs to know.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// Those whose credentials are taken. None: STUN only.
    pub secrets: Vec<TurnSecret>,
    /// Where relays are opened.
    pub relay_ports: RangeInclusive<u16>,
    /// How others see this host, where it is behind a NAT.
    pub external: Vec<External>,
    /// On which addresses of this host relays are opened. Empty: where peers can be reached.
    pub relay_addresses: Vec<IpAddr>,
    /// Whose Bindings are answered.
    pub stun: Stun,
    /// Peers that are reachable although they are not on the public internet.
    pub allowed_peers: Vec<Cidr>,
    /// How many, and how much.
    pub limits: TurnLimits,
    /// How long a connection without an allocation is kept.
    pub handshake_timeout: Duration,
}

/// What the operator should know of where relays will be on this host.
pub(crate) fn concerns(config: &TurnConfig, host: &Host) -> Vec<String> {
    if config.secrets.is_empty() {
        return Vec::new();
    }
    let (externals, fixed, ports) = (&config.external, &config.relay_addresses, &config.relay_ports);
    let advertised = Advertised::new(externals.clone(), ports.clone());
    let filter = PeerFilter::new(config.allowed_peers.clone(), host.addresses().to_vec(), ports.clone());
    let choice = Choice { fixed, advertised: &advertised, filter: &filter, host };
    let before_any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let local = choice.address(before_any, choice.usual_family(before_any));
    let advertised = local.map(|local| advertised.of(local));
    Relaying { externals, fixed, advertised, host }.concerns()
}

/// The server, shared by all its sockets.
#[derive(Debug)]
pub(crate) struct Turn {
    rules: Rules,
    /// Who has been refused, by address, and whose Bindings have been answered: one table for all sockets.
    refusals: Mutex<AddressBuckets>,
    bindings: Mutex<AddressBuckets>,
    relay_ports: RangeInclusive<u16>,
    relay_addresses: Vec<IpAddr>,
    advertised: Advertised,
    /// The relays by their local addresses: who has one reaches the others without a socket between.
    relays: DashMap<SocketAddr, Arc<Inbound>>,
    /// As it was at the last look.
    host: ArcSwap<Host>,
    handshake_timeout: Duration,
    /// Clients over streams that have no allocation beyond their first deadline: at most as many as may have one.
    waiting: Admission,
    tasks: Tasks,
    counters: Counters,
}

impl Turn {
    pub(crate) fn new(config: TurnConfig, tasks: Tasks) -> Arc<Self> {
        let rules = Rules {
            secrets: config.secrets,
            nonces: Nonces::new(),
            filter: PeerFilter::new(config.allowed_peers, Vec::new(), config.relay_ports.clone()),
            quota: Quota::new(config.limits),
            bytes_per_second: config.limits.bytes_per_second.map(even),
            stun: config.stun,
        };
        let buckets = |per_second| Mutex::new(AddressBuckets::new(even(per_second), Instant::now()));
        let refusals = buckets(config.limits.refusals_per_second);
        let bindings = buckets(config.limits.bindings_per_second);
        let TurnLimits { allocations, allocations_per_address, .. } = config.limits;
        let waiting = AdmissionLimits { all: allocations, per_address: allocations_per_address, newcomers: None };
        Arc::new(Self {
            rules,
            refusals,
            bindings,
            advertised: Advertised::new(config.external, config.relay_ports.clone()),
            relay_ports: config.relay_ports,
            relay_addresses: config.relay_addresses,
            relays: DashMap::new(),
            host: ArcSwap::default(),
            handshake_timeout: config.handshake_timeout,
            waiting: Admission::new(waiting, Instant::now()),
            tasks,
            counters: Counters::default(),
        })
    }

    /// The host has become this one.
    pub(crate) fn follow(&self, host: Host) {
        let advertised = self.advertised.addresses().chain(self.relay_addresses.iter().copied());
        self.rules.filter.follow(host.addresses().iter().copied().chain(advertised).collect());
        self.host.store(Arc::new(host));
    }

    /// Whether it is an address of this host.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.host.load().addresses().contains(&address)
    }

    /// Whether it relays, or only tells clients their addresses.
    pub(crate) fn relays(&self) -> bool {
        !self.rules.secrets.is_empty()
    }

    /// Takes a UDP port on an address, for so many sockets that share it.
    ///
    /// # Errors
    ///
    /// Where the port can't be had.
    pub(crate) fn bind_udp(self: &Arc<Self>, address: SocketAddr, sockets: usize) -> io::Result<Vec<UdpClients>> {
        UdpClients::bind(self, address, sockets)
    }

    /// Serves a client over a connection that began like STUN. Its permit is that of a pending connection.
    pub(crate) fn serve_stream<S>(
        self: &Arc<Self>,
        stream: S,
        permit: Option<Arc<Permit>>,
        client: SocketAddr,
        local: SocketAddr,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        let patience = Patience::new(self.handshake_timeout, permit, Instant::now());
        let local = local.ip().to_canonical();
        self.tasks.spawn(StreamClient::new(Arc::clone(self), stream, client, local, patience).run());
    }

    /// Where relays are, and by which addresses they are advertised.
    pub(crate) fn describe(&self) -> String {
        let of_family = |family| self.choice(|choice| choice.describe(family));
        format!("relays: {}", Family::ALL.map(of_family).join("; "))
    }

    /// How many allocations there are.
    pub(crate) fn allocations(&self) -> usize {
        self.rules.quota.allocations()
    }

    /// What has been done so far.
    pub(crate) fn count(&self, what: TurnCount) -> u64 {
        self.counters.get(what)
    }

    /// A socket for a relay, on an address of the family, and its advertised address. `None` while draining, and where no
    /// port is free.
    fn open_relay(&self, arrived: IpAddr, family: Family, is_even: bool) -> Option<(DatagramSocket, SocketAddr)> {
        if self.tasks.stop().is_cancelled() {
            return None;
        }
        let ip = self.choice(|choice| choice.address(arrived, family))?;
        let socket = relay::open_socket(ip, &self.relay_ports, is_even)?;
        let advertised = SocketAddr::new(self.advertised.of(ip), socket.local().port());
        Some((socket, advertised))
    }

    /// Asks what decides on which address a relay is opened.
    fn choice<T>(&self, ask: impl FnOnce(Choice<'_>) -> T) -> T {
        let (host, filter) = (self.host.load(), &self.rules.filter);
        ask(Choice { fixed: &self.relay_addresses, advertised: &self.advertised, filter, host: &host })
    }

    /// Whether one more answer that strangers get may leave for this address now.
    fn may_tell(&self, what: ForStrangers, client: IpAddr, now: Instant) -> bool {
        let buckets = match what {
            ForStrangers::Binding => &self.bindings,
            ForStrangers::Challenge => &self.refusals,
        };
        buckets.lock().spend(client, now)
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

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    /// A server that relays.
    pub(super) fn turn() -> Arc<Turn> {
        let config = TurnConfig {
            secrets: vec![TurnSecret::new(b"north")],
            relay_ports: 50000..=50100,
            external: Vec::new(),
            relay_addresses: Vec::new(),
            stun: Stun::Open,
            allowed_peers: Vec::new(),
            limits: TurnLimits {
                allocations: None,
                allocations_per_user: None,
                allocations_per_address: None,
                bytes_per_second: None,
                refusals_per_second: std::num::NonZeroUsize::MIN,
                bindings_per_second: std::num::NonZeroUsize::MIN,
            },
            handshake_timeout: Duration::from_secs(10),
        };
        Turn::new(config, Tasks::new())
    }

    /// Waits until as many packets as this have been dropped, and says how many were between two turns of this task, which
    /// shares its thread with all others.
    pub(super) async fn most_in_one_turn(turn: &Turn, dropped: u64) -> u64 {
        let (mut before, mut most) = (0, 0);
        let all_dropped = async {
            while before < dropped {
                yield_now().await;
                let now = turn.count(TurnCount::Dropped);
                most = most.max(now - before);
                before = now;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all_dropped).await.expect("all of them to be dropped");
        most
    }
}
