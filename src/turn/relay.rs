//! Relay sockets: opening one within the port range, and what comes in there on its way to the client.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::yield_now;

use super::routes::Routes;
use super::rules::data_indication;
use super::{Turn, TurnCount};
use crate::token_bucket::{TokenBucket, TokenRate};

/// The largest datagram.
pub(super) const DATAGRAM_BYTES: usize = 65536;

/// ChannelData's header: the channel's number and the length.
const HEADER_BYTES: usize = 4;

/// Datagrams taken from one socket before the others have their turn. A socket that always has more never makes its task
/// wait, so the task has to give way.
pub(super) const BATCH: usize = 64;

/// Ports tried before there is said to be none: all of a small range, such as a container publishes; of a large one that is
/// half full, all of these are taken with a probability of 2⁻¹⁰²⁴.
const TRIES: u32 = 1024;

/// A relay's socket, and the address of this host that it is on.
#[derive(Debug)]
pub(super) struct RelaySocket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl RelaySocket {
    /// On this address, in this range. `None`: no port is free.
    pub(super) fn open(ip: IpAddr, range: &RangeInclusive<u16>, is_even: bool) -> Option<Self> {
        let (first, last) = (*range.start(), *range.end());
        let span = u32::from(last - first) + 1;
        let start = random();
        let port = |attempt: u32| {
            let offset = (u32::from(start) + attempt) % span;
            let port = first + u16::try_from(offset).expect("an offset within the range");
            if is_even { port & !1 } else { port }
        };
        let candidates = (0..TRIES.min(span)).map(port).filter(|port| range.contains(port));
        candidates.map(|port| SocketAddr::new(ip, port)).find_map(|local| {
            let socket = bind(local, Sharing::Exclusive).ok()?;
            Some(Self { socket, local })
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends to a peer, at a local address. What the socket can't take now is lost, as on any full wire.
    pub(super) fn send(&self, data: &[u8], peer: SocketAddr) -> io::Result<usize> {
        // Not tokio's `try_send_to`: on a socket that has just been opened it takes nothing until the reactor has looked
        // at it, and a new relay's first packets would be lost.
        SockRef::from(&self.socket).send_to(data, &peer.into())
    }

    /// Waits until something has come. An error is a datagram's (ICMP): it says nothing of the next.
    pub(super) async fn readable(&self) {
        let _ = self.socket.readable().await;
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

/// Takes what peers have sent to a relay and hands on what may pass, until there is nothing more or the batch is full, and
/// says how many datagrams it took. Allocates no memory for ChannelData: all relays of a thread share its buffer.
pub(super) fn drain(
    turn: &Turn,
    relay: &RelaySocket,
    routes: &ArcSwap<Routes>,
    bucket: &mut Option<(TokenBucket, TokenRate)>,
    mut deliver: impl FnMut(Wrapped<'_>),
) -> usize {
    thread_local! {
        static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; HEADER_BYTES + DATAGRAM_BYTES + 3].into_boxed_slice());
    }
    BUFFER.with_borrow_mut(|buffer| {
        let now = Instant::now();
        for taken in 0..BATCH {
            let (length, peer) =
                match relay.socket.try_recv_from(&mut buffer[HEADER_BYTES..HEADER_BYTES + DATAGRAM_BYTES]) {
                    Ok(received) => received,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return taken,
                    // What an earlier datagram met (ICMP): it says nothing of the next.
                    Err(_) => continue,
                };
            let may_carry = |(bucket, limit): &mut (TokenBucket, TokenRate)| bucket.spend(length, *limit, now);
            let peer = turn.advertised.to_advertised(peer, relay.local.ip());
            if bucket.as_mut().is_none_or(may_carry)
                && let Some(wrapped) = wrap(&routes.load(), peer, buffer, length, now)
            {
                deliver(wrapped);
            } else {
                turn.counters.count(TurnCount::Dropped);
            }
        }
        BATCH
    })
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
        None => data_indication(peer, &buffer[HEADER_BYTES..end]).map(Wrapped::Indication),
    }
}

/// Brings what comes in at a relay to a client that is served over UDP. Runs until it is dropped.
pub(super) async fn bring_to_udp_client(
    relay: Arc<RelaySocket>,
    routes: Arc<ArcSwap<Routes>>,
    turn: Arc<Turn>,
    server: Arc<UdpSocket>,
    client: SocketAddr,
) {
    let mut bucket = turn.rules.bytes_per_second.map(|limit| (TokenBucket::new(limit, Instant::now()), limit));
    let mut taken = 0;
    loop {
        relay.readable().await;
        // What the socket can't take now is lost, as on any full wire.
        taken += drain(&turn, &relay, &routes, &mut bucket, |wrapped| {
            let bytes = wrapped.as_ref();
            let is_sent = server.try_send_to(bytes, client).is_ok();
            turn.counters.packet(TurnCount::PacketsToClients, TurnCount::BytesToClients, bytes.len(), is_sent);
        });
        if taken >= BATCH {
            yield_now().await;
            taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_ports_of_a_small_range_are_found() {
        // An address of this process's own.
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = IpAddr::from([127, high | 0xc0, low, 1]);
        for (is_even, count) in [(false, 300), (true, 150)] {
            let relays: Vec<_> = (0..count).filter_map(|_| RelaySocket::open(ip, &(50001..=50300), is_even)).collect();
            assert_eq!(relays.len(), count);
            assert!(RelaySocket::open(ip, &(50001..=50300), is_even).is_none());
            assert!(!is_even || relays.iter().all(|relay| relay.local().port() % 2 == 0));
        }
    }
}
