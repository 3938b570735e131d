//! A certificate for the brokers of a run, and clients that trust it.
//!
//! All brokers get the same kind, ECDSA on P-256, and all clients offer the same and nothing else: TLS 1.3,
//! [`SUITE`] and X25519. Neither side is asked to resume a session: each connection is a full handshake.

use crate::fault::Fault;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig, RootCertStore};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What clients of OpenSSL and of rustls ask for first.
pub const SUITE: CipherSuite = CipherSuite::TLS13_AES_256_GCM_SHA384;

/// The name in the certificate, and the one that clients look for.
pub const SERVER_NAME: &str = "localhost";

/// An authority that issued one certificate.
#[derive(Debug)]
pub struct Certificate {
    chain_pem: String,
    key_pem: String,
    authority_pem: String,
    client: Arc<ClientConfig>,
}

/// Files for a broker.
#[derive(Clone, Debug)]
pub struct Files {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the authority.
    pub authority: PathBuf,
}

impl Certificate {
    /// Makes an authority and lets it issue a certificate for this machine.
    pub fn issue() -> Result<Self, Fault> {
        Self::try_issue().map_err(|error| Fault::Broker(format!("making a certificate: {error}")))
    }

    fn try_issue() -> Result<Self, Box<dyn Error>> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "bench authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = [SERVER_NAME.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        Ok(Self {
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            authority_pem: authority.pem(),
            client: Arc::new(client(roots)?),
        })
    }

    /// Writes what a broker needs into `folder`.
    pub fn write(&self, folder: &Path) -> Result<Files, Fault> {
        let files = Files {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
            authority: folder.join("authority.pem"),
        };
        let texts = [
            (&files.certificate, &self.chain_pem),
            (&files.key, &self.key_pem),
            (&files.authority, &self.authority_pem),
        ];
        for (path, text) in texts {
            fs::write(path, text).map_err(Fault::io(format!("writing {}", path.display())))?;
        }
        Ok(files)
    }

    /// What a client trusts and offers.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }
}

fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut offered = ring::default_provider();
    offered.cipher_suites.retain(|suite| suite.suite() == SUITE);
    offered.kx_groups = vec![ring::kx_group::X25519];
    client_offering(offered, roots)
}

fn client_offering(offered: CryptoProvider, roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut client = ClientConfig::builder_with_provider(Arc::new(offered))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    Ok(client)
}
