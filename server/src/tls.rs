//! The certificate, the key and the other settings of TLS.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::ServerError;

/// The files and names that TLS is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain in PEM, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
    /// Certificates in PEM. If given, a client must present a certificate that one of them has
    /// signed.
    pub client_ca: Option<PathBuf>,
    /// The protocols offered by ALPN, the preferred one first. A client that offers only others is
    /// refused.
    pub alpn: Vec<String>,
}

/// TLS as the server speaks it: versions 1.2 and 1.3.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    config: Arc<ServerConfig>,
}

// A panic of one connection leaves the settings as they were: rustls changes nothing in them but a
// cache of sessions, under a lock.
impl UnwindSafe for Tls {}
impl RefUnwindSafe for Tls {}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read, does not hold what it should, or the key does not belong to the
    /// certificate.
    pub fn load(files: TlsFiles) -> Result<Self, ServerError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match &files.client_ca {
            Some(path) => client_verifier(path, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| unusable("private key", &files.key, &error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ServerError::Setting(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| {
                let (cert, key) = (files.cert.display(), files.key.display());
                ServerError::Setting(format!("cannot use {cert} with the key {key}: {error}"))
            })?;
        config.alpn_protocols = files
            .alpn
            .iter()
            .map(|name| name.clone().into_bytes())
            .collect();
        Ok(Self {
            files,
            config: Arc::new(config),
        })
    }

    pub(crate) fn files(&self) -> &TlsFiles {
        &self.files
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn client_verifier(
    path: &Path,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ServerError> {
    let what = "certificate of a client's authority";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(what, path, &error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| unusable(what, path, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let error = match read {
        Ok(list) if !list.is_empty() => return Ok(list),
        Ok(_) => PemError::NoItemsFound,
        Err(error) => error,
    };
    Err(unusable("certificate", path, &error))
}

fn unusable(what: &str, path: &Path, error: &dyn std::fmt::Display) -> ServerError {
    ServerError::Setting(format!(
        "cannot read a {what} from {}: {error}",
        path.display()
    ))
}
