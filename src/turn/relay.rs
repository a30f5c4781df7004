//! Relay sockets: opening one within the port range, and what comes in there on its way to the client.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::routes::Routes;
use super::rules::data_indication;
use super::{Turn, TurnCount};
use crate::meter::{Flow, Meter};

/// The largest datagram.
pub(super) const DATAGRAM_BYTES: usize = 65536;

/// ChannelData's header: the channel's number and the length.
const HEADER_BYTES: usize = 4;

/// Datagrams taken from one socket before the others have their turn.
pub(super) const BATCH: usize = 64;

/// Ports tried before there is said to be none: in a range that is half full, 64 misses are as likely as a lightning.
const TRIES: u16 = 64;

/// Where relays are opened, and under which address they are told.
#[derive(Clone, Debug)]
pub(super) struct RelayPorts {
    pub(super) range: RangeInclusive<u16>,
    /// How others see this host, where it is behind a NAT: at most one address of a family.
    pub(super) external: Vec<IpAddr>,
}

impl RelayPorts {
    /// A socket on this address. `None`: no port is free.
    pub(super) fn open(&self, ip: IpAddr, is_even: bool) -> Option<UdpSocket> {
        let (first, last) = (*self.range.start(), *self.range.end());
        let span = u32::from(last - first) + 1;
        let start = random();
        let port = |attempt: u16| {
            let offset = (u32::from(start) + u32::from(attempt) * if is_even { 2 } else { 1 }) % span;
            let port = first + u16::try_from(offset).expect("an offset within the range");
            if is_even { port & !1 } else { port }
        };
        let mut candidates = (0..TRIES).map(port).filter(|port| self.range.contains(port));
        candidates.find_map(|port| bind(SocketAddr::new(ip, port), Sharing::Exclusive).ok())
    }

    /// Where a datagram for a peer really goes: another relay of ours, told by the external address, is next door, and
    /// few NATs send back what comes from within.
    pub(super) fn reached(&self, peer: SocketAddr, own: &[IpAddr]) -> SocketAddr {
        if !self.external.contains(&peer.ip()) || !self.range.contains(&peer.port()) {
            return peer;
        }
        let inner = own.iter().find(|ip| ip.is_ipv4() == peer.is_ipv4() && !ip.is_loopback());
        inner.map_or(peer, |ip| SocketAddr::new(*ip, peer.port()))
    }

    /// What the client is told of a relay's address.
    pub(super) fn told(&self, relay: SocketAddr) -> SocketAddr {
        let external = self.external.iter().find(|ip| ip.is_ipv4() == relay.is_ipv4());
        external.map_or(relay, |ip| SocketAddr::new(*ip, relay.port()))
    }
}

/// Whether several sockets may have one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    Exclusive,
    /// The kernel spreads the clients over them, each to one of them always.
    Shared,
}

/// A UDP socket for one family.
pub(super) fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(sharing == Sharing::Shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    u16::from_be_bytes(bytes)
}

/// What a peer sent, as the client is to get it.
pub(super) enum Wrapped<'a> {
    /// ChannelData, in the buffer that it came in.
    Channel(&'a [u8]),
    /// A Data indication.
    Indication(Vec<u8>),
}

impl AsRef<[u8]> for Wrapped<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Channel(bytes) => bytes,
            Self::Indication(bytes) => bytes,
        }
    }
}

/// Takes what peers have sent to a relay and hands on what may pass, until there is nothing more or the batch is full.
/// Allocates no memory for ChannelData: all relays of a thread share its buffer.
pub(super) fn drain(
    relay: &UdpSocket,
    routes: &ArcSwap<Routes>,
    meter: &mut Option<(Meter, Flow)>,
    mut deliver: impl FnMut(Wrapped<'_>),
) {
    thread_local! {
        static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; HEADER_BYTES + DATAGRAM_BYTES + 3].into_boxed_slice());
    }
    BUFFER.with_borrow_mut(|buffer| {
        let now = Instant::now();
        for _ in 0..BATCH {
            let (length, peer) = match relay.try_recv_from(&mut buffer[HEADER_BYTES..HEADER_BYTES + DATAGRAM_BYTES]) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // What an earlier datagram met (ICMP): it says nothing of the next.
                Err(_) => continue,
            };
            let may_carry = |(meter, limit): &mut (Meter, Flow)| meter.spend(length, *limit, now);
            if meter.as_mut().is_none_or(may_carry)
                && let Some(wrapped) = wrap(&routes.load(), peer, buffer, length, now)
            {
                deliver(wrapped);
            }
        }
    });
}

fn wrap<'a>(
    routes: &Routes,
    peer: SocketAddr,
    buffer: &'a mut [u8],
    length: usize,
    now: Instant,
) -> Option<Wrapped<'a>> {
    // RFC 8656, 12.7: a peer without a permission is not heard, whatever channel it has.
    if !routes.permits(peer.ip(), now) {
        return None;
    }
    let end = HEADER_BYTES + length;
    match routes.channel(peer, now) {
        Some(channel) => {
            buffer[..2].copy_from_slice(&channel.to_be_bytes());
            buffer[2..4].copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
            Some(Wrapped::Channel(&buffer[..end]))
        }
        None => Some(Wrapped::Indication(data_indication(peer, &buffer[HEADER_BYTES..end]))),
    }
}

/// Brings what comes in at a relay to a client that is served over UDP. Runs until it is dropped.
pub(super) async fn bring_to_udp_client(
    relay: Arc<UdpSocket>,
    routes: Arc<ArcSwap<Routes>>,
    turn: Arc<Turn>,
    server: Arc<UdpSocket>,
    client: SocketAddr,
) {
    let mut meter = turn.rules.bytes_per_second.map(|limit| (Meter::new(limit, Instant::now()), limit));
    loop {
        // An error here is a datagram's, like those in `drain`.
        let _ = relay.readable().await;
        // What the socket can't take now is lost, as on any full wire.
        drain(&relay, &routes, &mut meter, |wrapped| {
            let bytes = wrapped.as_ref();
            let is_sent = server.try_send_to(bytes, client).is_ok();
            turn.counters.packet(TurnCount::PacketsToClients, TurnCount::BytesToClients, bytes.len(), is_sent);
        });
    }
}
