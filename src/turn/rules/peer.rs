//! Peers of an allocation: permissions and channels (RFC 8656, 9 to 12), for addresses that the filter lets pass.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use stun_types::attribute::{Attribute as _, AttributeFromRaw as _, AttributeStaticType as _, ErrorCode};
use stun_types::message::Message;
use turn_types::attribute::{ChannelNumber, XorPeerAddress};

use super::super::routes::{NoRoute, Routes};
use super::answer::{RequestError, code, success};
use super::message::check_known;
use super::{Allocation, Relays, Rules};
use crate::net::Family;

impl Rules {
    /// RFC 8656, 10.2: all of them or none.
    pub(super) fn create_permission<R: Relays>(
        &self,
        allocation: &Allocation<R::Relay>,
        message: &Message<'_>,
        now: Instant,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        check_known(message, &[XorPeerAddress::TYPE])?;
        let mut routes = Routes::clone(&allocation.routes.load());
        if !message.has_attribute(XorPeerAddress::TYPE) {
            return Err(code(ErrorCode::BAD_REQUEST));
        }
        for (_, raw) in message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorPeerAddress::TYPE) {
            let peer = XorPeerAddress::from_raw(raw).map_err(|_| code(ErrorCode::BAD_REQUEST))?;
            let ip = peer.addr(message.transaction_id()).ip();
            check_peer(allocation, ip, self.filter.may_permit(ip) && self.is_elsewhere(ip, relays))?;
            routes.permit(ip, now).map_err(route_error)?;
        }
        allocation.routes.store(Arc::new(routes));
        Ok(success(message, &[], &allocation.key))
    }

    /// RFC 8656, 12.2.
    pub(super) fn bind_channel<R: Relays>(
        &self,
        allocation: &Allocation<R::Relay>,
        message: &Message<'_>,
        now: Instant,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        check_known(message, &[XorPeerAddress::TYPE, ChannelNumber::TYPE])?;
        let bad = |_| code(ErrorCode::BAD_REQUEST);
        let channel = message.attribute::<ChannelNumber>().map_err(bad)?.channel();
        let peer = message.attribute::<XorPeerAddress>().map_err(bad)?.addr(message.transaction_id());
        if !(0x4000..=0x7fff).contains(&channel) {
            return Err(code(ErrorCode::BAD_REQUEST));
        }
        check_peer(allocation, peer.ip(), self.filter.may_send(peer) && self.is_elsewhere(peer.ip(), relays))?;
        let mut routes = Routes::clone(&allocation.routes.load());
        routes.bind(channel, peer, now).map_err(route_error)?;
        allocation.routes.store(Arc::new(routes));
        Ok(success(message, &[], &allocation.key))
    }

    /// Whether an address that is not known to be this host's is none of it.
    fn is_elsewhere(&self, ip: IpAddr, relays: &impl Relays) -> bool {
        self.filter.unknown(ip).all(|face| !relays.is_own(face))
    }
}

fn check_peer<R>(allocation: &Allocation<R>, ip: IpAddr, is_reachable: bool) -> Result<(), RequestError> {
    if !allocation.has(Family::of(ip)) {
        Err(code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH))
    } else if is_reachable {
        Ok(())
    } else {
        Err(code(ErrorCode::FORBIDDEN))
    }
}

fn route_error(reason: NoRoute) -> RequestError {
    match reason {
        NoRoute::Full => code(ErrorCode::INSUFFICIENT_CAPACITY),
        NoRoute::Taken => code(ErrorCode::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::AttributeWrite;
    use turn_types::AddressFamily;
    use turn_types::attribute::RequestedAddressFamily;
    use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

    use super::super::super::fuzzing::World;
    use super::super::super::routes::MOST;
    use super::super::world::{PEER, allocated, bind, permit, raw, sends, udp};
    use super::*;

    #[test]
    fn an_address_that_the_system_takes_itself_is_no_peer_whatever_its_interfaces_show() {
        let mut world = allocated();
        world.ports.own = vec!["8.8.8.8".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4000, PEER)), (403, 403));
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!((permit(&mut world, "8.8.4.4:1"), bind(&mut world, 0x4001, "8.8.4.4:1")), (0, 0));
        assert_eq!(bind(&mut world, 0x4002, "192.0.2.1:50001"), 0, "a relay on an interface's address");
    }

    #[test]
    fn a_peer_of_the_other_family_is_refused() {
        let mut world = allocated();
        let peer = "[2606:4700::1]:1000";
        assert_eq!((permit(&mut world, peer), bind(&mut world, 0x4000, peer)), (443, 443));
        assert!(!sends(&mut world, peer, &[]));
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        assert_eq!(world.ask(REFRESH, &[&v6]).code, 443);
        assert_eq!(world.ask(REFRESH, &[&RequestedAddressFamily::new(AddressFamily::IPV4)]).code, 0);

        let mut world = World::new();
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 0);
        assert_eq!((permit(&mut world, peer), permit(&mut world, PEER)), (0, 443));
    }

    #[test]
    fn a_forbidden_peer_gets_neither_permission_nor_channel() {
        let mut world = allocated();
        for peer in ["10.0.0.1:1000", "127.0.0.1:1000", "169.254.169.254:80", "224.0.0.1:1000", "0.0.0.0:1000"] {
            assert_eq!((permit(&mut world, peer), bind(&mut world, 0x4000, peer)), (403, 403), "{peer}");
        }
        let mut world = World::new();
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 0);
        for ip in ["::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:808:808::f5ff:fffe", "fd00::1"]
        {
            let peer = format!("[{ip}]:1000");
            assert_eq!((permit(&mut world, &peer), bind(&mut world, 0x4000, &peer)), (403, 403), "{peer}");
        }
    }

    #[test]
    fn of_this_host_only_the_relay_ports_get_a_channel() {
        let mut world = allocated();
        assert_eq!(permit(&mut world, "192.0.2.1:22"), 0, "a permission is for all ports");
        assert!(!sends(&mut world, "192.0.2.1:22", &[]) && sends(&mut world, "192.0.2.1:50002", &[]));
        assert_eq!(bind(&mut world, 0x4000, "192.0.2.1:22"), 403);
        assert_eq!(bind(&mut world, 0x4000, "192.0.2.1:50002"), 0);
    }

    #[test]
    fn permissions_are_given_all_or_none() {
        let mut world = allocated();
        for bad in [world.peer("10.0.0.1:1000"), world.peer("[2606:4700::1]:1000")] {
            let peers: [&dyn AttributeWrite; 3] = [&world.peer(PEER), &bad, &world.peer("8.8.4.4:1")];
            let reply = world.ask(CREATE_PERMISSION, &peers);
            assert!(matches!(reply.code, 403 | 443));
            assert!(!sends(&mut world, PEER, &[]));
        }
        let malformed = raw(0x0012, &[0, 9, 0, 0, 0, 0, 0, 0]);
        assert_eq!(world.ask(CREATE_PERMISSION, &[&world.peer(PEER), &malformed]).code, 400);
        assert_eq!(world.ask(CREATE_PERMISSION, &[]).code, 400, "for no peer");
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!(world.ask(CREATE_PERMISSION, &[&world.peer(PEER), &world.peer("8.8.4.4:1")]).code, 0);
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, "8.8.4.4:1", &[]));
    }

    #[test]
    fn permissions_and_channels_are_bounded_and_the_bound_is_said() {
        let mut world = allocated();
        for last in 0..MOST {
            assert_eq!(permit(&mut world, &format!("8.8.8.{last}:1")), 0);
        }
        assert_eq!(permit(&mut world, "8.8.4.4:1"), 508);
        assert_eq!(permit(&mut world, "8.8.8.1:1"), 0, "what is there is prolonged");
    }

    #[test]
    fn a_channel_is_from_0x4000_to_0x7fff() {
        for (channel, code) in
            [(0, 400), (0x3fff, 400), (0x4000, 0), (0x4fff, 0), (0x7fff, 0), (0x8000, 400), (0xffff, 400)]
        {
            assert_eq!(bind(&mut allocated(), channel, PEER), code, "{channel:#x}");
        }
        let mut world = allocated();
        assert_eq!(world.ask(CHANNEL_BIND, &[&world.peer(PEER)]).code, 400);
        assert_eq!(world.ask(CHANNEL_BIND, &[&ChannelNumber::new(0x4000)]).code, 400);
    }
}
