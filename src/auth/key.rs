//! What a token is signed and verified by. The key's kind is the algorithm: a token has no say in it.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Verifies tokens of one algorithm. Shows nothing of itself but that.
pub struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}

/// What can't be a key, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// A secret that could be guessed.
    #[error("the secret has {0} bytes, and HS256 needs 32 or more; make one, such as by: openssl rand -base64 48")]
    TooShort(usize),
    /// A public key where a secret should be: it is known to all.
    #[error("this is a PEM file, not a secret; a public key goes to --auth-jwt-public-key-file")]
    Pem,
    /// Something else where a public key should be.
    #[error("no public key in it; give a PEM file with a -----BEGIN PUBLIC KEY----- block")]
    NotPublicKey,
    /// The other half of the pair.
    #[error("this is a private key, which only the issuer of tokens has; give its public key: openssl pkey -pubout")]
    Private,
    /// A key of another kind.
    #[error("keys of this kind are not known here; use RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)")]
    Unknown,
    /// An RSA key that could be broken.
    #[error("an RSA key of {0} bits is too small; use 2048 or more")]
    SmallRsa(usize),
}

/// A secret that is shared with the issuer of tokens. Shows nothing of itself.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// RFC 7518, 3.2: a key of the hash's size or more.
    pub const MIN_BYTES: usize = 32;

    /// The secret of these bytes.
    ///
    /// # Errors
    ///
    /// Where they could be guessed.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyProblem> {
        if contains(bytes, b"-----BEGIN ") {
            return Err(KeyProblem::Pem);
        }
        if bytes.len() < Self::MIN_BYTES { Err(KeyProblem::TooShort(bytes.len())) } else { Ok(Self(bytes.into())) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Key {
    /// The smallest RSA key that signatures are taken of, in bits (RFC 7518, 3.3).
    const MIN_RSA_BITS: usize = 2048;

    /// The key of those who share a secret with us: HS256.
    #[must_use]
    pub fn shared(secret: &Secret) -> Self {
        Self { algorithm: Algorithm::HS256, decoding: DecodingKey::from_secret(secret.bytes()) }
    }

    /// The public key in a PEM file: RS256, ES256 or EdDSA, by its kind.
    ///
    /// # Errors
    ///
    /// Where there is no public key of these kinds.
    pub fn public(pem: &[u8]) -> Result<Self, KeyProblem> {
        if contains(pem, b"PRIVATE KEY-----") {
            return Err(KeyProblem::Private);
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyProblem::NotPublicKey)?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| KeyProblem::NotPublicKey)?;
        Self::of(&info)
    }

    fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyProblem> {
        let kind = &info.algorithm;
        let curve = || kind.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let bits = &*info.subject_public_key.data;
        let (algorithm, decoding) = if kind.algorithm == OID_PKCS1_RSAENCRYPTION {
            let size = rsa_bits(info).ok_or(KeyProblem::NotPublicKey)?;
            if size < Self::MIN_RSA_BITS {
                return Err(KeyProblem::SmallRsa(size));
            }
            (Algorithm::RS256, DecodingKey::from_rsa_der(bits))
        } else if kind.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve() == Some(OID_EC_P256) {
            (Algorithm::ES256, DecodingKey::from_ec_der(bits))
        } else if kind.algorithm == OID_SIG_ED25519 {
            (Algorithm::EdDSA, DecodingKey::from_ed_der(bits))
        } else {
            return Err(KeyProblem::Unknown);
        };
        Ok(Self { algorithm, decoding })
    }
}

fn rsa_bits(info: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        assert_eq!(Secret::new(&[b'x'; 31]).err(), Some(KeyProblem::TooShort(31)));
        assert!(Secret::new(&[b'x'; 32]).is_ok());
    }

    #[test]
    fn a_key_in_the_place_of_a_secret_is_refused() {
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", [7; 64]));
        assert_eq!(Secret::new(pem.as_bytes()).err(), Some(KeyProblem::Pem));
    }

    #[test]
    fn what_is_no_public_key_of_a_known_kind_is_refused_and_named() {
        let pem = |kind: &str, der: &[u8]| pem::encode(&pem::Pem::new(kind, der));
        // P-384, X25519, and 1024 bits of RSA: by `openssl genpkey … | openssl pkey -pubout`.
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let rsa_1024 = [
            &b"\x30\x81\x9f\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x81\x8d\x00\x30\x81\x89\x02\x81\x81\x00"[..],
            &[0xc1; 128],
            b"\x02\x03\x01\x00\x01",
        ]
        .concat();
        let p384 = rcgen::PublicKeyData::subject_public_key_info(&p384);
        for (text, problem) in [
            (String::new(), KeyProblem::NotPublicKey),
            ("secret".into(), KeyProblem::NotPublicKey),
            (pem("CERTIFICATE", b"x"), KeyProblem::NotPublicKey),
            (pem("PUBLIC KEY", b"x"), KeyProblem::NotPublicKey),
            (pem("PRIVATE KEY", b"x"), KeyProblem::Private),
            (pem("EC PRIVATE KEY", b"x"), KeyProblem::Private),
            (pem("PUBLIC KEY", &p384), KeyProblem::Unknown),
            (pem("PUBLIC KEY", &rsa_1024), KeyProblem::SmallRsa(1024)),
        ] {
            assert_eq!(Key::public(text.as_bytes()).err(), Some(problem), "{text}");
        }
    }
}
