//! The pairs by which an authority sees that a name is ours (tls-alpn-01, RFC 8737).
//!
//! It offers `acme-tls/1` and nothing else, and looks at the certificate that it is shown. No browser does that.

use std::collections::HashMap;
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

/// What a handshake is called that looks for a proof.
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// What is shown under each name.
pub(crate) type Pairs = HashMap<String, Arc<CertifiedKey>>;

/// Whether client and server have agreed on this.
pub(crate) fn is_challenge(protocol: &[u8]) -> bool {
    protocol == PROTOCOL
}

/// Whether a client looks for a proof.
pub(super) fn looks_for_proof(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.next() == Some(PROTOCOL) && offered.next().is_none())
}

/// The proof for a host's name or an address: this digest, in a certificate of its own.
///
/// # Panics
///
/// Where `digest` has not 32 bytes, or `name` is neither.
pub(crate) fn pair(name: &str, digest: &[u8]) -> CertifiedKey {
    let mut params = CertificateParams::new([name.to_owned()]).expect("the name was checked");
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().expect("the system has randomness");
    let certificate = params.self_signed(&key).expect("all names were checked");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = aws_lc_rs::sign::any_supported_type(&key).expect("it was made here");
    CertifiedKey::new(vec![certificate.into()], key)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::server::{Acceptor, ResolvesServerCert as _};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::super::{Pair, ServedPair};
    use super::*;

    /// What a client is to be shown that asks for this name and offers this.
    fn shown(served: &ServedPair, name: &str, offers: &[&[u8]]) -> Option<Arc<CertifiedKey>> {
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let client = client.with_safe_default_protocol_versions().unwrap();
        let mut client = client.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        client.alpn_protocols = offers.iter().map(|offered| offered.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let (mut hello, mut acceptor) = (Vec::new(), Acceptor::default());
        ClientConnection::new(Arc::new(client), name).unwrap().write_tls(&mut hello).unwrap();
        acceptor.read_tls(&mut &hello[..]).unwrap();
        served.resolve(acceptor.accept().unwrap().unwrap().client_hello())
    }

    #[test]
    fn a_proof_is_shown_to_who_offers_nothing_else_and_under_its_own_name() {
        let served = ServedPair::new(Pair::provisional(&["a.example".to_owned()]));
        let proofs = [("a.example", "a.example"), ("7.113.0.203.in-addr.arpa", "203.0.113.7")];
        let proofs = proofs.map(|(asked, name)| (asked.to_owned(), Arc::new(pair(name, &[7; 32]))));
        served.answer_challenges(proofs.clone().into());
        for (asked, proof) in &proofs {
            let seen = shown(&served, asked, &[PROTOCOL]).unwrap();
            assert_eq!(seen.cert, proof.cert);
            let (_, certificate) = X509Certificate::from_der(&seen.cert[0]).unwrap();
            let digest =
                certificate.extensions().iter().find(|it| it.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
            // RFC 8737, 3: critical, an OCTET STRING of the digest.
            assert!(digest.critical && digest.value == [&[4, 32][..], &[7; 32]].concat());
        }
        for offers in [[b"http/1.1", PROTOCOL], [PROTOCOL, b"http/1.1"]] {
            let browser = shown(&served, "a.example", &offers).unwrap();
            assert_eq!(browser.cert, [served.certificate()], "who offers something else too is shown the page's");
        }
        assert!(shown(&served, "b.example", &[PROTOCOL]).is_none(), "there is no proof for that one");
        served.answer_challenges(Pairs::default());
        assert!(shown(&served, "a.example", &[PROTOCOL]).is_none(), "it is over");
    }
}
