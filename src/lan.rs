//! This machine's own addresses, as others on its network see them.

use std::net::IpAddr;

/// The addresses that a phone on the same network could use: neither loopback nor link-local, IPv4 first.
#[must_use]
pub(crate) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let reachable = |address: &IpAddr| !address.is_loopback() && !is_link_local(address);
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).filter(reachable).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
