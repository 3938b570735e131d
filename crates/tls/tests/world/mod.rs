//! A small world for tests of handshakes: CAs of other people, a broker's certificates in a folder, and clients. All in
//! memory but for the files.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
};
use tempfile::TempDir;
use tidegate_tls::{
    ALPN_MQTT, Arrival, CertificateSource, Certificates, ClientCertificates, Endpoint, EndpointSettings,
    IdentityRule, NotAdmitted, OldestVersion, TlsSettings, TrustFiles,
};
use time::{Duration, OffsetDateTime};

pub(crate) const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// Somebody's CA.
pub(crate) struct Ca {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, as text.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) serial: Vec<u8>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = ca_params(name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A CA that this one has signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = ca_params(name);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn client(&self, name: &str) -> Pair {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.subject_alt_names = vec![
                SanType::DnsName(format!("{name}.example.com").try_into().unwrap()),
                SanType::URI(format!("spiffe://example.com/{name}").try_into().unwrap()),
                SanType::Rfc822Name(format!("{name}@example.com").try_into().unwrap()),
            ];
        })
    }

    pub(crate) fn expired_client(&self, name: &str) -> Pair {
        self.client_until(name, OffsetDateTime::now_utc() - Duration::days(1))
    }

    pub(crate) fn client_until(&self, name: &str, not_after: OffsetDateTime) -> Pair {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.not_before = not_after - Duration::days(9);
            params.not_after = not_after;
        })
    }

    pub(crate) fn server(&self, names: &[&str]) -> Pair {
        self.server_until(names, OffsetDateTime::now_utc() + Duration::days(365))
    }

    pub(crate) fn server_until(&self, names: &[&str], not_after: OffsetDateTime) -> Pair {
        self.sign("server", ExtendedKeyUsagePurpose::ServerAuth, |params| {
            params.subject_alt_names =
                names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
            params.not_before = OffsetDateTime::now_utc() - Duration::days(90);
            params.not_after = not_after;
        })
    }

    fn sign(
        &self,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
        let serial = parsed.tbs_certificate.serial.to_bytes_be();
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// A revocation list of this CA.
    pub(crate) fn list(&self, revoked: &[&Pair]) -> String {
        self.list_until(revoked, OffsetDateTime::now_utc() + Duration::days(30))
    }

    pub(crate) fn list_until(&self, revoked: &[&Pair], next_update: OffsetDateTime) -> String {
        let revoked_certs = revoked.iter().map(|pair| RevokedCertParams {
            serial_number: rcgen::SerialNumber::from_slice(&pair.serial),
            revocation_time: OffsetDateTime::now_utc(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: OffsetDateTime::now_utc() - Duration::days(60),
            next_update,
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A broker's certificates in a folder of their own.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) certificates: Certificates,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates =
            Certificates::open(&TlsSettings { folder: folder.path().join("tls"), names: vec![], acme: None })
                .unwrap();
        Self { folder, certificates }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn put(&self, name: &str, pair: &Pair) -> CertificateSource {
        let certificate = self.write(&format!("{name}.pem"), &pair.certificate);
        let key = self.write(&format!("{name}.key"), &pair.key);
        CertificateSource::Files { certificate, key }
    }

    /// An endpoint on the local certificate.
    pub(crate) fn endpoint(&self, change: impl FnOnce(&mut EndpointSettings)) -> Arc<Endpoint> {
        self.certificates.endpoint(settings(change)).unwrap()
    }

    /// What a client needs to believe the local CA.
    pub(crate) fn local_ca(&self) -> String {
        fs::read_to_string(self.certificates.ca_file()).unwrap()
    }

    /// The alarms, one line each.
    pub(crate) fn alarms(&self) -> Vec<String> {
        self.certificates.alarms().iter().map(ToString::to_string).collect()
    }
}

pub(crate) fn settings(change: impl FnOnce(&mut EndpointSettings)) -> EndpointSettings {
    let mut settings = EndpointSettings {
        name: "listener".into(),
        certificates: vec![],
        clients: ClientCertificates::Off,
        identity: IdentityRule::CommonName,
        alpn: vec![ALPN_MQTT],
        oldest: OldestVersion::Tls12,
    };
    change(&mut settings);
    settings
}

pub(crate) fn trust(ca: &Path, crl: &[&Path]) -> TrustFiles {
    TrustFiles { ca: vec![ca.to_owned()], crl: crl.iter().map(|path| (*path).to_owned()).collect() }
}

/// A client's settings; sessions it was given are kept with them.
pub(crate) struct Client {
    pub(crate) config: ClientConfig,
    pub(crate) name: &'static str,
}

impl Client {
    pub(crate) fn new(ca: &str, version: &'static SupportedProtocolVersion) -> Self {
        Self::with(ca, version, None)
    }

    pub(crate) fn with(ca: &str, version: &'static SupportedProtocolVersion, pair: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        for der in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(der.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match pair {
            Some(pair) => builder
                .with_client_auth_cert(
                    CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).map(Result::unwrap).collect(),
                    PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap(),
                )
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        Self { config, name: "localhost" }
    }

    pub(crate) fn offering(mut self, protocols: &[&[u8]]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self
    }

    pub(crate) fn asking_for(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn connects_to(&self, endpoint: &Endpoint) -> Result<Connected, Box<Failed>> {
        let generation = endpoint.generation();
        let mut server = ServerConnection::new(endpoint.current()).unwrap();
        let name = ServerName::try_from(self.name).unwrap();
        let mut client = ClientConnection::new(Arc::new(self.config.clone()), name).unwrap();
        talk(&mut client, &mut server)?;
        let arrival = endpoint.arrived(&server, generation);
        Ok(Connected { client, server, arrival })
    }
}

/// Both sides have finished their handshake.
pub(crate) struct Connected {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) arrival: Result<Arrival, NotAdmitted>,
}

impl Connected {
    pub(crate) fn was_resumed(&self) -> bool {
        self.server.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.server.alpn_protocol()
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.server
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|der| der.clone().into_owned())
            .collect()
    }

    /// The first certificate that the server has shown.
    pub(crate) fn shown(&self) -> &[u8] {
        self.client.peer_certificates().unwrap().first().unwrap()
    }

    pub(crate) fn identity(&self) -> Option<&str> {
        match self.arrival.as_ref().unwrap() {
            Arrival::Client(identity) => identity.as_deref(),
            Arrival::AcmeCheck => panic!("an ACME server"),
        }
    }
}

/// What each side complained of.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) client: Option<Error>,
    pub(crate) server: Option<Error>,
}

/// Bytes go to and fro until both have nothing more to say.
fn talk(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Box<Failed>> {
    let mut failed = Failed { client: None, server: None };
    for _ in 0..20 {
        if !client.wants_write() && !server.wants_write() {
            break;
        }
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut left = &bytes[..];
        while !left.is_empty() && failed.server.is_none() {
            server.read_tls(&mut left).unwrap();
            failed.server = server.process_new_packets().err();
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut left = &bytes[..];
        while !left.is_empty() && failed.client.is_none() {
            client.read_tls(&mut left).unwrap();
            failed.client = client.process_new_packets().err();
        }
    }
    match failed {
        Failed { client: None, server: None } => {
            assert!(!client.is_handshaking() && !server.is_handshaking());
            Ok(())
        }
        failed => Err(Box::new(failed)),
    }
}

pub(crate) fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}
