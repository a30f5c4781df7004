//! Which of the host's addresses a relay is opened on. Pure.

use std::net::IpAddr;

use turn_types::AddressFamily;

/// The address that the client reached, if it is of the family asked for; else one of the host's of that family that
/// others can reach.
pub(super) fn address(local: IpAddr, own: &[IpAddr], family: AddressFamily) -> Option<IpAddr> {
    let fits = |ip: &&IpAddr| ip.is_ipv4() == (family == AddressFamily::IPV4);
    if fits(&&local) {
        return Some(local);
    }
    // A client that came by loopback can use loopback, and one that didn't can't.
    own.iter().filter(fits).find(|ip| ip.is_loopback() == local.is_loopback()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_relay_is_where_the_client_reached_us_or_where_others_can() {
        let own = [ip("127.0.0.1"), ip("192.0.2.1"), ip("::1"), ip("2001:db8::1")];
        assert_eq!(address(ip("192.0.2.1"), &own, AddressFamily::IPV4), Some(ip("192.0.2.1")));
        assert_eq!(address(ip("192.0.2.1"), &own, AddressFamily::IPV6), Some(ip("2001:db8::1")));
        assert_eq!(address(ip("::1"), &own, AddressFamily::IPV4), Some(ip("127.0.0.1")));
        assert_eq!(address(ip("192.0.2.1"), &own[..2], AddressFamily::IPV6), None);
    }
}
