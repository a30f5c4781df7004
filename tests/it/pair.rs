//! Certificates and keys, made when a test needs them: no private key is ever committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// Under which the tests' servers are reached.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The two files of a pair, in a folder that goes with it, and whom a client has to trust to accept it.
pub(crate) struct Pair {
    folder: TempDir,
    pub(crate) root: CertificateDer<'static>,
}

impl Pair {
    /// ECDSA P-256, PKCS#8, self-signed.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("the system has randomness");
        let pem = key.serialize_pem();
        Self::signed(&params(), &key, &pem)
    }

    /// A self-signed certificate for this key, with a key file of any text.
    pub(crate) fn signed(params: &CertificateParams, key: &KeyPair, key_pem: &str) -> Self {
        let certificate = params.self_signed(key).expect("the parameters are valid");
        Self::of(&certificate.pem(), key_pem, certificate.der().clone())
    }

    /// Files of any text.
    pub(crate) fn of(cert: &str, key: &str, root: CertificateDer<'static>) -> Self {
        let pair = Self { folder: tempfile::tempdir().expect("a folder can be made"), root };
        fs::write(pair.cert(), cert).expect("the folder is writable");
        fs::write(pair.key(), key).expect("the folder is writable");
        pair
    }

    /// The same pair, in another folder.
    pub(crate) fn again(&self) -> Self {
        let text = |path| fs::read_to_string(path).expect("readable");
        Self::of(&text(self.cert()), &text(self.key()), self.root.clone())
    }

    /// A file beside it with a secret, which is the same for each pair.
    pub(crate) fn secret(&self, name: &str) -> String {
        self.folder_file(name, "a secret of more than thirty-two bytes")
    }

    /// A file beside it with this text.
    pub(crate) fn folder_file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the folder is writable");
        path.display().to_string()
    }

    pub(crate) fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Puts what is in the other's files into one's own, as a tool that renews would: no instant has half a file.
    pub(crate) fn put(&self, other: &Self) {
        for (ours, theirs) in [(self.cert(), other.cert()), (self.key(), other.key())] {
            replace(&ours, fs::read(theirs).expect("readable"));
        }
    }

    /// The two flags that name the files.
    pub(crate) fn flags(&self) -> [String; 2] {
        [format!("--cert={}", self.cert().display()), format!("--key={}", self.key().display())]
    }
}

/// Gives a file another text, all at once.
pub(crate) fn replace(path: &Path, text: impl AsRef<[u8]>) {
    let partial = path.with_extension("partial");
    fs::write(&partial, text).expect("the folder is writable");
    fs::rename(&partial, path).expect("the folder is writable");
}

/// What a test's certificate says, valid now.
pub(crate) fn params() -> CertificateParams {
    CertificateParams::new(NAMES.map(String::from)).expect("the names are valid")
}

/// A client's side of TLS that trusts this certificate and what it has signed, and nothing else.
pub(crate) fn trusting(
    root: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("the provider has suites for these versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
