//! The path of nearly every relayed packet, ChannelData, allocates no memory in either direction, nor from relay to relay.
//!
//! The allocator counts for the whole process, the server and the test, so the test is a program of its own. The server
//! has one thread here: each of its threads allocates its buffer once, when its first packet comes.

use std::alloc::System;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Parser as _;
use entremise::cli::Cli;
use entremise::config::Config;
use entremise::ice::credential::{Credential, TurnSecret};
use entremise::server::Server;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use stun_types::attribute::{AttributeWrite, Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method,
};
use tokio::sync::oneshot;
use turn_types::attribute::{ChannelNumber, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, REFRESH};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DEADLINE: Duration = Duration::from_secs(20);
const SECRET: &[u8] = b"north";
const CHANNEL: u16 = 0x4000;
const PACKETS: usize = 1000;

/// As long as a packet of media.
const DATA_BYTES: usize = 1200;

/// All of it is one test, because each part counts the whole process.
#[test]
fn a_packet_on_a_channel_costs_no_memory_over_udp_or_tcp_or_from_relay_to_relay() {
    let (server, tcp) = RunningServer::start_with_tcp();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    peer.set_read_timeout(Some(DEADLINE)).expect("a deadline");

    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    udp.connect(server.turn).expect("an address of this machine");
    udp.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    tcp.set_nodelay(true).expect("a socket");
    tcp.set_read_timeout(Some(DEADLINE)).expect("a deadline");

    for (name, wire) in [("UDP", Wire::Udp(udp)), ("TCP", Wire::Tcp(tcp))] {
        let mut client = Client::new(wire);
        client.bind(&peer);
        client.exchange(&peer, PACKETS);
        assert_costs_no_memory(name, || client.exchange(&peer, PACKETS));
        client.leave();
    }

    let [mut alice, mut bob] = [(); 2].map(|()| {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        udp.connect(server.turn).expect("an address of this machine");
        udp.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let mut client = Client::new(Wire::Udp(udp));
        let relay = client.allocate();
        (client, relay)
    });
    alice.0.bind_to(bob.1);
    bob.0.bind_to(alice.1);
    alice.0.exchange_with(&mut bob.0, PACKETS);
    assert_costs_no_memory("relay to relay", || alice.0.exchange_with(&mut bob.0, PACKETS));
}

/// None at all: of so many packets each way, in one of three tries. The server looks at its interfaces every 2 s, which takes
/// some tens of pieces and may fall into one try; a packet that took memory would do so in each.
fn assert_costs_no_memory(name: &str, mut exchange: impl FnMut()) {
    let taken = [(); 3].map(|()| {
        let region = Region::new(ALLOCATOR);
        exchange();
        let change = region.change();
        (change.allocations, change.reallocations)
    });
    assert!(taken.contains(&(0, 0)), "{taken:?} pieces of memory for {PACKETS} packets each way, {name}");
}

/// A server with one thread, stopped when it is dropped.
struct RunningServer {
    turn: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl RunningServer {
    /// Starts one that has its port over TCP too: the port may have been taken over TCP meanwhile, and the server then runs
    /// without TURN over TCP.
    fn start_with_tcp() -> (Self, TcpStream) {
        for _ in 0..20 {
            let server = Self::start();
            if let Ok(tcp) = TcpStream::connect(server.turn) {
                return (server, tcp);
            }
        }
        panic!("no port is free for UDP and TCP");
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("the name is valid");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        fs::write(&cert, pair.cert.pem()).expect("the folder is writable");
        fs::write(&key, pair.signing_key.serialize_pem()).expect("the folder is writable");
        let flags = ["entremise", "--listen=127.0.0.1:0", "--turn", "--turn-allow-peer=127.0.0.0/8"];
        let files = [format!("--cert={}", cert.display()), format!("--key={}", key.display())];
        let cli = Cli::try_parse_from(flags.into_iter().map(String::from).chain(files)).expect("the flags are right");
        let turn = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut config = Config::from_cli(&cli).expect("the settings fit each other");
        config.ice.stun_port = Some(turn.port());
        config.ice.turn.secrets = vec![TurnSecret::new(SECRET)];
        // Without a rate, because packets over the rate would be lost.
        config.ice.turn.limits.bytes_per_second = None;

        let (bound, binding) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().expect("a runtime").block_on(async {
                let server = Server::bind(config).expect("the server starts");
                bound.send(()).expect("the test waits");
                server.run(async { drop(stopped.await) }).await.expect("the listener works");
            });
        });
        binding.recv().expect("the server starts");
        Self { turn, stop: Some(stop), thread: Some(thread), _folder: folder }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the server did not panic");
    }
}

fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port is free").port()
}

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A client that allocates no memory for a packet either.
struct Client {
    wire: Wire,
    credential: Credential,
    transaction: u128,
    buffer: [u8; 2048],
}

impl Client {
    fn new(wire: Wire) -> Self {
        let credential = Credential::mint(&TurnSecret::new(SECRET), "alice", u64::from(u32::MAX));
        Self { wire, credential, transaction: 1, buffer: [0; 2048] }
    }

    /// Makes an allocation, and binds a channel to the peer.
    fn bind(&mut self, peer: &UdpSocket) {
        self.allocate();
        self.bind_to(peer.local_addr().expect("it is bound"));
    }

    /// Makes an allocation, and says where the relay is.
    fn allocate(&mut self) -> SocketAddr {
        let answer = self.ask(ALLOCATE, &[&RequestedTransport::new(RequestedTransport::UDP)]);
        let answer = Message::from_bytes(&answer).expect("STUN");
        let relayed = answer.attribute::<XorRelayedAddress>().expect("the relay's address");
        relayed.addr(answer.transaction_id())
    }

    fn bind_to(&mut self, peer: SocketAddr) {
        // `ask` sends two requests: the address is encoded for the transaction of the second one, since the first is refused.
        let peer = XorPeerAddress::new(peer, (self.transaction + 1).into());
        self.ask(CHANNEL_BIND, &[&ChannelNumber::new(CHANNEL), &peer]);
    }

    fn leave(&mut self) {
        self.ask(REFRESH, &[&Lifetime::new(0)]);
    }

    /// Sends a request for the nonce, and then the signed request.
    fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let refused = self.request(method, attributes, None);
        let refused = Message::from_bytes(&refused).expect("STUN");
        let nonce = refused.attribute::<Nonce>().expect("a nonce").nonce().to_owned();
        let realm = refused.attribute::<Realm>().expect("a realm").realm().to_owned();
        let answer = self.request(method, attributes, Some((&nonce, &realm)));
        let message = Message::from_bytes(&answer).expect("STUN");
        assert!(message.has_class(MessageClass::Success), "{message}");
        answer
    }

    fn request(&mut self, method: Method, attributes: &[&dyn AttributeWrite], signed: Option<(&str, &str)>) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut message = Message::builder(kind, self.transaction.into(), MessageWriteVec::new());
        self.transaction += 1;
        for attribute in attributes {
            message.add_attribute(*attribute).expect("it fits");
        }
        if let Some((nonce, realm)) = signed {
            let Credential { username, password } = self.credential.clone();
            message.add_attribute(&Username::new(&username).expect("a name")).expect("it fits");
            message.add_attribute(&Realm::new(realm).expect("a realm")).expect("it fits");
            message.add_attribute(&Nonce::new(nonce).expect("a nonce")).expect("it fits");
            let key = LongTermKeyCredentials::new(username, password, realm.to_owned());
            let key = key.make_key(IntegrityAlgorithm::Sha1);
            message.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).expect("it is signed once");
        }
        self.put(&message.finish());
        self.next().to_vec()
    }

    fn put(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => assert_eq!(socket.send(bytes).expect("the server listens"), bytes.len()),
            Wire::Tcp(stream) => stream.write_all(bytes).expect("the server reads"),
        }
    }

    /// The next message.
    fn next(&mut self) -> &[u8] {
        let length = match &mut self.wire {
            Wire::Udp(socket) => socket.recv(&mut self.buffer).expect("an answer in time"),
            Wire::Tcp(stream) => {
                stream.read_exact(&mut self.buffer[..4]).expect("an answer in time");
                let said = usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]]));
                let length = if self.buffer[0] >> 6 == 1 { 4 + said } else { 20 + said };
                stream.read_exact(&mut self.buffer[4..length]).expect("the rest of it");
                length
            }
        };
        &self.buffer[..length]
    }

    /// Sends packets to the relay of another client, one by one, which sends each back.
    fn exchange_with(&mut self, other: &mut Self, packets: usize) {
        let mut packet = [7; 4 + DATA_BYTES];
        packet[..2].copy_from_slice(&CHANNEL.to_be_bytes());
        packet[2..4].copy_from_slice(&u16::try_from(DATA_BYTES).expect("a datagram").to_be_bytes());
        for _ in 0..packets {
            self.put(&packet);
            assert_eq!(other.next(), packet);
            other.put(&packet);
            assert_eq!(self.next(), packet);
        }
    }

    /// Sends packets to the peer, one by one, and receives each again.
    fn exchange(&mut self, peer: &UdpSocket, packets: usize) {
        let mut packet = [7; 4 + DATA_BYTES];
        packet[..2].copy_from_slice(&CHANNEL.to_be_bytes());
        packet[2..4].copy_from_slice(&u16::try_from(DATA_BYTES).expect("a datagram").to_be_bytes());
        let mut heard = [0; 2048];
        for _ in 0..packets {
            self.put(&packet);
            let (length, relay) = peer.recv_from(&mut heard).expect("the packet in time");
            assert_eq!(heard[..length], packet[4..]);
            peer.send_to(&heard[..length], relay).expect("the relay is there");
            assert_eq!(self.next(), packet);
        }
    }
}
