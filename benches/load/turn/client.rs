//! A TURN client that has a channel to one peer: over UDP, or TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use entremise::ice::credential::Credential;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rustls::pki_types::ServerName;
use stun_types::attribute::{AttributeWrite, Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;
use turn_types::attribute::{ChannelNumber, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND};

use super::server::{Relay, credential};

const CHANNEL: u16 = 0x4000;

/// After which a request over UDP is sent again.
const AGAIN: Duration = Duration::from_millis(300);

/// … so often.
const TIMES: u32 = 20;

/// ChannelData's header.
pub(super) const HEADER_BYTES: usize = 4;

/// A client and its relay.
pub(super) struct Client {
    pub(super) wire: Wire,
    pub(super) relayed: SocketAddr,
    access: Access,
}

/// How a client's requests are signed.
struct Access {
    username: String,
    password: String,
    realm: String,
    nonce: String,
    transaction: u128,
}

/// The way to the server.
pub(super) enum Wire {
    Udp(Arc<UdpSocket>),
    Tls(ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>),
}

/// Where packets are put in.
pub(super) enum Source {
    /// A datagram's socket, and where it sends to.
    Udp(Arc<UdpSocket>, SocketAddr),
    Stream(WriteHalf<TlsStream<TcpStream>>),
}

/// What comes out.
pub(super) enum Sink {
    Udp(Arc<UdpSocket>),
    Stream(ReadHalf<TlsStream<TcpStream>>),
}

impl Client {
    /// With a relay.
    pub(super) async fn new(relay: &Relay, is_tls: bool) -> Self {
        let wire = if is_tls {
            let tcp = TcpStream::connect(relay.stream).await.expect("the server listens");
            tcp.set_nodelay(true).expect("a socket");
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = relay.connector.connect(name, tcp).await.expect("the certificate is trusted");
            let (read, write) = tokio::io::split(stream);
            Wire::Tls(read, write)
        } else {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
            socket.connect(relay.udp).await.expect("an address of this machine");
            Wire::Udp(Arc::new(socket))
        };
        let Credential { username, password } = credential();
        let access = Access { username, password, realm: String::new(), nonce: String::new(), transaction: 1 };
        let mut client = Self { wire, relayed: relay.udp, access };
        let transport = RequestedTransport::new(RequestedTransport::UDP);
        let answer = client.ask(ALLOCATE, &[&transport]).await;
        let answer = Message::from_bytes(&answer).expect("STUN");
        let relayed = answer.attribute::<XorRelayedAddress>().expect("the relay's address");
        client.relayed = relayed.addr(answer.transaction_id());
        client
    }

    /// Gives the peer a channel.
    pub(super) async fn bind(&mut self, peer: SocketAddr) {
        let peer = XorPeerAddress::new(peer, self.access.transaction.into());
        self.ask(CHANNEL_BIND, &[&ChannelNumber::new(CHANNEL), &peer]).await;
    }

    /// Asks, and once more with what a refusal says.
    async fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        loop {
            let request = self.access.sign(method, attributes);
            let answer = self.exchange(&request).await;
            let message = Message::from_bytes(&answer).expect("STUN");
            if message.has_class(MessageClass::Success) {
                return answer;
            }
            let nonce = message.attribute::<Nonce>().unwrap_or_else(|_| panic!("refused: {message}"));
            assert!(self.access.nonce.is_empty(), "refused: {message}");
            nonce.nonce().clone_into(&mut self.access.nonce);
            message.attribute::<Realm>().expect("a realm").realm().clone_into(&mut self.access.realm);
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let mut answer = vec![0; 2048];
        let length = match &mut self.wire {
            // A server that has just started may not have its port for UDP yet.
            Wire::Udp(socket) => {
                let mut length = None;
                for _ in 0..TIMES {
                    let _ = socket.send(request).await;
                    if let Ok(Ok(answered)) = timeout(AGAIN, socket.recv(&mut answer)).await {
                        length = Some(answered);
                        break;
                    }
                    sleep(AGAIN).await;
                }
                length.expect("an answer")
            }
            Wire::Tls(read, write) => {
                write.write_all(request).await.expect("the server reads");
                write.flush().await.expect("the server reads");
                timeout(AGAIN * TIMES, read_one(read, &mut answer)).await.expect("an answer")
            }
        };
        answer.truncate(length);
        answer
    }

    /// Its two ends for traffic.
    pub(super) fn ends(self, relay: &Relay) -> (Source, Sink) {
        match self.wire {
            Wire::Udp(socket) => (Source::Udp(Arc::clone(&socket), relay.udp), Sink::Udp(socket)),
            Wire::Tls(read, write) => (Source::Stream(write), Sink::Stream(read)),
        }
    }
}

impl Access {
    fn sign(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut message = Message::builder(kind, self.transaction.into(), MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).expect("it fits");
        }
        if !self.nonce.is_empty() {
            message.add_attribute(&Username::new(&self.username).expect("a name")).expect("it fits");
            message.add_attribute(&Realm::new(&self.realm).expect("a realm")).expect("it fits");
            message.add_attribute(&Nonce::new(&self.nonce).expect("a nonce")).expect("it fits");
            let key = LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), self.realm.clone());
            let key = key.make_key(IntegrityAlgorithm::Sha1);
            message.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).expect("it is signed once");
        }
        message.finish()
    }
}

impl Source {
    /// Sends packets: over UDP as a burst, in one call.
    pub(super) async fn send(&mut self, state: &UdpSocketState, packets: &[Vec<u8>]) {
        let contents = packets.concat();
        match self {
            Self::Udp(socket, to) => {
                let segment_size = (packets.len() > 1).then_some(packets[0].len());
                let burst = Transmit { destination: *to, ecn: None, contents: &contents, segment_size, src_ip: None };
                // What does not leave is lost, which is counted.
                let _ = state.try_send(UdpSockRef::from(&**socket), &burst);
            }
            Self::Stream(stream) => {
                stream.write_all(&contents).await.expect("the server reads");
                stream.flush().await.expect("the server reads");
            }
        }
    }
}

/// Data for the channel's peer.
pub(super) fn framed(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a datagram");
    [&CHANNEL.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
}

impl Sink {
    /// The next packet's length.
    pub(super) async fn next(&mut self, packet: &mut [u8]) -> usize {
        match self {
            Self::Udp(socket) => socket.recv(packet).await.expect("packets"),
            Self::Stream(stream) => read_one(stream, packet).await,
        }
    }
}

/// A STUN message or ChannelData, which in a stream ends at a multiple of four.
async fn read_one(stream: &mut ReadHalf<TlsStream<TcpStream>>, packet: &mut [u8]) -> usize {
    stream.read_exact(&mut packet[..4]).await.expect("an answer");
    let said = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let length = if packet[0] >> 6 == 1 { HEADER_BYTES + said } else { 20 + said };
    stream.read_exact(&mut packet[4..length.next_multiple_of(4)]).await.expect("the rest of it");
    length
}
