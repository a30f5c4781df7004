//! A client over TCP or TLS: one connection, one allocation, one task.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::framing::{self, Front};
use super::patience::Patience;
use super::relay::{self, RelaySocket, Wrapped};
use super::routes::Routes;
use super::rules::{Allocation, Now, Outcome, Relays};
use super::{Turn, TurnCount};
use crate::meter::{Flow, Meter};
use crate::net::Family;

/// What is read at once: most messages are a packet of media.
const READ_BYTES: usize = 4096;

/// What may wait to be written. Beyond it packets are lost, as on any full wire.
const PENDING_BYTES: usize = 256 * 1024;

/// A client and its stream, whose writes have a deadline of their own (`accept`): a client that stops reading is gone.
pub(super) struct StreamClient<S> {
    turn: Arc<Turn>,
    stream: S,
    client: SocketAddr,
    local: IpAddr,
    allocation: Option<Allocation<StreamRelay>>,
    patience: Patience,
    received: Vec<u8>,
    pending: Vec<u8>,
}

/// A relay, and how much it may bring.
pub(super) struct StreamRelay {
    socket: RelaySocket,
    inbound: Option<(Meter, Flow)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamClient<S> {
    pub(super) fn new(turn: Arc<Turn>, stream: S, client: SocketAddr, local: IpAddr) -> Self {
        let patience = Patience::new(turn.handshake_timeout, Instant::now());
        let (received, pending) = (Vec::new(), Vec::new());
        Self { turn, stream, client, local, allocation: None, patience, received, pending }
    }

    /// Serves until the client leaves, breaks the framing, stops reading, or has no allocation and asks for nothing.
    pub(super) async fn run(mut self) {
        let stop = self.turn.tasks.stop().clone();
        loop {
            let until = self.allocation.as_ref().map_or(self.patience.until(), |allocation| allocation.expires);
            let served = tokio::select! {
                () = stop.cancelled(), if self.allocation.is_none() => return,
                () = tokio::time::sleep_until(until.into()) => if self.goes_on() { Ok(()) } else { return },
                read = read(&mut self.stream, &mut self.received) => read.and_then(|()| self.take_all()),
                () = readable(self.allocation.as_ref()) => {
                    self.bring_in();
                    Ok(())
                }
            };
            if served.is_err() || self.flush().await.is_err() {
                return;
            }
            if self.allocation.is_some() {
                self.patience.begin_anew(Instant::now());
            }
        }
    }

    /// At a deadline: whether the client may stay.
    fn goes_on(&mut self) -> bool {
        let (now, turn, client) = (Instant::now(), &self.turn, self.client.ip());
        self.allocation.is_none() && self.patience.goes_on(now, || turn.waiting.enter(client, now).ok())
    }

    fn take_all(&mut self) -> io::Result<()> {
        let mut received = std::mem::take(&mut self.received);
        let mut taken = 0;
        let followed = loop {
            match framing::front(&received[taken..]) {
                Front::Message { length, padding } => {
                    self.take(&received[taken..taken + length]);
                    taken += length + padding;
                }
                Front::Partial(_) => break Ok(()),
                Front::Broken => break Err(io::ErrorKind::InvalidData.into()),
            }
        };
        received.drain(..taken);
        // A burst's buffer is not kept.
        received.shrink_to(2 * READ_BYTES);
        self.received = received;
        followed
    }

    fn take(&mut self, message: &[u8]) {
        let turn = Arc::clone(&self.turn);
        if message[0] >> 6 == 1 {
            let Some(allocation) = &mut self.allocation else { return };
            match turn.rules.take_channel_data(allocation, message, Instant::now()) {
                Some((peer, data)) => send(&turn, allocation, peer, data),
                None => turn.counters.count(TurnCount::Dropped),
            }
            return;
        }
        let mut relays = StreamRelays { turn: &turn, local: self.local };
        let outcome = turn.rules.take(&mut self.allocation, self.client, message, Now::read(), &mut relays);
        turn.note(&outcome);
        match outcome {
            Outcome::Drop => {}
            // A stream's source is who it says, and each answer costs it a request.
            Outcome::Bound(answer) | Outcome::Answer(answer) | Outcome::Refuse(answer) | Outcome::Challenge(answer) => {
                self.patience.asked();
                self.pending.extend_from_slice(&answer);
            }
            Outcome::Relay(peer, data) => {
                if let Some(allocation) = &self.allocation {
                    send(&turn, allocation, peer, data);
                }
            }
        }
    }

    fn bring_in(&mut self) {
        let Some(allocation) = &mut self.allocation else { return };
        let (turn, pending) = (&self.turn, &mut self.pending);
        let mut deliver = |wrapped: Wrapped<'_>| {
            let bytes = wrapped.as_ref();
            let fits = pending.len() + bytes.len() <= PENDING_BYTES;
            turn.counters.packet(TurnCount::PacketsToClients, TurnCount::BytesToClients, bytes.len(), fits);
            if fits {
                pending.extend_from_slice(bytes);
                // RFC 8656, 12.5: in a stream ChannelData ends at a multiple of four. A STUN message always does.
                pending.resize(pending.len().next_multiple_of(4), 0);
            }
        };
        for relayed in [&mut allocation.first].into_iter().chain(&mut allocation.second) {
            let StreamRelay { socket, inbound } = &mut relayed.relay;
            relay::drain(turn, socket, &allocation.routes, inbound, &mut deliver);
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.pending).await?;
        self.stream.flush().await?;
        self.pending.clear();
        // A burst's buffer is not kept.
        self.pending.shrink_to(READ_BYTES);
        Ok(())
    }
}

/// Cancel safe: what was read is in the buffer.
async fn read(stream: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>) -> io::Result<()> {
    // A message that is not complete is at most this long, so the buffer is bounded by it and one read.
    received.reserve(READ_BYTES);
    let mut limited = stream.take((framing::MAX_BYTES - received.len().min(framing::MAX_BYTES) + 1) as u64);
    match limited.read_buf(received).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Waits until a peer has sent something to any of its relays.
async fn readable(allocation: Option<&Allocation<StreamRelay>>) {
    let Some(allocation) = allocation else { return std::future::pending().await };
    let first = allocation.first.relay.socket.readable();
    match &allocation.second {
        None => first.await,
        Some(second) => tokio::select! {
            () = first => {}
            () = second.relay.socket.readable() => {}
        },
    }
}

fn send(turn: &Turn, allocation: &Allocation<StreamRelay>, peer: SocketAddr, data: &[u8]) {
    if let Some(relay) = allocation.relay_to(peer) {
        turn.send(&relay.socket, peer, data);
    }
}

struct StreamRelays<'a> {
    turn: &'a Turn,
    local: IpAddr,
}

impl Relays for StreamRelays<'_> {
    type Relay = StreamRelay;

    fn open(&mut self, family: Family, is_even: bool, _: &Arc<ArcSwap<Routes>>) -> Option<(StreamRelay, SocketAddr)> {
        let (socket, advertised) = self.turn.open_relay(self.local, family, is_even)?;
        self.turn.counters.count(TurnCount::Allocations);
        let inbound = self.turn.rules.bytes_per_second.map(|limit| (Meter::new(limit, Instant::now()), limit));
        Some((StreamRelay { socket, inbound }, advertised))
    }

    fn has(&self, family: Family) -> bool {
        self.turn.choice(|choice| choice.address(self.local, family)).is_some()
    }

    fn usual(&self) -> Family {
        self.turn.choice(|choice| choice.usual_family(self.local))
    }
}
