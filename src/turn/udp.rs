//! Clients over UDP: a listening socket, and the allocations of those who come to it.
//!
//! One task owns all of it, so a packet on its way to a peer meets no lock. There is one such task for each core and
//! address of the host; the kernel sends a client always to the same one.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

use super::relay::{self, BATCH, DATAGRAM_BYTES, RelaySocket};
use super::routes::Routes;
use super::rules::{Allocation, Now, Outcome, Relays};
use super::{Turn, TurnCount};
use crate::net::Family;

/// How often allocations that have run out are looked for, and whether it is time to stop.
const SWEEP: Duration = Duration::from_millis(250);

/// A listening socket and its clients.
pub(crate) struct UdpClients {
    turn: Arc<Turn>,
    socket: Arc<UdpSocket>,
    /// The address that clients know us by.
    local: IpAddr,
    allocations: HashMap<SocketAddr, Allocation<UdpRelay>>,
    buffer: Box<[u8]>,
}

/// A relay socket, and the task that brings its packets to the client.
pub(super) struct UdpRelay {
    socket: Arc<RelaySocket>,
    _inbound: AbortOnDropHandle<()>,
}

impl UdpClients {
    pub(super) fn new(turn: Arc<Turn>, socket: UdpSocket, local: IpAddr) -> Self {
        let buffer = vec![0; DATAGRAM_BYTES].into_boxed_slice();
        Self { turn, socket: Arc::new(socket), local, allocations: HashMap::new(), buffer }
    }

    /// Serves until it is time to stop, and then for as long as there are allocations, be they of others: were one of
    /// the sockets that share a port to close, the kernel would give its clients' packets to other sockets than before.
    pub(crate) async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                // The stop is looked at here and not waited for: that takes a lock, and every packet would pay for it.
                _ = sweep.tick() => {
                    self.sweep(Instant::now());
                    if self.turn.tasks.stop().is_cancelled() && self.turn.allocations() == 0 {
                        return;
                    }
                }
                // An error here is a datagram's (ICMP): it says nothing of the next.
                _ = self.socket.readable() => self.receive(),
            }
        }
    }

    fn receive(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..BATCH {
            match self.socket.try_recv_from(&mut buffer) {
                Ok((length, client)) => self.take(client, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        self.buffer = buffer;
    }

    fn take(&mut self, client: SocketAddr, bytes: &[u8]) {
        match bytes.first().map(|first| first >> 6) {
            Some(1) => self.take_channel_data(client, bytes),
            Some(0) => self.take_message(client, bytes),
            _ => {}
        }
    }

    fn take_channel_data(&mut self, client: SocketAddr, bytes: &[u8]) {
        let Some(allocation) = self.allocations.get_mut(&client) else { return };
        match self.turn.rules.take_channel_data(allocation, bytes, Instant::now()) {
            Some((peer, data)) => self.turn.send(&allocation.relay.socket, peer, data),
            None => self.turn.counters.count(TurnCount::Dropped),
        }
    }

    fn take_message(&mut self, client: SocketAddr, bytes: &[u8]) {
        let now = Now::read();
        let mut slot = self.allocations.remove(&client);
        let turn = Arc::clone(&self.turn);
        let mut relays = UdpRelays { turn: &turn, server: &self.socket, local: self.local, client };
        let outcome = turn.rules.take(&mut slot, client, bytes, now, &mut relays);
        turn.note(&outcome);
        match outcome {
            Outcome::Drop => {}
            Outcome::Bound(answer) | Outcome::Answer(answer) | Outcome::Refuse(answer) => self.answer(client, &answer),
            Outcome::Challenge(answer) => {
                if turn.may_refuse(client.ip(), now.instant) {
                    self.answer(client, &answer);
                } else {
                    turn.counters.count(TurnCount::Unanswered);
                }
            }
            Outcome::Relay(peer, data) => {
                if let Some(allocation) = &slot {
                    turn.send(&allocation.relay.socket, peer, data);
                }
            }
        }
        if let Some(allocation) = slot {
            self.allocations.insert(client, allocation);
        }
    }

    /// What the socket can't take now is lost: the client asks again (RFC 8489, 6.2.1).
    fn answer(&self, client: SocketAddr, answer: &[u8]) {
        let _ = self.socket.try_send_to(answer, client);
    }

    fn sweep(&mut self, now: Instant) {
        self.allocations.retain(|_, allocation| allocation.expires > now);
    }
}

/// Opens relays for one client of a UDP socket.
struct UdpRelays<'a> {
    turn: &'a Arc<Turn>,
    server: &'a Arc<UdpSocket>,
    local: IpAddr,
    client: SocketAddr,
}

impl Relays for UdpRelays<'_> {
    type Relay = UdpRelay;

    fn open(&mut self, family: Family, is_even: bool, routes: &Arc<ArcSwap<Routes>>) -> Option<(UdpRelay, SocketAddr)> {
        let (socket, advertised) = self.turn.open_relay(self.local, family, is_even)?;
        let socket = Arc::new(socket);
        let inbound = relay::bring_to_udp_client(
            Arc::clone(&socket),
            Arc::clone(routes),
            Arc::clone(self.turn),
            Arc::clone(self.server),
            self.client,
        );
        self.turn.counters.count(TurnCount::Allocations);
        Some((UdpRelay { socket, _inbound: self.turn.tasks.spawn_owned(inbound) }, advertised))
    }

    fn has(&self, family: Family) -> bool {
        self.turn.choice(|choice| choice.address(self.local, family)).is_some()
    }

    fn usual(&self) -> Family {
        self.turn.choice(|choice| choice.usual_family(self.local))
    }
}
