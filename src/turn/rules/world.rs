//! What the rules' tests have in common: a client that asks, and answers that are looked at.

use stun_types::attribute::{
    AttributeFromRaw, AttributeStaticType, AttributeWrite, ErrorCode, Nonce, RawAttribute, Realm,
};
use stun_types::message::{Message, MessageClass, MessageWrite as _, Method, TransactionId};
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress,
};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, SEND};

use super::super::TurnLimits;
use super::super::fuzzing::World;
use super::super::quota::Quota;
use super::Outcome;

pub(super) const PEER: &str = "8.8.8.8:1000";

pub(super) const PEER_V6: &str = "[2606:4700::1]:1000";

pub(super) const NO_LIMITS: TurnLimits = TurnLimits {
    allocations: None,
    allocations_per_user: None,
    allocations_per_address: None,
    bytes_per_second: None,
    refusals_per_second: std::num::NonZeroUsize::MIN,
    bindings_per_second: std::num::NonZeroUsize::MIN,
};

pub(super) const ONE: Option<std::num::NonZeroUsize> = Some(std::num::NonZeroUsize::MIN);

/// An answer, looked at.
#[derive(Debug)]
pub(super) struct Reply {
    /// 0 is success.
    pub(super) code: u16,
    bytes: Vec<u8>,
}

impl Reply {
    pub(super) fn attribute<A: AttributeStaticType + for<'a> AttributeFromRaw<'a>>(&self) -> Option<A> {
        let message = Message::from_bytes(&self.bytes).expect("an answer is STUN");
        let raw = message.raw_attribute(A::TYPE)?;
        Some(A::from_raw_ref(&raw).expect("an answer's attributes are right"))
    }

    pub(super) fn transaction(&self) -> TransactionId {
        Message::from_bytes(&self.bytes).expect("an answer is STUN").transaction_id()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl World {
    /// A peer, in the next request.
    pub(super) fn peer(&self, peer: &str) -> XorPeerAddress {
        XorPeerAddress::new(peer.parse().expect("an address"), self.transaction.into())
    }

    /// Sends a signed request.
    pub(super) fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Reply {
        let request = self.signed(method, attributes);
        self.hand_in(&request)
    }

    /// Sends a request, and checks what holds for every answer.
    pub(super) fn hand_in(&mut self, request: &[u8]) -> Reply {
        let had_allocation = self.allocation.is_some();
        let outcome = self.take(request);
        let (is_signed, bytes) = match outcome {
            Outcome::Answer(bytes) | Outcome::Refuse(bytes) => (true, bytes),
            Outcome::Challenge(bytes) | Outcome::Bound(bytes) => (false, bytes),
            other => panic!("no answer: {other:?}"),
        };
        let reply = {
            let (asked, message) =
                (Message::from_bytes(request).expect("a request"), Message::from_bytes(&bytes).expect("an answer"));
            assert_eq!(
                (message.method(), message.transaction_id()),
                (asked.method(), asked.transaction_id()),
                "an answer is to its request"
            );
            let code = match message.class() {
                MessageClass::Success => 0,
                MessageClass::Error => message.attribute::<ErrorCode>().expect("an error has a code").code(),
                other => panic!("{other:?}"),
            };
            if is_signed {
                // By the key that the allocation was made with, or else by the one that the request is signed with.
                let key = self.allocation.as_ref().map_or_else(|| self.key(), |allocation| allocation.key.clone());
                assert!(
                    message.validate_integrity_with_key(&key).is_ok()
                        || message.validate_integrity_with_key(&self.key()).is_ok(),
                    "an answer to an authenticated client is signed ({code})"
                );
            } else {
                assert!(had_allocation || self.allocation.is_none(), "nothing is remembered before authentication");
                let tells = message.has_attribute(Nonce::TYPE) && message.has_attribute(Realm::TYPE);
                assert_eq!(tells, matches!(code, 401 | 438), "401 and 438 say how to authenticate");
            }
            Reply { code, bytes: Vec::new() }
        };
        Reply { bytes, ..reply }
    }
}

pub(super) fn udp() -> RequestedTransport {
    RequestedTransport::new(RequestedTransport::UDP)
}

/// A world in which the client has an allocation.
pub(super) fn allocated() -> World {
    let mut world = World::new();
    assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
    world
}

/// And a permission and a channel for the peer.
pub(super) fn connected() -> World {
    let mut world = allocated();
    assert_eq!(bind(&mut world, 0x4000, PEER), 0);
    world
}

/// A world in which the client has a relay of each family.
pub(super) fn of_both_families() -> (World, Reply) {
    let mut world = World::new();
    let reply = world.ask(ALLOCATE, &[&udp(), &AdditionalAddressFamily::new(AddressFamily::IPV6)]);
    (world, reply)
}

pub(super) fn permit(world: &mut World, peer: &str) -> u16 {
    world.ask(CREATE_PERMISSION, &[&world.peer(peer)]).code
}

pub(super) fn bind(world: &mut World, channel: u16, peer: &str) -> u16 {
    world.ask(CHANNEL_BIND, &[&ChannelNumber::new(channel), &world.peer(peer)]).code
}

pub(super) fn raw(kind: u16, value: &[u8]) -> RawAttribute<'_> {
    RawAttribute::new(kind.into(), value)
}

pub(super) fn seconds_of(reply: &Reply) -> u32 {
    reply.attribute::<Lifetime>().unwrap().seconds()
}

pub(super) fn sends(world: &mut World, peer: &str, more: &[&dyn AttributeWrite]) -> bool {
    let (to, hello) = (world.peer(peer), Data::new(b"hello"));
    let attributes: Vec<&dyn AttributeWrite> =
        [&to as &dyn AttributeWrite, &hello].into_iter().chain(more.iter().copied()).collect();
    let message = world.plain(MessageClass::Indication, SEND, &attributes).finish();
    match world.take(&message) {
        Outcome::Relay(to, data) => {
            assert_eq!((to.to_string().as_str(), data), (peer, &b"hello"[..]));
            true
        }
        outcome => {
            assert_eq!(outcome, Outcome::Drop);
            false
        }
    }
}

pub(super) fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 4 + data.len()];
    ChannelData::new(channel, data).write_into_unchecked(&mut message);
    message
}

pub(super) fn carries(world: &mut World, channel: u16) -> bool {
    world.take_channel_data(&channel_data(channel, b"hello")).is_some()
}

pub(super) fn limits(world: &mut World, limits: TurnLimits) {
    world.rules.quota = Quota::new(limits);
}
