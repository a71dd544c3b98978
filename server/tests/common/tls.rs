//! A test authority, its certificates, and the client's side of TLS.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tcprove_server::{Tls, TlsFiles};
use tempfile::TempDir;

/// The name in the server's certificate.
pub const NAME: &str = "localhost";

/// An authority that has signed a certificate for the server and one for clients.
pub struct Authority {
    folder: TempDir,
    root: CertificateDer<'static>,
    client: (CertificateDer<'static>, Vec<u8>),
}

impl Authority {
    /// Generates the keys and writes the files that the server reads.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let sign = || {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let (server, server_key) = sign();
        write("ca.pem", issuer.pem());
        write("cert.pem", server.pem());
        write("key.pem", server_key.serialize_pem());
        let (client, client_key) = sign();
        Self {
            root: issuer.der().clone(),
            client: (client.der().clone(), client_key.serialize_der()),
            folder,
        }
    }

    /// The path of one of `ca.pem`, `cert.pem` and `key.pem`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files of a server.
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: None,
            alpn: Vec::new(),
        }
    }

    /// The settings of a server.
    pub fn tls(&self) -> Option<Tls> {
        Some(Tls::load(self.files()).unwrap())
    }

    /// The arguments of a server.
    pub fn arguments(&self) -> Vec<String> {
        let argument = |flag: &str, name| format!("{flag}={}", self.path(name).display());
        vec![
            argument("--tls-cert", "cert.pem"),
            argument("--tls-key", "key.pem"),
        ]
    }

    /// A client that knows the authority.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_with(&[&rustls::version::TLS13], false)
    }

    /// A client with these versions, and with a certificate if `certified`.
    pub fn client_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        certified: bool,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let (certificate, key) = self.client.clone();
        Arc::new(if certified {
            let key = PrivateKeyDer::try_from(key).unwrap();
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        } else {
            builder.with_no_client_auth()
        })
    }
}
