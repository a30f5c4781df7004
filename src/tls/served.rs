//! The pair that is served: read by every handshake, replaced by the [`watch`](super::watch).

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use x509_parser::prelude::Validity;

use super::{Pair, challenge};

/// What new connections are shown. Connections of before are not touched when it changes.
#[derive(Debug)]
pub struct ServedPair {
    /// Invariant: certificate and key fit each other (`a_broken_pair_leaves_the_old_one_serving`).
    current: ArcSwap<Pair>,
    /// What an authority is to find, by the names that it asks for.
    challenges: ArcSwap<challenge::Pairs>,
    /// Why there is no newer one, where there should be.
    trouble: ArcSwapOption<String>,
    asked: Notify,
}

impl ServedPair {
    pub(crate) fn new(pair: Pair) -> Self {
        let (challenges, trouble) = (ArcSwap::default(), ArcSwapOption::default());
        Self { current: ArcSwap::from_pointee(pair), challenges, trouble, asked: Notify::new() }
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

    /// For how long the certificate is good in all, in seconds.
    #[must_use]
    pub fn lifetime(&self) -> i64 {
        let Validity { not_before, not_after } = self.validity();
        not_after.timestamp() - not_before.timestamp()
    }

    /// Whether the certificate is for this host, as browsers see it.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.current.load().is_for(host)
    }

    /// Whether an authority vouches for the certificate.
    pub(crate) fn is_vouched_for(&self) -> bool {
        !self.current.load().is_self_signed
    }

    /// For whom the certificate is: hosts' names and addresses.
    pub(crate) fn names(&self) -> Vec<String> {
        super::parse(&self.certificate()).map(|leaf| super::names(&leaf)).unwrap_or_default()
    }

    /// Who has issued it.
    pub(crate) fn issuer(&self) -> String {
        super::parse(&self.certificate()).map(|leaf| leaf.issuer().to_string()).unwrap_or_default()
    }

    /// The certificate itself, in DER.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.current.load().certified.cert[0].clone()
    }

    /// What an authority is shown from now on that looks whether these names are ours, in place of what it was.
    pub(crate) fn answer_challenges(&self, pairs: challenge::Pairs) {
        self.challenges.store(Arc::new(pairs));
    }

    pub(super) fn validity(&self) -> Validity {
        self.current.load().validity.clone()
    }

    /// Serves this one from now on, and all is well.
    pub(crate) fn replace(&self, pair: Pair) {
        self.trouble.store(None);
        self.current.store(Arc::new(pair));
    }

    /// There should be a newer one, and is none, for this reason.
    pub(crate) fn has_trouble(&self, why: String) {
        self.trouble.store(Some(Arc::new(why)));
    }

    /// Why there is no newer one, where there should be.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.load().as_deref().cloned()
    }

    /// Ready once a reload is asked for. Cancel safe: what was asked before is not forgotten.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }
}

impl ResolvesServerCert for ServedPair {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if challenge::looks_for_proof(&hello) {
            return self.challenges.load().get(&*hello.server_name()?.to_ascii_lowercase()).cloned();
        }
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

/// Who may ask for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Browsers, and other clients.
    Browsers,
    /// An authority too, which looks whether a name is ours.
    Authority,
}

/// TLS 1.2 and 1.3 with the pair that is served.
///
/// One for the life of the server: sessions are resumed over a change of the pair.
pub(crate) fn server_config(pair: Arc<ServedPair>, asks: Asks) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions of TLS")
        .with_no_client_auth()
        .with_cert_resolver(pair);
    let challenge = (asks == Asks::Authority).then_some(challenge::PROTOCOL);
    config.alpn_protocols = [HTTP].into_iter().chain(STUN).chain(challenge).map(<[u8]>::to_vec).collect();
    // Each connection brings one for its successor: a second would be work, and would drive another out of the memory.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}
