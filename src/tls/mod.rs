//! The certificate and its key: read and checked here, [`served`](ServedPair) to new connections, and
//! [`watched`](Watch) for what comes after them. Where developers have no pair, `development` makes one; an authority
//! that looks whether a name is ours is shown a `challenge`'s.

pub(crate) mod challenge;
mod concern;
mod development;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod served;
mod watch;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pemfile::Item;
use x509_parser::prelude::{FromDer as _, GeneralName, Validity, X509Certificate};

pub use served::ServedPair;
pub(crate) use served::{Asks, is_stun, server_config};
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
    /// A start is only tried: what would be made for developers is not written.
    Rehearsal,
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

    fn are_missing(&self) -> bool {
        !self.cert.exists() && !self.key.exists()
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
pub(crate) struct Pair {
    certified: Arc<CertifiedKey>,
    validity: Validity,
    /// Whether its owner alone vouches for it, as for one that is made for development.
    is_self_signed: bool,
}

impl Pair {
    /// Both from one text: a chain of certificates, and the key of the first.
    ///
    /// # Errors
    ///
    /// Where one of them is missing or damaged, or they do not fit each other.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, TlsProblem> {
        Self::of(chain(text)?, signing_key(text)?).ok_or(TlsProblem::Misfit)
    }

    /// One of our own for these names and addresses, in memory alone: something to serve until a better one comes.
    ///
    /// # Panics
    ///
    /// Where one of the names can't be in a certificate.
    pub(crate) fn provisional(names: &[String]) -> Self {
        let pem = development::provisional(names);
        Self::from_pem(pem.as_bytes()).expect("it was made here")
    }

    fn of((chain, validity): (Vec<CertificateDer<'static>>, Validity), key: Arc<dyn SigningKey>) -> Option<Self> {
        let is_self_signed = parse(chain.first()?).is_ok_and(|leaf| leaf.issuer().as_raw() == leaf.subject().as_raw());
        let certified = Arc::new(CertifiedKey::new(chain, key));
        certified.keys_match().is_ok().then_some(Self { certified, validity, is_self_signed })
    }

    /// Whether the certificate is for this host, as browsers see it.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let Some(Ok(leaf)) = self.certified.cert.first().map(ParsedCertificate::try_from) else { return false };
        // An IPv6 address stands in brackets in a URL, and without them in a certificate.
        let name = ServerName::try_from(host.trim_matches(['[', ']']));
        name.is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
    }

    /// From when to when it is good.
    pub(crate) fn validity(&self) -> &Validity {
        &self.validity
    }
}

fn load(paths: &PairPaths) -> Result<Pair, StartError> {
    let chain = read(&paths.cert).and_then(|text| chain(&text)).map_err(|problem| paths.cert_error(problem))?;
    let key = read(&paths.key).and_then(|text| signing_key(&text)).map_err(|problem| paths.key_error(problem))?;
    Pair::of(chain, key).ok_or_else(|| paths.key_error(TlsProblem::Mismatch { cert: paths.cert.clone() }))
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

/// The certificates of a file, at least one: those of authorities.
pub(crate) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let text = file::read(path).map_err(TlsProblem::Unreadable)?;
    let found = certificates(pem(&text)?);
    if found.is_empty() { Err(TlsProblem::NoCertificate) } else { Ok(found) }
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

/// The hosts' names and the addresses in a certificate.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(all)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
        },
        _ => None,
    };
    all.value.general_names.iter().filter_map(name).collect()
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsProblem> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(TlsProblem::BadCertificate(error.to_string())),
    }
}
