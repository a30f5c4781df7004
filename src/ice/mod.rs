//! What a browser's `RTCPeerConnection` should use: the list in `welcome`, in the answer to `ice-servers`, and at
//! `GET /ice`. But for the clock of `IceContext`, pure.
//!
//! First the embedded server, under the name by which this client reached the page; then those that the operator
//! names. Credentials are made for each client and expire.

pub mod credential;
mod embedded;
mod url;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use axum::http::uri::Authority;

pub use embedded::{Embedded, Reach, Reaching};
pub use url::{IceUrl, IceUrlKind, NotAnIceUrl};

use crate::net::TlsEnd;
use crate::protocol::{IceServer, PeerId};
use credential::{Credential, TurnSecret};

/// Where the list comes from.
#[derive(Clone, Debug)]
pub struct IceConfig {
    /// Servers elsewhere.
    pub servers: Vec<IceUrl>,
    /// How clients authenticate to those of them that relay.
    pub access: Access,
    /// What the embedded server has at the moment. Written by the code that serves its ports.
    pub embedded: Arc<ArcSwap<Embedded>>,
    /// How long credentials are good for, in seconds.
    pub ttl: u64,
    /// The host, and the page's port, under which clients reach us; else what they say in their Host header.
    pub public_host: Option<Authority>,
}

/// What the list for one client depends on. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct IceContext {
    pub(crate) config: Arc<IceConfig>,
    /// The name by which it reached the page.
    pub(crate) host: Option<Authority>,
    pub(crate) client: IpAddr,
    pub(crate) tls_end: TlsEnd,
}

impl IceContext {
    /// The list as of now.
    pub(crate) fn list(&self, id: PeerId) -> Vec<IceServer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let reaching = self.config.reaching(self.host.as_ref(), self.client, self.tls_end);
        self.config.list(&id.to_string(), reaching.as_ref(), now)
    }
}

/// How clients authenticate to a TURN server elsewhere.
#[derive(Clone, Debug)]
pub enum Access {
    /// There is none.
    None,
    /// One user and password for all.
    Fixed(Credential),
    /// By a secret that is shared with it.
    Minted(Box<TurnSecret>),
}

impl IceConfig {
    /// What matters of a client that says that it reached us at `host`.
    #[must_use]
    pub fn reaching(&self, host: Option<&Authority>, client: IpAddr, tls_end: TlsEnd) -> Option<Reaching> {
        let host = self.public_host.as_ref().or(host)?.clone();
        Some(Reaching { host, client, tls_end })
    }

    /// The list for a client called `name`, if it says by which host it reached us with the embedded server in it. `now`
    /// is in seconds since 1970.
    #[must_use]
    pub fn list(&self, name: &str, reaching: Option<&Reaching>, now: u64) -> Vec<IceServer> {
        let mut servers = Vec::new();
        let expiry = now.saturating_add(self.ttl);
        if let Some(reaching) = reaching {
            let embedded = self.embedded.load();
            servers.extend(embedded.stun(reaching));
            servers.extend(embedded.turn(reaching, name, expiry));
        }
        servers.extend(self.elsewhere(IceUrlKind::Stun, None));
        let credential = match &self.access {
            Access::None => None,
            Access::Fixed(credential) => Some(credential.clone()),
            Access::Minted(secret) => Some(Credential::mint(secret, name, expiry)),
        };
        servers.extend(self.elsewhere(IceUrlKind::Turn, credential));
        servers
    }

    fn elsewhere(&self, kind: IceUrlKind, credential: Option<Credential>) -> Option<IceServer> {
        let urls = self.servers.iter().filter(|url| url.kind() == kind).map(ToString::to_string).collect();
        entry(urls, credential)
    }
}

fn entry(urls: Vec<String>, credential: Option<Credential>) -> Option<IceServer> {
    let (username, password) = credential.map(|credential| (credential.username, credential.password)).unzip();
    (!urls.is_empty()).then_some(IceServer { urls, username, credential: password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> IceConfig {
        embedding(Embedded {
            udp: reach(3478),
            tcp: reach(3478),
            has_open_stun: true,
            secret: Some(TurnSecret::new(b"north")),
            ..Embedded::default()
        })
    }

    fn embedding(embedded: Embedded) -> IceConfig {
        let embedded = Arc::new(ArcSwap::from_pointee(embedded));
        IceConfig { servers: Vec::new(), access: Access::None, embedded, ttl: 3600, public_host: None }
    }

    fn reach(port: u16) -> Reach {
        Reach { port: Some(port), listening: vec![[192, 0, 2, 1].into()], missing: Vec::new() }
    }

    /// The list for alice.
    fn list(config: &IceConfig, host: &str, tls_end: TlsEnd, now: u64) -> Vec<IceServer> {
        let reaching = config.reaching(host.parse().ok().as_ref(), [192, 0, 2, 7].into(), tls_end);
        config.list("alice", reaching.as_ref(), now)
    }

    fn urls(config: &IceConfig, host: &str) -> Vec<String> {
        list(config, host, TlsEnd::Here, 1000).into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn the_embedded_server_is_listed_under_the_name_that_the_client_used() {
        let stun = |host| format!("stun:{host}:3478");
        let turn = |host, port| {
            [
                format!("turn:{host}:3478?transport=udp"),
                format!("turn:{host}:3478?transport=tcp"),
                format!("turns:{host}:{port}?transport=tcp"),
            ]
        };
        for (authority, host, port) in [("example.org", "example.org", 443), ("[::1]:8443", "[::1]", 8443)] {
            let mut expected = vec![stun(host)];
            expected.extend(turn(host, port));
            assert_eq!(urls(&config(), authority), expected);
        }
    }

    #[test]
    fn the_pages_port_is_not_listed_where_a_proxy_ends_tls() {
        let urls = |config: &IceConfig| list(config, "calls.example", TlsEnd::Proxy, 1000)[1].urls.join(" ");
        let plain = "turn:calls.example:3478?transport=udp turn:calls.example:3478?transport=tcp";
        assert_eq!(urls(&config()), plain);
        let with_tls = Embedded { tls: reach(5349), ..Embedded::clone(&config().embedded.load()) };
        assert_eq!(urls(&embedding(with_tls)), format!("{plain} turns:calls.example:5349?transport=tcp"));
    }

    #[test]
    fn a_public_host_is_listed_whatever_the_client_used() {
        let config = IceConfig { public_host: "turn.example:443".parse().ok(), ..config() };
        assert_eq!(urls(&config, "10.0.0.1:8443")[0], "stun:turn.example:3478");
    }

    #[test]
    fn without_turn_there_is_stun_alone_and_without_a_port_nothing() {
        let stun = Embedded { udp: reach(3478), has_open_stun: true, ..Embedded::default() };
        assert_eq!(urls(&embedding(stun), "example.org"), ["stun:example.org:3478"]);
        assert!(urls(&embedding(Embedded::default()), "example.org").is_empty());
        let closed = Embedded { has_open_stun: false, ..Embedded::clone(&config().embedded.load()) };
        assert_eq!(urls(&embedding(closed), "example.org"), urls(&config(), "example.org")[1..], "TURN alone");
    }

    #[test]
    fn credentials_are_given_whatever_the_clock_says_and_however_long_they_are_good_for() {
        let config = IceConfig { ttl: u64::MAX - 1000, ..config() };
        for (now, expiry) in [(0, u64::MAX - 1000), (1_795_000_000, u64::MAX), (u64::MAX, u64::MAX)] {
            let servers = list(&config, "example.org", TlsEnd::Here, now);
            assert_eq!(servers[1].username, Some(format!("{expiry}:alice")));
        }
    }

    #[test]
    fn credentials_are_for_the_peer_and_expire() {
        let servers = list(&config(), "example.org", TlsEnd::Here, 1000);
        assert_eq!(servers[0].username, None);
        let expected = Credential::mint(&TurnSecret::new(b"north"), "alice", 4600);
        assert_eq!(
            (&servers[1].username, &servers[1].credential),
            (&Some(expected.username), &Some(expected.password))
        );
    }

    #[test]
    fn servers_elsewhere_follow_with_the_operators_credentials() {
        let servers = ["stun:stun.example", "turn:turn.example?transport=tcp"].map(|url| url.parse().unwrap()).to_vec();
        let credential = Credential { username: "user".into(), password: "word".into() };
        let config = IceConfig { servers, access: Access::Fixed(credential), ..embedding(Embedded::default()) };
        let list = config.list("alice", None, 1000);
        assert_eq!((list[0].urls[0].as_str(), &list[0].username), ("stun:stun.example", &None));
        assert_eq!(list[1].urls, ["turn:turn.example?transport=tcp"]);
        assert_eq!((list[1].username.as_deref(), list[1].credential.as_deref()), (Some("user"), Some("word")));
    }
}
