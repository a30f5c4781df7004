//! The certificate and its key: read and checked here, [`served`](ServedPair) to new connections, and
//! [`watched`](Watch) for what comes after them. Where developers have no pair, `development` makes one.

mod concern;
mod development;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod served;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pemfile::Item;
use x509_parser::prelude::{FromDer as _, Validity, X509Certificate};

pub use served::ServedPair;
pub(crate) use served::{is_stun, server_config};
pub use watch::Watch;

use crate::error::{StartError, TlsProblem};
use crate::file;

/// Where a certificate chain and its key are.
#[derive(Clone, Debug)]
pub struct PairPaths {
    /// `--cert`: the chain, the server's own certificate first.
    pub cert: PathBuf,
    /// `--key`: its private key.
    pub key: PathBuf,
}

/// For whom a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Those who open the page to try it: a pair is made if there is none.
    Developers,
    /// The public, who were given a name of ours: the operator has a certificate for it, or has forgotten it.
    Public,
}

impl PairPaths {
    /// The default paths: the only ones where a pair is made if there is none.
    pub const DEVELOPMENT_CERT: &str = "certs/cert.pem";
    /// See [`PairPaths::DEVELOPMENT_CERT`].
    pub const DEVELOPMENT_KEY: &str = "certs/key.pem";

    fn are_for_development(&self) -> bool {
        self.cert == Path::new(Self::DEVELOPMENT_CERT) && self.key == Path::new(Self::DEVELOPMENT_KEY)
    }

    fn cert_error(&self, problem: TlsProblem) -> StartError {
        StartError::TlsFile { flag: "--cert", path: self.cert.clone(), problem }
    }

    fn key_error(&self, problem: TlsProblem) -> StartError {
        StartError::TlsFile { flag: "--key", path: self.key.clone(), problem }
    }
}

/// A certificate chain with the key that fits it, and the time for which it is good.
#[derive(Debug)]
struct Pair {
    certified: Arc<CertifiedKey>,
    validity: Validity,
}

fn load(paths: &PairPaths) -> Result<Pair, StartError> {
    let chain = read(&paths.cert).and_then(|text| chain(&text));
    let (chain, validity) = chain.map_err(|problem| paths.cert_error(problem))?;
    let key = read(&paths.key).and_then(|text| signing_key(&text)).map_err(|problem| paths.key_error(problem))?;
    let certified = Arc::new(CertifiedKey::new(chain, key));
    match certified.keys_match() {
        Ok(()) => Ok(Pair { certified, validity }),
        Err(_) => Err(paths.key_error(TlsProblem::Mismatch { cert: paths.cert.clone() })),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsProblem> {
    file::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TlsProblem::Missing,
        _ => TlsProblem::Unreadable(error),
    })
}

/// The certificates of a file, at least one, and the time for which the first is good.
fn chain(text: &[u8]) -> Result<(Vec<CertificateDer<'static>>, Validity), TlsProblem> {
    let chain = certificates(pem(text)?);
    let leaf = chain.first().ok_or(TlsProblem::NoCertificate)?;
    let validity = parse(leaf)?.validity().clone();
    Ok((chain, validity))
}

fn signing_key(text: &[u8]) -> Result<Arc<dyn SigningKey>, TlsProblem> {
    let key = private_key(pem(text)?).ok_or(TlsProblem::NoKey)?;
    aws_lc_rs::sign::any_supported_type(&key).map_err(|error| TlsProblem::BadKey(error.to_string()))
}

/// Whether a file has certificates, of authorities.
#[cfg(feature = "cluster")]
pub(crate) fn look_at_authorities(path: &Path) -> Result<(), TlsProblem> {
    if certificates(pem(&read(path)?)?).is_empty() { Err(TlsProblem::NoCertificate) } else { Ok(()) }
}

/// All PEM blocks of a text: the one place where rustls-pemfile is used.
fn pem(text: &[u8]) -> Result<Vec<Item>, TlsProblem> {
    if text.trim_ascii().is_empty() {
        return Err(TlsProblem::Empty);
    }
    let items: Vec<Item> =
        rustls_pemfile::read_all(&mut &*text).collect::<Result<_, _>>().map_err(TlsProblem::Unreadable)?;
    // Blocks of other kinds (an encrypted key, say) are skipped, and what is missing then is said by its name.
    let is_pem = text.windows(b"-----BEGIN ".len()).any(|window| window == b"-----BEGIN ");
    if is_pem { Ok(items) } else { Err(TlsProblem::NotPem) }
}

fn certificates(items: Vec<Item>) -> Vec<CertificateDer<'static>> {
    let certificate = |item| if let Item::X509Certificate(der) = item { Some(der) } else { None };
    items.into_iter().filter_map(certificate).collect()
}

fn private_key(items: Vec<Item>) -> Option<PrivateKeyDer<'static>> {
    items.into_iter().find_map(|item| match item {
        Item::Pkcs8Key(der) => Some(der.into()),
        Item::Pkcs1Key(der) => Some(der.into()),
        Item::Sec1Key(der) => Some(der.into()),
        _ => None,
    })
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsProblem> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(TlsProblem::BadCertificate(error.to_string())),
    }
}
