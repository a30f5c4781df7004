//! Clients over UDP: a listening socket, and the allocations of those who come to it.
//!
//! One task owns all of it, so a packet on its way to a peer waits for no other client. An address of the host has one such
//! task or several; the kernel sends a client always to the same one. Without allocations a task holds next to nothing: its
//! buffer is the thread's, and it is woken by packets alone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::yield_now;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::datagram::{BATCH, DatagramSocket, Outgoing, Sharing, sending};
use super::inbound::Client;
use super::relay::Relay;
use super::routes::Routes;
use super::rules::{Allocation, Now, Outcome, Relays};
use super::{Turn, TurnCount};
use crate::net::Family;

/// How often allocations that have run out are looked for, and whether it is time to stop. Not while there are none.
const SWEEP: Duration = Duration::from_millis(250);

/// A listening socket and its clients.
pub(crate) struct UdpClients {
    turn: Arc<Turn>,
    socket: Arc<DatagramSocket>,
    /// The address that clients know us by.
    local: IpAddr,
    allocations: HashMap<SocketAddr, Allocation<UdpRelay>>,
    /// How many relays there are of all sockets that share the port.
    relays: Arc<AtomicUsize>,
}

/// A relay that is counted, until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(relays: &Arc<AtomicUsize>) -> Self {
        relays.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(relays))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A relay, and the task that brings its packets to the client.
pub(super) struct UdpRelay {
    relay: Relay,
    _inbound: AbortOnDropHandle<()>,
    _counted: Counted,
}

impl UdpClients {
    /// So many sockets that share a port.
    ///
    /// # Errors
    ///
    /// Where the port can't be had.
    pub(super) fn bind(turn: &Arc<Turn>, mut address: SocketAddr, sockets: usize) -> io::Result<Vec<Self>> {
        // A shared port could be another program's too: first it must be ours alone.
        let only = DatagramSocket::bind(address, Sharing::Exclusive)?;
        address = only.local();
        let sockets = if sockets > 1 {
            drop(only);
            (0..sockets).map(|_| DatagramSocket::bind(address, Sharing::Shared)).collect::<io::Result<_>>()?
        } else {
            vec![only]
        };
        sockets.iter().for_each(DatagramSocket::serve_many);
        let relays = Arc::new(AtomicUsize::new(0));
        let clients = |socket| Self {
            turn: Arc::clone(turn),
            socket: Arc::new(socket),
            local: address.ip(),
            allocations: HashMap::new(),
            relays: Arc::clone(&relays),
        };
        Ok(sockets.into_iter().map(clients).collect())
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local().port()
    }

    /// Serves until it is told to stop, and then for as long as there are allocations, be they of others: were one of
    /// the sockets that share a port to close, the kernel would give its clients' packets to other sockets than before.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_stopping, mut taken) = (false, 0);
        loop {
            let is_idle = self.allocations.is_empty() && !is_stopping;
            tokio::select! {
                // With allocations the stop is looked at every now and then, and not waited for: that takes a lock, and
                // every packet would pay for it.
                _ = sweep.tick(), if !is_idle => {
                    self.sweep(Instant::now());
                    is_stopping |= stop.is_cancelled();
                    if is_stopping && self.others() == 0 {
                        return;
                    }
                }
                () = stop.cancelled(), if is_idle => is_stopping = true,
                () = self.socket.readable() => taken += self.receive(),
            }
            if taken >= BATCH {
                yield_now().await;
                taken = 0;
            }
        }
    }

    /// The allocations for which the port is kept open: when all stops, those of the whole server; when the address has
    /// gone, its own.
    fn others(&self) -> usize {
        if self.turn.tasks.stop().is_cancelled() {
            self.turn.allocations()
        } else {
            self.relays.load(Ordering::Relaxed)
        }
    }

    /// Takes what has come, and says how many datagrams that were.
    fn receive(&mut self) -> usize {
        let (turn, socket, now) = (Arc::clone(&self.turn), Arc::clone(&self.socket), Instant::now());
        sending(&turn.counters, |outgoing| socket.receive(|client, bytes| self.take(client, bytes, now, outgoing)))
    }

    fn take(&mut self, client: SocketAddr, bytes: &[u8], now: Instant, outgoing: &mut Outgoing<'_>) {
        match bytes.first().map(|first| first >> 6) {
            Some(1) => self.take_channel_data(client, bytes, now, outgoing),
            Some(0) => self.take_message(client, bytes, outgoing),
            _ => {}
        }
    }

    fn take_channel_data(&mut self, client: SocketAddr, bytes: &[u8], now: Instant, outgoing: &mut Outgoing<'_>) {
        let Some(allocation) = self.allocations.get_mut(&client) else { return };
        match self.turn.rules.take_channel_data(allocation, bytes, now) {
            Some((peer, data)) => send(allocation, peer, data, now, outgoing),
            None => outgoing.tally().add(TurnCount::Dropped, 1),
        }
    }

    fn take_message(&mut self, client: SocketAddr, bytes: &[u8], outgoing: &mut Outgoing<'_>) {
        let now = Now::read();
        let mut current = self.allocations.remove(&client);
        let turn = Arc::clone(&self.turn);
        let mut relays =
            UdpRelays { turn: &turn, server: &self.socket, local: self.local, client, counts: &self.relays };
        let outcome = turn.rules.take(&mut current, client, bytes, now, &mut relays);
        turn.note(&outcome);
        let may_tell = outcome.for_strangers().is_none_or(|what| turn.may_tell(what, client.ip(), now.instant));
        match outcome {
            Outcome::Drop => {}
            // Perhaps it is not from who it says.
            Outcome::Bound(_) | Outcome::Challenge(_) if !may_tell => turn.counters.count(TurnCount::Unanswered),
            Outcome::Bound(answer) | Outcome::Answer(answer) | Outcome::Refuse(answer) | Outcome::Challenge(answer) => {
                outgoing.settle();
                self.answer(client, &answer);
            }
            Outcome::Relay(peer, data) => {
                if let Some(allocation) = &current {
                    send(allocation, peer, data, now.instant, outgoing);
                }
            }
        }
        if let Some(allocation) = current {
            self.allocations.insert(client, allocation);
        }
    }

    /// What the socket can't take now is lost: the client asks again (RFC 8489, 6.2.1).
    fn answer(&self, client: SocketAddr, answer: &[u8]) {
        self.socket.send(answer, client);
    }

    fn sweep(&mut self, now: Instant) {
        self.allocations.retain(|_, allocation| allocation.expires > now);
    }
}

fn send(allocation: &Allocation<UdpRelay>, peer: SocketAddr, data: &[u8], now: Instant, outgoing: &mut Outgoing<'_>) {
    if let Some(UdpRelay { relay, .. }) = allocation.relay_to(peer) {
        relay.send(peer, data, now, outgoing);
    }
}

/// Opens relays for one client of a UDP socket.
struct UdpRelays<'a> {
    turn: &'a Arc<Turn>,
    server: &'a Arc<DatagramSocket>,
    local: IpAddr,
    client: SocketAddr,
    counts: &'a Arc<AtomicUsize>,
}

impl Relays for UdpRelays<'_> {
    type Relay = UdpRelay;

    fn open(&mut self, family: Family, is_even: bool, routes: &Arc<ArcSwap<Routes>>) -> Option<(UdpRelay, SocketAddr)> {
        let client = Client::Udp(Arc::clone(self.server), self.client);
        let (relay, advertised) = Relay::open(self.turn, self.local, family, is_even, routes, client)?;
        self.turn.counters.count(TurnCount::Allocations);
        let (inbound, counted) = (self.turn.tasks.spawn_owned(relay.bring_in()), Counted::new(self.counts));
        Some((UdpRelay { relay, _inbound: inbound, _counted: counted }, advertised))
    }

    fn has(&self, family: Family) -> bool {
        self.turn.choice(|choice| choice.address(self.local, family)).is_some()
    }

    fn usual(&self) -> Family {
        self.turn.choice(|choice| choice.usual_family(self.local))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{most_in_one_turn, turn};
    use tokio::net::UdpSocket;

    use super::*;
    use crate::net::Host;

    /// What the system keeps for a socket, by default, is more.
    const DATAGRAMS: usize = 3 * BATCH;

    /// A Binding indication, which is dropped without an answer.
    const INDICATION: [u8; 20] = [0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    async fn flood(address: SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..DATAGRAMS {
            socket.send_to(&INDICATION, address).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_flood_of_clients_gives_way_to_others() {
        let turn = turn();
        let clients = turn.bind_udp(([127, 0, 0, 1], 0).into(), 1).unwrap().remove(0);
        flood(clients.socket.local()).await;
        turn.tasks.spawn(clients.run(CancellationToken::new()));
        assert!(most_in_one_turn(&turn, DATAGRAMS as u64).await <= BATCH as u64);
    }

    #[tokio::test]
    async fn a_flood_of_a_peer_gives_way_to_others() {
        let turn = turn();
        let local = [127, 0, 0, 1].into();
        turn.follow(Host::new(vec![local], vec![local]));
        let server = Arc::new(DatagramSocket::bind((local, 0).into(), Sharing::Exclusive).unwrap());
        let client = Client::Udp(Arc::clone(&server), server.local());
        let (relay, address) = Relay::open(&turn, local, Family::V4, false, &Arc::default(), client).unwrap();
        flood(address).await;
        let _inbound = turn.tasks.spawn_owned(relay.bring_in());
        assert!(most_in_one_turn(&turn, DATAGRAMS as u64).await <= BATCH as u64);
    }
}
