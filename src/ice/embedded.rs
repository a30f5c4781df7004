//! The embedded server's part of the list: only what a client can reach is listed. Pure.

use std::net::IpAddr;

use axum::http::uri::Authority;

use super::credential::{Credential, TurnSecret};
use super::entry;
use crate::net::TlsEnd;
use crate::protocol::IceServer;

/// What the embedded server has. It changes with the host's interfaces.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// UDP: of STUN, and of TURN.
    pub udp: Reach,
    /// TCP: of TURN.
    pub tcp: Reach,
    /// TLS: of TURN, besides the page's port.
    pub tls: Reach,
    /// Whether STUN is for all.
    pub has_open_stun: bool,
    /// The secret of TURN. None: STUN only.
    pub secret: Option<TurnSecret>,
}

/// A port, and the addresses on which it is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// None: there is no such port.
    pub port: Option<u16>,
    /// Where it is served.
    pub listening: Vec<IpAddr>,
    /// The addresses of this host where it isn't.
    pub missing: Vec<IpAddr>,
}

/// A client, as far as it matters what it can reach.
#[derive(Clone, Debug)]
pub struct Reaching {
    /// The host and port by which it reached the page.
    pub host: Authority,
    /// Its own address.
    pub client: IpAddr,
    /// Who ends its TLS.
    pub tls_end: TlsEnd,
}

impl Reach {
    /// The port, if this client can reach it. By a name it may reach any of our addresses, and by an address that isn't
    /// this host's (a NAT's) too; but what listens on loopback alone is for clients of this machine.
    fn port_for(&self, reaching: &Reaching) -> Option<u16> {
        let host = reaching.host.host();
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let is_missing = literal.is_some_and(|ip| self.missing.contains(&ip));
        let is_near = reaching.client.is_loopback();
        let is_reached = !is_missing && self.listening.iter().any(|ip| is_near || !ip.is_loopback());
        self.port.filter(|_| is_reached)
    }
}

impl Embedded {
    pub(super) fn stun(&self, reaching: &Reaching) -> Option<IceServer> {
        let url = |port| format!("stun:{}:{port}", reaching.host.host());
        let port = self.udp.port_for(reaching).filter(|_| self.has_open_stun);
        entry(port.map(url).into_iter().collect(), None)
    }

    /// In the order in which a browser should prefer them, if it cared. Where TLS ends with a proxy, so does what is
    /// said inside it: the page's own port is no way to us.
    pub(super) fn turn(&self, reaching: &Reaching, name: &str, expiry: u64) -> Option<IceServer> {
        let secret = self.secret.as_ref()?;
        let host = reaching.host.host();
        let udp = self.udp.port_for(reaching).map(|port| format!("turn:{host}:{port}?transport=udp"));
        let tcp = self.tcp.port_for(reaching).map(|port| format!("turn:{host}:{port}?transport=tcp"));
        let page_port = (reaching.tls_end == TlsEnd::Here).then(|| reaching.host.port_u16().unwrap_or(443));
        let tls = [page_port, self.tls.port_for(reaching)].into_iter().flatten();
        let tls = tls.map(|port| format!("turns:{host}:{port}?transport=tcp"));
        let urls = [udp, tcp].into_iter().flatten().chain(tls).collect();
        entry(urls, Some(Credential::mint(secret, name, expiry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listening: &[&str], missing: &[&str]) -> Reach {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Reach { port: Some(3478), listening: parse(listening), missing: parse(missing) }
    }

    fn is_listed(reach: &Reach, host: &str, client: &str) -> bool {
        let (host, client) = (host.parse().unwrap(), client.parse().unwrap());
        reach.port_for(&Reaching { host, client, tls_end: TlsEnd::Here }).is_some()
    }

    #[test]
    fn what_listens_on_loopback_alone_is_listed_on_this_machine_alone() {
        let loopback = reach(&["127.0.0.1", "::1"], &["10.0.0.5"]);
        assert!(is_listed(&loopback, "localhost", "127.0.0.1") && is_listed(&loopback, "[::1]:8443", "::1"));
        assert!(!is_listed(&loopback, "calls.example", "8.8.8.8") && !is_listed(&loopback, "10.0.0.5", "10.0.0.6"));
    }

    #[test]
    fn an_address_of_ours_where_the_port_is_not_served_is_no_way_to_it() {
        let partial = reach(&["10.0.0.5"], &["127.0.0.1", "10.0.0.6", "fd00::6"]);
        assert!(is_listed(&partial, "10.0.0.5", "10.0.0.7") && is_listed(&partial, "calls.example", "10.0.0.7"));
        for host in ["10.0.0.6", "[fd00::6]:8443", "[::ffff:10.0.0.6]", "127.0.0.1"] {
            assert!(!is_listed(&partial, host, "127.0.0.1"), "{host}");
        }
        assert!(is_listed(&partial, "198.51.100.1", "8.8.8.8"), "a NAT's");
    }

    #[test]
    fn what_is_served_nowhere_is_not_listed() {
        assert!(!is_listed(&reach(&[], &[]), "calls.example", "127.0.0.1"));
        let no_port = Reach { port: None, ..reach(&["10.0.0.5"], &[]) };
        assert!(!is_listed(&no_port, "calls.example", "127.0.0.1"));
    }
}
