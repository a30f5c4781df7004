//! Relays: opening one within the port range, what leaves by it for a peer, and what comes in.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::task::yield_now;

use super::Turn;
use super::counters::Whom;
use super::datagram::{BATCH, DatagramSocket, Outgoing, Sharing, sending};
use super::inbound::{Client, Inbound};
use super::routes::Routes;
use crate::net::Family;

/// Ports tried before there is said to be none: all of a small range, such as a container publishes; of a large one that is
/// half full, all of these are taken with a probability of 2⁻¹⁰²⁴.
const TRIES: u32 = 1024;

/// An open relay. Dropping it closes it.
pub(super) struct Relay {
    turn: Arc<Turn>,
    socket: Arc<DatagramSocket>,
    inbound: Arc<Inbound>,
}

impl Relay {
    /// One for a client that came to the address `arrived`, and its advertised address. `None` while draining, and where no
    /// port is free.
    pub(super) fn open(
        turn: &Arc<Turn>,
        arrived: IpAddr,
        family: Family,
        is_even: bool,
        routes: &Arc<ArcSwap<Routes>>,
        client: Client,
    ) -> Option<(Self, SocketAddr)> {
        let (socket, advertised) = turn.open_relay(arrived, family, is_even)?;
        let inbound = Inbound::new(Arc::clone(routes), turn.rules.bytes_per_second, client, Instant::now());
        let (socket, inbound) = (Arc::new(socket), Arc::new(inbound));
        turn.relays.insert(socket.local(), Arc::clone(&inbound));
        Some((Self { turn: Arc::clone(turn), socket, inbound }, advertised))
    }

    /// Waits until something has come.
    pub(super) async fn readable(&self) {
        self.socket.readable().await;
    }

    /// Sends to a peer, which may have a relay here, too.
    pub(super) fn send(&self, peer: SocketAddr, data: &[u8], now: Instant, outgoing: &mut Outgoing<'_>) {
        let (advertised, from) = (&self.turn.advertised, self.socket.local());
        let to = advertised.to_local(peer, from.ip());
        match self.turn.relays.get(&to) {
            Some(inbound) => {
                outgoing.tally().packets(Whom::Peer, 1, data.len());
                inbound.bring(advertised.to_advertised(from, to.ip()), data, now, outgoing);
            }
            None => outgoing.send(&self.socket, to, Whom::Peer, [data, &[]]),
        }
    }

    /// Takes what peers have sent, brings it on, and says how many datagrams it was. Allocates no memory for ChannelData.
    pub(super) fn drain(&self) -> usize {
        drain(&self.turn, &self.socket, &self.inbound)
    }

    /// Brings what comes in to a client over UDP. Runs until it is dropped.
    pub(super) fn bring_in(&self) -> impl Future<Output = ()> + use<> {
        let (turn, socket, inbound) = (Arc::clone(&self.turn), Arc::clone(&self.socket), Arc::clone(&self.inbound));
        async move {
            let mut taken = 0;
            loop {
                socket.readable().await;
                taken += drain(&turn, &socket, &inbound);
                if taken >= BATCH {
                    yield_now().await;
                    taken = 0;
                }
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.turn.relays.remove(&self.socket.local());
    }
}

fn drain(turn: &Turn, socket: &DatagramSocket, inbound: &Inbound) -> usize {
    let (now, local) = (Instant::now(), socket.local().ip());
    sending(&turn.counters, |outgoing| {
        socket.receive(|peer, data| inbound.bring(turn.advertised.to_advertised(peer, local), data, now, outgoing))
    })
}

/// A socket on this address, in this range. `None`: no port is free.
pub(super) fn open_socket(ip: IpAddr, range: &RangeInclusive<u16>, is_even: bool) -> Option<DatagramSocket> {
    let (first, last) = (*range.start(), *range.end());
    let span = u32::from(last - first) + 1;
    let start = random();
    let port = |attempt: u32| {
        let offset = (u32::from(start) + attempt) % span;
        let port = first + u16::try_from(offset).expect("an offset within the range");
        if is_even { port & !1 } else { port }
    };
    let mut candidates = (0..TRIES.min(span)).map(port).filter(|port| range.contains(port));
    candidates.find_map(|port| DatagramSocket::bind(SocketAddr::new(ip, port), Sharing::Exclusive).ok())
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    u16::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::super::TurnCount;
    use super::super::tests::turn;
    use super::*;
    use crate::net::Host;

    const HERE: [u8; 4] = [127, 0, 0, 1];

    /// A relay, its address, the table of its routes, and its client.
    fn opened(turn: &Arc<Turn>) -> (Relay, SocketAddr, Arc<ArcSwap<Routes>>, UdpSocket) {
        let client = UdpSocket::bind((IpAddr::from(HERE), 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let server = Arc::new(DatagramSocket::bind((HERE, 0).into(), Sharing::Exclusive).unwrap());
        let (routes, to) = (Arc::default(), Client::Udp(server, client.local_addr().unwrap()));
        let (relay, address) = Relay::open(turn, HERE.into(), Family::V4, false, &routes, to).unwrap();
        (relay, address, routes, client)
    }

    #[tokio::test]
    async fn what_is_for_a_relay_of_the_same_server_goes_to_its_client_without_a_socket_between() {
        let turn = turn();
        turn.follow(Host::new(vec![HERE.into()], vec![HERE.into()]));
        let [(alice, from, ..), (bob, to, routes, client)] = [opened(&turn), opened(&turn)];
        let say = |data: &[u8]| sending(&turn.counters, |outgoing| alice.send(to, data, Instant::now(), outgoing));
        say(b"not permitted");
        assert_eq!(turn.count(TurnCount::Dropped), 1);
        let mut table = Routes::default();
        table.bind(0x4000, from, Instant::now()).unwrap();
        routes.store(Arc::new(table));
        say(b"hello");
        let mut datagram = [0; 100];
        let length = client.recv(&mut datagram).unwrap();
        assert_eq!(datagram[..length], *b"\x40\x00\x00\x05hello");
        assert_eq!(bob.drain(), 0, "nothing came by the socket");
        assert_eq!((turn.count(TurnCount::PacketsToPeers), turn.count(TurnCount::PacketsToClients)), (2, 1));
        drop(bob);
        assert!(turn.relays.get(&to).is_none(), "who is gone is not known");
        say(b"to one that is gone");
        assert_eq!(turn.count(TurnCount::PacketsToClients), 1);
    }

    #[tokio::test]
    async fn all_ports_of_a_small_range_are_found() {
        // An address of this process's own.
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = IpAddr::from([127, high | 0xc0, low, 1]);
        for (is_even, count) in [(false, 300), (true, 150)] {
            let relays: Vec<_> = (0..count).filter_map(|_| open_socket(ip, &(50001..=50300), is_even)).collect();
            assert_eq!(relays.len(), count);
            assert!(open_socket(ip, &(50001..=50300), is_even).is_none());
            assert!(!is_even || relays.iter().all(|relay| relay.local().port() % 2 == 0));
        }
    }
}
