//! One client and the rules, without sockets: what the rules' tests and the fuzz target stand on. No part of the server.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use stun_types::attribute::{AttributeWrite, Nonce, RawAttribute, Realm, Username};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use super::TurnLimits;
use super::filter::PeerFilter;
use super::nonce::Nonces;
use super::quota::Quota;
use super::routes::Routes;
use super::rules::{Allocation, Now, Outcome, REALM, Relays, Rules, Stun};
use crate::ice::credential::{Credential, TurnSecret};
use crate::net::Family;

/// When the world begins, in seconds since 1970.
pub(super) const START: u64 = 1_795_000_000;

/// Ports without sockets.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) families: Vec<Family>,
    pub(super) is_full: bool,
    /// What the system says is its own.
    pub(super) own: Vec<IpAddr>,
    next: u16,
    open: Arc<AtomicUsize>,
}

/// An open port: it counts itself.
#[derive(Debug)]
pub(super) struct Port(Arc<AtomicUsize>);

impl Drop for Port {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ports {
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Relays for Ports {
    type Relay = Port;

    fn open(&mut self, family: Family, is_even: bool, _: &Arc<ArcSwap<Routes>>) -> Option<(Port, SocketAddr)> {
        if self.is_full {
            return None;
        }
        self.next += 1 + u16::from(is_even && self.next.is_multiple_of(2));
        self.open.fetch_add(1, Ordering::Relaxed);
        let ip = if family == Family::V4 { [192, 0, 2, 1].into() } else { "2001:db8::1".parse().ok()? };
        Some((Port(Arc::clone(&self.open)), SocketAddr::new(ip, self.next)))
    }

    fn has(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    fn usual(&self) -> Family {
        self.families.first().copied().unwrap_or(Family::V4)
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.own.contains(&ip)
    }
}

/// The server's rules, and one client.
pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) ports: Ports,
    pub(super) allocation: Option<Allocation<Port>>,
    pub(super) now: Now,
    pub(super) client: SocketAddr,
    pub(super) credential: Credential,
    pub(super) nonce: String,
    /// Of the next request.
    pub(super) transaction: u128,
}

impl World {
    pub(super) fn new() -> Self {
        let limits = TurnLimits {
            allocations: None,
            allocations_per_user: None,
            allocations_per_address: None,
            bytes_per_second: None,
            refusals_per_second: NonZeroUsize::MIN,
            bindings_per_second: NonZeroUsize::MIN,
        };
        let secrets = vec![TurnSecret::new(b"north"), TurnSecret::new(b"south")];
        let credential = Credential::mint(&secrets[0], "alice", START + 3600);
        let own = vec![[192, 0, 2, 1].into()];
        let rules = Rules {
            secrets,
            nonces: Nonces::new(),
            filter: PeerFilter::new(Vec::new(), own, 50000..=50100),
            quota: Quota::new(limits),
            bytes_per_second: None,
            stun: Stun::Open,
        };
        let now = Now { instant: Instant::now(), wall: START };
        let client = SocketAddr::from(([198, 51, 100, 7], 40000));
        let nonce = rules.nonces.make(client, now.wall);
        let families = Family::ALL.to_vec();
        let ports = Ports { families, is_full: false, own: Vec::new(), next: 50000, open: Arc::default() };
        Self { rules, ports, allocation: None, now, client, credential, nonce, transaction: 1 }
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.wall += seconds;
    }

    pub(super) fn key(&self) -> IntegrityKey {
        let Credential { username, password } = self.credential.clone();
        LongTermKeyCredentials::new(username, password, REALM.to_owned()).make_key(IntegrityAlgorithm::Sha1)
    }

    /// A message without integrity. Its transaction is used up.
    pub(super) fn plain(
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

    /// A request as the client signs it.
    pub(super) fn signed(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let mut message = self.plain(MessageClass::Request, method, attributes);
        message.add_attribute(&Username::new(&self.credential.username).expect("a name")).expect("it fits");
        message.add_attribute(&Realm::new(REALM).expect("a realm")).expect("it fits");
        message.add_attribute(&Nonce::new(&self.nonce).expect("a nonce")).expect("it fits");
        message.add_message_integrity_with_key(&self.key(), IntegrityAlgorithm::Sha1).expect("it is signed once");
        message.finish()
    }

    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Outcome<'a> {
        self.rules.take(&mut self.allocation, self.client, bytes, self.now, &mut self.ports)
    }

    /// Where ChannelData goes.
    pub(super) fn take_channel_data<'a>(&mut self, bytes: &'a [u8]) -> Option<(SocketAddr, &'a [u8])> {
        self.rules.take_channel_data(self.allocation.as_mut()?, bytes, self.now.instant)
    }
}

/// What the fuzz target puts into signed requests, by number.
const METHODS: [Method; 6] = [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, BINDING, SEND];
const ATTRIBUTES: [u16; 14] =
    [0x0019, 0x000d, 0x0012, 0x000c, 0x0013, 0x0017, 0x8000, 0x0018, 0x0022, 0x001a, 0x0006, 0x0014, 0x0015, 0x7fff];

/// Plays what the bytes say against the rules, and asserts what must hold whatever they say. Each step is a byte that
/// says what it is, a byte for its length, and as many bytes: a datagram as it is (0), a request with these attributes
/// that an honest user signs (1) or that is not signed (2), or time that passes (3).
///
/// # Panics
///
/// Where the rules are broken.
pub fn play_user(data: &[u8]) {
    World::new().play(data);
}

/// Hands one datagram to a server without clients, and to one where its source has an allocation; asserts the same.
///
/// # Panics
///
/// Where the rules are broken.
pub fn play_stranger(data: &[u8]) {
    World::new().try_datagram(data);
    let mut world = World::new();
    world.play(ALLOCATED);
    assert_eq!(world.ports.open(), 1);
    world.try_datagram(data);
    assert_eq!(world.ports.open(), 1, "an allocation is ended by its user alone");
}

/// An Allocate and a channel for 8.8.8.8:1000, as [`play_user`] reads them.
const ALLOCATED: &[u8] =
    &[1, 7, 0, 0, 4, 17, 0, 0, 0, 1, 17, 3, 3, 4, 0x40, 0, 0, 0, 2, 8, 0, 1, 0x22, 0xfa, 0x29, 0x1a, 0xac, 0x4a];

/// Attributes as a number of their type, a length, and a value.
fn read(mut bytes: &[u8]) -> Vec<RawAttribute<'_>> {
    let mut attributes = Vec::new();
    while let [kind, length, rest @ ..] = bytes {
        let (value, after) = rest.split_at(rest.len().min((*length).into()));
        let kind = ATTRIBUTES[usize::from(*kind) % ATTRIBUTES.len()];
        attributes.push(RawAttribute::new(kind.into(), value));
        bytes = after;
    }
    attributes
}

impl World {
    fn play(&mut self, mut data: &[u8]) {
        while let [step, length, rest @ ..] = data {
            let (payload, after) = rest.split_at(rest.len().min((*length).into()));
            data = after;
            match step % 4 {
                0 => self.try_datagram(payload),
                3 => self.wait(payload.iter().map(|byte| u64::from(*byte)).sum()),
                step => {
                    let Some((method, attributes)) = payload.split_first() else { continue };
                    let method = METHODS[usize::from(*method) % METHODS.len()];
                    let attributes = read(attributes);
                    let attributes: Vec<&dyn AttributeWrite> =
                        attributes.iter().map(|raw| raw as &dyn AttributeWrite).collect();
                    let is_indication = method == SEND;
                    let bytes = if is_indication || step == 2 {
                        let class = if is_indication { MessageClass::Indication } else { MessageClass::Request };
                        self.plain(class, method, &attributes).finish()
                    } else {
                        self.nonce = self.rules.nonces.make(self.client, self.now.wall);
                        self.signed(method, &attributes)
                    };
                    self.try_datagram(&bytes);
                }
            }
        }
        let held = self.allocation.as_ref().map_or(0, |allocation| allocation.relays().count());
        assert_eq!((self.ports.open(), self.rules.quota.allocations()), (held, held));
    }

    /// Sends any datagram.
    fn try_datagram(&mut self, bytes: &[u8]) {
        if bytes.first().is_some_and(|first| first >> 6 == 1) {
            if let Some((peer, data)) = self.take_channel_data(bytes) {
                self.assert_may_relay(peer, data, bytes);
            }
            return;
        }
        let had_allocation = self.allocation.is_some();
        match self.take(bytes) {
            Outcome::Drop => {}
            Outcome::Relay(peer, data) => self.assert_may_relay(peer, data, bytes),
            Outcome::Answer(answer) | Outcome::Refuse(answer) => assert!(Message::from_bytes(&answer).is_ok()),
            Outcome::Challenge(answer) | Outcome::Bound(answer) => {
                assert!(Message::from_bytes(&answer).is_ok());
                assert!(had_allocation || self.allocation.is_none(), "nothing is remembered before authentication");
            }
        }
    }

    fn assert_may_relay(&self, peer: SocketAddr, data: &[u8], within: &[u8]) {
        let allocation = self.allocation.as_ref().expect("only an allocation relays");
        assert!(allocation.expires > self.now.instant && self.rules.filter.may_send(peer), "{peer}");
        assert!(allocation.relay_to(peer).is_some(), "{peer} is of a family that the client has");
        assert!(allocation.routes.load().permits(peer.ip(), self.now.instant), "{peer} has a permission");
        assert!(
            within.as_ptr_range().contains(&data.as_ptr()) || data.is_empty(),
            "what the client sent, and nothing else"
        );
    }
}
