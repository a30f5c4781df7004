//! Which peers a relay may reach. Pure, but for the host's addresses, which come and go.
//!
//! A TURN server sends what strangers tell it to, from inside the operator's network. So everything that isn't the
//! public internet is refused unless the operator allows it, in each disguise that IPv6 has for an IPv4 address
//! (CVE-2020-26262, CVE-2026-27624), and so is this host itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::net::{Cidr, is_special};

/// Decides about peers.
#[derive(Debug)]
pub(super) struct PeerFilter {
    allowed: Vec<Cidr>,
    /// Sorted. Replaced when the host's addresses change, and read for every packet.
    own: ArcSwap<Vec<IpAddr>>,
    relay_ports: RangeInclusive<u16>,
}

impl PeerFilter {
    /// `own`: every address of this host, and those by which others see it. Two peers that both relay through us meet
    /// at one of them, inside `relay_ports`: those are the only ports of ours that a relay may reach.
    pub(super) fn new(allowed: Vec<Cidr>, own: Vec<IpAddr>, relay_ports: RangeInclusive<u16>) -> Self {
        let filter = Self { allowed, own: ArcSwap::default(), relay_ports };
        filter.follow(own);
        filter
    }

    /// The host's addresses have become these, and what is not among them is not the host's any more.
    pub(super) fn follow(&self, mut own: Vec<IpAddr>) {
        own.sort_unstable();
        self.own.store(Arc::new(own));
    }

    /// Whether permissions may be given for this address at all.
    pub(super) fn may_permit(&self, ip: IpAddr) -> bool {
        faces(ip).all(|face| self.is_own(face) || self.is_reachable(face))
    }

    /// Whether a datagram may be sent there.
    pub(super) fn may_send(&self, peer: SocketAddr) -> bool {
        let is_relay = self.relay_ports.contains(&peer.port());
        faces(peer.ip())
            .all(|face| if self.is_own(face) { is_relay || self.is_allowed(face) } else { self.is_reachable(face) })
            && peer.port() != 0
    }

    /// Loopback isn't: no peer elsewhere has its relay there, but many a service of this host listens there alone.
    fn is_own(&self, ip: IpAddr) -> bool {
        !ip.is_loopback() && self.own.load().binary_search(&ip).is_ok()
    }

    /// Whether peers at this address may be reached, if it isn't the host's own.
    pub(super) fn is_reachable(&self, ip: IpAddr) -> bool {
        self.is_allowed(ip) || !is_special(ip)
    }

    /// Of an address, what neither the interfaces nor the operator know. It must not be this host's: a route alone can make
    /// an address its own (anycast), and no relay is there.
    pub(super) fn unknown(&self, ip: IpAddr) -> impl Iterator<Item = IpAddr> {
        faces(ip).filter(|face| !self.is_own(*face) && !self.is_allowed(*face))
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        self.allowed.iter().any(|block| block.contains(ip))
    }
}

/// An address, or the IPv4 addresses that it stands for. A mapped address is its IPv4 address; a tunnelled or
/// translated one may reach both ends, so both have to be allowed.
fn faces(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let ip = ip.to_canonical();
    let [inner, outer] = match ip {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => embedded(address),
    };
    // Where there is an address within, the blocks of the disguise itself say nothing.
    let visible = if inner.is_none() { Some(ip) } else { None };
    [visible, inner.map(IpAddr::V4), outer.map(IpAddr::V4)].into_iter().flatten()
}

/// The IPv4 addresses inside NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380: server, and client inverted).
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => [v4(high, low), None],
        [0x2001, 0, high, low, _, _, client_high, client_low] => [v4(!client_high, !client_low), v4(high, low)],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allowed: &[&str], own: &[&str]) -> PeerFilter {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        PeerFilter::new(allowed, own.iter().map(|text| text.parse().unwrap()).collect(), 50000..=50100)
    }

    fn sends(filter: &PeerFilter, peer: &str) -> bool {
        let peer: SocketAddr = peer.parse().unwrap();
        filter.may_permit(peer.ip()) && filter.may_send(peer)
    }

    #[test]
    fn the_public_internet_is_reachable() {
        let filter = filter(&[], &[]);
        for peer in [
            "8.8.8.8:1",
            "[2606:4700::1111]:1",
            "[64:ff9b::808:808]:1",
            "[2002:808:808::1]:1",
            "172.32.0.1:1",
            "100.128.0.1:9",
        ] {
            assert!(sends(&filter, peer), "{peer}");
        }
    }

    #[test]
    fn relay_to_private_addresses_is_refused_by_default() {
        let filter = filter(&[], &[]);
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            let v4: Ipv4Addr = ip.parse().unwrap();
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for disguise in [
                IpAddr::V4(v4),
                v4.to_ipv6_mapped().into(),
                v4.to_ipv6_compatible().into(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into(),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1).into(),
                Ipv6Addr::new(0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low).into(),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !0x0808, !0x0808).into(),
            ] {
                assert!(!sends(&filter, &SocketAddr::new(disguise, 1000).to_string()), "{disguise}");
            }
        }
        for ip in [
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "64:ff9b:1::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!sends(&filter, &format!("[{ip}]:1000")), "{ip}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_reachable_in_every_disguise() {
        let filter = filter(&["127.0.0.0/8", "fd00::/8"], &[]);
        for peer in ["127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[fd12::1]:1"] {
            assert!(sends(&filter, peer), "{peer}");
        }
        assert!(!sends(&filter, "10.0.0.1:1"));
    }

    #[test]
    fn of_this_host_only_the_relay_ports_are_reachable() {
        let filter = filter(&[], &["8.8.4.4", "192.168.1.20"]);
        assert!(sends(&filter, "8.8.4.4:50000") && sends(&filter, "192.168.1.20:50100"));
        assert!(
            !sends(&filter, "8.8.4.4:22")
                && !sends(&filter, "[::ffff:8.8.4.4]:49999")
                && !sends(&filter, "192.168.1.20:443")
        );
        assert!(!sends(&filter, "192.168.1.21:50000"));
    }

    #[test]
    fn loopback_is_unreachable_although_it_is_this_host() {
        for ip in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(!sends(&filter(&[], &["127.0.0.1", "::1"]), &format!("{ip}:50000")), "{ip}");
            assert!(sends(&filter(&["127.0.0.0/8", "::1"], &["127.0.0.1", "::1"]), &format!("{ip}:1")), "{ip}");
        }
    }

    #[test]
    fn an_address_that_comes_later_is_the_hosts_own_and_one_that_has_gone_is_not() {
        let filter = filter(&[], &["8.8.4.4"]);
        assert!(sends(&filter, "8.8.4.5:53") && !sends(&filter, "8.8.4.4:53"));
        filter.follow(vec!["192.168.1.20".parse().unwrap(), "8.8.4.5".parse().unwrap()]);
        assert!(!sends(&filter, "8.8.4.5:53") && !sends(&filter, "192.168.1.20:53"));
        assert!(sends(&filter, "8.8.4.5:50000") && sends(&filter, "192.168.1.20:50000"));
        assert!(sends(&filter, "8.8.4.4:53"));
        filter.follow(Vec::new());
        assert!(sends(&filter, "8.8.4.5:53") && !sends(&filter, "192.168.1.20:50000"));
    }

    #[test]
    fn what_neither_interfaces_nor_the_operator_know_is_asked_for_in_every_disguise() {
        let filter = filter(&["9.9.9.9"], &["8.8.4.4"]);
        let unknown = |ip: &str| filter.unknown(ip.parse().unwrap()).map(|ip| ip.to_string()).collect::<Vec<_>>();
        for ip in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"] {
            assert_eq!(unknown(ip), ["8.8.8.8"], "{ip}");
        }
        assert!(unknown("9.9.9.9").is_empty() && unknown("8.8.4.4").is_empty());
    }

    #[test]
    fn port_zero_is_no_peer() {
        assert!(!sends(&filter(&["0.0.0.0/0"], &[]), "8.8.8.8:0"));
    }
}
