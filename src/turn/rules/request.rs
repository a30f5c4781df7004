//! What an Allocate asks for (RFC 8656, 7.2).

use stun_types::attribute::{AttributeStaticType as _, AttributeType, ErrorCode};
use stun_types::message::Message;
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken,
};

use super::answer::{RequestError, code};
use super::message::check_known;
use crate::net::Family;

/// What an Allocate asks for.
pub(super) struct AllocateRequest {
    pub(super) families: Families,
    pub(super) is_even: bool,
}

/// Of which families relays are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    /// The client says none.
    Usual,
    One(Family),
    Both,
}

/// What an Allocate may hold. DONT-FRAGMENT isn't here: this server can't set the bit, and says so (RFC 8656, 7.2).
const KNOWN: [AttributeType; 6] = [
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    AdditionalAddressFamily::TYPE,
    EvenPort::TYPE,
    ReservationToken::TYPE,
    Lifetime::TYPE,
];

impl AllocateRequest {
    /// RFC 8656, 7.2, steps 4 to 9.
    pub(super) fn read(message: &Message<'_>) -> Result<Self, RequestError> {
        check_known(message, &KNOWN)?;
        let bad = || code(ErrorCode::BAD_REQUEST);
        let transport = message.attribute::<RequestedTransport>().map_err(|_| bad())?;
        if transport.protocol() != RequestedTransport::UDP {
            return Err(code(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL));
        }
        let has = |attribute| message.has_attribute(attribute);
        let (family, additional) = (has(RequestedAddressFamily::TYPE), has(AdditionalAddressFamily::TYPE));
        let (even, reservation) = (has(EvenPort::TYPE), has(ReservationToken::TYPE));
        if (reservation && (even || family || additional)) || (additional && (family || even)) {
            return Err(bad());
        }
        // No port is ever reserved, so no token is valid; and none can be.
        if reservation || message.attribute::<EvenPort>().is_ok_and(|even| even.requested()) {
            return Err(code(ErrorCode::INSUFFICIENT_CAPACITY));
        }
        if additional
            && message
                .attribute::<AdditionalAddressFamily>()
                .map_or(true, |asked| asked.family() != AddressFamily::IPV6)
        {
            return Err(bad());
        }
        let families = match message.attribute::<RequestedAddressFamily>() {
            Ok(asked) => Families::One(family_of(asked.family())),
            Err(_) if additional => Families::Both,
            Err(_) if family => return Err(code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)),
            Err(_) => Families::Usual,
        };
        Ok(Self { families, is_even: even })
    }
}

impl From<Family> for AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::IPV4,
            Family::V6 => Self::IPV6,
        }
    }
}

/// The codec knows no other than these two.
pub(super) fn family_of(family: AddressFamily) -> Family {
    match family {
        AddressFamily::IPV4 => Family::V4,
        AddressFamily::IPV6 => Family::V6,
    }
}

#[cfg(test)]
mod tests {
    use turn_types::attribute::XorRelayedAddress;
    use turn_types::message::ALLOCATE;

    use super::super::super::fuzzing::World;
    use super::super::world::{raw, udp};
    use super::*;

    #[test]
    fn only_udp_is_relayed() {
        assert_eq!(World::new().ask(ALLOCATE, &[]).code, 400, "no transport");
        assert_eq!(World::new().ask(ALLOCATE, &[&raw(0x0019, b"")]).code, 400, "half a transport");
        for protocol in [0, 1, 6, 132, 255] {
            assert_eq!(World::new().ask(ALLOCATE, &[&RequestedTransport::new(protocol)]).code, 442, "{protocol}");
        }
    }

    #[test]
    fn where_nothing_is_said_ipv4_is_meant_or_ipv6_on_a_host_without_it() {
        let relayed = |world: &mut World| {
            let reply = world.ask(ALLOCATE, &[&udp()]);
            reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction())
        };
        assert!(relayed(&mut World::new()).is_ipv4());
        let mut world = World::new();
        world.ports.families = vec![Family::V6];
        assert!(relayed(&mut world).is_ipv6());
        world = World::new();
        world.ports.families.clear();
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 440);
    }

    #[test]
    fn an_even_port_is_given_and_none_is_reserved() {
        for _ in 0..2 {
            let mut world = World::new();
            let reply = world.ask(ALLOCATE, &[&udp(), &EvenPort::new(false)]);
            assert_eq!(reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction()).port() % 2, 0);
        }
        let token = ReservationToken::new(1);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &EvenPort::new(true)]).code, 508);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token]).code, 508);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &EvenPort::new(false)]).code, 400);
        let (v6, both) =
            (RequestedAddressFamily::new(AddressFamily::IPV6), AdditionalAddressFamily::new(AddressFamily::IPV6));
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &v6]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &both]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &v6, &both]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &EvenPort::new(true), &both]).code, 400);
    }
}
