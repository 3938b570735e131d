//! Which client certificates are believed: the CAs, and what they have revoked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use time::OffsetDateTime;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::clock;
use crate::pem_file;
use crate::provider::provider;
use crate::trouble::Trouble;

/// Whether clients show certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// They are not asked for one.
    #[default]
    Off,
    /// Who has none is served without; a bad one ends the connection.
    Optional(TrustFiles),
    /// Who has none is refused.
    Required(TrustFiles),
}

impl ClientCertificates {
    pub(crate) fn files(&self) -> Option<&TrustFiles> {
        match self {
            Self::Off => None,
            Self::Optional(files) | Self::Required(files) => Some(files),
        }
    }
}

/// Files in PEM that say whom to believe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustFiles {
    /// Bundles of CA certificates, at least one.
    pub ca: Vec<PathBuf>,
    /// Revocation lists. With any, the certificate of a client must be covered by the list of its issuer, and what lists
    /// say of the CAs between is heeded. A list past its `nextUpdate` goes on to count.
    pub crl: Vec<PathBuf>,
}

/// What the files said when they were read.
#[derive(Debug)]
pub(crate) struct Trust {
    /// `None`: clients are not asked for certificates.
    verifier: Option<Arc<Verifier>>,
    /// All files one after the other, to notice a change.
    contents: Vec<Vec<u8>>,
    /// The list that should have been replaced first, and when.
    overdue: Option<(PathBuf, OffsetDateTime)>,
}

impl Trust {
    pub(crate) fn read(clients: &ClientCertificates) -> Result<Self, Trouble> {
        let Some(files) = clients.files() else {
            return Ok(Self { verifier: None, contents: Vec::new(), overdue: None });
        };
        let Some(first) = files.ca.first() else {
            return Err(Trouble::new(
                Path::new("client certificates"),
                "are asked for, and no CA is named",
                "name the file of the CA that signs them",
            ));
        };
        let required = matches!(clients, ClientCertificates::Required(_));
        let mut contents = Vec::new();
        let roots = Arc::new(roots(files, &mut contents)?);
        let (lists, overdue) = lists(files, &roots, &mut contents)?;
        let failed =
            |why| Trouble::new(first, format!("cannot be used: {why}"), "check the CA files and the lists");
        let chain = match lists.is_empty() {
            true => None,
            false => Some(build(&roots, lists.clone(), Depth::Chain, required).map_err(failed)?),
        };
        let certificate = build(&roots, lists, Depth::Certificate, required).map_err(failed)?;
        Ok(Self { verifier: Some(Arc::new(Verifier { certificate, chain })), contents, overdue })
    }

    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.contents == other.contents
    }

    /// What a person should know of it now.
    pub(crate) fn trouble(&self, now: OffsetDateTime) -> Option<Trouble> {
        let (file, next) = self.overdue.as_ref().filter(|(_, next)| *next < now)?;
        Some(Trouble::new(
            file,
            format!(
                "should have been replaced by a newer list on {}; it goes on to count",
                clock::text(*next)
            ),
            "fetch the newest list of its CA; what was revoked since is not known here",
        ))
    }

    pub(crate) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        match &self.verifier {
            Some(verifier) => Arc::clone(verifier) as Arc<dyn ClientCertVerifier>,
            None => WebPkiClientVerifier::no_client_auth(),
        }
    }

    /// Whether a client that has shown `chain` would be let in today. An empty chain is a client without a certificate.
    pub(crate) fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let Some(verifier) = &self.verifier else { return Ok(()) };
        match chain {
            [] if verifier.client_auth_mandatory() => Err(Error::NoCertificatesPresented),
            [] => Ok(()),
            [certificate, between @ ..] => {
                verifier.verify_client_cert(certificate, between, UnixTime::now()).map(|_| ())
            }
        }
    }
}

fn roots(files: &TrustFiles, contents: &mut Vec<Vec<u8>>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    for file in &files.ca {
        let bytes = pem_file::read(file)?;
        for (index, der) in pem_file::certificates(file, &bytes)?.into_iter().enumerate() {
            roots.add(der).map_err(|error| {
                Trouble::new(
                    file,
                    format!("has a CA certificate (number {}) that cannot be used: {error}", index + 1),
                    "take it out, or ask its CA for an X.509 certificate of version 3",
                )
            })?;
        }
        contents.push(bytes);
    }
    Ok(roots)
}

type Lists = Vec<CertificateRevocationListDer<'static>>;

fn lists(
    files: &TrustFiles,
    roots: &Arc<RootCertStore>,
    contents: &mut Vec<Vec<u8>>,
) -> Result<(Lists, Option<(PathBuf, OffsetDateTime)>), Trouble> {
    let mut lists = Vec::new();
    let mut overdue: Option<(PathBuf, OffsetDateTime)> = None;
    for file in &files.crl {
        let bytes = pem_file::read(file)?;
        let found = pem_file::revocation_lists(file, &bytes)?;
        // Built once alone, so that what cannot be used is told with its file.
        build(roots, found.clone(), Depth::Certificate, true).map_err(|why| {
            Trouble::new(
                file,
                format!("has a revocation list that cannot be used: {why}"),
                "use complete lists of version 2, neither deltas nor indirect ones",
            )
        })?;
        for list in &found {
            let parsed = CertificateRevocationList::from_der(list).ok();
            let next = parsed.and_then(|(_, list)| list.next_update()).map(|next| next.to_datetime());
            if let Some(next) = next.filter(|next| overdue.as_ref().is_none_or(|(_, first)| next < first)) {
                overdue = Some((file.clone(), next));
            }
        }
        lists.extend(found);
        contents.push(bytes);
    }
    Ok((lists, overdue))
}

/// What is asked of revocation lists.
enum Depth {
    /// The client's own certificate must be covered by a list.
    Certificate,
    /// What lists say of any certificate of the chain counts; that there is none for one does not matter.
    Chain,
}

fn build(
    roots: &Arc<RootCertStore>,
    lists: Vec<CertificateRevocationListDer<'static>>,
    depth: Depth,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider()));
    let builder = match depth {
        Depth::Certificate => builder.only_check_end_entity_revocation(),
        Depth::Chain => builder.allow_unknown_revocation_status(),
    };
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.with_crls(lists).build().map_err(|error| error.to_string())
}

/// Both questions, one after the other.
struct Verifier {
    certificate: Arc<dyn ClientCertVerifier>,
    chain: Option<Arc<dyn ClientCertVerifier>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("with_lists", &self.chain.is_some()).finish()
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.certificate.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.certificate.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        self.certificate.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.certificate.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.certificate.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.certificate.supported_verify_schemes()
    }
}
