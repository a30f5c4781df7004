//! Addresses: this machine's own, and who counts as one customer.

use std::net::{IpAddr, Ipv6Addr};

/// Every address of this machine.
#[must_use]
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The addresses that a phone on the same network could use: neither loopback nor link-local, IPv4 first.
#[must_use]
pub(crate) fn lan_addresses() -> Vec<IpAddr> {
    own_addresses().into_iter().filter(|address| !address.is_loopback() && !is_link_local(address)).collect()
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
