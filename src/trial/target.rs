//! A URL of the list, and the addresses at which it is tried.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use axum::http::uri::Authority;

use crate::net::{Family, Host};

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

/// What a URL of the list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) relays: bool,
}

/// Where a URL is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// What the operator should know of the address.
    pub(super) note: Option<String>,
}

impl Url {
    /// RFC 7064 and 7065. The usual port is 3478, and 5349 over TLS.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority: Authority = authority.parse().ok()?;
        let transport = match (scheme, query) {
            ("stun", _) | ("turn", "" | "transport=udp") => Transport::Udp,
            ("turn", "transport=tcp") => Transport::Tcp,
            ("stuns", _) | ("turns", "" | "transport=tcp") => Transport::Tls,
            _ => return None,
        };
        let usual = if transport == Transport::Tls { 5349 } else { 3478 };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Some(Self { host, port: authority.port_u16().unwrap_or(usual), transport, relays: scheme.starts_with("turn") })
    }
}

/// Whose a URL's host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The page's.
    Ours,
    /// Of a server elsewhere.
    Elsewhere,
}

/// The addresses of a URL's host. Of our own, this machine's in place of those that it does not have: from within, few
/// NATs can be passed.
pub(super) fn targets(url: &Url, owner: Owner, machine: &Host) -> Vec<Target> {
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let mut targets: Vec<Target> = Vec::new();
    for address in found.into_iter().flatten() {
        let target = target(url, owner, address.ip().to_canonical(), machine);
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

fn target(url: &Url, owner: Owner, ip: IpAddr, machine: &Host) -> Target {
    if owner == Owner::Elsewhere || machine.has(ip) || ip.is_loopback() {
        return Target { address: SocketAddr::new(ip, url.port), note: None };
    }
    let own =
        machine.outward(Family::of(ip)).or_else(|| Family::ALL.into_iter().find_map(|family| machine.outward(family)));
    let Some(own) = own else {
        // The way to it is known to the system, or is none.
        return Target { address: SocketAddr::new(ip, url.port), note: None };
    };
    let name = if url.host.parse::<IpAddr>().is_ok() { String::new() } else { format!("{} is ", url.host) };
    let note = format!(
        "{name}{ip}, which no interface of this machine has, is a NAT's address or another machine's. It was tried at {own}; \
         whether the way from {ip} to here is open can be seen from outside alone"
    );
    Target { address: SocketAddr::new(own, url.port), note: Some(note) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_how() {
        let url = |host: &str, port, transport, relays| Some(Url { host: host.into(), port, transport, relays });
        for (text, expected) in [
            ("stun:calls.example:3478", url("calls.example", 3478, Transport::Udp, false)),
            ("turn:[fd00::5]:3478?transport=udp", url("fd00::5", 3478, Transport::Udp, true)),
            ("turn:calls.example?transport=tcp", url("calls.example", 3478, Transport::Tcp, true)),
            ("turns:10.0.0.5:443?transport=tcp", url("10.0.0.5", 443, Transport::Tls, true)),
            ("turns:calls.example", url("calls.example", 5349, Transport::Tls, true)),
            ("turns:calls.example?transport=udp", None),
            ("http://calls.example", None),
            ("calls.example", None),
        ] {
            assert_eq!(Url::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_tried_at_ours_and_that_is_said() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let machine = Host::new(vec![ip("127.0.0.1"), ip("10.0.0.1"), ip("10.128.0.5")], vec![ip("10.128.0.5")]);
        let at = |host: &str, owner| {
            let url = Url { host: host.into(), port: 3478, transport: Transport::Udp, relays: false };
            targets(&url, owner, &machine)
        };
        let plain = |address: &str| [Target { address: address.parse().unwrap(), note: None }];
        assert_eq!(at("10.0.0.1", Owner::Ours), plain("10.0.0.1:3478"));
        assert_eq!(at("198.51.100.1", Owner::Elsewhere), plain("198.51.100.1:3478"), "of another machine");
        let [nat] = &at("198.51.100.1", Owner::Ours)[..] else { panic!("one") };
        assert_eq!(nat.address, "10.128.0.5:3478".parse().unwrap());
        assert!(nat.note.as_ref().unwrap().contains("198.51.100.1, which no interface"), "{nat:?}");
        let alone = Host::new(vec![ip("127.0.0.1"), ip("10.0.0.1")], Vec::new());
        let url = Url { host: "10.0.0.9".into(), port: 3478, transport: Transport::Udp, relays: false };
        assert_eq!(targets(&url, Owner::Ours, &alone), plain("10.0.0.9:3478"), "without a way out, as the URL says");
    }
}
