//! A TURN client as a browser is one, over UDP or a stream: it is refused once, signs from then on, and does as it is
//! told, right or wrong.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use entremise::config::Config;
use entremise::ice::credential::{Credential, TurnSecret};
use serde_json::Value;
use stun_types::attribute::{
    Attribute as _, AttributeFromRaw, AttributeStaticType, AttributeWrite, ErrorCode, Nonce, Realm, Username,
};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use turn_types::attribute::{ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use crate::pair::Pair;
use crate::server::{Server, Site};
use crate::within;

/// Peers on this machine, which no server allows by itself.
pub(crate) const LOOPBACK: &str = "--turn-allow-peer=127.0.0.0/8,::1";

/// After which a request over UDP is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// The secret of servers in this process.
pub(crate) const SECRET: &[u8] = b"north";

impl Server {
    /// With TURN on a port that the system chooses.
    pub(crate) fn start_turn(flags: &[&str]) -> Self {
        Self::start_turn_changed(flags, |_| {})
    }

    pub(crate) fn start_turn_changed(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let flags: Vec<_> = ["--turn"].into_iter().chain(flags.iter().copied()).collect();
        Self::start_changed(Pair::new(), &flags, |config| {
            // An address of its own, so that a port which is free for UDP is free for TCP too.
            let [high, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let process = std::process::id().to_be_bytes()[3];
            config.listen = ([127, process.max(1), high, low.saturating_add(1)], 0).into();
            config.ice.stun_port = Some(0);
            config.ice.turn.secrets = vec![TurnSecret::new(SECRET)];
            change(config);
            config.ice.listen = vec![config.listen.ip()];
        })
    }

    /// The same, on whatever addresses the settings say.
    pub(crate) fn start_turn_listening(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let flags: Vec<_> = ["--turn"].into_iter().chain(flags.iter().copied()).collect();
        Self::start_changed(Pair::new(), &flags, |config| {
            config.ice.stun_port = Some(0);
            config.ice.turn.secrets = vec![TurnSecret::new(SECRET)];
            change(config);
        })
    }

    /// Over plain HTTP, behind a proxy.
    pub(crate) fn start_plain(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        Self::start_changed(Pair::new(), flags, change)
    }
}

/// Where the embedded server is, and with which credential, as a client is told.
#[derive(Clone, Debug)]
pub(crate) struct TurnAccess {
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) credential: Credential,
}

impl Site {
    /// What `GET /ice` says.
    pub(crate) async fn ice(&self) -> Value {
        let answer = self.get("/ice").await;
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    pub(crate) async fn turn_access(&self) -> TurnAccess {
        TurnAccess::read(&self.ice().await)
    }
}

impl TurnAccess {
    /// What an answer to `GET /ice` says.
    pub(crate) fn read(ice: &Value) -> Self {
        let turn = ice["iceServers"].as_array().and_then(|servers| servers.last()).expect("a TURN server");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let at = |transport: &str| {
            let urls = turn["urls"].as_array().expect("URLs").iter();
            let url = urls.map(text).find(|url| url.starts_with("turn:") && url.ends_with(transport));
            let url = url.unwrap_or_else(|| panic!("no {transport} in {turn}"));
            let address = url.trim_start_matches("turn:").split('?').next().and_then(|address| address.parse().ok());
            address.expect("an address")
        };
        let credential = Credential { username: text(&turn["username"]), password: text(&turn["credential"]) };
        Self { udp: at("udp"), tcp: at("tcp"), credential }
    }

    /// A client over UDP, from any free port.
    pub(crate) async fn client(&self) -> TurnClient {
        let ip: IpAddr = if self.udp.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        self.client_from(if self.udp.ip().is_loopback() { ip } else { self.udp.ip() }).await
    }

    pub(crate) async fn client_from(&self, ip: IpAddr) -> TurnClient {
        let socket = UdpSocket::bind((ip, 0)).await.expect("a port is free");
        socket.connect(self.udp).await.expect("an address of this machine");
        TurnClient::new(Wire::Udp(socket), self.credential.clone())
    }

    /// A client over TCP on the port of TURN.
    pub(crate) async fn tcp_client(&self) -> TurnClient {
        let tcp = within("a TCP connection", TcpStream::connect(self.tcp)).await.expect("the server listens");
        self.stream_client(tcp)
    }

    pub(crate) fn stream_client(&self, stream: impl Io + 'static) -> TurnClient {
        TurnClient::new(Wire::Stream(Box::pin(stream)), self.credential.clone())
    }
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Io for S {}

enum Wire {
    Udp(UdpSocket),
    Stream(Pin<Box<dyn Io>>),
}

/// The client.
pub(crate) struct TurnClient {
    wire: Wire,
    pub(crate) credential: Credential,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    transaction: u128,
}

/// What came from a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Channel(u16, Vec<u8>),
    Data(SocketAddr, Vec<u8>),
}

/// An answer.
pub(crate) struct Reply {
    /// 0 is success.
    pub(crate) code: u16,
    bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn attribute<A: AttributeStaticType + for<'a> AttributeFromRaw<'a>>(&self) -> Option<A> {
        let message = Message::from_bytes(&self.bytes).expect("an answer is STUN");
        let raw = message.raw_attribute(A::TYPE)?;
        Some(A::from_raw_ref(&raw).expect("an answer's attributes are right"))
    }

    pub(crate) fn relayed(&self) -> SocketAddr {
        let transaction = Message::from_bytes(&self.bytes).expect("an answer is STUN").transaction_id();
        self.attribute::<XorRelayedAddress>().expect("a relay").addr(transaction)
    }

    /// Of a client that asked for both families.
    pub(crate) fn all_relayed(&self) -> Vec<SocketAddr> {
        let message = Message::from_bytes(&self.bytes).expect("an answer is STUN");
        let relayed = message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorRelayedAddress::TYPE);
        let address = |raw| XorRelayedAddress::from_raw(raw).expect("an address").addr(message.transaction_id());
        relayed.map(|(_, raw)| address(raw)).collect()
    }

    pub(crate) fn seconds(&self) -> u32 {
        self.attribute::<Lifetime>().expect("a lifetime").seconds()
    }
}

pub(crate) fn udp() -> RequestedTransport {
    RequestedTransport::new(RequestedTransport::UDP)
}

impl TurnClient {
    fn new(wire: Wire, credential: Credential) -> Self {
        Self { wire, credential, realm: "entremise".into(), nonce: String::new(), transaction: 1 }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        let Wire::Udp(socket) = &self.wire else { panic!("a stream's end") };
        socket.local_addr().expect("it is bound")
    }

    /// A peer, in the next request.
    pub(crate) fn peer(&self, peer: SocketAddr) -> XorPeerAddress {
        XorPeerAddress::new(peer, self.transaction.into())
    }

    /// A message that is not signed. Its transaction is used up.
    pub(crate) fn plain(
        &mut self,
        class: MessageClass,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> MessageWriteVec {
        let kind = MessageType::from_class_method(class, method);
        let mut message = Message::builder(kind, self.transaction.into(), MessageWriteVec::new());
        self.transaction += 1;
        for attribute in attributes {
            message.add_attribute(*attribute).expect("it fits");
        }
        message
    }

    pub(crate) fn signed(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let mut message = self.plain(MessageClass::Request, method, attributes);
        message.add_attribute(&Username::new(&self.credential.username).expect("a name")).expect("it fits");
        message.add_attribute(&Realm::new(&self.realm).expect("a realm")).expect("it fits");
        message.add_attribute(&Nonce::new(&self.nonce).expect("a nonce")).expect("it fits");
        message.add_message_integrity_with_key(&self.key(), IntegrityAlgorithm::Sha1).expect("it is signed once");
        message.finish()
    }

    fn key(&self) -> IntegrityKey {
        let Credential { username, password } = self.credential.clone();
        LongTermKeyCredentials::new(username, password, self.realm.clone()).make_key(IntegrityAlgorithm::Sha1)
    }

    /// Sends bytes as they are.
    pub(crate) async fn put(&mut self, bytes: &[u8]) {
        let sent = async {
            match &mut self.wire {
                Wire::Udp(socket) => socket.send(bytes).await.map(drop),
                Wire::Stream(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
            }
        };
        within("the bytes to be sent", sent).await.expect("the server reads");
    }

    /// The next message, whatever it is.
    async fn next(&mut self) -> Vec<u8> {
        match &mut self.wire {
            Wire::Udp(socket) => {
                let mut bytes = vec![0; 65536];
                // A port that was refused before says nothing of the next datagram.
                let length = loop {
                    if let Ok(length) = socket.recv(&mut bytes).await {
                        break length;
                    }
                };
                bytes.truncate(length);
                bytes
            }
            Wire::Stream(stream) => {
                let mut bytes = vec![0; 4];
                stream.read_exact(&mut bytes).await.expect("the connection is open");
                let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                let rest = if bytes[0] >> 6 == 1 { length.next_multiple_of(4) } else { 16 + length };
                bytes.resize(4 + rest, 0);
                stream.read_exact(&mut bytes[4..]).await.expect("the connection is open");
                bytes
            }
        }
    }

    /// Sends a request as it is, again if need be, and waits for its answer. What peers say meanwhile is lost.
    pub(crate) async fn hand_in(&mut self, request: &[u8]) -> Reply {
        let transaction = Message::from_bytes(request).expect("a request").transaction_id();
        let answered = async {
            self.put(request).await;
            loop {
                let answer = async {
                    loop {
                        let bytes = self.next().await;
                        let message = Message::from_bytes(&bytes);
                        if message.is_ok_and(|message| message.transaction_id() == transaction && message.is_response())
                        {
                            return bytes;
                        }
                    }
                };
                match timeout(AGAIN, answer).await {
                    Ok(bytes) => return bytes,
                    // A stream loses nothing: there it is only late.
                    Err(_) if matches!(self.wire, Wire::Stream(_)) => {}
                    Err(_) => self.put(request).await,
                }
            }
        };
        let bytes = within("an answer", answered).await;
        let code = {
            let message = Message::from_bytes(&bytes).expect("STUN");
            if message.has_class(MessageClass::Success) {
                0
            } else {
                message.attribute::<ErrorCode>().expect("a code").code()
            }
        };
        Reply { code, bytes }
    }

    /// Sends a request without credentials.
    pub(crate) async fn ask_plain(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Reply {
        let request = self.plain(MessageClass::Request, method, attributes).finish();
        self.hand_in(&request).await
    }

    /// Sends a signed request. A success must be signed too.
    pub(crate) async fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Reply {
        let request = self.signed(method, attributes);
        let reply = self.hand_in(&request).await;
        if reply.code == 0 {
            let message = Message::from_bytes(&reply.bytes).expect("STUN");
            assert!(message.validate_integrity_with_key(&self.key()).is_ok(), "a success is signed");
        }
        reply
    }

    /// Takes the nonce that a first request is refused with.
    pub(crate) async fn introduce(&mut self) {
        let refused = self.ask_plain(ALLOCATE, &[&udp()]).await;
        assert_eq!(refused.code, 401);
        refused.attribute::<Nonce>().expect("a nonce").nonce().clone_into(&mut self.nonce);
        refused.attribute::<Realm>().expect("a realm").realm().clone_into(&mut self.realm);
    }

    /// What an Allocate with these attributes is answered.
    pub(crate) async fn try_allocate(&mut self, more: &[&dyn AttributeWrite]) -> Reply {
        self.introduce().await;
        let transport = udp();
        let attributes: Vec<&dyn AttributeWrite> =
            [&transport as &dyn AttributeWrite].into_iter().chain(more.iter().copied()).collect();
        self.ask(ALLOCATE, &attributes).await
    }

    /// An allocation's address.
    pub(crate) async fn allocate(&mut self) -> SocketAddr {
        let reply = self.try_allocate(&[]).await;
        assert_eq!(reply.code, 0, "the allocation");
        reply.relayed()
    }

    pub(crate) async fn permit(&mut self, peer: SocketAddr) -> u16 {
        let attribute = self.peer(peer);
        self.ask(CREATE_PERMISSION, &[&attribute]).await.code
    }

    pub(crate) async fn bind(&mut self, channel: u16, peer: SocketAddr) -> u16 {
        let attribute = self.peer(peer);
        self.ask(CHANNEL_BIND, &[&ChannelNumber::new(channel), &attribute]).await.code
    }

    pub(crate) async fn refresh(&mut self, seconds: u32) -> u16 {
        self.ask(REFRESH, &[&Lifetime::new(seconds)]).await.code
    }

    pub(crate) async fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let attribute = self.peer(peer);
        let message = self.plain(MessageClass::Indication, SEND, &[&attribute, &Data::new(data)]).finish();
        self.put(&message).await;
    }

    pub(crate) async fn send_on(&mut self, channel: u16, data: &[u8]) {
        let mut message = channel.to_be_bytes().to_vec();
        message.extend(u16::try_from(data.len()).expect("a datagram").to_be_bytes());
        message.extend(data);
        if matches!(self.wire, Wire::Stream(_)) {
            message.resize(message.len().next_multiple_of(4), 0);
        }
        self.put(&message).await;
    }

    /// The next thing from a peer.
    pub(crate) async fn hear(&mut self) -> Heard {
        let heard = async {
            loop {
                let bytes = self.next().await;
                if bytes[0] >> 6 == 1 {
                    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                    return Heard::Channel(u16::from_be_bytes([bytes[0], bytes[1]]), bytes[4..4 + length].to_vec());
                }
                let message = Message::from_bytes(&bytes).expect("STUN");
                // A late answer to a request that was sent twice is nothing.
                if message.has_class(MessageClass::Indication) {
                    let peer = message.attribute::<XorPeerAddress>().expect("a peer").addr(message.transaction_id());
                    return Heard::Data(peer, message.attribute::<Data>().expect("data").data().to_vec());
                }
            }
        };
        within("something from a peer", heard).await
    }

    /// The server is alive, and has done with what was sent before.
    pub(crate) async fn fence(&mut self) {
        assert_eq!(self.ask_plain(BINDING, &[]).await.code, 0);
    }

    /// The same. How many errors came before its answer.
    pub(crate) async fn fence_after_errors(&mut self) -> u128 {
        let binding = self.plain(MessageClass::Request, BINDING, &[]).finish();
        let mut errors = 0;
        let answered = async {
            self.put(&binding).await;
            while Message::from_bytes(&self.next().await).expect("STUN").has_class(MessageClass::Error) {
                errors += 1;
            }
        };
        within("the fence", answered).await;
        errors
    }

    /// Reads until the server ends the connection.
    pub(crate) async fn ended(&mut self) {
        let Wire::Stream(stream) = &mut self.wire else { panic!("only a stream ends") };
        // Ended or reset: gone either way.
        let _ = within("the server to end the connection", stream.read_to_end(&mut Vec::new())).await;
    }
}
