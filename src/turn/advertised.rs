//! A relay's advertised address and its local one: they differ where a NAT stands before this host. Pure.
//!
//! Clients know advertised addresses alone: an allocation's answer has them, and so their peers give permissions and
//! channels to them (RFC 8656, 9, 12.7). Sockets have local addresses. Two relays of this server meet inside it, because
//! few NATs send back what comes from within: what is sent to an advertised address of ours goes to the local one, and what
//! comes from a local one is seen as coming from the advertised one.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::net::Family;

/// An address by which others see this host, and the one of this host that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct External {
    /// By which others see it.
    pub advertised: IpAddr,
    /// None: that of all relays of the family.
    pub local: Option<IpAddr>,
}

/// The text isn't such an address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("give an address, or advertised/local where there are several, such as 198.51.100.1/10.0.0.5")]
pub struct NotAnExternal;

impl FromStr for External {
    type Err = NotAnExternal;

    fn from_str(text: &str) -> Result<Self, NotAnExternal> {
        let (advertised, local) = match text.split_once('/') {
            Some((advertised, local)) => (advertised, Some(local)),
            None => (text, None),
        };
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| NotAnExternal);
        Ok(Self { advertised: address(advertised)?, local: local.map(address).transpose()? })
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            Some(local) => write!(f, "{}/{local}", self.advertised),
            None => write!(f, "{}", self.advertised),
        }
    }
}

/// Translates between the two.
#[derive(Clone, Debug)]
pub(super) struct Advertised {
    externals: Vec<External>,
    relay_ports: RangeInclusive<u16>,
}

impl Advertised {
    pub(super) fn new(externals: Vec<External>, relay_ports: RangeInclusive<u16>) -> Self {
        Self { externals, relay_ports }
    }

    /// The addresses that are advertised although no interface has them.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.externals.iter().map(|external| external.advertised)
    }

    /// Whether one address stands for all relays of the family: then they have to be on one address too.
    pub(super) fn is_for_all(&self, family: Family) -> bool {
        self.externals.iter().any(|external| external.local.is_none() && Family::of(external.advertised) == family)
    }

    /// Whether an address of this host has one that stands for it.
    pub(super) fn names(&self, local: IpAddr) -> bool {
        self.externals.iter().any(|external| external.local == Some(local))
    }

    /// The advertised address of a relay at this local one.
    pub(super) fn of(&self, local: IpAddr) -> IpAddr {
        let named = self.externals.iter().find(|external| external.local == Some(local));
        let for_all = || {
            self.externals
                .iter()
                .find(|external| external.local.is_none() && external.advertised.is_ipv4() == local.is_ipv4())
        };
        named.or_else(for_all).map_or(local, |external| external.advertised)
    }

    /// Where a datagram for a peer goes, from a relay at the address `from`. The relay's own address is that of all
    /// relays that are advertised by an address for all.
    pub(super) fn to_local(&self, peer: SocketAddr, from: IpAddr) -> SocketAddr {
        match self.externals.iter().find(|external| external.advertised == peer.ip()) {
            Some(external) if self.relay_ports.contains(&peer.port()) => {
                SocketAddr::new(external.local.unwrap_or(from), peer.port())
            }
            _ => peer,
        }
    }

    /// Who sent a datagram to a relay at the address `to`, as its client knows it.
    pub(super) fn to_advertised(&self, peer: SocketAddr, to: IpAddr) -> SocketAddr {
        let is_relay = self.relay_ports.contains(&peer.port()) && (peer.ip() == to || self.names(peer.ip()));
        if is_relay { SocketAddr::new(self.of(peer.ip()), peer.port()) } else { peer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised(externals: &[&str]) -> Advertised {
        Advertised::new(externals.iter().map(|text| text.parse().unwrap()).collect(), 50000..=50100)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_nat_addresses_are_what_they_are() {
        let none = advertised(&[]);
        assert_eq!(none.of(ip("10.0.0.5")), ip("10.0.0.5"));
        assert_eq!(none.to_local(at("10.0.0.5:50000"), ip("10.0.0.5")), at("10.0.0.5:50000"));
        assert_eq!(none.to_advertised(at("10.0.0.5:50000"), ip("10.0.0.5")), at("10.0.0.5:50000"));
    }

    #[test]
    fn what_goes_to_the_advertised_address_of_a_relay_arrives_and_comes_from_the_advertised_address_of_its_sender() {
        for (externals, alice, bob) in [
            (&["198.51.100.1"][..], ("10.0.0.5", "198.51.100.1"), ("10.0.0.5", "198.51.100.1")),
            (
                &["198.51.100.1/10.0.0.5", "198.51.100.2/10.0.0.6"],
                ("10.0.0.5", "198.51.100.1"),
                ("10.0.0.6", "198.51.100.2"),
            ),
            (&["2001:db8::1", "198.51.100.1"], ("fd00::5", "2001:db8::1"), ("fd00::5", "2001:db8::1")),
        ] {
            let advertised = advertised(externals);
            let port = |ip: &str, port| SocketAddr::new(super::tests::ip(ip), port);
            assert_eq!(advertised.of(ip(alice.0)), ip(alice.1));
            assert_eq!(advertised.to_local(port(bob.1, 50001), ip(alice.0)), port(bob.0, 50001));
            assert_eq!(advertised.to_advertised(port(alice.0, 50000), ip(bob.0)), port(alice.1, 50000));
        }
    }

    #[test]
    fn who_is_no_relay_of_ours_is_seen_as_it_is() {
        let advertised = advertised(&["198.51.100.1"]);
        for peer in ["8.8.8.8:50000", "10.0.0.5:53", "10.0.0.6:50000"] {
            assert_eq!(advertised.to_advertised(at(peer), ip("10.0.0.5")), at(peer));
        }
        for peer in ["8.8.8.8:50000", "198.51.100.1:53"] {
            assert_eq!(advertised.to_local(at(peer), ip("10.0.0.5")), at(peer));
        }
    }

    #[test]
    fn an_address_that_is_not_named_has_the_one_for_all_of_its_family() {
        let advertised = advertised(&["198.51.100.1/10.0.0.5", "198.51.100.9"]);
        assert_eq!(advertised.of(ip("10.0.0.5")), ip("198.51.100.1"));
        assert_eq!(advertised.of(ip("10.0.0.6")), ip("198.51.100.9"));
        assert_eq!(advertised.of(ip("fd00::5")), ip("fd00::5"));
        assert!(advertised.is_for_all(Family::V4) && !advertised.is_for_all(Family::V6));
    }

    #[test]
    fn an_external_address_is_one_or_a_pair() {
        for text in ["198.51.100.1", "198.51.100.1/10.0.0.5", "2001:db8::1/fd00::5"] {
            assert_eq!(text.parse::<External>().unwrap().to_string(), text);
        }
        for text in ["", "calls.example", "198.51.100.1/", "/10.0.0.5", "198.51.100.1/24", "198.51.100.1:3478"] {
            assert_eq!(text.parse::<External>(), Err(NotAnExternal), "{text}");
        }
    }
}
