//! This host as its interfaces show it: its addresses, and those by which it reaches the internet. It changes while the
//! server runs, so it is looked at again and again.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use super::is_link_local;

/// Addresses on the internet, to ask the system for the way to them: nothing is sent there. They are a root server's of
/// the DNS, which stay.
const AFAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)), IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30))];

/// A host, as it was when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Sorted, none twice.
    addresses: Vec<IpAddr>,
    outward: Vec<IpAddr>,
}

impl Host {
    /// A host with these addresses, of which these are the sources of packets to the internet, at most one of a family.
    #[must_use]
    pub fn new(mut addresses: Vec<IpAddr>, outward: Vec<IpAddr>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        Self { addresses, outward }
    }

    /// This host now.
    ///
    /// # Errors
    ///
    /// Where the system can't say: it takes a socket to ask, and there may be none left. That is not a host without
    /// addresses.
    pub fn look() -> io::Result<Self> {
        let addresses = if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
        let mut outward = Vec::new();
        for afar in AFAR {
            outward.extend(way_out(afar)?);
        }
        Ok(Self::new(addresses, outward))
    }

    /// All of its addresses.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether it is one of its addresses.
    #[must_use]
    pub fn has(&self, ip: IpAddr) -> bool {
        self.addresses.binary_search(&ip).is_ok()
    }

    /// The address of this family that packets to the internet leave from.
    #[must_use]
    pub fn outward(&self, family: Family) -> Option<IpAddr> {
        self.outward.iter().find(|ip| Family::of(**ip) == family).copied()
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

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

/// The source of a packet to the internet, if there is a way.
fn way_out(to: IpAddr) -> io::Result<Option<IpAddr>> {
    Ok(source(to)?.filter(leads_out))
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

/// Where the host is looked at: the system's interfaces, or what a test says.
#[derive(Clone)]
pub struct Interfaces(Arc<dyn Fn() -> io::Result<Host> + Send + Sync>);

impl Interfaces {
    /// Those that this function tells.
    pub fn new(look: impl Fn() -> io::Result<Host> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// The host now.
    ///
    /// # Errors
    ///
    /// Where it can't be seen.
    pub fn look(&self) -> io::Result<Host> {
        self.0()
    }
}

impl Default for Interfaces {
    fn default() -> Self {
        Self::new(Host::look)
    }
}

impl fmt::Debug for Interfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interfaces")
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_address_of_the_way_out_is_one_of_the_hosts() {
        let host = Host::look().unwrap();
        assert!(host.addresses().is_sorted());
        for ip in Family::ALL.into_iter().filter_map(|family| host.outward(family)) {
            assert!(host.has(ip) && !ip.is_loopback(), "{ip}");
        }
    }
}
