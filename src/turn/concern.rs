//! What the operator should know of where relays are: settings that may be meant, and probably aren't. Pure.

use std::net::IpAddr;

use super::advertised::External;
use crate::net::{Host, is_private, is_special};

/// What is looked at.
pub(super) struct Relaying<'a> {
    pub(super) externals: &'a [External],
    /// Of `--turn-relay-address`.
    pub(super) fixed: &'a [IpAddr],
    /// By which address the relays of most clients are advertised, as far as that is known before one comes.
    pub(super) advertised: Option<IpAddr>,
    pub(super) host: &'a Host,
}

impl Relaying<'_> {
    pub(super) fn concerns(&self) -> Vec<String> {
        let private = self.externals.iter().filter(|external| is_special(external.advertised));
        let private = private.map(|external| {
            let kind =
                if is_private(external.advertised) { "a private address" } else { "an address of a special block" };
            format!("--turn-external-ip {external}: {kind}; only peers of its own network reach relays by it")
        });
        private.chain(self.absent()).chain(self.unreachable()).collect()
    }

    fn absent(&self) -> impl Iterator<Item = String> {
        let locals = self.externals.iter().filter_map(|external| Some(("--turn-external-ip", external.local?)));
        let named = self.fixed.iter().map(|ip| ("--turn-relay-address", *ip)).chain(locals);
        let absent = named.filter(|(_, ip)| !self.host.has(*ip) && !ip.is_loopback());
        absent.map(|(flag, ip)| {
            format!("{flag} {ip}: no interface of this machine has this address; no relay is opened there")
        })
    }

    fn unreachable(&self) -> Option<String> {
        let Some(advertised) = self.advertised else {
            return Some(
                "--turn: no address of this machine leads to the internet; relays can be reached from its own networks alone"
                    .into(),
            );
        };
        let is_external = self.externals.iter().any(|external| external.advertised == advertised);
        (is_special(advertised) && !is_external).then(|| {
            format!(
                "--turn: relays are advertised by {advertised} alone, which peers on the internet cannot reach; behind a NAT, give \
                 --turn-external-ip"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerns(externals: &[&str], fixed: &[&str], advertised: Option<&str>) -> Vec<String> {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let externals: Vec<External> = externals.iter().map(|text| text.parse().unwrap()).collect();
        let host = Host::new(ips(&["10.0.0.5", "fd00::5"]), Vec::new());
        let advertised = advertised.map(|text| text.parse().unwrap());
        Relaying { externals: &externals, fixed: &ips(fixed), advertised, host: &host }.concerns()
    }

    #[test]
    fn private_addresses_alone_are_warned_of() {
        for advertised in ["10.0.0.5", "fd00::5", "192.168.1.20", "100.64.0.1", "169.254.1.1"] {
            let warned = concerns(&[], &[], Some(advertised));
            assert!(warned.len() == 1 && warned[0].contains(advertised), "{warned:?}");
            assert!(warned[0].contains("give --turn-external-ip"), "{warned:?}");
        }
        assert!(concerns(&[], &[], None)[0].contains("no address of this machine leads"));
        assert!(concerns(&[], &[], Some("2606:4700::1")).is_empty());
        assert!(concerns(&["9.9.9.9"], &[], Some("9.9.9.9")).is_empty());
        let of_another = concerns(&["2606:4700::9/fd00::5"], &[], Some("10.0.0.5"));
        assert!(of_another.len() == 1 && of_another[0].contains("10.0.0.5 alone"), "{of_another:?}");
    }

    #[test]
    fn an_external_address_that_is_private_is_warned_of() {
        let warned = concerns(&["192.168.1.20"], &[], Some("192.168.1.20"));
        assert!(warned.len() == 1 && warned[0].starts_with("--turn-external-ip 192.168.1.20: a private"), "{warned:?}");
        for special in ["198.51.100.1", "192.88.99.1", "2001:db8::1", "fec0::1"] {
            let warned = concerns(&[special], &[], Some(special));
            assert!(warned.len() == 1 && warned[0].contains("an address of a special block"), "{warned:?}");
        }
    }

    #[test]
    fn an_address_that_this_machine_does_not_have_is_warned_of() {
        let warned = concerns(&["9.9.9.9/10.0.0.6"], &["10.0.0.7", "10.0.0.5"], Some("9.9.9.9"));
        assert_eq!(warned.len(), 2, "{warned:?}");
        assert!(warned[0].starts_with("--turn-relay-address 10.0.0.7") && warned[1].contains("10.0.0.6"), "{warned:?}");
    }
}
