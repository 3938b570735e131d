//! Certificates from an ACME server (RFC 8555), such as Let's Encrypt's: obtained and renewed on a thread of their own.
//!
//! What is obtained is one file in the folder; endpoints see it change like any other file, and the old one serves until
//! then. Answers to the server's questions go through [`Challenges`](crate::Challenges). The only `async` of the
//! repository is in here, because the client library is so; nothing of it leaves.

mod account;
mod attempts;
mod order;
mod schedule;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use ring::digest::{SHA256, digest};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use crate::alarms::Alarms;
use crate::certificate::Certificate;
use crate::challenges::Challenges;
use crate::clock;
use crate::folder;
use crate::issuing::is_host;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};
use attempts::Attempts;

/// What the operator decided about ACME. Naming a server agrees to its terms of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The server's directory, beginning with `https`.
    pub directory: String,
    /// Where the server may write to, as `mailto:somebody@example.com`. May be empty.
    pub contact: Vec<String>,
    /// The names of the certificate. No wildcards: neither way of proving allows them.
    pub names: Vec<String>,
    /// How it is proved that they are ours.
    pub proof: AcmeProof,
    /// The CA of the server's own certificate, for a private one. Without it the machine's CAs are believed.
    pub server_ca: Option<PathBuf>,
}

/// How an ACME server is convinced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcmeProof {
    /// It fetches a text over HTTP, from port 80 of each name.
    #[default]
    Http01,
    /// It makes a handshake with port 443 of each name.
    TlsAlpn01,
}

impl AcmeSettings {
    /// What cannot work, before anybody is asked.
    pub(crate) fn check(&self, folder: &Path) -> Result<(), Trouble> {
        let trouble = |what: String, help: &str| Err(Trouble::new(&folder::acme(folder), what, help));
        if !self.directory.starts_with("https://") {
            let what = format!("has no use for the directory `{}`", self.directory);
            return trouble(what, "name the https address of an ACME server's directory");
        }
        if self.names.is_empty() {
            return trouble(
                "has no names to obtain a certificate for".into(),
                "name the hosts of this broker",
            );
        }
        match self.names.iter().find(|name| name.contains('*') || !is_host(name)) {
            Some(name) => trouble(
                format!("cannot obtain a certificate for `{name}`"),
                "name hosts without wildcards, or obtain a certificate elsewhere and name its files",
            ),
            None => Ok(()),
        }
    }

    /// Changes when anything does that could make an order succeed that failed before.
    fn fingerprint(&self) -> String {
        let all = format!("{self:?}");
        digest(&SHA256, all.as_bytes()).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What the thread works with.
pub(crate) struct Acme {
    pub(crate) settings: AcmeSettings,
    pub(crate) folder: PathBuf,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) challenges: Arc<Challenges>,
}

/// The thread runs while this lives.
pub(crate) struct Renewing {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Renewing {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that has ended already needs not be told.
            let _ended = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its thread.
            let _panicked = thread.join();
        }
    }
}

impl Acme {
    /// Begins to obtain and renew. `on_new` is called on that thread when there is a new certificate.
    pub(crate) fn start(self, on_new: impl Fn() + Send + 'static) -> io::Result<Renewing> {
        whole_file::folder(&folder::acme(&self.folder)).map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("acme".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = self.run(&on_new) => {}
                    _ = stopped => {}
                }
            });
            self.challenges.forget_all();
        })?;
        Ok(Renewing { stop: Some(stop), thread: Some(thread) })
    }

    async fn run(&self, on_new: &impl Fn()) {
        loop {
            let attempts = Attempts::read(&self.folder, &self.settings.fingerprint());
            let due = self.due(&attempts, clock::now());
            let wait = Duration::try_from(due - clock::now()).unwrap_or(Duration::ZERO);
            if !wait.is_zero() {
                // A piece at a time, because the clock of the machine may be set meanwhile.
                tokio::time::sleep(wait.min(SLEEP_MAX)).await;
                continue;
            }
            self.attempt(attempts, on_new).await;
        }
    }

    /// When to try next.
    fn due(&self, attempts: &Attempts, now: OffsetDateTime) -> OffsetDateTime {
        let file = folder::acme_certificate(&self.folder);
        let renewal = match Certificate::read(&file, &file) {
            Ok(found) if self.covers(&found) && self.is_of_this_server(&file) => {
                let identity = found.certified.cert.first().map(|der| &der[..]).unwrap_or_default();
                schedule::renewal(found.not_before, found.not_after, identity)
            }
            Ok(_) | Err(_) => now,
        };
        // What no pause can have set was written under a clock that went wrong.
        let earliest = attempts.not_before().filter(|earliest| *earliest - now <= schedule::PAUSE_MAX * 2);
        earliest.map_or(renewal, |earliest| renewal.max(earliest))
    }

    /// Whoever has tried with a server for tests wants another certificate from the real one.
    fn is_of_this_server(&self, file: &Path) -> bool {
        std::fs::read_to_string(file).is_ok_and(|text| text.starts_with(&self.origin()))
    }

    /// The first line of the file; readers of PEM pass over it.
    fn origin(&self) -> String {
        format!("# from {}\n", self.settings.directory)
    }

    fn covers(&self, certificate: &Certificate) -> bool {
        self.settings.names.iter().all(|name| certificate.names.contains(&name.to_ascii_lowercase()))
    }

    async fn attempt(&self, attempts: Attempts, on_new: &impl Fn()) {
        let now = clock::now();
        // Written down before anybody is asked: whatever happens now, a restart does not ask again at once.
        let begun = attempts.failed(now, schedule::pause_after(attempts.failures() + 1, now));
        if let Err(trouble) = begun.write(&self.folder) {
            self.alarms.set(OWNER, Some(trouble));
            tokio::time::sleep(SLEEP_MAX).await;
            return;
        }
        tracing::info!(
            "TLS: asking {} for a certificate for {:?}",
            self.settings.directory,
            self.settings.names
        );
        let obtained = tokio::time::timeout(ORDER_MAX, order::obtain(self)).await;
        self.challenges.forget_all();
        let failure = match obtained {
            Ok(Ok(pem)) => match self.keep(&pem) {
                Ok(()) => {
                    self.alarms.set(OWNER, None);
                    tracing::info!("TLS: a new certificate for {:?} is in force", self.settings.names);
                    on_new();
                    return;
                }
                Err(trouble) => order::Failure::new(trouble.to_string()),
            },
            Ok(Err(failure)) => failure,
            Err(_) => order::Failure::new(format!("no end of it within {} seconds", ORDER_MAX.as_secs())),
        };
        let pause = match failure.is_rate_limit {
            true => schedule::PAUSE_MAX,
            false => schedule::pause_after(attempts.failures() + 1, now),
        };
        let failed = attempts.failed(clock::now(), pause);
        let written = failed.write(&self.folder);
        let next = failed.not_before().map(clock::text).unwrap_or_default();
        let names = self.settings.names.join(", ");
        let what = format!(
            "has no new certificate for {names} from {}: {}; next try on {next}",
            self.settings.directory, failure.why
        );
        let trouble = Trouble::new(&folder::acme(&self.folder), what, self.help());
        self.alarms.set(OWNER, Some(written.err().unwrap_or(trouble)));
    }

    /// Checks what came, and puts it where the endpoints look.
    fn keep(&self, pem: &str) -> Result<(), Trouble> {
        let file = folder::acme_certificate(&self.folder);
        let candidate = file.with_extension("candidate");
        let pem = format!("{}{pem}", self.origin());
        whole_file::write(&candidate, &pem, Secrecy::Secret)?;
        let read = Certificate::read(&candidate, &candidate)?;
        if !self.covers(&read) {
            return Err(Trouble::new(
                &candidate,
                "lacks a name that was asked for",
                "ask the operator of the server",
            ));
        }
        whole_file::write(&file, &pem, Secrecy::Secret)?;
        drop(std::fs::remove_file(&candidate));
        Attempts::none(&self.settings.fingerprint()).write(&self.folder)
    }

    fn help(&self) -> &'static str {
        match self.settings.proof {
            AcmeProof::Http01 => {
                "let port 80 of each name reach a listener of this broker that speaks HTTP; a restart with changed \
                 settings tries at once"
            }
            AcmeProof::TlsAlpn01 => {
                "let port 443 of each name reach a TLS listener of this broker that uses ACME and does not require \
                 client certificates; a restart with changed settings tries at once"
            }
        }
    }
}

/// Who finds what is wrong with ACME.
const OWNER: &str = "acme";
/// An order is done in seconds, or something is wrong.
const ORDER_MAX: Duration = Duration::from_secs(300);
/// The longest sleep without a look at the clock.
const SLEEP_MAX: Duration = Duration::from_secs(600);
