//! What the operator is told of the ports: in the log as they change, and at the start.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use tracing::{info, warn};

use super::{Endpoint, IcePorts, Kind};
use crate::ice::{Embedded, Reach};

/// Addresses that a line names at most.
const NAMED: usize = 4;

impl IcePorts {
    /// Tells the operator what has changed, in a line for each kind and reason.
    pub(super) fn tell(&self, missing: &BTreeMap<Endpoint, String>) {
        let mut lost: BTreeMap<(Kind, &str), Vec<IpAddr>> = BTreeMap::new();
        for ((kind, ip), reason) in
            missing.iter().filter(|(endpoint, reason)| self.missing.get(endpoint) != Some(reason))
        {
            lost.entry((*kind, reason)).or_default().push(*ip);
        }
        for ((kind, reason), addresses) in lost {
            let (flag, port, on) = (kind.flag(), self.ports[&kind], names(&addresses));
            warn!("{flag} {port}: no {kind} on {on}: {reason}; it is tried again every {:?}", self.every);
        }
        for (kind, ip) in self.missing.keys().filter(|endpoint| self.bound.contains_key(endpoint)) {
            info!("{} {}: {kind} on {ip} is served now", kind.flag(), self.ports[kind]);
        }
    }

    /// Once: it may come and go with each connection.
    pub(super) fn tell_unseen(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_unseen, true) {
            warn!(
                "the addresses of this host cannot be read: {error}; what is served stays as it is until they can be"
            );
        }
    }

    /// Where STUN and TURN are, what relays are advertised as, and what is missing. `page` is the page's port, if TURN is
    /// there too.
    pub(in crate::server) fn describe(&self, page: Option<u16>) -> String {
        let embedded = self.embedded.load();
        let Embedded { udp, tcp, tls, .. } = &**embedded;
        let mut parts: Vec<String> = if udp == tcp {
            served("UDP and TCP", udp).into_iter().collect()
        } else {
            served("UDP", udp).into_iter().chain(served("TCP", tcp)).collect()
        };
        parts.extend(served("TLS", tls));
        if self.turn.relays() {
            parts.extend(page.map(|port| format!("TLS {port}, the page's")));
        }
        if parts.is_empty() {
            parts.push("nothing is served".into());
        } else if self.turn.relays() {
            parts.push(self.turn.describe());
        }
        let missing = self.missing.keys().map(|(kind, ip)| format!("{kind} {} on {ip}", self.ports[kind]));
        let missing: Vec<String> = missing.take(NAMED).collect();
        if !missing.is_empty() {
            parts.push(format!("missing: {}", missing.join(", ")));
        }
        let name = if self.turn.relays() { "STUN and TURN" } else { "STUN (no relays without --turn)" };
        format!("{name}: {}", parts.join("; "))
    }
}

fn served(kind: &str, reach: &Reach) -> Option<String> {
    let (port, Reach { listening, .. }) = (reach.port?, reach);
    if listening.is_empty() {
        return None;
    }
    let (near, far): (Vec<IpAddr>, Vec<IpAddr>) = listening.iter().partition(|ip| ip.is_loopback());
    let only_near = if far.is_empty() { ", which this machine alone can reach" } else { "" };
    Some(format!("{kind} {port} on {}{only_near}", names(if far.is_empty() { &near } else { &far })))
}

fn names(addresses: &[IpAddr]) -> String {
    let named: Vec<String> = addresses.iter().take(NAMED).map(ToString::to_string).collect();
    let more = addresses.len().saturating_sub(NAMED);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ips;
    use super::*;

    #[test]
    fn a_line_names_a_few_of_many_addresses() {
        assert_eq!(names(&ips(&["10.0.0.1", "fd00::1"])), "10.0.0.1, fd00::1");
        assert_eq!(names(&ips(&["::1", "::2", "::3", "::4", "::5", "::6"])), "::1, ::2, ::3, ::4 and 2 more");
    }
}
