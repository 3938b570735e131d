//! All certificates of one broker: the local CA, the endpoints of its listeners, and the thread that looks after their
//! files.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use crate::acme::{Acme, AcmeSettings, Renewing};
use crate::alarms::Alarms;
use crate::authority::Authority;
use crate::challenges::Challenges;
use crate::clock;
use crate::endpoint::{Endpoint, EndpointSettings, Patience, Surroundings};
use crate::folder;
use crate::issuing::AlternativeName;
use crate::local;
use crate::trouble::Trouble;

/// What the operator decided for all listeners.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// The folder of everything here, `tls` in the data directory; see [`folder`].
    pub folder: PathBuf,
    /// Hosts and IP addresses by which clients reach this broker. Names of this machine and of loopback are added.
    pub names: Vec<String>,
    /// Where a certificate for [`CertificateSource::Acme`](crate::CertificateSource::Acme) comes from.
    pub acme: Option<AcmeSettings>,
}

/// All certificates of one broker.
pub struct Certificates {
    shared: Arc<Shared>,
}

struct Shared {
    surroundings: Surroundings,
    names: Vec<AlternativeName>,
    acme: Option<AcmeSettings>,
    endpoints: Mutex<Vec<Arc<Endpoint>>>,
}

impl Certificates {
    /// Makes sure that the local CA and its server certificate are there.
    ///
    /// # Errors
    /// When they cannot be made or used, or when the settings of ACME cannot work.
    pub fn open(settings: &TlsSettings) -> Result<Self, Trouble> {
        if let Some(acme) = &settings.acme {
            acme.check(&settings.folder)?;
        }
        let authority = Authority::open_or_create(&settings.folder)?;
        let names = local::server_names(&settings.folder, &settings.names)?;
        let alarms = Arc::new(Alarms::default());
        match local::keep_server_certificate(&authority, &names, clock::now()) {
            Ok(_) => {}
            // The old one is still better than no start, unless there is none.
            Err(trouble) if folder::server_certificate(&settings.folder).exists() => {
                alarms.set(LOCAL, Some(trouble));
            }
            Err(trouble) => return Err(trouble),
        }
        let surroundings = Surroundings {
            folder: settings.folder.clone(),
            alarms,
            challenges: Arc::new(Challenges::default()),
        };
        let acme = settings.acme.clone();
        Ok(Self { shared: Arc::new(Shared { surroundings, names, acme, endpoints: Mutex::default() }) })
    }

    /// The CA file to be given to clients.
    pub fn ca_file(&self) -> PathBuf {
        folder::ca_certificate(self.folder())
    }

    /// The folder of the settings.
    pub fn folder(&self) -> &Path {
        &self.shared.surroundings.folder
    }

    /// Reads the files of a listener.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn endpoint(&self, settings: EndpointSettings) -> Result<Arc<Endpoint>, Trouble> {
        let endpoint = Arc::new(Endpoint::open(settings, self.shared.surroundings.clone())?);
        self.shared.endpoints().push(Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Answers for ACME servers, to be handed to listeners that speak HTTP.
    pub fn challenges(&self) -> Arc<Challenges> {
        Arc::clone(&self.shared.surroundings.challenges)
    }

    /// What is wrong right now, for `$SYS`. Each has been logged.
    pub fn alarms(&self) -> Vec<Trouble> {
        self.shared.surroundings.alarms.standing()
    }

    /// Reads all files again, now: SIGHUP.
    pub fn reload(&self) {
        self.shared.renew_local();
        self.shared.refresh(Patience::None);
    }

    /// Looks at all files every two seconds, on a thread of its own, until the result is dropped. `on_change` is called on
    /// that thread after a change of trust: clients that are connected should be checked again. With ACME another thread
    /// obtains and renews; so call this when the listeners accept, because its server will come and look.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn watch(&self, on_change: impl Fn() + Send + 'static) -> io::Result<Watching> {
        let shared = Arc::clone(&self.shared);
        let (stop, stopped) = sync_channel::<()>(1);
        let thread = thread::Builder::new().name("certificates".into()).spawn(move || {
            let mut generations = shared.generations();
            let mut looks: u32 = 0;
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(LOOKS_PER_RENEWAL) {
                    shared.renew_local();
                }
                shared.refresh(Patience::OneMoreLook);
                let now = shared.generations();
                if now != generations {
                    generations = now;
                    on_change();
                }
            }
        })?;
        let renewing = self.renew_by_acme()?;
        Ok(Watching { _renewing: renewing, stop, thread: Some(thread) })
    }

    fn renew_by_acme(&self) -> io::Result<Option<Renewing>> {
        let Some(settings) = self.shared.acme.clone() else { return Ok(None) };
        let Surroundings { folder, alarms, challenges } = self.shared.surroundings.clone();
        let shared = Arc::clone(&self.shared);
        let acme = Acme { settings, folder, alarms, challenges };
        acme.start(move || shared.refresh(Patience::None)).map(Some)
    }
}

impl Shared {
    fn renew_local(&self) {
        let renewed = Authority::open(&self.surroundings.folder)
            .and_then(|authority| local::keep_server_certificate(&authority, &self.names, clock::now()));
        self.surroundings.alarms.set(LOCAL, renewed.err());
    }

    fn refresh(&self, patience: Patience) {
        // A copy, so that reading files holds nobody up who adds one.
        let endpoints = self.endpoints().clone();
        for endpoint in endpoints {
            endpoint.refresh(patience);
        }
    }

    fn generations(&self) -> u64 {
        self.endpoints().iter().map(|endpoint| endpoint.generation()).sum()
    }

    fn endpoints(&self) -> MutexGuard<'_, Vec<Arc<Endpoint>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files are watched while this lives.
pub struct Watching {
    _renewing: Option<Renewing>,
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        match self.stop.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its thread.
            let _panicked = thread.join();
        }
    }
}

/// Who finds what is wrong with the local CA.
const LOCAL: &str = "local CA";
/// A person who has put a file there waits this long at most; a look at some files costs microseconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Whether the local server certificate must be made anew is asked once a minute.
const LOOKS_PER_RENEWAL: u32 = 30;
