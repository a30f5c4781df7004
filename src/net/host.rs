//! This host as its interfaces show it: its addresses, and those by which it reaches the internet. It changes while the
//! server runs, so it is looked at again and again.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Family, route};

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
        Ok(Self::new(addresses, route::outward()?))
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
    fn the_address_of_the_way_out_is_one_of_the_hosts() {
        let host = Host::look().unwrap();
        assert!(host.addresses().is_sorted());
        for ip in Family::ALL.into_iter().filter_map(|family| host.outward(family)) {
            assert!(host.has(ip) && !ip.is_loopback(), "{ip}");
        }
    }
}
