//! What a browser's `RTCPeerConnection` should use: the list in `welcome`, in the answer to `ice-servers`, and at
//! `GET /ice`. But for the clock of `IceOffer`, pure.
//!
//! First the embedded server, under the name by which this client reached the page; then those that the operator
//! names. Credentials are made for each client and expire.

pub mod credential;
mod url;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::uri::Authority;

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
    /// The embedded server's secret and what it offers; none of it where nothing listens.
    pub embedded: Embedded,
    /// How long credentials are good for, in seconds.
    pub ttl: u64,
    /// The host, and the page's port, under which clients reach us; else what they say in their Host header.
    pub public_host: Option<Authority>,
}

/// The list for one client, who reached us under a name of its choice. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct IceOffer {
    pub(crate) config: Arc<IceConfig>,
    pub(crate) reached: Option<Authority>,
    pub(crate) tls_end: TlsEnd,
}

impl IceOffer {
    /// The list as of now.
    pub(crate) fn list(&self, id: PeerId) -> Vec<IceServer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.config.list(&id.to_string(), self.reached.as_ref(), self.tls_end, now)
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

/// What the embedded server offers.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// The UDP port of STUN, and of TURN.
    pub udp_port: Option<u16>,
    /// The TCP port of TURN.
    pub tcp_port: Option<u16>,
    /// A TLS port of TURN besides the page's.
    pub tls_port: Option<u16>,
    /// The secret of TURN. None: STUN only.
    pub secret: Option<TurnSecret>,
}

impl IceConfig {
    /// The list for a client called `name` that reached us at `reached`. `now` is in seconds since 1970.
    #[must_use]
    pub fn list(&self, name: &str, reached: Option<&Authority>, tls_end: TlsEnd, now: u64) -> Vec<IceServer> {
        let mut servers = Vec::new();
        let expiry = now.saturating_add(self.ttl);
        if let Some(reached) = self.public_host.as_ref().or(reached) {
            servers.extend(self.embedded.stun(reached));
            servers.extend(self.embedded.turn(reached, tls_end, name, expiry));
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

impl Embedded {
    fn stun(&self, reached: &Authority) -> Option<IceServer> {
        let url = |port| format!("stun:{}:{port}", reached.host());
        entry(self.udp_port.map(url).into_iter().collect(), None)
    }

    /// In the order in which a browser should prefer them, if it cared. Where TLS ends with a proxy, so does what is
    /// said inside it: the page's own port is no way to us.
    fn turn(&self, reached: &Authority, tls_end: TlsEnd, name: &str, expiry: u64) -> Option<IceServer> {
        let secret = self.secret.as_ref()?;
        let host = reached.host();
        let udp = self.udp_port.map(|port| format!("turn:{host}:{port}?transport=udp"));
        let tcp = self.tcp_port.map(|port| format!("turn:{host}:{port}?transport=tcp"));
        let page_port = (tls_end == TlsEnd::Here).then(|| reached.port_u16().unwrap_or(443));
        let tls = [page_port, self.tls_port].into_iter().flatten();
        let tls = tls.map(|port| format!("turns:{host}:{port}?transport=tcp"));
        let urls = [udp, tcp].into_iter().flatten().chain(tls).collect();
        entry(urls, Some(Credential::mint(secret, name, expiry)))
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
        let embedded = Embedded {
            udp_port: Some(3478),
            tcp_port: Some(3478),
            tls_port: None,
            secret: Some(TurnSecret::new(b"north")),
        };
        IceConfig { servers: Vec::new(), access: Access::None, embedded, ttl: 3600, public_host: None }
    }

    fn urls(config: &IceConfig, reached: &str) -> Vec<String> {
        let reached = reached.parse().ok();
        config.list("alice", reached.as_ref(), TlsEnd::Here, 1000).into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn the_embedded_server_is_offered_under_the_name_that_the_client_used() {
        let stun = |host| format!("stun:{host}:3478");
        let turn = |host, port| {
            [
                format!("turn:{host}:3478?transport=udp"),
                format!("turn:{host}:3478?transport=tcp"),
                format!("turns:{host}:{port}?transport=tcp"),
            ]
        };
        for (reached, host, port) in [("example.org", "example.org", 443), ("[::1]:8443", "[::1]", 8443)] {
            let mut expected = vec![stun(host)];
            expected.extend(turn(host, port));
            assert_eq!(urls(&config(), reached), expected);
        }
    }

    #[test]
    fn the_pages_port_is_not_offered_where_a_proxy_ends_tls() {
        let mut config = config();
        let urls = |config: &IceConfig| {
            let servers = config.list("alice", "calls.example".parse().ok().as_ref(), TlsEnd::Proxy, 1000);
            servers[1].urls.join(" ")
        };
        let plain = "turn:calls.example:3478?transport=udp turn:calls.example:3478?transport=tcp";
        assert_eq!(urls(&config), plain);
        config.embedded.tls_port = Some(5349);
        assert_eq!(urls(&config), format!("{plain} turns:calls.example:5349?transport=tcp"));
    }

    #[test]
    fn a_public_host_is_offered_whatever_the_client_used() {
        let config = IceConfig { public_host: "turn.example:443".parse().ok(), ..config() };
        assert_eq!(urls(&config, "10.0.0.1:8443")[0], "stun:turn.example:3478");
    }

    #[test]
    fn without_turn_there_is_stun_alone_and_without_a_port_nothing() {
        let mut config = config();
        config.embedded.secret = None;
        assert_eq!(urls(&config, "example.org"), ["stun:example.org:3478"]);
        config.embedded.udp_port = None;
        assert!(urls(&config, "example.org").is_empty());
    }

    #[test]
    fn credentials_are_given_whatever_the_clock_says_and_however_long_they_are_good_for() {
        let config = IceConfig { ttl: u64::MAX - 1000, ..config() };
        for (now, expiry) in [(0, u64::MAX - 1000), (1_795_000_000, u64::MAX), (u64::MAX, u64::MAX)] {
            let servers = config.list("alice", "example.org".parse().ok().as_ref(), TlsEnd::Here, now);
            assert_eq!(servers[1].username, Some(format!("{expiry}:alice")));
        }
    }

    #[test]
    fn credentials_are_for_the_peer_and_expire() {
        let servers = config().list("alice", "example.org".parse().ok().as_ref(), TlsEnd::Here, 1000);
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
        let config =
            IceConfig { servers, access: Access::Fixed(credential), embedded: Embedded::default(), ..config() };
        let list = config.list("alice", None, TlsEnd::Here, 1000);
        assert_eq!((list[0].urls[0].as_str(), &list[0].username), ("stun:stun.example", &None));
        assert_eq!(list[1].urls, ["turn:turn.example?transport=tcp"]);
        assert_eq!((list[1].username.as_deref(), list[1].credential.as_deref()), (Some("user"), Some("word")));
    }
}
