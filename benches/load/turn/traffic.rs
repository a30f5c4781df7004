//! Packets through relays: as many as a server takes, and at a steady pace.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use quinn_udp::UdpSocketState;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::{Client, HEADER_BYTES, Sink, Source, framed};
use super::server::Relay;
use crate::message::{nanoseconds, now};

/// How packets go.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    pub(super) clients: usize,
    /// Both sides have a relay here. Otherwise the other side is outside.
    pub(super) is_relayed: bool,
    pub(super) is_tls: bool,
    /// Bytes of a packet.
    pub(super) bytes: usize,
    /// Packets that come at once from one sender.
    pub(super) burst: usize,
}

/// What a packet costs.
pub(super) struct Figures {
    pub(super) cpu: Duration,
    pub(super) p99: Duration,
    pub(super) sent: u64,
    pub(super) arrived: u64,
}

/// Packets per second of all senders together, while latency is measured.
const PACED: u64 = 10_000;

/// Parts of that time, whose median counts: a pause of the whole machine affects few of them.
const PARTS: u32 = 4;

/// After the last packet was sent.
const GRACE: Duration = Duration::from_millis(300);

/// After which a packet that did not come is taken for lost.
const LOST: Duration = Duration::from_millis(200);

/// One end of a flow.
struct End {
    source: Source,
    sink: Sink,
    is_framed: bool,
}

/// What one end has done.
#[derive(Default)]
struct Count {
    sent: u64,
    arrived: u64,
}

impl Traffic {
    /// Sends for so long as much as the server takes, and then at a steady pace.
    pub(super) async fn measure(&self, relay: &Relay, length: Duration) -> Figures {
        let (mut ends, state) = (self.connect(relay).await, Arc::new(state()));
        // Whatever is made at the first packets.
        self.flat_out(&mut ends, &state, length / 10).await;
        let before = relay.cpu();
        let Count { sent, arrived } = self.flat_out(&mut ends, &state, length).await;
        let cpu = relay.cpu().saturating_sub(before) / u32::try_from(arrived.max(1)).expect("seconds of packets");
        let mut parts = Vec::new();
        for _ in 0..PARTS {
            parts.push(self.paced(&mut ends, &state, length / 2 / PARTS).await);
        }
        parts.sort_unstable();
        Figures { cpu, p99: parts[parts.len() / 2], sent, arrived }
    }

    /// Each end answers what comes. As many begin as there are clients.
    async fn flat_out(&self, ends: &mut Vec<End>, state: &Arc<UdpSocketState>, length: Duration) -> Count {
        let until = Instant::now() + length;
        let mut talking: JoinSet<(usize, End, Count)> = JoinSet::new();
        for (index, mut end) in ends.drain(..).enumerate() {
            let (this, state) = (*self, Arc::clone(state));
            talking.spawn(async move {
                let begins = this.is_relayed || index % 2 == 0;
                let count = this.answer(&mut end, &state, begins, until).await;
                (index, end, count)
            });
        }
        let mut all = Count::default();
        let mut talked = talking.join_all().await;
        talked.sort_unstable_by_key(|(index, ..)| *index);
        for (_, end, count) in talked {
            ends.push(end);
            all.sent += count.sent;
            all.arrived += count.arrived;
        }
        all
    }

    async fn answer(&self, end: &mut End, state: &UdpSocketState, begins: bool, until: Instant) -> Count {
        let (mut count, mut packet, mut missing) = (Count::default(), vec![0; 2048], 0);
        let burst = vec![self.packet(end.is_framed); self.burst];
        let mut is_due = begins;
        loop {
            if is_due && Instant::now() < until {
                end.source.send(state, &burst).await;
                count.sent += self.burst as u64;
                missing = self.burst;
            }
            // Who does not begin answers as many as come together.
            let wait = if Instant::now() < until { LOST } else { GRACE };
            match timeout(wait, end.sink.next(&mut packet)).await {
                Ok(_) => {
                    count.arrived += 1;
                    missing = missing.checked_sub(1).unwrap_or(self.burst - 1);
                    is_due = missing == 0;
                }
                Err(_) if Instant::now() >= until => return count,
                // Something was lost: once more.
                Err(_) => (is_due, missing) = (begins, 0),
            }
        }
    }

    /// The latency, at p99.
    async fn paced(&self, ends: &mut Vec<End>, state: &UdpSocketState, length: Duration) -> Duration {
        let mut receiving: JoinSet<(usize, Sink, Histogram<u64>)> = JoinSet::new();
        let mut senders = Vec::new();
        for (index, End { source, mut sink, is_framed }) in ends.drain(..).enumerate() {
            senders.push((source, is_framed));
            receiving.spawn(async move {
                let latency = receive(&mut sink, length + GRACE).await;
                (index, sink, latency)
            });
        }
        let bursts = nanoseconds(length) * PACED / self.burst as u64 / 1_000_000_000;
        let begin = now();
        // Senders take turns. It sleeps, though timers are coarser than what is measured: the kernel's share of work on this
        // core would have to wait for a load that does not.
        let count = senders.len();
        for number in 0..bursts {
            let (source, is_framed) = &mut senders[usize::try_from(number).expect("seconds of bursts") % count];
            let due = begin + number * self.burst as u64 * 1_000_000_000 / PACED;
            if let Some(early) = due.checked_sub(now()) {
                sleep(Duration::from_nanos(early)).await;
            }
            source.send(state, &vec![self.packet(*is_framed); self.burst]).await;
        }
        let mut received = receiving.join_all().await;
        received.sort_unstable_by_key(|(index, ..)| *index);
        let mut latency = histogram();
        for ((source, is_framed), (_, sink, its)) in senders.into_iter().zip(received) {
            latency.add(its).expect("any value fits");
            ends.push(End { source, sink, is_framed });
        }
        Duration::from_nanos(latency.value_at_quantile(0.99))
    }

    /// A packet that says when it was sent.
    fn packet(&self, is_framed: bool) -> Vec<u8> {
        let mut data = vec![0; self.bytes];
        data[..8].copy_from_slice(&now().to_be_bytes());
        if is_framed { framed(&data) } else { data }
    }

    /// The ends of all flows, one flow after the other.
    async fn connect(&self, relay: &Relay) -> Vec<End> {
        let mut ends = Vec::new();
        let mut add = |(source, sink), is_framed| ends.push(End { source, sink, is_framed });
        let mut clients = Vec::new();
        for _ in 0..self.clients {
            clients.push(Client::new(relay, self.is_tls).await);
        }
        if self.is_relayed {
            while let (Some(mut one), Some(mut other)) = (clients.pop(), clients.pop()) {
                one.bind(other.relayed).await;
                other.bind(one.relayed).await;
                add(one.ends(relay), true);
                add(other.ends(relay), true);
            }
        }
        for mut client in clients {
            let peer = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free"));
            client.bind(peer.local_addr().expect("it is bound")).await;
            let relayed = client.relayed;
            add(client.ends(relay), true);
            add((Source::Udp(Arc::clone(&peer), relayed), Sink::Udp(peer)), false);
        }
        ends
    }
}

/// How long what arrives until then was on its way.
async fn receive(sink: &mut Sink, length: Duration) -> Histogram<u64> {
    let (mut latency, mut packet) = (histogram(), vec![0; 2048]);
    let until = Instant::now() + length;
    while let Ok(length) = timeout_at(until, sink.next(&mut packet)).await {
        let data = if packet[0] >> 6 == 1 { &packet[HEADER_BYTES..length] } else { &packet[..length] };
        let sent = u64::from_be_bytes(*data.first_chunk().expect("a packet of ours"));
        latency.record(now().saturating_sub(sent)).expect("any value fits");
    }
    latency
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits")
}

/// What sends bursts.
fn state() -> UdpSocketState {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    UdpSocketState::new((&socket).into()).expect("Linux")
}
