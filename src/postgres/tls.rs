//! TLS to PostgreSQL: rustls, which verifies always; and what to do when it refuses.

use crate::error::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Trusts the certificates of the file `roots`, else those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name
/// others).
pub(super) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect> {
    let failed = |e: rustls::Error| Error::cannot("prepare TLS for PostgreSQL", e);
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let config = match roots {
        Some(file) => builder.with_root_certificates(read(file)?),
        None => builder.with_platform_verifier().map_err(|e| {
            failed(e).next("name the certificates to trust with sslrootcert=/path/to/ca.pem in DATABASE_URL").invalid()
        })?,
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn read(file: &Path) -> Result<RootCertStore> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::cannot(format!("trust the certificates in {}", file.display()), why)
            .next("correct sslrootcert in DATABASE_URL: it names a file in PEM form")
            .invalid()
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))? {
        roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"it holds no certificate"));
    }
    Ok(roots)
}

/// What a person can do about a connection that failed for this cause, where that is about TLS.
pub(super) fn way_out(cause: &str) -> Option<&'static str> {
    const AUTHORITY: &str =
        "name the file of the authority that made its certificate: sslrootcert=/path/to/ca.pem in DATABASE_URL";
    const NAME: &str = "write the host in DATABASE_URL as the certificate names it";
    let ways = [
        ("does not support TLS", "let the server speak TLS (ssl = on), or drop sslmode from DATABASE_URL"),
        ("UnknownIssuer", AUTHORITY),
        ("BadSignature", AUTHORITY),
        ("not valid for name", NAME),
        ("NotValidForName", NAME),
        ("CaUsedAsEndEntity", "give the server a certificate of its own, with basicConstraints CA:FALSE"),
        ("invalid peer certificate", "renew the server's certificate"),
    ];
    ways.iter().find(|(sign, _)| cause.contains(sign)).map(|(_, way)| *way)
}
