//! The certificate of a run, and the TLS configuration of its clients.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;

/// A certificate of this run, for all servers: ECDSA P-256.
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    trust: RootCertStore,
    _folder: tempfile::TempDir,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("the name is valid");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, pair.cert.pem()).expect("the folder is writable");
        std::fs::write(&key, pair.signing_key.serialize_pem()).expect("the folder is writable");
        let mut trust = RootCertStore::empty();
        trust.add(pair.cert.der().clone()).expect("a certificate");
        Self { cert, key, trust, _folder: folder }
    }

    /// For clients of all servers: with the cipher of TLS 1.3 that every browser offers first, and without the post-quantum
    /// key exchange, which Node's OpenSSL does not have.
    pub(crate) fn connector(&self) -> TlsConnector {
        self.of(&rustls::version::TLS13, aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256)
    }

    /// For a server without TLS 1.3, and those that it is compared with.
    pub(crate) fn connector_of_tls_1_2(&self) -> TlsConnector {
        self.of(&rustls::version::TLS12, aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
    }

    fn of(&self, version: &'static SupportedProtocolVersion, suite: SupportedCipherSuite) -> TlsConnector {
        // With the certificate's curve: in TLS 1.2 it has to be among them.
        let kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
        let cipher_suites = vec![suite];
        let provider = CryptoProvider { cipher_suites, kx_groups, ..aws_lc_rs::default_provider() };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .expect("the provider has its suites")
            .with_root_certificates(self.trust.clone())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        TlsConnector::from(Arc::new(config))
    }
}
