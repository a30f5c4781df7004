//! UDP sockets, many datagrams at a time: most of what a relayed packet costs is system calls.
//!
//! Datagrams are read up to [`AT_ONCE`] in one call, into memory that the thread lends. Those that leave one after the other
//! from one socket to one address, equally long, are put together and leave in one call, which the kernel or the network
//! card takes apart (UDP GSO): a burst, such as the packets of one video frame.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::TurnCount;
use super::counters::{Counters, Tally, Whom};

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65536;

/// Datagrams that are read in one call.
const AT_ONCE: usize = BATCH_SIZE;

/// Datagrams taken from one socket before the others have their turn. A socket that always has more never makes its task
/// wait, so the task has to give way.
pub(super) const BATCH: usize = 64;

/// Datagrams of a burst: what the kernel takes (UDP_MAX_SEGMENTS).
const BURST: usize = 64;

/// Bytes of a burst: with headers, an IP packet's.
const BURST_BYTES: usize = 65000;

/// The longest datagrams that leave as a burst. Longer ones may not fit the way's MTU: alone they are fragmented, of a
/// burst the kernel would refuse them. IPv6's least MTU less its header and UDP's.
const SEGMENT_BYTES: usize = 1280 - 48;

/// Linux's EIO: the way's network card can't take bursts apart.
const NOT_BY_THIS_CARD: i32 = 5;

/// What the crate has to know of a system to read and send in batches. Made with a socket that is not used: the crate sets
/// options that a relay must not have (no fragments), and others that cost something for each datagram.
static BATCHES: LazyLock<Option<Batches>> = LazyLock::new(|| {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).ok()?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).ok()?;
    let state = UdpSocketState::new((&socket).into()).ok()?;
    let has_bursts = state.max_gso_segments() > 1;
    Some(Batches { state, has_bursts })
});

struct Batches {
    state: UdpSocketState,
    /// As it was at first: the crate gives bursts up for all sockets where one of them has failed.
    has_bursts: bool,
}

/// What may wait in a socket that many clients send to, in bytes: bursts of hundreds of them. The system may allow less
/// (Linux: `net.core.rmem_max`).
const SHARED_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Whether several sockets may have one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    Exclusive,
    /// The kernel spreads the clients over them, each to one of them always.
    Shared,
}

/// A UDP socket, and the address of this host that it is on.
#[derive(Debug)]
pub(super) struct DatagramSocket {
    socket: UdpSocket,
    local: SocketAddr,
    /// Whether bursts leave in one call. The network card of some ways can't take them apart.
    has_bursts: AtomicBool,
}

impl DatagramSocket {
    /// For one family.
    ///
    /// # Errors
    ///
    /// Where the address can't be had.
    pub(super) fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(sharing == Sharing::Shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        let has_bursts = BATCHES.as_ref().is_some_and(|batches| batches.has_bursts);
        Ok(Self { socket, local, has_bursts: has_bursts.into() })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Makes room for what many clients send.
    pub(super) fn serve_many(&self) {
        // Without it, it has the room of any socket.
        let _ = SockRef::from(&self.socket).set_recv_buffer_size(SHARED_BUFFER_BYTES);
    }

    /// Waits until something has come. An error is a datagram's (ICMP): it says nothing of the next.
    pub(super) async fn readable(&self) {
        let _ = self.socket.readable().await;
    }

    /// Takes what has come, [`AT_ONCE`] datagrams at most, and says how many that were.
    pub(super) fn receive(&self, mut take: impl FnMut(SocketAddr, &[u8])) -> usize {
        thread_local! {
            static LENT: RefCell<Lent> = RefCell::new(Lent::new());
        }
        LENT.with_borrow_mut(|lent| {
            let taken = match lent.fill(&self.socket) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return 0,
                // What an earlier datagram met: it says nothing of the next. It counts, so that others have their turn.
                Err(_) => return 1,
            };
            for (meta, bytes) in lent.metas.iter().zip(lent.bytes.chunks_exact(DATAGRAM_BYTES)).take(taken) {
                take(meta.addr, &bytes[..meta.len]);
            }
            taken
        })
    }

    /// Sends one. What the socket can't take now is lost, as on any full wire.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> bool {
        // Not tokio's `try_send_to`: on a socket that has just been opened it takes nothing until the reactor has looked
        // at it, and a new relay's first packets would be lost.
        SockRef::from(&self.socket).send_to(datagram, &to.into()).is_ok()
    }

    /// Sends several of this length, the last of which may be shorter, and says how many could leave.
    fn send_burst(&self, bytes: &[u8], length: usize, to: SocketAddr) -> usize {
        if let Some(batches) = BATCHES.as_ref().filter(|_| self.has_bursts.load(Ordering::Relaxed)) {
            let segment_size = Some(length);
            let burst = Transmit { destination: to, ecn: None, contents: bytes, segment_size, src_ip: None };
            match batches.state.try_send(UdpSockRef::from(&self.socket), &burst) {
                Ok(()) => return bytes.len().div_ceil(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return 0,
                Err(error) if error.raw_os_error() == Some(NOT_BY_THIS_CARD) => {
                    self.has_bursts.store(false, Ordering::Relaxed);
                }
                // Of this address alone: others who share the socket lose nothing by it.
                Err(_) => {}
            }
        }
        bytes.chunks(length).filter(|datagram| self.send(datagram, to)).count()
    }
}

/// Memory for what is read in one call.
struct Lent {
    bytes: Box<[u8]>,
    metas: [RecvMeta; AT_ONCE],
}

impl Lent {
    fn new() -> Self {
        Self { bytes: vec![0; AT_ONCE * DATAGRAM_BYTES].into_boxed_slice(), metas: [RecvMeta::default(); AT_ONCE] }
    }

    /// Reads what has come.
    fn fill(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let Some(Batches { state, .. }) = &*BATCHES else {
            let (length, from) = socket.try_recv_from(&mut self.bytes[..DATAGRAM_BYTES])?;
            (self.metas[0].len, self.metas[0].addr) = (length, from);
            return Ok(1);
        };
        let mut datagrams = self.bytes.chunks_exact_mut(DATAGRAM_BYTES);
        let mut slices = [(); AT_ONCE].map(|()| IoSliceMut::new(datagrams.next().unwrap_or_default()));
        let mut taken = 0;
        let read = socket.try_io(Interest::READABLE, || {
            taken = state.recv(socket.into(), &mut slices, &mut self.metas)?;
            // There are no more, and that need not be found out by another call. (Errors would end a batch, too: a socket
            // that is not connected has none.)
            if taken < AT_ONCE { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match read {
            Err(error) if taken == 0 => Err(error),
            _ => Ok(taken),
        }
    }
}

/// Datagrams on their way out, of which those that can leave in one call wait for each other.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    counters: &'a Counters,
    tally: Tally,
    bytes: &'a mut Vec<u8>,
    burst: Option<Burst>,
}

/// Datagrams of one socket for one address, each of one length.
#[derive(Debug)]
struct Burst {
    socket: Arc<DatagramSocket>,
    to: SocketAddr,
    whom: Whom,
    length: usize,
    count: usize,
}

/// Does something that sends datagrams. They have left when it is done.
pub(super) fn sending<T>(counters: &Counters, work: impl FnOnce(&mut Outgoing<'_>) -> T) -> T {
    thread_local! {
        static LENT: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(DATAGRAM_BYTES));
    }
    LENT.with_borrow_mut(|bytes| {
        // What a panic has left is another client's.
        bytes.clear();
        let mut outgoing = Outgoing { counters, tally: Tally::default(), bytes, burst: None };
        let done = work(&mut outgoing);
        outgoing.settle();
        done
    })
}

impl Outgoing<'_> {
    /// Sends a datagram that consists of these two parts.
    pub(super) fn send(&mut self, socket: &Arc<DatagramSocket>, to: SocketAddr, whom: Whom, parts: [&[u8]; 2]) {
        let length = parts[0].len() + parts[1].len();
        if !self.burst.as_ref().is_some_and(|burst| burst.takes(socket, to, length, self.bytes.len())) {
            self.flush();
            self.burst = Some(Burst { socket: Arc::clone(socket), to, whom, length, count: 0 });
        }
        let Some(burst) = &mut self.burst else { return };
        burst.count += 1;
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        if length < burst.length || length > SEGMENT_BYTES || length == 0 {
            // The last of a burst may be shorter, and what can't leave with others leaves alone.
            self.flush();
        }
    }

    /// What was done besides sending.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// All leaves that was to be sent, and what was done is counted. An answer to a client is behind what it asked for before.
    pub(super) fn settle(&mut self) {
        self.flush();
        self.counters.add_up(&std::mem::take(&mut self.tally));
    }

    fn flush(&mut self) {
        let Some(Burst { socket, to, whom, length, count }) = self.burst.take() else { return };
        let sent = match count {
            1 => usize::from(socket.send(self.bytes, to)),
            _ => socket.send_burst(self.bytes, length, to),
        };
        // All of them or, where they had to leave one by one, most.
        let bytes = if sent == count { self.bytes.len() } else { sent * length };
        self.tally.packets(whom, sent, bytes);
        self.tally.add(TurnCount::Dropped, count - sent);
        self.bytes.clear();
    }
}

impl Burst {
    fn takes(&self, socket: &Arc<DatagramSocket>, to: SocketAddr, length: usize, bytes: usize) -> bool {
        Arc::ptr_eq(&self.socket, socket)
            && self.to == to
            && length <= self.length
            && self.count < BURST
            && bytes + length <= BURST_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as Plain;
    use std::time::Duration;

    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    use super::*;

    fn local() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 0).into()
    }

    fn socket() -> Arc<DatagramSocket> {
        Arc::new(DatagramSocket::bind(local(), Sharing::Exclusive).unwrap())
    }

    fn receiver() -> (Plain, SocketAddr) {
        let receiver = Plain::bind(local()).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = receiver.local_addr().unwrap();
        (receiver, address)
    }

    /// The lengths and first bytes of what came.
    fn heard(receiver: &Plain, count: usize) -> Vec<(usize, u8)> {
        let mut datagram = [0; 4096];
        let mut next = || receiver.recv(&mut datagram).map(|length| (length, datagram[0])).unwrap();
        (0..count).map(|_| next()).collect()
    }

    #[tokio::test]
    async fn datagrams_arrive_as_they_were_sent_in_a_burst_or_alone() {
        for has_bursts in [true, false] {
            let (socket, counters) = (socket(), Counters::default());
            socket.has_bursts.store(has_bursts, Ordering::Relaxed);
            let [(one, to_one), (other, to_other)] = [receiver(), receiver()];
            // Equal, then shorter, then longer ones; more than a burst; too long for one; and empty.
            let lengths =
                [[1100; 20].as_slice(), &[300, 1100, 1100, 1200], &[200; 70], &[1400, 1400, 0, 0, 5]].concat();
            sending(&counters, |outgoing| {
                for (&length, number) in lengths.iter().zip(0_u8..) {
                    outgoing.send(
                        &socket,
                        to_one,
                        Whom::Peer,
                        [&[number; 4][..length.min(4)], &vec![0; length - length.min(4)]],
                    );
                }
                outgoing.send(&socket, to_other, Whom::Client, [b"a", b"b"]);
                outgoing.send(&socket, to_one, Whom::Client, [b"c", b"d"]);
            });
            let sent: Vec<(usize, u8)> = lengths.iter().copied().zip(0..).filter(|(length, _)| *length > 0).collect();
            let came = heard(&one, lengths.len() + 1);
            assert_eq!(
                came.iter().copied().filter(|(length, _)| *length > 0).collect::<Vec<_>>(),
                [&sent[..], &[(2, b'c')]].concat()
            );
            assert_eq!(heard(&other, 1), [(2, b'a')]);
            let counted = TurnCount::ALL.map(|what| counters.get(what));
            let bytes = lengths.iter().sum::<usize>() as u64;
            assert_eq!(counted[5..], [lengths.len() as u64, bytes, 2, 4, 0], "has bursts: {has_bursts}");
        }
    }

    #[tokio::test]
    async fn what_has_come_is_taken_many_at_a_time_and_none_is_left_behind() {
        let socket = socket();
        let (sender, _) = receiver();
        let mut numbers = Vec::new();
        for batch in [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE] {
            for number in 0..batch {
                sender.send_to(&u32::try_from(number).unwrap().to_be_bytes(), socket.local()).unwrap();
            }
            while numbers.len() < batch {
                tokio::time::timeout(Duration::from_secs(10), socket.readable()).await.expect("they are there");
                let taken = socket.receive(|from, datagram| {
                    assert_eq!(from, sender.local_addr().unwrap());
                    numbers.push(u32::from_be_bytes(datagram.try_into().unwrap()));
                });
                assert!(taken <= AT_ONCE);
            }
            assert!(numbers.drain(..).eq(0..u32::try_from(batch).unwrap()));
            assert_eq!(socket.receive(|_, _| panic!("a datagram too many")), 0);
        }
    }

    #[tokio::test]
    async fn an_address_that_nothing_can_be_sent_to_costs_others_no_burst() {
        let (socket, counters, has_bursts) = (socket(), Counters::default(), BATCHES.as_ref().unwrap().has_bursts);
        sending(&counters, |outgoing| {
            for _ in 0..3 {
                outgoing.send(&socket, ([255, 255, 255, 255], 9).into(), Whom::Peer, [b"to all", b""]);
            }
        });
        assert_eq!([TurnCount::PacketsToPeers, TurnCount::Dropped].map(|what| counters.get(what)), [0, 3]);
        assert_eq!([&socket, &self::socket()].map(|it| it.has_bursts.load(Ordering::Relaxed)), [has_bursts; 2]);
    }

    #[tokio::test]
    async fn what_is_settled_has_left_and_is_counted() {
        let (socket, counters, (heard_by, to)) = (socket(), Counters::default(), receiver());
        let counted = || [TurnCount::PacketsToPeers, TurnCount::Dropped].map(|what| counters.get(what));
        sending(&counters, |outgoing| {
            outgoing.send(&socket, to, Whom::Peer, [b"before", b""]);
            outgoing.tally().add(TurnCount::Dropped, 1);
            assert_eq!(counted(), [0, 0]);
            outgoing.settle();
            assert_eq!(counted(), [1, 1]);
            assert_eq!(heard(&heard_by, 1), [(6, b'b')]);
            outgoing.tally().add(TurnCount::Dropped, 1);
        });
        assert_eq!(counted(), [1, 2], "each once");
    }

    #[tokio::test]
    async fn what_a_panic_leaves_is_sent_to_none() {
        let (socket, counters, (heard_by, to)) = (socket(), Counters::default(), receiver());
        let send = |data: &[u8]| sending(&counters, |outgoing| outgoing.send(&socket, to, Whom::Peer, [data, b""]));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sending(&counters, |outgoing| {
                outgoing.send(&socket, to, Whom::Peer, [b"another client's", b""]);
                panic!("a bug");
            });
        }));
        assert!(failed.is_err());
        send(b"mine");
        assert_eq!(heard(&heard_by, 1), [(4, b'm')]);
    }

    /// Linux counts the memory that a datagram takes besides its bytes, and so gives twice as much.
    #[tokio::test]
    async fn a_socket_that_many_send_to_has_as_much_room_as_it_may_have() {
        let most: usize = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap().trim().parse().unwrap();
        let socket = socket();
        socket.serve_many();
        let room = SockRef::from(&socket.socket).recv_buffer_size().unwrap();
        assert_eq!(room, 2 * most.min(SHARED_BUFFER_BYTES));
    }

    /// Those of a relay may be longer than the way takes in one piece.
    #[tokio::test]
    async fn datagrams_are_fragmented_as_those_of_any_program() {
        let plain = ip_mtu_discover(&receiver().0).unwrap();
        let ours = socket();
        ours.send(b"so that all is made", receiver().1);
        assert_eq!(ip_mtu_discover(&ours.socket).unwrap(), plain);
        if let Ok(plain) = Plain::bind("[::1]:0") {
            let ours = DatagramSocket::bind("[::1]:0".parse().unwrap(), Sharing::Exclusive).unwrap();
            assert_eq!(ipv6_mtu_discover(&ours.socket).unwrap(), ipv6_mtu_discover(&plain).unwrap());
        }
    }
}
