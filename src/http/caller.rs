//! Who is asking, and under which name: from the connection, and from the `X-Forwarded-*` of proxies that we trust.
//! Pure.
//!
//! Any client can send such a header, so only `--trusted-proxy` is believed, and of a list only what such a proxy has
//! added: its right end.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use tracing::warn;

use super::Shared;
use crate::accept::{Arrival, Transport};
use crate::net::{self, Cidr, TlsEnd};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The client's address, as far as we may believe it.
    pub(super) address: IpAddr,
    /// The host and port by which the client reached us, if it says so.
    pub(super) host: Option<Authority>,
    /// Over what the request came in.
    pub(super) transport: Transport,
    /// Who ends the client's TLS.
    pub(super) tls_end: TlsEnd,
}

/// The proxies that are believed.
#[derive(Debug)]
pub(super) struct Proxies {
    trusted: Vec<Cidr>,
    /// Whether the operator was told of a header that is not believed: strangers send them too, so once is enough.
    told: AtomicBool,
}

impl Proxies {
    pub(super) fn new(trusted: Vec<Cidr>) -> Self {
        Self { trusted, told: AtomicBool::new(false) }
    }

    /// What the operator should know, the first time that an address says for whom it asks and is not believed.
    fn concern(&self, peer: IpAddr, headers: &HeaderMap) -> Option<String> {
        let peer = peer.to_canonical();
        let is_first = !self.trust(peer) && headers.contains_key(FORWARDED_FOR) && !self.told.swap(true, Relaxed);
        // A stranger's address is not for the log; that of a proxy on the operator's own network is what she needs.
        let address = if net::is_private(peer) { peer.to_string() } else { "with its address".to_owned() };
        is_first.then(|| {
            format!(
                "X-Forwarded-For came from an address that is not trusted, and is ignored; if a proxy of yours sent it, its \
                 clients share the limits of one: give --trusted-proxy {address}"
            )
        })
    }

    /// Who is asking, by a connection from `peer`.
    pub(super) fn caller(&self, peer: IpAddr, transport: Transport, headers: &HeaderMap) -> Caller {
        let peer = peer.to_canonical();
        let host = || authority(headers.get(header::HOST)?.to_str().ok()?);
        if self.trust(peer) {
            let forwarded = list(headers, &FORWARDED_HOST).pop().flatten();
            let host = forwarded.and_then(authority).or_else(host);
            return Caller { address: self.client(peer, headers), host, transport, tls_end: TlsEnd::Proxy };
        }
        let tls_end = match transport {
            Transport::Tls => TlsEnd::Here,
            Transport::Plain => TlsEnd::Proxy,
        };
        Caller { address: peer, host: host(), transport, tls_end }
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|block| block.contains(address))
    }

    /// The last hop that no proxy of ours is. What can't be read ends the search, at the last that could be.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut last = peer;
        for hop in list(headers, &FORWARDED_FOR).into_iter().rev() {
            let Some(address) = hop.and_then(address) else { break };
            last = address;
            if !self.trust(address) {
                break;
            }
        }
        last
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Infallible> {
        let arrival: &Arrival = parts.extensions.get().expect("the acceptor lays it around the router");
        if let Some(concern) = shared.0.proxies.concern(arrival.client, &parts.headers) {
            warn!("{concern}");
        }
        Ok(shared.0.proxies.caller(arrival.client, arrival.transport, &parts.headers))
    }
}

/// A host, with a port perhaps (RFC 9110, 7.2).
pub(super) fn authority(text: &str) -> Option<Authority> {
    let is_host = |authority: &Authority| {
        let port = authority.as_str().strip_prefix(authority.host());
        let is_port = |port: &str| port.is_empty() || port == ":" || authority.port_u16().is_some();
        !authority.host().is_empty() && port.is_some_and(is_port)
    };
    text.parse().ok().filter(is_host)
}

/// What all lines of a header list, in order; `None` for a line that isn't text.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<Option<&'a str>> {
    let lines = headers.get_all(name).iter();
    lines
        .flat_map(|line| match line.to_str() {
            Ok(line) => line.split(',').map(|item| Some(item.trim())).collect(),
            Err(_) => vec![None],
        })
        .collect()
}

/// An address as proxies write it: bare, with a port, in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok().filter(IpAddr::is_ipv6);
    bare().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
        let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
        lines.iter().map(|(name, line)| (name.clone(), value(line))).collect()
    }

    /// The client's address, where 10.0.0.0/8 and fd00::/8 are proxies of ours.
    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = Proxies::new(["10.0.0.0/8", "fd00::/8"].map(|block| block.parse().unwrap()).to_vec());
        let lines: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, line.as_bytes())).collect();
        proxies.caller(peer.parse().unwrap(), Transport::Tls, &headers(&lines)).address.to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn the_client_is_the_right_most_hop_that_is_no_proxy_of_ours() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.7,10.0.0.2", "10.0.0.3"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7", "all lines are one list");
        assert_eq!(client("fd00::1", &["10.0.0.3"]), "10.0.0.3", "no proxy but ours");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_header_that_is_not_believed_is_told_once_and_without_a_strangers_address() {
        let proxies = || Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let forwarded = headers(&[(FORWARDED_FOR, b"198.51.100.7")]);
        let concern = |proxies: &Proxies, peer: &str| proxies.concern(peer.parse().unwrap(), &forwarded);
        let one = proxies();
        assert_eq!(concern(&one, "10.0.0.1"), None, "it is believed");
        assert_eq!(one.concern("172.18.0.2".parse().unwrap(), &HeaderMap::new()), None, "there is none");
        assert!(concern(&one, "::ffff:172.18.0.2").unwrap().ends_with("--trusted-proxy 172.18.0.2"));
        assert_eq!(concern(&one, "172.18.0.2"), None, "it is known");
        assert!(!concern(&proxies(), "203.0.113.9").unwrap().contains("203.0.113.9"));
    }

    #[test]
    fn a_hop_may_have_a_port_or_brackets() {
        for (hop, address) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("  198.51.100.7\t", "198.51.100.7"),
        ] {
            assert_eq!(client("10.0.0.1", &[hop]), address, "{hop}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_search_at_the_last_good_hop() {
        for garbage in
            ["unknown", "", "_hidden", "198.51.100", "[198.51.100.7]", "198.51.100.7:x", "fe80::1%eth0", "1.2.3.4 5"]
        {
            let line = format!("198.51.100.7, {garbage}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[&line]), "10.0.0.2", "{garbage}");
            assert_eq!(client("10.0.0.1", &[garbage]), "10.0.0.1", "{garbage}");
        }
        let proxies = Proxies::new(vec!["10.0.0.1".parse().unwrap()]);
        let headers = headers(&[(FORWARDED_FOR, b"198.51.100.7"), (FORWARDED_FOR, b"\xff")]);
        let caller = proxies.caller("10.0.0.1".parse().unwrap(), Transport::Tls, &headers);
        assert_eq!(caller.address.to_string(), "10.0.0.1");
    }

    #[test]
    fn the_host_is_the_last_that_a_trusted_proxy_names() {
        let proxies = Proxies::new(vec!["10.0.0.1".parse().unwrap()]);
        let host = |peer: &str, forwarded: &[u8]| {
            let headers = headers(&[(header::HOST, b"inside:8080"), (FORWARDED_HOST, forwarded)]);
            let caller = proxies.caller(peer.parse().unwrap(), Transport::Plain, &headers);
            caller.host.unwrap().to_string()
        };
        assert_eq!(host("10.0.0.1", b"calls.example"), "calls.example");
        assert_eq!(host("10.0.0.1", b"evil.example, calls.example:444"), "calls.example:444");
        assert_eq!(host("10.0.0.1", b"a@b"), "inside:8080");
        assert_eq!(host("10.0.0.1", b"\xff"), "inside:8080");
        assert_eq!(host("192.0.2.1", b"evil.example"), "inside:8080");
    }

    #[test]
    fn tls_ends_here_unless_a_proxy_stands_between() {
        let proxies = Proxies::new(vec!["10.0.0.1".parse().unwrap()]);
        for (peer, transport, tls_end) in [
            ("192.0.2.1", Transport::Tls, TlsEnd::Here),
            ("192.0.2.1", Transport::Plain, TlsEnd::Proxy),
            ("10.0.0.1", Transport::Tls, TlsEnd::Proxy),
            ("10.0.0.1", Transport::Plain, TlsEnd::Proxy),
        ] {
            let caller = proxies.caller(peer.parse().unwrap(), transport, &HeaderMap::new());
            assert_eq!(caller.tls_end, tls_end, "{peer} {transport:?}");
        }
    }
}
