//! Packets: from a client to a peer, as a Send indication or ChannelData, and from a peer to a client that has no channel
//! for it (RFC 8656, 11 and 12).

use std::net::SocketAddr;
use std::time::Instant;

use stun_types::attribute::{Attribute as _, AttributeExt as _, AttributeStaticType as _};
use stun_types::message::{Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec};
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::channel::ChannelData;

use super::answer::add;
use super::message::unknown;
use super::{Allocation, Now, Rules};
use crate::net::Family;

/// RFC 8489, 14: an attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

impl Rules {
    /// Takes a ChannelData message: the path of nearly every packet, with neither a lock nor an allocation of memory.
    pub(in crate::turn) fn take_channel_data<'a, R>(
        &self,
        allocation: &mut Allocation<R>,
        bytes: &'a [u8],
        now: Instant,
    ) -> Option<(SocketAddr, &'a [u8])> {
        let message = ChannelData::parse(bytes).ok()?;
        let (channel, length) = (message.id(), message.data().len());
        let peer = allocation.routes.load().peer(channel, now)?;
        self.may_carry(allocation, peer, length, now).then(|| (peer, &bytes[4..4 + length]))
    }

    pub(super) fn send<'a, R>(
        &self,
        allocation: &mut Allocation<R>,
        message: &Message<'_>,
        bytes: &'a [u8],
        now: Now,
    ) -> Option<(SocketAddr, &'a [u8])> {
        // RFC 8489, 6.3.2: an indication with an unknown attribute that must be understood is dropped.
        if !unknown(message, &[XorPeerAddress::TYPE, Data::TYPE]).is_empty() {
            return None;
        }
        let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
        let (offset, data) =
            message.raw_attribute_and_offset(Data::TYPE).map(|(offset, raw)| (offset, raw.length()))?;
        let data = bytes.get(offset + 4..offset + 4 + usize::from(data))?;
        let is_permitted = allocation.routes.load().permits(peer.ip(), now.instant);
        let may_carry = is_permitted && self.may_carry(allocation, peer, data.len(), now.instant);
        may_carry.then_some((peer, data))
    }

    fn may_carry<R>(&self, allocation: &mut Allocation<R>, peer: SocketAddr, length: usize, now: Instant) -> bool {
        if allocation.expires <= now || !self.filter.may_send(peer) {
            return false;
        }
        let Some(relayed) = allocation.relayed_mut(Family::of(peer.ip())) else { return false };
        self.bytes_per_second.is_none_or(|limit| relayed.bucket.spend(length, limit, now))
    }
}

/// A Data indication (RFC 8656, 11.3): what a peer without a channel said. `None` where it would be longer than its own
/// length can say: the codec would write the remainder, and a stream would be out of step from there on.
pub(in crate::turn) fn data_indication(peer: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
    let mut indication = Message::builder_indication(turn_types::message::DATA, MessageWriteVec::new());
    let transaction = indication.transaction_id();
    let peer = XorPeerAddress::new(peer, transaction);
    let length = peer.padded_len() + ATTRIBUTE_HEADER + data.len().next_multiple_of(4);
    u16::try_from(length).ok()?;
    add(&mut indication, &peer);
    add(&mut indication, &Data::new(data));
    Some(indication.finish())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stun_types::attribute::AttributeWrite;
    use stun_types::message::MessageClass;
    use turn_types::message::{ALLOCATE, SEND};

    use super::super::super::fuzzing::World;
    use super::super::super::routes::Routes;
    use super::super::world::{PEER, allocated, bind, carries, channel_data, connected, permit, raw, sends, udp};
    use super::super::{Outcome, message};
    use super::*;
    use crate::token_bucket::TokenRate;

    #[test]
    fn a_permission_is_needed_to_send_and_is_for_all_ports_of_an_address() {
        let mut world = allocated();
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!(permit(&mut world, "8.8.8.8:0"), 0);
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, "8.8.8.8:2", &[]));
        assert!(!sends(&mut world, "8.8.4.4:1000", &[]) && !sends(&mut world, "8.8.8.8:0", &[]));
        world.wait(300);
        assert!(!sends(&mut world, PEER, &[]));
    }

    #[test]
    fn a_channel_is_for_one_peer_and_can_be_prolonged() {
        let mut world = connected();
        assert_eq!(bind(&mut world, 0x4000, "8.8.8.8:1001"), 400);
        assert_eq!(bind(&mut world, 0x4001, PEER), 400);
        assert_eq!(bind(&mut world, 0x4000, PEER), 0);
        let message = channel_data(0x4000, b"hello");
        assert_eq!(world.take_channel_data(&message), Some((PEER.parse().unwrap(), &b"hello"[..])));
        assert!(sends(&mut world, PEER, &[]), "it implies the permission");
        assert!(!carries(&mut world, 0x4001));
    }

    #[test]
    fn channel_data_is_what_it_says_and_padding_is_not() {
        let mut world = connected();
        let mut padded = channel_data(0x4000, b"hello");
        padded.extend([9; 3]);
        assert_eq!(world.take_channel_data(&padded).unwrap().1, b"hello");
        assert_eq!(world.take_channel_data(&padded[..8]), None, "cut off");
        assert_eq!(world.take_channel_data(&channel_data(0x4000, b"")).unwrap().1, b"");
    }

    #[test]
    fn a_send_indication_with_an_attribute_that_must_be_understood_is_dropped() {
        let mut world = connected();
        assert!(sends(&mut world, PEER, &[&raw(0xfff0, b"")]));
        assert!(!sends(&mut world, PEER, &[&raw(0x7fff, b"")]) && !sends(&mut world, PEER, &[&raw(0x001a, b"")]));
        for attributes in [&[&Data::new(b"x") as &dyn AttributeWrite][..], &[&world.peer(PEER)]] {
            let message = world.plain(MessageClass::Indication, SEND, attributes).finish();
            assert_eq!(world.take(&message), Outcome::Drop);
        }
    }

    #[test]
    fn what_the_filter_forbids_is_not_sent_even_with_a_permission() {
        let mut world = connected();
        let allocation = world.allocation.as_ref().unwrap();
        let mut routes = Routes::clone(&allocation.routes.load());
        let (now, forbidden) = (world.now.instant, "10.0.0.1:1000".parse().unwrap());
        routes.bind(0x4001, forbidden, now).unwrap();
        allocation.routes.store(Arc::new(routes));
        assert!(!carries(&mut world, 0x4001) && !sends(&mut world, "10.0.0.1:1000", &[]));
    }

    #[test]
    fn an_allocation_carries_so_many_bytes_per_second_and_no_more() {
        let mut world = World::new();
        world.rules.bytes_per_second = Some(TokenRate::even(100.0));
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        assert_eq!(bind(&mut world, 0x4000, PEER), 0);
        let carried = |world: &mut World| (0..100).filter(|_| carries(world, 0x4000)).count();
        assert_eq!(carried(&mut world), 20, "of five bytes each");
        assert!(!sends(&mut world, PEER, &[]), "both ways of sending count");
        world.wait(1);
        assert_eq!(carried(&mut world), 20);
        world.wait(60);
        assert_eq!(carried(&mut world), 20, "what wasn't used is not saved up");
    }

    #[test]
    fn a_data_indication_is_as_long_as_it_says_or_is_not_made() {
        for (peer, most) in [("8.8.8.8:1000", 65516), ("[2606:4700::1]:1000", 65504)] {
            let peer = peer.parse().unwrap();
            for length in [0, 1, 1200, most - 1, most] {
                let bytes = data_indication(peer, &vec![7; length]).unwrap();
                assert_eq!(message::read(&bytes).unwrap().attribute::<Data>().unwrap().data(), vec![7; length]);
            }
            for length in [most + 1, 65520, 65527] {
                assert_eq!(data_indication(peer, &vec![7; length]), None, "{length}");
            }
        }
    }
}
