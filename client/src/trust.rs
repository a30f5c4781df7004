//! Which certificates are trusted: those of the system's authorities, and what the application adds.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::SetupError;

/// The certificates of a text in PEM, of which there has to be one at least.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|certificates| !certificates.is_empty()).ok_or(SetupError::RootCertificate)
}

/// Trusts the system's authorities and these. Reads files of the system.
pub(crate) fn config(roots: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, SetupError> {
    let mut store = RootCertStore::empty();
    // A system without authorities, or with one that can't be read, still trusts what is added.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in roots {
        store.add(root).map_err(|_| SetupError::RootCertificate)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_an_error_at_once() {
        for pem in [
            "",
            "not PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert!(matches!(certificates(pem.as_bytes()), Err(SetupError::RootCertificate)), "{pem}");
        }
        let garbage = certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(config(garbage), Err(SetupError::RootCertificate)));
    }
}
