//! Whom to trust: the same certificates in both flavours.

use std::sync::Arc;

use kv_core::{Error, ErrorKind, Result};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The cryptography, told by name so that it needs nothing that is set for the whole process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Refuses what is no certificate.
pub(super) fn check(pem: &[u8]) -> Result<()> {
    let is_none = |certificates: Vec<_>| !pem.is_empty() && certificates.is_empty();
    match given(pem).map(is_none) {
        Ok(false) => Ok(()),
        _ => Err(Error::new(ErrorKind::Configuration, "the trusted certificates are no certificates in PEM")),
    }
}

fn given(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

/// The system's and the given ones. Reads files, for some milliseconds.
pub(super) fn trusted(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let mut all = rustls_native_certs::load_native_certs().certs;
    all.extend(given(pem).unwrap_or_default());
    if all.is_empty() {
        let message = "no certificate to trust: the system has none, and none was given";
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    Ok(all)
}
