//! Ways of packets, as the system knows them: asked by sockets that send nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::is_link_local;

/// Addresses on the internet, to ask the system for the way to them: nothing is sent there. They are a root server's of
/// the DNS, which stay.
const AFAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)), IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30))];

/// Whether the system takes what is sent there itself, be it by a route alone. What can't be found out is its own: the
/// answer is for those who must not reach it. Of IPv6, Linux shows by neither way what a route alone makes its own.
pub(crate) fn is_own(ip: IpAddr) -> bool {
    let is_source = source(ip).map_or(true, |source| source == Some(ip));
    // A route may name another source. Where the system lets any address be bound, that says nothing.
    is_source || (can_bind(ip) && !AFAR.into_iter().any(can_bind))
}

fn can_bind(ip: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}

/// The sources of packets to the internet, one of each family that leads there.
pub(super) fn outward() -> io::Result<Vec<IpAddr>> {
    let sources = AFAR.into_iter().filter_map(|afar| source(afar).transpose());
    sources.filter(|found| found.as_ref().map_or(true, leads_out)).collect()
}

/// The source of a packet to there, if there is a way: to connect a UDP socket sends nothing.
fn source(to: IpAddr) -> io::Result<Option<IpAddr>> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = match UdpSocket::bind(SocketAddr::new(any, 0)) {
        Ok(socket) => socket,
        Err(error) if is_out_of_descriptors(&error) => return Err(error),
        // The system doesn't have the family.
        Err(_) => return Ok(None),
    };
    if socket.connect(SocketAddr::new(to, 9)).is_err() {
        return Ok(None);
    }
    Ok(Some(socket.local_addr()?.ip()))
}

/// Whether answers from the internet come back to this source. A route may be left whose only source is link-local.
fn leads_out(source: &IpAddr) -> bool {
    !source.is_unspecified() && !source.is_loopback() && !is_link_local(source)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    // Of this process and of the system: they have no `ErrorKind`.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

#[cfg(test)]
mod tests {
    use super::super::Host;
    use super::*;

    #[test]
    fn no_answer_comes_back_to_a_link_or_to_loopback() {
        for (source, expected) in [
            ("10.0.0.5", true),
            ("2001:db8::5", true),
            ("fe80::5", false),
            ("169.254.1.1", false),
            ("::", false),
            ("::1", false),
        ] {
            assert_eq!(leads_out(&source.parse().unwrap()), expected, "{source}");
        }
    }

    #[test]
    fn this_hosts_own_addresses_are_known_by_the_way_to_them() {
        for (ip, expected) in [("127.0.0.1", true), ("127.9.8.7", true), ("198.41.0.4", false)] {
            assert_eq!(is_own(ip.parse().unwrap()), expected, "{ip}");
        }
        for ip in Host::look().unwrap().addresses().iter().filter(|ip| !is_link_local(ip)) {
            assert!(is_own(*ip), "{ip}");
        }
    }
}
