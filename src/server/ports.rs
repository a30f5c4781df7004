//! The ports of STUN and TURN besides the page's. Each address of this host has its own sockets, because an answer has to
//! leave from the address that was asked. What can be had is served; what can't is named in the log and tried again;
//! and all of it follows the host's interfaces.

mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::accept::Acceptor;
use crate::config::IceSettings;
use crate::error::listen_advice;
use crate::ice::{Embedded, Reach};
use crate::net::{Host, Interfaces, is_link_local, listen};
use crate::tasks::Tasks;
use crate::turn::{self, Stun, Turn, UdpClients};

/// UDP sockets for all addresses together: as many as there are cores for each address, while these are enough. With
/// more addresses an address has one, so that a host with hundreds of them pays for its traffic and not for them.
const SOCKETS: usize = 256;

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// First, because where the system chooses its port, TCP has the same.
    Udp,
    Tcp,
    Tls,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    fn flag(self) -> &'static str {
        match self {
            Self::Udp | Self::Tcp => "--stun-port",
            Self::Tls => "--turn-tls-port",
        }
    }
}

/// A port of one address.
type Endpoint = (Kind, IpAddr);

/// Sockets that wait to be served.
enum Bound {
    Udp(Vec<UdpClients>),
    Tcp(TcpListener),
}

/// Sockets that are served. Once they are told to stop, they go with their last allocation.
struct Served {
    stop: CancellationToken,
    /// Held by their tasks.
    tasks: Weak<()>,
}

/// All of them.
pub(super) struct IcePorts {
    turn: Arc<Turn>,
    listen: Vec<IpAddr>,
    /// By kind; 0 until the system has chosen.
    ports: HashMap<Kind, u16>,
    interfaces: Interfaces,
    every: Duration,
    bound: HashMap<Endpoint, Bound>,
    served: HashMap<Endpoint, Served>,
    /// Whether the host could not be seen, which has been said.
    is_unseen: bool,
    /// What can't be had, and why. Each has been said.
    missing: BTreeMap<Endpoint, String>,
    embedded: Arc<ArcSwap<Embedded>>,
}

impl IcePorts {
    /// Takes what can be had.
    pub(super) fn bind(turn: &Arc<Turn>, settings: &IceSettings) -> Self {
        let has_open_stun = settings.turn.stun == Stun::Open;
        let udp = settings.stun_port.filter(|_| has_open_stun || turn.relays());
        let tcp = settings.stun_port.filter(|_| turn.relays());
        let ports = [(Kind::Udp, udp), (Kind::Tcp, tcp), (Kind::Tls, settings.turn_tls_port)];
        let secret = settings.turn.secrets.first().cloned();
        let embedded = Embedded { has_open_stun, secret, ..Embedded::default() };
        let mut this = Self {
            turn: Arc::clone(turn),
            listen: settings.listen.clone(),
            ports: ports.into_iter().filter_map(|(kind, port)| Some((kind, port?))).collect(),
            interfaces: settings.interfaces.clone(),
            every: settings.look_every,
            bound: HashMap::new(),
            served: HashMap::new(),
            is_unseen: false,
            missing: BTreeMap::new(),
            embedded: Arc::new(ArcSwap::from_pointee(embedded)),
        };
        this.look();
        for concern in turn::concerns(&settings.turn, &this.interfaces.look().unwrap_or_default()) {
            warn!("{concern}");
        }
        this
    }

    /// What the list for browsers has of them, at any time.
    pub(super) fn embedded(&self) -> &Arc<ArcSwap<Embedded>> {
        &self.embedded
    }

    /// Serves them, and looks again and again whether they are still what the host has, until it is time to stop.
    pub(super) async fn run(mut self, acceptor: Acceptor, tasks: Tasks) {
        let mut looks = tokio::time::interval_at(Instant::now() + self.every, self.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.serve(&acceptor, &tasks);
            tokio::select! {
                () = tasks.stop().cancelled() => return,
                _ = looks.tick() => self.look(),
            }
        }
    }

    /// Makes the ports what the host as it is now should have.
    fn look(&mut self) {
        // Where it can't be seen what the host has, it has what it had.
        let host = match self.interfaces.look() {
            Ok(host) => host,
            Err(error) => return self.tell_unseen(&error),
        };
        self.turn.follow(host.clone());
        let addresses = wanted(&self.listen, &host);
        self.served.retain(|_, served| served.tasks.strong_count() > 0);
        for ((_, ip), served) in &self.served {
            if !addresses.contains(ip) {
                served.stop.cancel();
            }
        }
        self.bound.retain(|(_, ip), _| addresses.contains(ip));
        let missing = self.bind_all(&addresses);
        self.tell(&missing);
        self.missing = missing;
        self.publish(&host, &addresses);
    }

    /// Takes what isn't there yet. Gives back what can't be had.
    fn bind_all(&mut self, addresses: &BTreeSet<IpAddr>) -> BTreeMap<Endpoint, String> {
        let mut missing = BTreeMap::new();
        let kinds = Kind::ALL.into_iter().filter(|kind| self.ports.contains_key(kind)).collect::<Vec<_>>();
        for endpoint in kinds.into_iter().flat_map(|kind| addresses.iter().map(move |ip| (kind, *ip))) {
            if self.served.contains_key(&endpoint) || self.bound.contains_key(&endpoint) {
                continue;
            }
            match self.bind_one(endpoint, addresses.len()) {
                Ok(bound) => drop(self.bound.insert(endpoint, bound)),
                Err(error) => drop(missing.insert(endpoint, listen_advice(&error))),
            }
        }
        missing
    }

    fn bind_one(&mut self, (kind, ip): Endpoint, addresses: usize) -> io::Result<Bound> {
        let address = SocketAddr::new(ip, self.ports[&kind]);
        let (bound, port) = if kind == Kind::Udp {
            let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let sockets = self.turn.bind_udp(address, (SOCKETS / addresses).clamp(1, cores))?;
            let port = sockets.first().map_or(address.port(), UdpClients::port);
            (Bound::Udp(sockets), port)
        } else {
            let listener = TcpListener::from_std(listen(address)?)?;
            let port = listener.local_addr()?.port();
            (Bound::Tcp(listener), port)
        };
        self.choose(kind, port);
        Ok(bound)
    }

    /// Where the system chose, all addresses have what the first has.
    fn choose(&mut self, kind: Kind, chosen: u16) {
        for (other, port) in &mut self.ports {
            if *port == 0 && (*other == kind || (kind, *other) == (Kind::Udp, Kind::Tcp)) {
                *port = chosen;
            }
        }
    }

    /// Updates what browsers are told of the ports.
    fn publish(&self, host: &Host, addresses: &BTreeSet<IpAddr>) {
        let before = Embedded::clone(&self.embedded.load());
        let reach = |kind| self.reach(kind, host, addresses);
        let embedded = Embedded { udp: reach(Kind::Udp), tcp: reach(Kind::Tcp), tls: reach(Kind::Tls), ..before };
        self.embedded.store(Arc::new(embedded));
    }

    fn reach(&self, kind: Kind, host: &Host, addresses: &BTreeSet<IpAddr>) -> Reach {
        let is_there = |ip: &IpAddr| self.served.contains_key(&(kind, *ip)) || self.bound.contains_key(&(kind, *ip));
        let (listening, failed): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|ip| is_there(ip));
        let unwanted = host.addresses().iter().filter(|ip| !ip.is_loopback() && !addresses.contains(ip));
        Reach {
            port: self.ports.get(&kind).copied(),
            listening,
            missing: failed.into_iter().chain(unwanted.copied()).collect(),
        }
    }

    /// Starts what has been bound.
    fn serve(&mut self, acceptor: &Acceptor, tasks: &Tasks) {
        for (endpoint, bound) in self.bound.drain() {
            let (alive, stop) = (Arc::new(()), tasks.stop().child_token());
            let served = Served { stop: stop.clone(), tasks: Arc::downgrade(&alive) };
            match bound {
                Bound::Udp(sockets) => {
                    for clients in sockets {
                        spawn(tasks, &alive, Box::pin(clients.run(stop.clone())));
                    }
                }
                Bound::Tcp(listener) => {
                    let serve = Box::pin(acceptor.clone().serve_turn(listener));
                    spawn(tasks, &alive, Box::pin(async move { _ = stop.run_until_cancelled(serve).await }));
                }
            }
            self.served.insert(endpoint, served);
        }
    }
}

/// Starts a task, while which something is alive. It is boxed, because an argument of something that waits is held twice,
/// and a host with hundreds of addresses has a thousand of them.
fn spawn(tasks: &Tasks, alive: &Arc<()>, task: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
    let alive = Arc::clone(alive);
    tasks.spawn(async move {
        task.await;
        drop(alive);
    });
}

/// The addresses on which this host is to serve.
fn wanted(listen: &[IpAddr], host: &Host) -> BTreeSet<IpAddr> {
    let mut wanted = BTreeSet::new();
    for listen in listen {
        if listen.is_unspecified() {
            // A link-local address would need a scope, which no URL has.
            let is_wanted = |ip: &&IpAddr| (listen.is_ipv6() || ip.is_ipv4()) && !(ip.is_ipv6() && is_link_local(ip));
            wanted.extend(host.addresses().iter().filter(is_wanted).copied());
        } else {
            wanted.insert(*listen);
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn all_addresses_are_served_but_those_that_need_a_scope() {
        let host = Host::new(ips(&["127.0.0.1", "::1", "10.0.0.5", "169.254.1.1", "fd00::5", "fe80::5"]), Vec::new());
        let is_wanted = |listen: &[&str]| wanted(&ips(listen), &host).into_iter().collect::<Vec<_>>();
        assert_eq!(is_wanted(&["::"]), ips(&["10.0.0.5", "127.0.0.1", "169.254.1.1", "::1", "fd00::5"]));
        assert_eq!(is_wanted(&["0.0.0.0"]), ips(&["10.0.0.5", "127.0.0.1", "169.254.1.1"]));
        assert_eq!(is_wanted(&["10.0.0.9", "fd00::5"]), ips(&["10.0.0.9", "fd00::5"]), "though it may come later");
    }
}
