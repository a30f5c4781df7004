//! What browsers will not like about a pair that can be served. Pure.

use rustls::SignatureAlgorithm;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::X509Certificate;

use super::{Pair, parse};

/// A line for each, which says what to do.
pub(super) fn concerns(pair: &Pair) -> Vec<String> {
    let chain = &pair.certified.cert;
    let parsed: Vec<X509Certificate<'_>> =
        chain.iter().filter_map(|der: &CertificateDer<'_>| parse(der).ok()).collect();
    let Some(leaf) = parsed.first() else { return Vec::new() };
    [kind(pair, leaf), links(&parsed), names(leaf)].into_iter().flatten().collect()
}

fn kind(pair: &Pair, leaf: &X509Certificate<'_>) -> Option<String> {
    /// RFC 5480, 2.1.1.1: secp521r1.
    const P521: &str = "1.3.132.0.35";
    let curve = || leaf.public_key().algorithm.parameters.as_ref()?.as_oid().ok();
    if pair.certified.key.algorithm() == SignatureAlgorithm::ED25519 {
        return Some("the key is of Ed25519, which no browser takes; have a pair issued for ECDSA P-256 or RSA".into());
    }
    let is_p521 = curve().is_some_and(|curve| curve.to_id_string() == P521);
    is_p521
        .then(|| "the key is of ECDSA P-521, which not all browsers take; have a pair issued for P-256 or RSA".into())
}

/// RFC 8446, 4.4.2: each certificate certifies the one before it. What a self-signed one needs is known to its clients.
fn links(chain: &[X509Certificate<'_>]) -> Option<String> {
    if let [leaf] = chain {
        let is_alone = leaf.issuer().as_raw() != leaf.subject().as_raw();
        return is_alone.then(|| {
            format!(
                "only the server's own certificate is in it, and browsers do not know by whom it was issued ({}); give the \
                 whole chain (certbot: fullchain.pem)",
                leaf.issuer()
            )
        });
    }
    let is_broken = |pair: &[X509Certificate<'_>]| pair[0].issuer().as_raw() != pair[1].subject().as_raw();
    let at = chain.windows(2).position(is_broken)?;
    let (number, issuer) = (at + 1, chain[at].issuer());
    Some(format!(
        "certificate {number} in it is not followed by the one of its issuer ({issuer}); give the chain in its order"
    ))
}

fn names(leaf: &X509Certificate<'_>) -> Option<String> {
    let has_names = leaf.subject_alternative_name().is_ok_and(|names| names.is_some());
    (!has_names).then(|| {
        "the certificate names no host (subjectAltName), so browsers refuse it; have one issued that does".into()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::super::{PairPaths, load};
    use super::*;

    fn params(name: &str, hosts: &[&str]) -> CertificateParams {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// What is said of a pair with this chain.
    fn told(chain: &[String], key: &KeyPair) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let paths = PairPaths { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        fs::write(&paths.cert, chain.concat()).unwrap();
        fs::write(&paths.key, key.serialize_pem()).unwrap();
        concerns(&load(&paths).unwrap())
    }

    #[test]
    fn a_chain_in_order_and_a_self_signed_certificate_are_no_concern() {
        let (key, authority) = (KeyPair::generate().unwrap(), authority("Intermediate"));
        let leaf = params("leaf", &["localhost"]).signed_by(&key, &authority).unwrap();
        assert_eq!(told(&[leaf.pem(), authority.pem()], &key), [""; 0]);
        let own = params("own", &["localhost"]).self_signed(&key).unwrap();
        assert_eq!(told(&[own.pem()], &key), [""; 0]);
    }

    #[test]
    fn a_leaf_without_its_intermediate_is_told() {
        let (key, authority, other) = (KeyPair::generate().unwrap(), authority("Intermediate R11"), authority("Other"));
        let leaf = params("leaf", &["localhost"]).signed_by(&key, &authority).unwrap();
        let alone = told(&[leaf.pem()], &key);
        assert!(
            alone.len() == 1 && alone[0].contains("Intermediate R11") && alone[0].contains("fullchain.pem"),
            "{alone:?}"
        );
        let broken = told(&[leaf.pem(), other.pem(), authority.pem()], &key);
        assert!(broken.len() == 1 && broken[0].contains("certificate 1 in it is not followed"), "{broken:?}");
    }

    #[test]
    fn a_key_that_browsers_do_not_take_is_told() {
        for (kind, name) in [(&rcgen::PKCS_ED25519, "Ed25519"), (&rcgen::PKCS_ECDSA_P521_SHA512, "P-521")] {
            let key = KeyPair::generate_for(kind).unwrap();
            let own = params("own", &["localhost"]).self_signed(&key).unwrap();
            let told = told(&[own.pem()], &key);
            assert!(told.len() == 1 && told[0].contains(name) && told[0].contains("P-256"), "{told:?}");
        }
    }

    #[test]
    fn a_certificate_without_a_hosts_name_is_told() {
        let key = KeyPair::generate().unwrap();
        let told = told(&[params("localhost", &[]).self_signed(&key).unwrap().pem()], &key);
        assert!(told.len() == 1 && told[0].contains("subjectAltName"), "{told:?}");
    }
}
