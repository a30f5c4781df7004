//! A client's allocation: made, refreshed and ended (RFC 8656, 7 and 8).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use stun_types::attribute::{AttributeStaticType as _, AttributeWrite, ErrorCode};
use stun_types::message::{IntegrityKey, Message, TransactionId};
use turn_types::attribute::{AddressErrorCode, Lifetime, RequestedAddressFamily, XorRelayedAddress};

use super::super::quota::AllocationPermit;
use super::super::routes::Routes;
use super::answer::{RequestError, code, error_code, mapped, success};
use super::message::check_known;
use super::request::{AllocateRequest, Families, family_of};
use super::user::User;
use super::{Now, Relays, Rules};
use crate::net::Family;
use crate::token_bucket::{TokenBucket, TokenRate};

/// RFC 8656, 7.2: at least ten minutes, and the most that it recommends.
const LIFETIMES: (Duration, Duration) = (Duration::from_mins(10), Duration::from_hours(1));

/// An allocation's age at most, however often it is refreshed: credentials are short-lived, and a call of a day isn't.
const AGE: Duration = Duration::from_hours(24);

/// A client's allocation. Dropping it ends it.
pub(in crate::turn) struct Allocation<R> {
    pub(in crate::turn) first: Relayed<R>,
    /// Of the other family, for a client that asked for both (RFC 8656, 7.2).
    pub(in crate::turn) second: Option<Relayed<R>>,
    /// The family that could not be had, for a client that asked for both, and why.
    missing: Option<(Family, u16)>,
    pub(super) user: Box<str>,
    pub(in crate::turn) key: IntegrityKey,
    /// Of the request that made it: a retransmission gets the same answer.
    transaction: TransactionId,
    pub(in crate::turn) routes: Arc<ArcSwap<Routes>>,
    born: Instant,
    pub(in crate::turn) expires: Instant,
}

/// An open relay of an allocation. Dropping it closes it.
pub(in crate::turn) struct Relayed<R> {
    pub(in crate::turn) relay: R,
    advertised: SocketAddr,
    pub(super) bucket: TokenBucket,
    _permit: AllocationPermit,
}

impl Rules {
    /// RFC 8656, 7.2, in its order.
    pub(super) fn allocate<R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        user: User,
        client: SocketAddr,
        message: &Message<'_>,
        now: Now,
        relays: &mut R,
    ) -> Result<Vec<u8>, RequestError> {
        if let Some(allocation) = current {
            let is_retransmitted = allocation.transaction == message.transaction_id();
            allocation.check_owner(&user)?;
            return if is_retransmitted {
                Ok(allocation.describe(message, client, now.instant))
            } else {
                Err(code(ErrorCode::ALLOCATION_MISMATCH))
            };
        }
        let asked = AllocateRequest::read(message)?;
        let routes = Arc::default();
        let mut open = |family| self.open(&user, client, family, asked.is_even, &routes, now, relays);
        let (first, second, missing) = match asked.families {
            Families::Usual => (open(None)?, None, None),
            Families::One(family) => (open(Some(family))?, None, None),
            Families::Both => match (open(Some(Family::V4)), open(Some(Family::V6))) {
                (Ok(first), Ok(second)) => (first, Some(second), None),
                (Ok(first), Err(error)) => (first, None, Some(error.family_error(Family::V6))),
                (Err(error), Ok(first)) => (first, None, Some(error.family_error(Family::V4))),
                (Err(error), Err(_)) => return Err(error),
            },
        };
        let allocation = current.insert(Allocation {
            first,
            second,
            missing,
            user: user.name,
            key: user.key,
            transaction: message.transaction_id(),
            routes,
            born: now.instant,
            expires: now.instant + lifetime(message),
        });
        Ok(allocation.describe(message, client, now.instant))
    }

    /// One relay, of the usual family if none is said.
    #[expect(clippy::too_many_arguments, reason = "what a relay depends on, of a request and of its allocation")]
    fn open<R: Relays>(
        &self,
        user: &User,
        client: SocketAddr,
        family: Option<Family>,
        is_even: bool,
        routes: &Arc<ArcSwap<Routes>>,
        now: Now,
        relays: &mut R,
    ) -> Result<Relayed<R::Relay>, RequestError> {
        let family = family.unwrap_or_else(|| relays.usual());
        if !relays.has(family) {
            return Err(code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED));
        }
        let permit = self.quota.take(&user.name, client.ip()).ok_or(code(ErrorCode::ALLOCATION_QUOTA_REACHED))?;
        let (relay, advertised) = relays.open(family, is_even, routes).ok_or(code(ErrorCode::INSUFFICIENT_CAPACITY))?;
        let bucket = TokenBucket::new(self.bytes_per_second.unwrap_or(TokenRate::even(0.0)), now.instant);
        Ok(Relayed { relay, advertised, bucket, _permit: permit })
    }
}

impl<R> Allocation<R> {
    /// RFC 8656, 5: only who made it may change it.
    pub(super) fn check_owner(&self, user: &User) -> Result<(), RequestError> {
        if self.user == user.name { Ok(()) } else { Err(code(ErrorCode::WRONG_CREDENTIALS)) }
    }

    /// All of its relays.
    pub(in crate::turn) fn relays(&self) -> impl Iterator<Item = &Relayed<R>> {
        [&self.first].into_iter().chain(&self.second)
    }

    pub(super) fn relayed_mut(&mut self, family: Family) -> Option<&mut Relayed<R>> {
        [&mut self.first].into_iter().chain(&mut self.second).find(|relayed| relayed.family() == family)
    }

    pub(super) fn has(&self, family: Family) -> bool {
        self.relays().any(|relayed| relayed.family() == family)
    }

    /// The relay by which this peer is reached.
    pub(in crate::turn) fn relay_to(&self, peer: SocketAddr) -> Option<&R> {
        let of_family = |relayed: &&Relayed<R>| relayed.family() == Family::of(peer.ip());
        self.relays().find(of_family).map(|relayed| &relayed.relay)
    }

    /// Closes the relay of the family, if there is another one.
    fn close(&mut self, family: Family) {
        let Some(second) = self.second.take() else { return };
        if second.family() != family {
            self.first = second;
        }
    }

    /// The answer to an Allocate.
    fn describe(&self, message: &Message<'_>, client: SocketAddr, now: Instant) -> Vec<u8> {
        let transaction = message.transaction_id();
        let address = |relayed: &Relayed<R>| XorRelayedAddress::new(relayed.advertised, transaction);
        let mut attributes: Vec<Box<dyn AttributeWrite>> =
            self.relays().map(|relayed| Box::new(address(relayed)) as Box<dyn AttributeWrite>).collect();
        attributes.push(Box::new(Lifetime::new(seconds(self.expires - now))));
        attributes.push(Box::new(mapped(message, client)));
        if let Some((family, reason)) = self.missing {
            // RFC 8656, 7.2: of two families, that which can't be had is named.
            attributes.push(Box::new(AddressErrorCode::new(family.into(), error_code(reason))));
        }
        let attributes: Vec<&dyn AttributeWrite> = attributes.iter().map(AsRef::as_ref).collect();
        success(message, &attributes, &self.key)
    }
}

impl<R> Relayed<R> {
    fn family(&self) -> Family {
        Family::of(self.advertised.ip())
    }
}

/// RFC 8656, 8.2.
pub(super) fn refresh<R>(
    current: &mut Option<Allocation<R>>,
    message: &Message<'_>,
    now: Instant,
) -> Result<Vec<u8>, RequestError> {
    check_known(message, &[Lifetime::TYPE, RequestedAddressFamily::TYPE])?;
    let allocation = current.as_mut().ok_or(code(ErrorCode::ALLOCATION_MISMATCH))?;
    let family = message.attribute::<RequestedAddressFamily>().ok().map(|asked| family_of(asked.family()));
    if family.is_some_and(|family| !allocation.has(family)) {
        return Err(code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH));
    }
    let is_over = message.attribute::<Lifetime>().is_ok_and(|lifetime| lifetime.seconds() == 0);
    if let Some(family) = family.filter(|_| is_over && allocation.second.is_some()) {
        // Of two relays, the client needs one no more.
        allocation.close(family);
        return Ok(success(message, &[&Lifetime::new(0)], &allocation.key));
    }
    let until = (now + lifetime(message)).min(allocation.born + AGE);
    let left = if is_over { Duration::ZERO } else { until.saturating_duration_since(now) };
    let answer = success(message, &[&Lifetime::new(seconds(left))], &allocation.key);
    allocation.expires = now + left;
    if left.is_zero() {
        *current = None;
    }
    Ok(answer)
}

fn lifetime(message: &Message<'_>) -> Duration {
    let asked =
        message.attribute::<Lifetime>().map_or(LIFETIMES.0, |asked| Duration::from_secs(asked.seconds().into()));
    asked.clamp(LIFETIMES.0, LIFETIMES.1)
}

fn seconds(duration: Duration) -> u32 {
    duration.as_secs().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::{Attribute as _, AttributeFromRaw as _, XorMappedAddress};
    use turn_types::AddressFamily;
    use turn_types::attribute::AdditionalAddressFamily;
    use turn_types::message::{ALLOCATE, REFRESH};

    use super::super::super::TurnLimits;
    use super::super::super::fuzzing::{START, World};
    use super::super::world::{
        NO_LIMITS, ONE, PEER, PEER_V6, allocated, bind, carries, connected, limits, of_both_families, permit, raw,
        seconds_of, sends, udp,
    };
    use super::*;

    #[test]
    fn an_allocation_tells_its_addresses_and_its_lifetime() {
        let mut world = World::new();
        let reply = world.ask(ALLOCATE, &[&udp()]);
        let relayed = reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction());
        assert_eq!(relayed, "192.0.2.1:50001".parse().unwrap());
        assert_eq!(reply.attribute::<XorMappedAddress>().unwrap().addr(reply.transaction()), world.client);
        assert_eq!((seconds_of(&reply), world.ports.open()), (600, 1));
    }

    #[test]
    fn a_second_allocation_is_a_mismatch_and_a_retransmission_is_not() {
        let mut world = World::new();
        let request = world.signed(ALLOCATE, &[&udp()]);
        let first = world.hand_in(&request);
        assert_eq!(world.hand_in(&request).bytes(), first.bytes(), "the same success");
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 437);
        assert_eq!(world.ports.open(), 1);
    }

    #[test]
    fn a_family_that_the_host_does_not_have_is_refused() {
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        let mut world = World::new();
        let reply = world.ask(ALLOCATE, &[&udp(), &v6]);
        assert!(reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction()).is_ipv6());

        let mut world = World::new();
        world.ports.families = vec![Family::V4];
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 440);
        assert_eq!(
            world.ask(ALLOCATE, &[&udp(), &raw(0x0017, &[3, 0, 0, 0])]).code,
            440,
            "a family that does not exist"
        );
        let v4 = RequestedAddressFamily::new(AddressFamily::IPV4);
        world.ports.families = vec![Family::V6];
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v4]).code, 440);
    }

    #[test]
    fn of_two_families_one_is_given_and_the_other_told_to_be_missing() {
        let both = AdditionalAddressFamily::new(AddressFamily::IPV6);
        for (family, missing) in [(Family::V4, AddressFamily::IPV6), (Family::V6, AddressFamily::IPV4)] {
            let mut world = World::new();
            world.ports.families = vec![family];
            let request = world.signed(ALLOCATE, &[&udp(), &both]);
            let reply = world.hand_in(&request);
            let error = reply.attribute::<AddressErrorCode>().unwrap();
            assert_eq!((reply.code, error.family(), error.error().code()), (0, missing, 440));
            let relayed = reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction());
            assert_eq!((Family::of(relayed.ip()), world.ports.open()), (family, 1));
            assert_eq!(world.hand_in(&request).bytes(), reply.bytes(), "the same again");
        }
        let mut world = World::new();
        limits(&mut world, TurnLimits { allocations: ONE, ..NO_LIMITS });
        let reply = world.ask(ALLOCATE, &[&udp(), &both]);
        let error = reply.attribute::<AddressErrorCode>().unwrap();
        assert_eq!((reply.code, error.family(), error.error().code()), (0, AddressFamily::IPV6, 508), "over the quota");
        world = World::new();
        world.ports.families.clear();
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &both]).code, 440);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &raw(0x8000, &[1, 0, 0, 0])]).code, 400, "IPv4 is no addition");
    }

    #[test]
    fn of_two_families_both_are_given_and_peers_of_both_reached() {
        let (mut world, reply) = of_both_families();
        let message = Message::from_bytes(reply.bytes()).unwrap();
        let addresses = message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorRelayedAddress::TYPE);
        let addresses = addresses.map(|(_, raw)| XorRelayedAddress::from_raw(raw).unwrap().addr(reply.transaction()));
        assert_eq!(addresses.map(|relayed| Family::of(relayed.ip())).collect::<Vec<_>>(), Family::ALL);
        assert!(!message.has_attribute(AddressErrorCode::TYPE));
        assert_eq!((world.ports.open(), world.rules.quota.allocations()), (2, 2), "each counts");
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4001, PEER_V6)), (0, 0));
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, PEER_V6, &[]) && carries(&mut world, 0x4001));
        let allocation = world.allocation.as_ref().unwrap();
        assert!(
            allocation.relay_to(PEER.parse().unwrap()).is_some()
                && allocation.relay_to(PEER_V6.parse().unwrap()).is_some()
        );
        assert_eq!(
            (world.ask(REFRESH, &[&Lifetime::new(0)]).code, world.ports.open()),
            (0, 0),
            "and they end together"
        );
    }

    #[test]
    fn of_two_relays_either_can_be_ended_alone() {
        for (ended, peer, other) in [(AddressFamily::IPV4, PEER, PEER_V6), (AddressFamily::IPV6, PEER_V6, PEER)] {
            let (mut world, _) = of_both_families();
            assert_eq!((permit(&mut world, peer), permit(&mut world, other)), (0, 0));
            let family = RequestedAddressFamily::new(ended);
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&family, &Lifetime::new(700)])), 700, "for both");
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&family, &Lifetime::new(0)])), 0);
            assert_eq!((world.ports.open(), world.rules.quota.allocations()), (1, 1));
            assert!(sends(&mut world, other, &[]) && !sends(&mut world, peer, &[]));
            assert_eq!(permit(&mut world, peer), 443);
            assert_eq!(world.ask(REFRESH, &[&family]).code, 443);
            assert_eq!((world.ask(REFRESH, &[&Lifetime::new(0)]).code, world.ports.open()), (0, 0));
        }
    }

    #[test]
    fn a_quota_that_is_used_up_is_said() {
        for limit in [
            TurnLimits { allocations: ONE, ..NO_LIMITS },
            TurnLimits { allocations_per_user: ONE, ..NO_LIMITS },
            TurnLimits { allocations_per_address: ONE, ..NO_LIMITS },
        ] {
            let mut world = World::new();
            limits(&mut world, limit);
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
            let first = world.allocation.take();
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 486);
            assert_eq!(world.ports.open(), 1, "no port is opened for it");
            drop(first);
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "once the first is gone");
        }
    }

    #[test]
    fn no_port_is_said() {
        let mut world = World::new();
        world.ports.is_full = true;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 508);
        assert_eq!(world.rules.quota.allocations(), 0, "and takes nothing of the quota");
    }

    #[test]
    fn lifetimes_are_clamped() {
        for (asked, given) in [(0, 600), (1, 600), (599, 600), (601, 601), (3600, 3600), (3601, 3600), (u32::MAX, 3600)]
        {
            let mut world = World::new();
            assert_eq!(seconds_of(&world.ask(ALLOCATE, &[&udp(), &Lifetime::new(asked)])), given, "{asked}");
            let expected = if asked == 0 { 0 } else { given };
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&Lifetime::new(asked)])), expected, "{asked}");
        }
    }

    #[test]
    fn an_allocation_ends_with_its_lifetime() {
        let mut world = connected();
        world.wait(299);
        assert_eq!(permit(&mut world, PEER), 0);
        world.wait(299);
        assert_eq!(permit(&mut world, PEER), 0);
        world.wait(1);
        assert!(carries(&mut world, 0x4000) && sends(&mut world, PEER, &[]));
        world.wait(1);
        assert!(!carries(&mut world, 0x4000) && !sends(&mut world, PEER, &[]));
        world.nonce = world.rules.nonces.make(world.client, world.now.wall);
        assert_eq!(world.ask(REFRESH, &[]).code, 437);
        assert_eq!(world.ports.open(), 0);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "and another may follow");
    }

    #[test]
    fn a_refresh_to_zero_ends_it() {
        let mut world = connected();
        assert_eq!(world.ask(REFRESH, &[&Lifetime::new(0)]).code, 0);
        assert_eq!((world.ports.open(), world.rules.quota.allocations()), (0, 0));
        assert!(!carries(&mut world, 0x4000));
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        assert!(!carries(&mut world, 0x4000), "nothing is left of the one before");
    }

    #[test]
    fn a_refresh_keeps_a_call_alive_after_its_credential_has_expired() {
        let mut world = allocated();
        for _ in 0..10 {
            world.wait(590);
            world.nonce = world.rules.nonces.make(world.client, world.now.wall);
            assert_eq!((world.ask(REFRESH, &[]).code, permit(&mut world, PEER)), (0, 0));
        }
        assert!(world.now.wall > START + 3600);
        world.allocation = None;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401);
    }

    #[test]
    fn no_allocation_is_older_than_a_day() {
        let mut world = allocated();
        let mut age = 0;
        while age <= AGE.as_secs() {
            let reply = world.ask(REFRESH, &[&Lifetime::new(3600)]);
            if reply.code != 0 {
                assert_eq!(reply.code, 401, "another one would need another credential");
                break;
            }
            let step = u64::from(seconds_of(&reply)).min(500);
            world.wait(step);
            age += step;
            world.nonce = world.rules.nonces.make(world.client, world.now.wall);
        }
        assert_eq!(age, AGE.as_secs());
    }
}
