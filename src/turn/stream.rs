//! A client over TCP or TLS: one connection, one allocation, one task.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::yield_now;

use super::datagram::{Outgoing, sending};
use super::inbound::{Client, Handed};
use super::patience::Patience;
use super::relay::Relay;
use super::routes::Routes;
use super::rules::{Allocation, ForStrangers, Now, Outcome, Relays};
use super::stream_framing::{self, Front};
use super::{Turn, TurnCount};
use crate::net::Family;

/// What is read at once: most messages are a packet of media.
const READ_BYTES: usize = 4096;

/// What is read and written before others have their turn: tokio counts polls, and not what one of them brings.
const TURN_BYTES: usize = 16 * 1024;

/// What a STUN message costs besides its bytes, as so many of them: to be checked and answered.
const MESSAGE_BYTES: usize = 1024;

/// … and a packet: to be sent.
const PACKET_BYTES: usize = 256;

/// When an answer that was over its address's rate is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// A client and its stream, whose writes have a deadline of their own (`accept`): a client that stops reading is gone.
pub(super) struct StreamClient<S> {
    turn: Arc<Turn>,
    stream: S,
    client: SocketAddr,
    local: IpAddr,
    allocation: Option<Allocation<StreamRelay>>,
    /// None while it has an allocation.
    patience: Option<Patience>,
    received: Vec<u8>,
    unsent: Vec<u8>,
    /// While there is one, nothing is read.
    held: Option<Held>,
    /// What was done since others had their turn, in bytes.
    done: usize,
}

/// An answer over the rate of its address. It is neither dropped nor is the stream ended, as a client does not ask again
/// over a stream (RFC 8489, 6.2.2), and may share its address with many behind a carrier's NAT: it waits until there is
/// room for the answer, and so does all that it says after its request. What peers say still reaches it.
struct Held {
    what: ForStrangers,
    answer: Vec<u8>,
    again: Instant,
}

/// A relay, and what was handed over for its client.
pub(super) struct StreamRelay {
    relay: Relay,
    handed: Arc<Handed>,
}

impl StreamRelay {
    /// Waits until a peer has said something.
    async fn readable(&self) {
        tokio::select! {
            () = self.relay.readable() => {}
            () = poll_fn(|cx| self.handed.poll_ready(cx)) => {}
        }
    }

    /// Takes what peers have said, and says how many datagrams of it came by the socket.
    fn drain(&self, unsent: &mut Vec<u8>) -> usize {
        self.handed.attend();
        let taken = self.relay.drain();
        self.handed.take(unsent);
        taken
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamClient<S> {
    pub(super) fn new(turn: Arc<Turn>, stream: S, client: SocketAddr, local: IpAddr, patience: Patience) -> Self {
        let (received, unsent, patience) = (Vec::new(), Vec::new(), Some(patience));
        Self { turn, stream, client, local, allocation: None, patience, received, unsent, held: None, done: 0 }
    }

    /// Serves until the client leaves, breaks the framing, stops reading, or has no allocation and asks for nothing.
    pub(super) async fn run(mut self) {
        loop {
            let (step, waited) = observed(self.step()).await;
            if step.is_err() || self.flush().await.is_err() || !self.may_stay() {
                return;
            }
            self.give_way(waited).await;
        }
    }

    /// Waits for what is next, and does it.
    async fn step(&mut self) -> io::Result<()> {
        let until = self.patience.as_ref().map(Patience::until);
        let until = until.or(self.allocation.as_ref().map(|allocation| allocation.expires));
        let again = self.held.as_ref().map(|held| held.again);
        tokio::select! {
            () = self.turn.tasks.stop().cancelled(), if self.allocation.is_none() => Err(over()),
            () = reached(until) => if self.goes_on() { Ok(()) } else { Err(over()) },
            () = reached(again) => self.try_again(),
            read = read(&mut self.stream, &mut self.received), if again.is_none() => {
                self.done += read?;
                self.take_all()
            }
            () = readable(self.allocation.as_ref()) => {
                self.bring_in();
                Ok(())
            }
        }
    }

    /// At a deadline: whether the client may stay.
    fn goes_on(&mut self) -> bool {
        let (now, turn, client) = (Instant::now(), &self.turn, self.client.ip());
        let permit = || turn.waiting.enter(client, now).ok();
        self.patience.as_mut().is_some_and(|patience| patience.goes_on(now, permit))
    }

    /// Whether it has an allocation or, after that has gone, a permit to be without.
    fn may_stay(&mut self) -> bool {
        if self.allocation.is_some() {
            self.patience = None;
        } else if self.patience.is_none() {
            let (now, timeout) = (Instant::now(), self.turn.handshake_timeout);
            let permit = self.turn.waiting.enter(self.client.ip(), now).ok();
            self.patience = permit.map(|permit| Patience::anew(timeout, permit, now));
        }
        self.allocation.is_some() || self.patience.is_some()
    }

    /// Lets others have their turn where this one is over, unless they have had it.
    async fn give_way(&mut self, waited: bool) {
        if waited {
            self.done = 0;
        } else if self.is_turn_over() {
            yield_now().await;
            self.done = 0;
        }
    }

    fn is_turn_over(&self) -> bool {
        self.done >= TURN_BYTES
    }

    /// Takes the messages that are whole, as many as may be in one turn.
    fn take_all(&mut self) -> io::Result<()> {
        let turn = Arc::clone(&self.turn);
        sending(&turn.counters, |outgoing| self.take_each(outgoing))
    }

    fn take_each(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()> {
        let mut received = std::mem::take(&mut self.received);
        let mut taken = 0;
        let mut followed = Ok(());
        while !self.is_turn_over() && self.held.is_none() {
            match stream_framing::front(&received[taken..]) {
                Front::Message { length, padding } if self.may_say(length) => {
                    self.take(&received[taken..taken + length], outgoing);
                    taken += length + padding;
                }
                Front::Partial(needed) if self.may_say(needed) => break,
                Front::Message { .. } | Front::Partial(_) | Front::Broken => {
                    followed = Err(io::ErrorKind::InvalidData.into());
                    break;
                }
            }
        }
        received.drain(..taken);
        // A burst's buffer is not kept.
        received.shrink_to(2 * READ_BYTES);
        self.received = received;
        followed
    }

    /// Whether a message may be as long as this.
    fn may_say(&self, length: usize) -> bool {
        self.allocation.is_some() || length <= stream_framing::MAX_STRANGERS_BYTES
    }

    fn take(&mut self, message: &[u8], outgoing: &mut Outgoing<'_>) {
        if message[0] >> 6 == 1 {
            self.take_channel_data(message, outgoing);
        } else {
            self.take_message(message, outgoing);
        }
    }

    fn take_channel_data(&mut self, message: &[u8], outgoing: &mut Outgoing<'_>) {
        self.done += PACKET_BYTES;
        let Some(allocation) = &mut self.allocation else { return };
        let now = Instant::now();
        match self.turn.rules.take_channel_data(allocation, message, now) {
            Some((peer, data)) => send(allocation, peer, data, now, outgoing),
            None => outgoing.tally().add(TurnCount::Dropped, 1),
        }
    }

    fn take_message(&mut self, message: &[u8], outgoing: &mut Outgoing<'_>) {
        self.done += MESSAGE_BYTES;
        let (turn, now) = (Arc::clone(&self.turn), Now::read());
        let mut relays = StreamRelays { turn: &turn, local: self.local, handed: None };
        let outcome = turn.rules.take(&mut self.allocation, self.client, message, now, &mut relays);
        turn.note(&outcome);
        let rate = outcome.for_strangers();
        match outcome {
            Outcome::Drop => {}
            Outcome::Bound(answer) | Outcome::Answer(answer) | Outcome::Refuse(answer) | Outcome::Challenge(answer) => {
                self.patience.iter_mut().for_each(Patience::asked);
                self.answer(rate, answer, now.instant);
            }
            Outcome::Relay(peer, data) => {
                if let Some(allocation) = &self.allocation {
                    send(allocation, peer, data, now.instant, outgoing);
                }
            }
        }
    }

    fn answer(&mut self, rate: Option<ForStrangers>, answer: Vec<u8>, now: Instant) {
        match rate {
            Some(what) if !self.turn.may_tell(what, self.client.ip(), now) => {
                self.held = Some(Held { what, answer, again: now + TRY_AGAIN });
            }
            Some(_) | None => self.unsent.extend_from_slice(&answer),
        }
    }

    /// Answers if there is room by now, and goes on with what came after that request.
    fn try_again(&mut self) -> io::Result<()> {
        if let Some(Held { what, answer, .. }) = self.held.take() {
            self.answer(Some(what), answer, Instant::now());
        }
        self.take_all()
    }

    fn bring_in(&mut self) {
        let Some(allocation) = &self.allocation else { return };
        for relayed in allocation.relays() {
            self.done += PACKET_BYTES * relayed.relay.drain(&mut self.unsent);
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        self.done += self.unsent.len();
        self.stream.write_all(&self.unsent).await?;
        self.stream.flush().await?;
        self.unsent.clear();
        // A burst's buffer is not kept.
        self.unsent.shrink_to(READ_BYTES);
        Ok(())
    }
}

/// Reads some, and says how much: nothing where a whole message waits already. Cancel safe: what was read is in the buffer.
async fn read(stream: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>) -> io::Result<usize> {
    if !matches!(stream_framing::front(received), Front::Partial(_)) {
        return Ok(0);
    }
    // A message that is not complete is at most this long, so the buffer is bounded by it and one read.
    received.reserve(READ_BYTES);
    let mut limited =
        stream.take((stream_framing::MAX_BYTES - received.len().min(stream_framing::MAX_BYTES) + 1) as u64);
    match limited.read_buf(received).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        bytes => Ok(bytes),
    }
}

/// Runs a future, and says whether it has waited: then others have had their turn.
async fn observed<T>(future: impl Future<Output = T>) -> (T, bool) {
    let (mut future, mut waited) = (pin!(future), false);
    let output = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        waited |= polled.is_pending();
        polled
    });
    (output.await, waited)
}

/// Waits for a time; for ever where there is none.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn over() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// Waits until a peer has said something to any of its relays.
async fn readable(allocation: Option<&Allocation<StreamRelay>>) {
    let Some(allocation) = allocation else { return std::future::pending().await };
    let first = allocation.first.relay.readable();
    match &allocation.second {
        None => first.await,
        Some(second) => tokio::select! {
            () = first => {}
            () = second.relay.readable() => {}
        },
    }
}

fn send(
    allocation: &Allocation<StreamRelay>,
    peer: SocketAddr,
    data: &[u8],
    now: Instant,
    outgoing: &mut Outgoing<'_>,
) {
    if let Some(StreamRelay { relay, .. }) = allocation.relay_to(peer) {
        relay.send(peer, data, now, outgoing);
    }
}

struct StreamRelays<'a> {
    turn: &'a Arc<Turn>,
    local: IpAddr,
    /// Of both relays, where a client asks for two: what waits for it is bounded once.
    handed: Option<Arc<Handed>>,
}

impl Relays for StreamRelays<'_> {
    type Relay = StreamRelay;

    fn open(
        &mut self,
        family: Family,
        is_even: bool,
        routes: &Arc<ArcSwap<Routes>>,
    ) -> Option<(StreamRelay, SocketAddr)> {
        let handed = Arc::clone(self.handed.get_or_insert_default());
        let client = Client::Stream(Arc::clone(&handed));
        let (relay, advertised) = Relay::open(self.turn, self.local, family, is_even, routes, client)?;
        self.turn.counters.count(TurnCount::Allocations);
        Some((StreamRelay { relay, handed }, advertised))
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
    use tokio::io::AsyncWriteExt as _;

    use super::super::tests::{most_in_one_turn, turn};
    use super::*;

    /// A Binding indication, which is dropped without an answer.
    const INDICATION: [u8; 20] = [0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    #[tokio::test]
    async fn who_floods_a_stream_gives_way_to_others() {
        const MESSAGES: usize = 20_000;
        let turn = turn();
        let (mut client, stream) = tokio::io::duplex(MESSAGES * INDICATION.len());
        client.write_all(&INDICATION.repeat(MESSAGES)).await.unwrap();
        turn.serve_stream(stream, None, ([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let most = most_in_one_turn(&turn, MESSAGES as u64).await;
        assert!(most <= (TURN_BYTES / MESSAGE_BYTES) as u64, "{most}");
    }
}
