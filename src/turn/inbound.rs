//! What is said to a relay, on its way to the client whose relay it is: what may pass, and how the client is to get it.
//!
//! It comes from the relay's socket or, where who said it has a relay here, too, from that client itself: then no packet
//! goes out of this process and comes in again, and no NAT before this host has to send back what comes from within.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::TurnCount;
use super::counters::Whom;
use super::datagram::{DatagramSocket, Outgoing};
use super::routes::Routes;
use super::rules::data_indication;
use crate::token_bucket::{TokenBucket, TokenRate};

/// What may wait for a client over a stream. Beyond it packets are lost, as on any full wire.
const UNSENT_BYTES: usize = 256 * 1024;

/// The way from a relay to its client.
#[derive(Debug)]
pub(super) struct Inbound {
    routes: Arc<ArcSwap<Routes>>,
    /// How much it may bring. Locked: packets of other clients come by their own tasks. None: no limit.
    meter: Option<Mutex<(TokenBucket, TokenRate)>>,
    client: Client,
}

/// Where a client is.
#[derive(Debug)]
pub(super) enum Client {
    /// Over UDP, at this address.
    Udp(Arc<DatagramSocket>, SocketAddr),
    /// Over a stream, which its own task writes.
    Stream(Arc<Handed>),
}

/// What was handed over for a client over a stream.
#[derive(Debug, Default)]
pub(super) struct Handed(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    reader: Option<Waker>,
}

/// What a peer sent, as the client is to get it.
enum Wrapped<'a> {
    /// ChannelData: its header, the channel's number and the length, and what was sent.
    Channel([u8; 4], &'a [u8]),
    /// A Data indication.
    Indication(Vec<u8>),
}

impl Wrapped<'_> {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Channel(header, data) => [header, data],
            Self::Indication(bytes) => [bytes, &[]],
        }
    }
}

impl Inbound {
    pub(super) fn new(routes: Arc<ArcSwap<Routes>>, limit: Option<TokenRate>, client: Client, now: Instant) -> Self {
        let meter = limit.map(|limit| Mutex::new((TokenBucket::new(limit, now), limit)));
        Self { routes, meter, client }
    }

    /// Brings the client what a peer said, if it may pass.
    pub(super) fn bring(&self, peer: SocketAddr, data: &[u8], now: Instant, outgoing: &mut Outgoing<'_>) {
        let Some(wrapped) = self.wrap(peer, data, now) else {
            outgoing.tally().add(TurnCount::Dropped, 1);
            return;
        };
        match &self.client {
            Client::Udp(socket, client) => outgoing.send(socket, *client, Whom::Client, wrapped.parts()),
            Client::Stream(handed) => {
                let length = wrapped.parts().map(<[u8]>::len).iter().sum();
                if handed.push(wrapped.parts(), length) {
                    outgoing.tally().packets(Whom::Client, 1, length);
                } else {
                    outgoing.tally().add(TurnCount::Dropped, 1);
                }
            }
        }
    }

    fn wrap<'a>(&self, peer: SocketAddr, data: &'a [u8], now: Instant) -> Option<Wrapped<'a>> {
        let routes = self.routes.load();
        // RFC 8656, 12.7: a peer without a permission is not heard, whatever channel it has. Order: nor does it spend of what
        // others may bring.
        if !routes.permits(peer.ip(), now) || !self.may_carry(data.len(), now) {
            return None;
        }
        match routes.channel(peer, now) {
            Some(channel) => {
                let ([a, b], [c, d]) = (channel.to_be_bytes(), u16::try_from(data.len()).ok()?.to_be_bytes());
                Some(Wrapped::Channel([a, b, c, d], data))
            }
            None => data_indication(peer, data).map(Wrapped::Indication),
        }
    }

    fn may_carry(&self, bytes: usize, now: Instant) -> bool {
        let Some(meter) = &self.meter else { return true };
        let (bucket, limit) = &mut *meter.lock();
        bucket.spend(bytes, *limit, now)
    }
}

impl Handed {
    /// Whether there was room.
    fn push(&self, parts: [&[u8]; 2], length: usize) -> bool {
        let mut waiting = self.0.lock();
        if waiting.bytes.len() + length > UNSENT_BYTES {
            return false;
        }
        for part in parts {
            waiting.bytes.extend_from_slice(part);
        }
        // RFC 8656, 12.5: in a stream ChannelData ends at a multiple of four. A STUN message always does.
        let end = waiting.bytes.len().next_multiple_of(4);
        waiting.bytes.resize(end, 0);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    /// Ready as soon as something was handed over.
    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.0.lock();
        if !waiting.bytes.is_empty() {
            return Poll::Ready(());
        }
        waiting.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// From now on no task has to be woken: the one that would be is here.
    pub(super) fn attend(&self) {
        self.0.lock().reader = None;
    }

    /// Puts what there is behind what is to be written.
    pub(super) fn take(&self, unsent: &mut Vec<u8>) {
        let mut waiting = self.0.lock();
        if unsent.is_empty() {
            std::mem::swap(unsent, &mut waiting.bytes);
        } else {
            unsent.append(&mut waiting.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::counters::Counters;
    use super::super::datagram::sending;
    use super::*;

    const PEER: ([u8; 4], u16) = ([8, 8, 8, 8], 1000);

    /// What comes of packets of so many bytes: brought, dropped.
    fn bring(inbound: &Inbound, peer: SocketAddr, lengths: &[usize], now: Instant) -> [u64; 2] {
        let counters = Counters::default();
        sending(&counters, |outgoing| {
            for length in lengths {
                inbound.bring(peer, &vec![7; *length], now, outgoing);
            }
        });
        [TurnCount::PacketsToClients, TurnCount::Dropped].map(|what| counters.get(what))
    }

    fn inbound(limit: Option<TokenRate>, now: Instant) -> (Inbound, Arc<Handed>) {
        let (handed, mut routes) = (Arc::<Handed>::default(), Routes::default());
        routes.bind(0x4000, PEER.into(), now).unwrap();
        (Inbound::new(Arc::new(ArcSwap::from_pointee(routes)), limit, Client::Stream(Arc::clone(&handed)), now), handed)
    }

    #[test]
    fn a_stranger_spends_nothing_of_what_peers_may_bring() {
        let now = Instant::now();
        let (inbound, _) = inbound(Some(TokenRate::even(1000.0)), now);
        assert_eq!(bring(&inbound, ([9, 9, 9, 9], 1000).into(), &[400; 5], now), [0, 5]);
        assert_eq!(bring(&inbound, PEER.into(), &[400; 5], now), [2, 3]);
        assert_eq!(bring(&inbound, PEER.into(), &[400; 5], now + Duration::from_secs(1)), [2, 3]);
    }

    #[test]
    fn what_is_handed_over_for_a_stream_is_bounded_and_padded() {
        let now = Instant::now();
        let (inbound, handed) = inbound(None, now);
        let fits = UNSENT_BYTES / 1000;
        let [brought, dropped] = bring(&inbound, PEER.into(), &vec![993; 2 * fits], now);
        assert!(
            brought <= fits as u64 && brought + 2 > fits as u64 && brought + dropped == 2 * fits as u64,
            "{brought}"
        );
        let mut unsent = b"head".to_vec();
        handed.take(&mut unsent);
        assert_eq!(unsent.len(), 4 + usize::try_from(brought).unwrap() * 1000, "a header and padding each");
        assert_eq!(unsent[4..8], [0x40, 0, 0x03, 0xe1]);
        assert_eq!(bring(&inbound, PEER.into(), &[5], now), [1, 0], "there is room again");
    }
}
