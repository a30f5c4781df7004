//! Addresses: this machine's own ([`Host`]), blocks of them, who counts as one customer, who ends TLS for us, and bytes that
//! come from another node ([`Line`]).

mod answer;
mod cidr;
mod family;
mod host;
mod listen;
mod route;
mod special;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use answer::answer_all;
pub use cidr::{Cidr, NotACidr};
pub use family::Family;
pub use host::{Host, Interfaces};
pub(crate) use listen::listen;
pub(crate) use route::is_own;
pub(crate) use special::is_special;

/// The addresses that a phone on the same network could use: neither loopback nor link-local, IPv4 first.
#[must_use]
pub(crate) fn lan_addresses() -> Vec<IpAddr> {
    let is_of_lan = |address: &&IpAddr| !address.is_loopback() && !is_link_local(address);
    let host = Host::look().unwrap_or_default();
    host.addresses().iter().filter(is_of_lan).copied().collect()
}

/// Who counts as one: an IPv4 address, or an IPv6 /64, which is what one customer has.
#[must_use]
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Link-local addresses need a scope that no URL and no certificate carries.
pub(crate) fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether the internet can't reach it: of a private network, a carrier's NAT, a link or a host (RFC 1918, 4193, 6598).
pub(crate) fn is_private(address: IpAddr) -> bool {
    const CARRIERS_NAT: Cidr = Cidr::v4(100, 64, 0, 0, 10);
    address.is_loopback()
        || is_link_local(&address)
        || match address {
            IpAddr::V4(v4) => v4.is_private() || CARRIERS_NAT.contains(address),
            IpAddr::V6(v6) => v6.is_unique_local(),
        }
}

/// What a client of one node and another node say to each other: bytes, in order, or the end. Dropped, it is over for both.
pub trait Line: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin {}

impl<L: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin> Line for L {}

/// Where the TLS of our clients ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsEnd {
    /// With us.
    Here,
    /// With a proxy, which passes on what is inside.
    Proxy,
}
