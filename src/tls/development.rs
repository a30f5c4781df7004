//! The pair for development: made on the first run, so that a fresh clone serves HTTPS with nothing else installed.
//!
//! ECDSA P-256, not the RSA 4096 that tutorials make: every browser takes it, a handshake costs the server a
//! hundredth of the time, and its strength (128 bits) is that of RSA 3072.

use std::net::IpAddr;
use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use tracing::warn;

use super::{PairPaths, certificates, parse, pem, read};
use crate::error::{StartError, TlsProblem};
use crate::file;

/// Both subject and issuer of what is made here: how a pair of our own is known again.
const NAME: &str = "entremise development certificate";

/// At most a year: a certificate that was trusted by hand should not outlive the memory of it.
const VALIDITY: time::Duration = time::Duration::days(365);

/// Makes the pair if there is none, and anew if it is one of ours that has expired. Nothing else is overwritten.
pub(super) fn ensure(paths: &PairPaths) -> Result<(), StartError> {
    match (paths.cert.exists(), paths.key.exists()) {
        (false, false) => make(paths),
        (true, true) if is_ours_and_expired(&paths.cert) => make(paths),
        (true, true) => Ok(()),
        (true, false) => Err(paths.key_error(TlsProblem::Half { other: paths.cert.clone() })),
        (false, true) => Err(paths.cert_error(TlsProblem::Half { other: paths.key.clone() })),
    }
}

fn is_ours_and_expired(cert: &Path) -> bool {
    let Ok(items) = read(cert).and_then(|text| pem(&text)) else { return false };
    let chain = certificates(items);
    let Some(Ok(certificate)) = chain.first().map(parse) else { return false };
    let is_ours = |name: &x509_parser::x509::X509Name<'_>| {
        name.iter_common_name().any(|attribute| attribute.as_str().is_ok_and(|name| name == NAME))
    };
    chain.len() == 1
        && is_ours(certificate.subject())
        && is_ours(certificate.issuer())
        && certificate.validity().not_after.timestamp() < OffsetDateTime::now_utc().unix_timestamp()
}

fn make(paths: &PairPaths) -> Result<(), StartError> {
    let key = KeyPair::generate().expect("the system has randomness");
    let certificate = params(OffsetDateTime::now_utc()).self_signed(&key).expect("all names were checked");
    let write = |path: &Path, text: String, mode| file::write_whole(path, text.as_bytes(), mode);
    let [key, pem] = [key.serialize_pem(), certificate.pem()];
    write(&paths.key, key, 0o600).map_err(|error| paths.key_error(TlsProblem::Unwritable(error)))?;
    write(&paths.cert, pem, 0o644).map_err(|error| paths.cert_error(TlsProblem::Unwritable(error)))?;
    warn!(
        "made a certificate for development, {} (SHA-256 fingerprint {}): browsers will ask before they trust it",
        paths.cert.display(),
        fingerprint(certificate.der()),
    );
    Ok(())
}

/// The key and a certificate for these names, in PEM, which are written nowhere.
pub(super) fn provisional(names: &[String]) -> String {
    let mut params = params(OffsetDateTime::now_utc());
    params.subject_alt_names = CertificateParams::new(names).expect("the names were checked").subject_alt_names;
    let key = KeyPair::generate().expect("the system has randomness");
    key.serialize_pem() + &params.self_signed(&key).expect("the names were checked").pem()
}

fn params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.subject_alt_names = names();
    // An hour early: a phone's clock may be behind.
    params.not_before = now - time::Duration::hours(1);
    params.not_after = params.not_before + VALIDITY;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// Every name under which this machine's page can be opened.
fn names() -> Vec<SanType> {
    let host = gethostname::gethostname().into_string().ok();
    let hosts = ["localhost".to_owned()].into_iter().chain(host.filter(|name| name != "localhost"));
    let hosts = hosts.filter_map(|name| Ia5String::try_from(name).ok()).map(SanType::DnsName);
    let loopback = [IpAddr::from([127, 0, 0, 1]), "::1".parse().expect("an address")];
    let addresses = loopback.into_iter().chain(crate::net::lan_addresses()).map(SanType::IpAddress);
    hosts.chain(addresses).collect()
}

fn fingerprint(der: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pair(folder: &tempfile::TempDir) -> PairPaths {
        PairPaths { cert: folder.path().join("new/cert.pem"), key: folder.path().join("new/key.pem") }
    }

    #[test]
    fn a_missing_pair_is_made_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let paths = pair(&folder);
        ensure(&paths).unwrap();
        let pair = super::super::load(&paths).unwrap();
        assert!(pair.validity.is_valid());
        assert!(pair.validity.time_to_expiration().unwrap().whole_days() < 366);
        assert_eq!(fs::metadata(&paths.key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_names_are_those_under_which_the_page_can_be_opened() {
        let names = names();
        assert!(names.contains(&SanType::DnsName("localhost".try_into().unwrap())));
        assert!(names.contains(&SanType::IpAddress("127.0.0.1".parse().unwrap())));
        assert!(names.contains(&SanType::IpAddress("::1".parse().unwrap())));
    }

    #[test]
    fn half_a_pair_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let paths = pair(&folder);
        ensure(&paths).unwrap();
        fs::remove_file(&paths.key).unwrap();
        let before = fs::read(&paths.cert).unwrap();
        let error = ensure(&paths).unwrap_err().to_string();
        assert!(error.starts_with("--key") && error.contains("cert.pem exists"), "{error}");
        assert_eq!(fs::read(&paths.cert).unwrap(), before);
    }

    #[test]
    fn a_valid_pair_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let paths = pair(&folder);
        ensure(&paths).unwrap();
        let before = fs::read(&paths.cert).unwrap();
        ensure(&paths).unwrap();
        assert_eq!(fs::read(&paths.cert).unwrap(), before);
    }

    fn expired(paths: &PairPaths, name: &str) -> Vec<u8> {
        let mut params = params(OffsetDateTime::now_utc() - 2 * VALIDITY);
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        file::write_whole(&paths.key, key.serialize_pem().as_bytes(), 0o600).unwrap();
        file::write_whole(&paths.cert, params.self_signed(&key).unwrap().pem().as_bytes(), 0o644).unwrap();
        fs::read(&paths.cert).unwrap()
    }

    #[test]
    fn an_expired_pair_of_our_own_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let paths = pair(&folder);
        let before = expired(&paths, NAME);
        ensure(&paths).unwrap();
        assert_ne!(fs::read(&paths.cert).unwrap(), before);
        super::super::load(&paths).unwrap();
    }

    #[test]
    fn an_expired_pair_that_was_not_made_here_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let paths = pair(&folder);
        let before = expired(&paths, "example.com");
        ensure(&paths).unwrap();
        assert_eq!(fs::read(&paths.cert).unwrap(), before);
    }
}
