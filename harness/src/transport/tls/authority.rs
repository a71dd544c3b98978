//! A certificate authority for one run, so that a server can be started with TLS without preparing certificates.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::TlsError;

/// Names and addresses of every certificate, next to the name that the file asks for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate authority, and the certificate that it has issued to the server. All in PEM.
#[derive(Debug, Clone)]
pub struct TestAuthority {
    /// The certificate of the authority: `{tls.ca}`.
    pub ca: String,
    /// The server's certificate: `{tls.cert}`.
    pub cert: String,
    /// The server's key: `{tls.key}`.
    pub key: String,
}

impl TestAuthority {
    /// A new authority, and a certificate for `name` and for the loopback addresses.
    ///
    /// # Errors
    /// The name cannot be part of a certificate, or the system gives no random numbers.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        Self::issue(name).map_err(|why| TlsError::Settings(format!("a test certificate: {why}")))
    }

    fn issue(name: &str) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let common_name = "tcprove test authority";
        authority
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let authority_key = KeyPair::generate()?;
        let ca = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let cert = server.signed_by(&key, &issuer)?.pem();
        Ok(Self {
            ca,
            cert,
            key: key.serialize_pem(),
        })
    }
}
