//! The pair that is served: read by every handshake, replaced by the [`watch`](super::watch).

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use x509_parser::prelude::Validity;

use super::Pair;

/// What new connections are shown. Connections of before are not touched when it changes.
#[derive(Debug)]
pub struct ServedPair {
    /// Invariant: certificate and key fit each other (`a_broken_pair_leaves_the_old_one_serving`).
    current: ArcSwap<Pair>,
    asked: Notify,
}

impl ServedPair {
    pub(super) fn new(pair: Pair) -> Self {
        Self { current: ArcSwap::from_pointee(pair), asked: Notify::new() }
    }

    /// Has the files read again, as soon as the server runs: what SIGHUP asks for.
    pub fn reload(&self) {
        self.asked.notify_one();
    }

    /// When the certificate expires, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.validity().not_after.timestamp()
    }

    /// Whether the certificate is for this host, as browsers see it.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let pair = self.current.load();
        let Some(Ok(leaf)) = pair.certified.cert.first().map(ParsedCertificate::try_from) else { return false };
        // An IPv6 address stands in brackets in a URL, and without them in a certificate.
        let name = ServerName::try_from(host.trim_matches(['[', ']']));
        name.is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
    }

    pub(super) fn validity(&self) -> Validity {
        self.current.load().validity.clone()
    }

    pub(super) fn replace(&self, pair: Pair) {
        self.current.store(Arc::new(pair));
    }

    /// Ready once a reload is asked for. Cancel safe: what was asked before is not forgotten.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }
}

impl ResolvesServerCert for ServedPair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

/// What clients call HTTP in TLS's handshake, where they say (RFC 7301). WebSockets over `h2` are not offered.
const HTTP: &[u8] = b"http/1.1";

/// … and STUN, with TURN or without (RFC 7443). The page's port has all of them.
const STUN: [&[u8]; 2] = [b"stun.turn", b"stun.nat-discovery"];

/// Whether what was agreed on is STUN or TURN, and nothing else.
pub(crate) fn is_stun(protocol: &[u8]) -> bool {
    STUN.contains(&protocol)
}

/// TLS 1.2 and 1.3 with the pair that is served.
///
/// One for the life of the server: sessions are resumed over a change of the pair.
pub(crate) fn server_config(pair: Arc<ServedPair>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions of TLS")
        .with_no_client_auth()
        .with_cert_resolver(pair);
    config.alpn_protocols = [&[HTTP][..], &STUN].concat().into_iter().map(<[u8]>::to_vec).collect();
    // Each connection brings one for its successor: a second would be work, and would drive another out of the memory.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}
