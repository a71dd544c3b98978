//! TLS of the client's side, through rustls.

mod any_certificate;
mod authority;
mod channel;

use std::sync::{Arc, OnceLock};

use any_certificate::AnyCertificate;
pub use authority::TestAuthority;
pub(crate) use channel::{RECORD_BYTES_MAX, TlsChannel};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Why a TLS connection could not be set up, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificates, the key or the name of the file cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The peer violated the protocol, refused the connection, or has the wrong certificate.
    #[error("TLS: {0}")]
    Peer(String),
}

/// What the file says about TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Certificates of the authorities to trust, in PEM. `None`: the test authority, if the server is given its
    /// certificate; otherwise any certificate is accepted.
    pub ca: Option<Vec<u8>>,
    /// The name that the certificate must have, which is also sent (SNI).
    pub name: String,
    /// The client's certificate chain and its key, in PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// Protocols to offer (ALPN), the preferred one first.
    pub alpn: Vec<String>,
}

/// The name that certificates must have if the file gives none.
const NAME: &str = "localhost";

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            ca: None,
            name: NAME.to_owned(),
            client: None,
            alpn: Vec::new(),
        }
    }
}

/// TLS as the clients of one server use it.
#[derive(Debug, Clone)]
pub struct Tls {
    settings: TlsSettings,
    /// Whether a connection starts in plain text and an opening step switches to TLS.
    pub starttls: bool,
    /// Whether the server is given a certificate of a test authority, which is made on first use.
    has_test_authority: bool,
    authority: Arc<OnceLock<Result<TestAuthority, TlsError>>>,
    config: Arc<OnceLock<Result<Config, TlsError>>>,
}

/// The settings, compiled once for all connections.
#[derive(Debug, Clone)]
struct Config {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// TLS with these settings.
    pub fn new(settings: TlsSettings, starttls: bool) -> Self {
        Self {
            settings,
            starttls,
            has_test_authority: false,
            authority: Arc::default(),
            config: Arc::default(),
        }
    }

    /// Gives the server a certificate of a test authority, as `{tls.cert}` and `{tls.key}`.
    #[must_use]
    pub fn with_test_authority(self) -> Self {
        Self {
            has_test_authority: true,
            config: Arc::default(),
            ..self
        }
    }

    /// The authority whose certificate the server is given, if any.
    ///
    /// # Errors
    /// The certificate could not be made.
    pub fn authority(&self) -> Result<Option<&TestAuthority>, TlsError> {
        if !self.has_test_authority {
            return Ok(None);
        }
        let name = &self.settings.name;
        let made = self.authority.get_or_init(|| TestAuthority::new(name));
        made.as_ref().map(Some).map_err(Clone::clone)
    }

    /// Checks certificates, key and name before the first connection.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn check(&self) -> Result<(), TlsError> {
        self.config().map(drop)
    }

    /// The TLS layer of a new connection.
    ///
    /// # Errors
    /// As [`Tls::check`].
    pub(crate) fn channel(&self) -> Result<TlsChannel, TlsError> {
        let config = self.config()?;
        TlsChannel::new(config.client.clone(), config.name.clone())
    }

    fn config(&self) -> Result<&Config, TlsError> {
        let config = self.config.get_or_init(|| self.compile());
        config.as_ref().map_err(Clone::clone)
    }

    fn compile(&self) -> Result<Config, TlsError> {
        let settings = &self.settings;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let wrong =
            |what: &str, why: &dyn std::fmt::Display| TlsError::Settings(format!("{what}: {why}"));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong("TLS versions", &why))?;
        let authority = self.authority()?;
        let trusted = settings.ca.as_deref();
        let trusted = trusted.or(authority.map(|authority| authority.ca.as_bytes()));
        let builder = match trusted {
            Some(pem) => builder.with_root_certificates(roots(pem)?),
            None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        let mut client = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|why| wrong("the client's certificate", &why))?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|why| wrong("the client's key", &why))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| wrong("the client's certificate and key", &why))?
            }
        };
        let alpn = settings.alpn.iter();
        client.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).collect();
        // Every connection pays for a whole handshake, so that connections are alike.
        client.resumption = Resumption::disabled();
        let name = ServerName::try_from(settings.name.clone())
            .map_err(|why| wrong(&format!("the name `{}`", settings.name), &why))?;
        Ok(Config {
            client: Arc::new(client),
            name,
        })
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let wrong = |why: String| TlsError::Settings(format!("the authority's certificate: {why}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
        roots
            .add(certificate)
            .map_err(|why| wrong(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("the file contains no certificate in PEM".to_owned()));
    }
    Ok(roots)
}
