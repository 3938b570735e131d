//! What one listener needs of TLS: the configuration for the next handshake, who a client is, and whether a client that
//! was let in earlier would be let in today.

mod pair;
mod trusted;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::pki_types::CertificateDer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use crate::alarms::Alarms;
use crate::by_name::ByName;
use crate::certificate::CertificateSource;
use crate::challenges::{ACME_TLS_ALPN, Challenges};
use crate::identity::{IdentityRule, Unnamed};
use crate::provider::provider;
use crate::trouble::Trouble;
use crate::trust::{ClientCertificates, Trust};
use pair::Pair;
use trusted::Trusted;

/// The protocol name of MQTT in ALPN.
pub const ALPN_MQTT: &[u8] = b"mqtt";
/// The protocol name under which WebSocket begins.
pub const ALPN_HTTP: &[u8] = b"http/1.1";

/// What the operator decided about TLS of one listener.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// For messages: the listener's address as the configuration has it.
    pub name: String,
    /// Chosen by the name that a client asks for; the first is for everybody else. None means the local one.
    pub certificates: Vec<CertificateSource>,
    /// Whether clients show certificates, and whom to believe.
    pub clients: ClientCertificates,
    /// Which part of such a certificate names the client.
    pub identity: IdentityRule,
    /// What is offered to clients that speak of it: [`ALPN_MQTT`], [`ALPN_HTTP`]. Who does not is served all the same.
    pub alpn: Vec<&'static [u8]>,
    /// The oldest version of TLS that is spoken.
    pub oldest: OldestVersion,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OldestVersion {
    /// 1.2 and 1.3.
    #[default]
    Tls12,
    /// 1.3 only.
    Tls13,
}

impl OldestVersion {
    fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => BOTH,
            Self::Tls13 => NEWEST,
        }
    }
}

static BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
static NEWEST: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// What all endpoints of a broker share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) folder: PathBuf,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) challenges: Arc<Challenges>,
}

/// TLS of one listener. Shared by all threads; each question takes a short lock and copies an `Arc`.
pub struct Endpoint {
    settings: EndpointSettings,
    surroundings: Surroundings,
    generation: AtomicU64,
    now: RwLock<Arc<Now>>,
    /// Only whoever reloads holds this.
    files: Mutex<Files>,
}

/// What holds at this moment. Replaced as a whole.
struct Now {
    config: Arc<ServerConfig>,
    trust: Arc<Trust>,
}

struct Files {
    pairs: Vec<Pair>,
    trusted: Trusted,
    resumption: Resumption,
}

/// What lets a client come back without showing its certificate again. Replaced when trust changes, so that nobody is
/// carried past the new check.
struct Resumption {
    tickets: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
}

impl Resumption {
    fn new() -> Result<Self, rustls::Error> {
        let tickets = rustls::crypto::ring::Ticketer::new()?;
        Ok(Self { tickets, sessions: ServerSessionMemoryCache::new(SESSIONS_MAX) })
    }
}

/// Whoever came through a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A client, with the name in its certificate if it has shown one.
    Client(Option<String>),
    /// An ACME server that looked at our answer. It has nothing more to say: end the connection.
    AcmeCheck,
}

/// Why a client is not served although the handshake was done.
#[derive(Debug, Clone, PartialEq)]
pub enum NotAdmitted {
    /// Its certificate is not, or no longer, believed.
    Untrusted(rustls::Error),
    /// Its certificate does not say who it is.
    Unnamed(Unnamed),
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(error) => write!(f, "the client's certificate is not believed: {error}"),
            Self::Unnamed(unnamed) => unnamed.fmt(f),
        }
    }
}

impl std::error::Error for NotAdmitted {}

impl Endpoint {
    pub(crate) fn open(settings: EndpointSettings, surroundings: Surroundings) -> Result<Self, Trouble> {
        let local = [CertificateSource::Local];
        let sources = if settings.certificates.is_empty() { &local[..] } else { &settings.certificates };
        let pairs = sources
            .iter()
            .enumerate()
            .map(|(index, source)| Pair::open(source, &surroundings, format!("{}#{index}", settings.name)))
            .collect::<Result<Vec<_>, _>>()?;
        let trusted = Trusted::open(&settings.clients, format!("{}#clients", settings.name))?;
        let resumption = Resumption::new().map_err(|error| unusable(&settings, &error))?;
        let files = Files { pairs, trusted, resumption };
        let now = build(&settings, &surroundings, &files)?;
        files.tell(&surroundings.alarms);
        Ok(Self {
            settings,
            surroundings,
            generation: AtomicU64::new(0),
            now: RwLock::new(Arc::new(now)),
            files: Mutex::new(files),
        })
    }

    /// The configuration for a new connection. Ask for [`generation`](Self::generation) first.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.now().config)
    }

    /// Counts the changes of what clients' certificates are checked against. When it has moved since a client was let in,
    /// [`still_valid`](Self::still_valid) must be asked for that client. A new server certificate does not move it.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether a client that has shown `chain` (empty: none) would be let in today.
    ///
    /// # Errors
    /// With the reason why not.
    pub fn still_valid(&self, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        self.now().trust.check(chain)
    }

    /// To be asked once for each connection, when its handshake is done. `generation` is what
    /// [`generation`](Self::generation) said before the connection was made.
    ///
    /// # Errors
    /// When the client must not be served; the connection is to be ended.
    pub fn arrived(&self, connection: &ServerConnection, generation: u64) -> Result<Arrival, NotAdmitted> {
        if connection.alpn_protocol() == Some(ACME_TLS_ALPN) {
            return Ok(Arrival::AcmeCheck);
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        // A resumed session brings the certificate of an earlier handshake, which may have expired since.
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if resumed || generation != self.generation() {
            self.still_valid(chain).map_err(NotAdmitted::Untrusted)?;
        }
        self.settings.identity.identity(chain).map(Arrival::Client).map_err(NotAdmitted::Unnamed)
    }

    /// The listener's name in messages.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Looks at all files, and takes what is new and fits.
    pub(crate) fn refresh(&self, patience: Patience) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for pair in &mut files.pairs {
            changed |= pair.refresh(patience);
        }
        let trust_changed = files.trusted.refresh(patience);
        if changed || trust_changed {
            self.replace(&mut files, trust_changed);
        }
        files.tell(&self.surroundings.alarms);
    }

    fn replace(&self, files: &mut Files, trust_changed: bool) {
        if trust_changed {
            match Resumption::new() {
                Ok(resumption) => files.resumption = resumption,
                // Without randomness no handshake succeeds either. The old tickets must not go on to work.
                Err(error) => {
                    tracing::error!("TLS: no new keys for session tickets: {error}");
                    files.resumption.tickets = Arc::new(NoTickets);
                    files.resumption.sessions = Arc::new(rustls::server::NoServerSessionStorage {});
                }
            }
        }
        match build(&self.settings, &self.surroundings, files) {
            Ok(now) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
                if trust_changed {
                    // After the new configuration: who sees the new number gets the new check.
                    self.generation.fetch_add(1, Ordering::Release);
                    tracing::info!("TLS: {}: client certificates are checked anew", self.settings.name);
                }
                tracing::info!("TLS: {}: changed files are in force", self.settings.name);
            }
            Err(trouble) => self.surroundings.alarms.set(&self.settings.name, Some(trouble)),
        }
    }

    fn now(&self) -> Arc<Now> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl Files {
    fn tell(&self, alarms: &Alarms) {
        for pair in &self.pairs {
            alarms.set(pair.owner(), pair.trouble());
        }
        alarms.set(self.trusted.owner(), self.trusted.trouble());
    }
}

/// How a change that does not fit is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It may be half of a change: the other file may follow at once. The next look decides.
    OneMoreLook,
    /// Somebody said that everything is in place: judge now.
    None,
}

fn build(settings: &EndpointSettings, surroundings: &Surroundings, files: &Files) -> Result<Now, Trouble> {
    let certificates: Vec<_> = files.pairs.iter().map(|pair| pair.good().clone()).collect();
    // A server of ACME shows no certificate, so where one is required it could not come through.
    let acme = settings.certificates.contains(&CertificateSource::Acme)
        && !matches!(settings.clients, ClientCertificates::Required(_));
    let challenges = acme.then(|| Arc::clone(&surroundings.challenges));
    let trust = files.trusted.good();
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider()))
        .with_protocol_versions(settings.oldest.spoken())
        .map_err(|error| unusable(settings, &error))?
        .with_client_cert_verifier(trust.verifier())
        .with_cert_resolver(Arc::new(ByName::new(&certificates, challenges)));
    config.alpn_protocols = settings.alpn.iter().map(|protocol| protocol.to_vec()).collect();
    if acme {
        config.alpn_protocols.push(ACME_TLS_ALPN.to_vec());
    }
    config.ticketer = Arc::clone(&files.resumption.tickets);
    config.session_storage = Arc::clone(&files.resumption.sessions);
    // A client of MQTT has one connection; each resumption brings the ticket for the next.
    config.send_tls13_tickets = 1;
    Ok(Now { config: Arc::new(config), trust })
}

fn unusable(settings: &EndpointSettings, error: &rustls::Error) -> Trouble {
    Trouble::new(
        &PathBuf::from(&settings.name),
        format!("cannot speak TLS: {error}"),
        "the system may give no randomness; see the message",
    )
}

/// In place of a ticketer that could not be made.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }
    fn lifetime(&self) -> u32 {
        0
    }
    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Only clients of TLS 1.2 that know no tickets need a session kept; there are few.
const SESSIONS_MAX: usize = 256;
