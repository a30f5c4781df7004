//! On which of this host's addresses a relay is opened. Pure.

use std::net::{IpAddr, Ipv4Addr};

use super::advertised::Advertised;
use super::filter::PeerFilter;
use crate::net::{self, Family, Host};

/// What decides.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    /// Where the operator wants relays.
    pub(super) fixed: &'a [IpAddr],
    pub(super) advertised: &'a Advertised,
    pub(super) filter: &'a PeerFilter,
    pub(super) host: &'a Host,
}

impl Choice<'_> {
    /// The address for a relay of the family, for a client that came by the address `arrived`: that one, if peers can be
    /// reached from it; else the one from which packets go to the internet.
    pub(super) fn address(&self, arrived: IpAddr, family: Family) -> Option<IpAddr> {
        let fits = |ip: &IpAddr| Family::of(*ip) == family;
        let arrived_here = Some(arrived).filter(|ip| fits(ip) && self.is_ours(*ip));
        let fixed = || self.fixed.iter().copied().filter(fits);
        if fixed().next().is_some() {
            let is_here = |ip: &IpAddr| self.host.has(*ip) || ip.is_loopback();
            return fixed().find(|ip| *ip == arrived).or_else(|| fixed().find(is_here));
        }
        let outward = self.host.outward(family);
        if self.advertised.is_for_all(family) {
            return outward.or(arrived_here);
        }
        let near = arrived_here.filter(|ip| self.reaches_peers(*ip));
        near.or(outward).or(arrived_here).or_else(|| self.loopback(arrived, family))
    }

    /// The family of a relay where the client says none: IPv4 (RFC 8656, 7.2), or IPv6 where peers can reach a relay by
    /// that alone, or none leads out but that. Browsers never say one, so they would have a relay of no use, or none.
    pub(super) fn usual_family(&self, arrived: IpAddr) -> Family {
        let is_found = |family: &Family| self.address(arrived, *family).is_some_and(|ip| self.is_found(ip));
        let leads_out = |family: &Family| {
            self.address(arrived, *family).is_some_and(|ip| !ip.is_loopback() || self.reaches_peers(ip))
        };
        let found = Family::ALL.into_iter().find(is_found);
        found.or_else(|| Family::ALL.into_iter().find(leads_out)).unwrap_or(Family::V4)
    }

    /// Where relays of the family are, and by which address they are advertised, as far as that is known before one comes.
    pub(super) fn describe(&self, family: Family) -> String {
        match self.address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), family).map(|ip| (ip, self.advertised.of(ip))) {
            Some((local, advertised)) if local == advertised => format!("{family} on {local}"),
            Some((local, advertised)) => format!("{family} on {local}, advertised as {advertised}"),
            None if self.fixed.iter().any(|ip| Family::of(*ip) == family) => {
                format!("no {family} (this host has no address of --turn-relay-address)")
            }
            None if self.comes_by_one(family) => format!("{family} on the address that a client comes by"),
            None => format!("no {family} (no address of this host leads out by it)"),
        }
    }

    /// Whether clients from elsewhere have a relay of the family where they come.
    fn comes_by_one(&self, family: Family) -> bool {
        let mut reached = self.host.addresses().iter().filter(|ip| !ip.is_loopback());
        reached.any(|ip| self.address(*ip, family).is_some())
    }

    /// Whether peers find a relay at this address: by another one, if the operator says so.
    fn is_found(&self, ip: IpAddr) -> bool {
        self.advertised.of(ip) != ip || self.filter.is_reachable(ip)
    }

    /// Whether those whom relays may reach are where this address is.
    fn reaches_peers(&self, ip: IpAddr) -> bool {
        self.advertised.names(ip) || self.filter.is_reachable(ip)
    }

    /// A proxy may say by which of its own addresses a client came. All of 127.0.0.0/8 is ours. A link-local address
    /// would need a scope.
    fn is_ours(&self, ip: IpAddr) -> bool {
        (self.host.has(ip) || ip.is_loopback()) && !(ip.is_ipv6() && net::is_link_local(&ip))
    }

    /// The way of a client that came by loopback to peers there, on a host without a network.
    fn loopback(&self, arrived: IpAddr, family: Family) -> Option<IpAddr> {
        let is_loopback = |ip: &&IpAddr| ip.is_loopback() && Family::of(**ip) == family;
        if arrived.is_loopback() { self.host.addresses().iter().find(is_loopback).copied() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What is configured, and the host.
    #[derive(Clone, Copy, Default)]
    struct Case<'a> {
        fixed: &'a [&'a str],
        external: &'a [&'a str],
        allowed: &'a [&'a str],
        own: &'a [&'a str],
        outward: &'a [&'a str],
    }

    impl Case<'_> {
        fn with<T>(&self, ask: impl FnOnce(Choice<'_>) -> T) -> T {
            let ips = |texts: &[&str]| texts.iter().map(|text| ip(text)).collect::<Vec<_>>();
            let host = Host::new(ips(self.own), ips(self.outward));
            let allowed = self.allowed.iter().map(|text| text.parse().unwrap()).collect();
            let filter = PeerFilter::new(allowed, host.addresses().to_vec(), 50000..=50100);
            let external = self.external.iter().map(|text| text.parse().unwrap()).collect();
            let advertised = Advertised::new(external, 50000..=50100);
            ask(Choice { fixed: &ips(self.fixed), advertised: &advertised, filter: &filter, host: &host })
        }

        fn address(&self, arrived: &str, family: Family) -> Option<String> {
            self.with(|choice| choice.address(ip(arrived), family)).map(|ip| ip.to_string())
        }

        fn usual(&self, arrived: &str) -> Family {
            self.with(|choice| choice.usual_family(ip(arrived)))
        }
    }

    /// A cloud's machine: a bridge for containers beside the interface that leads out, and lower in order.
    const CLOUD: Case<'_> = Case {
        own: &["127.0.0.1", "::1", "10.0.0.1", "10.128.0.5", "fe80::1"],
        outward: &["10.128.0.5"],
        fixed: &[],
        external: &[],
        allowed: &[],
    };

    #[test]
    fn a_relay_is_where_the_client_came_if_peers_are_there() {
        let public = ["127.0.0.1", "8.8.4.4", "8.8.4.5", "2606:4700::1"];
        let case = Case { own: &public, outward: &["8.8.4.4", "2606:4700::1"], ..Case::default() };
        assert_eq!(case.address("8.8.4.5", Family::V4).as_deref(), Some("8.8.4.5"));
        assert_eq!(case.address("8.8.4.5", Family::V6).as_deref(), Some("2606:4700::1"));
        let vpn = Case { allowed: &["10.0.0.0/24"], ..CLOUD };
        assert_eq!(vpn.address("10.0.0.1", Family::V4).as_deref(), Some("10.0.0.1"), "the operator says so");
    }

    #[test]
    fn else_it_is_where_packets_go_to_the_internet_and_never_the_first_of_a_list() {
        for arrived in ["127.0.0.1", "10.0.0.1", "10.128.0.5", "::1", "8.8.8.8"] {
            assert_eq!(CLOUD.address(arrived, Family::V4).as_deref(), Some("10.128.0.5"), "{arrived}");
            assert_eq!(CLOUD.usual(arrived), Family::V4);
        }
        assert_eq!(CLOUD.address("10.128.0.5", Family::V6), None);
        let behind_nat = Case { external: &["198.51.100.1"], allowed: &["10.0.0.0/24"], ..CLOUD };
        assert_eq!(behind_nat.address("10.0.0.1", Family::V4).as_deref(), Some("10.128.0.5"), "of all relays");
    }

    #[test]
    fn an_address_that_has_an_external_one_is_where_peers_are() {
        let pairs = ["198.51.100.1/10.128.0.5", "198.51.100.2/10.0.0.1"];
        let case = Case { external: &pairs, ..CLOUD };
        assert_eq!(case.address("10.0.0.1", Family::V4).as_deref(), Some("10.0.0.1"));
        assert_eq!(case.address("127.0.0.1", Family::V4).as_deref(), Some("10.128.0.5"));
    }

    #[test]
    fn the_operators_word_is_the_last() {
        let case = Case { fixed: &["10.0.0.1", "10.0.0.9"], ..CLOUD };
        assert_eq!(case.address("10.128.0.5", Family::V4).as_deref(), Some("10.0.0.1"));
        assert_eq!(case.address("10.0.0.9", Family::V4).as_deref(), Some("10.0.0.9"), "of several, the one it came by");
        assert_eq!(case.address("10.128.0.5", Family::V6), None, "of the other family there is none");
    }

    #[test]
    fn loopback_is_for_peers_there_or_where_there_is_no_network() {
        let allowed = Case { allowed: &["127.0.0.0/8"], ..CLOUD };
        assert_eq!(allowed.address("127.0.0.9", Family::V4).as_deref(), Some("127.0.0.9"));
        let alone = Case { own: &["127.0.0.1", "::1"], ..Case::default() };
        assert_eq!(alone.address("127.0.0.9", Family::V4).as_deref(), Some("127.0.0.9"));
        assert_eq!(alone.address("127.0.0.9", Family::V6).as_deref(), Some("::1"));
        assert_eq!((alone.usual("127.0.0.9"), alone.usual("::1")), (Family::V4, Family::V4));
        assert_eq!(alone.address("8.8.4.4", Family::V4), None);
    }

    #[test]
    fn where_there_is_no_ipv4_the_usual_family_is_ipv6() {
        let own = ["127.0.0.1", "::1", "172.17.0.1", "2606:4700::1"];
        let case = Case { own: &own, outward: &["2606:4700::1"], ..Case::default() };
        for arrived in ["2606:4700::1", "::1", "127.0.0.1", "172.17.0.1"] {
            assert_eq!(case.usual(arrived), Family::V6, "{arrived}");
        }
        let allowed = Case { allowed: &["172.16.0.0/12"], ..case };
        assert_eq!(allowed.usual("172.17.0.1"), Family::V4, "where a client came by IPv4 to peers that may be reached");
    }

    #[test]
    fn where_no_peer_finds_a_relay_by_ipv4_the_usual_family_is_ipv6() {
        let own = ["127.0.0.1", "10.128.0.5", "2606:4700::1"];
        let case = Case { own: &own, outward: &["10.128.0.5", "2606:4700::1"], ..Case::default() };
        for arrived in ["10.128.0.5", "2606:4700::1", "127.0.0.1"] {
            assert_eq!(case.usual(arrived), Family::V6, "{arrived}");
            let behind_nat = Case { external: &["198.51.100.1"], ..case };
            assert_eq!(behind_nat.usual(arrived), Family::V4, "{arrived}");
        }
    }

    #[test]
    fn of_the_operators_addresses_the_first_that_this_host_has_is_taken() {
        let case = Case { fixed: &["10.0.0.9", "10.128.0.5", "10.0.0.1"], ..CLOUD };
        assert_eq!(case.address("8.8.8.8", Family::V4).as_deref(), Some("10.128.0.5"));
        let absent = Case { fixed: &["10.0.0.9"], ..CLOUD };
        assert_eq!(absent.address("10.128.0.5", Family::V4), None, "and it is never another one");
        let said = absent.with(|choice| choice.describe(Family::V4));
        assert_eq!(said, "no IPv4 (this host has no address of --turn-relay-address)");
    }

    #[test]
    fn where_none_leads_out_a_relay_is_said_to_be_where_the_client_comes() {
        let lan = Case { own: &["127.0.0.1", "10.0.0.1"], ..Case::default() };
        let said = |family| lan.with(|choice| choice.describe(family));
        assert_eq!(said(Family::V4), "IPv4 on the address that a client comes by");
        assert_eq!(said(Family::V6), "no IPv6 (no address of this host leads out by it)");
    }
}
