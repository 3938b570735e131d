//! `tidegate crashtest`: runs the program as a broker, kills it at random moments, and checks that it kept its word.
//!
//! It sees the broker from outside: a process, a configuration file and a port. Its clients remember what they were
//! promised; nothing of the broker's code is in here but the codec.
//!
//! ```text
//!   run ──► folder: what the broker may write to        random, clock
//!    │
//!    ▼
//!   Rounds ──► broker: a child, and its death ──► SIGKILL
//!    │  └────► Clients ──► Publisher ─┐
//!    │           │         Subscriber ┼──► connection: a socket and packets
//!    │           │         Watcher ───┘
//!    ▼           ▼
//!   Verdict ◄── ledger, group: what was acknowledged, and what came
//! ```
//!
//! A kill shows something only when it hits a broker at work, so the load is made for that, and a test whose kills mostly hit an
//! idle broker is inconclusive. Wills are not looked at: those of clients that were connected at a kill are published after the
//! restart, and the next kill may come between their copies.
//!
//! What it shows is about the end of a process. The operating system lives on and has what was written, synced or not; a
//! power cut is another matter.

mod broker;
mod clients;
mod clock;
mod connection;
mod folder;
mod group;
mod ledger;
mod payload;
mod publisher;
mod random;
mod rounds;
mod subscriber;
mod verdict;
mod watcher;

use std::fmt;
use std::path::PathBuf;

pub use random::fresh_seed;
pub use verdict::{Outcome, Verdict};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The broker's executable; it is started as `PROGRAM serve --config FILE`.
    pub program: PathBuf,
    /// Where the broker's data goes: an empty folder, or one that a crashtest has left.
    pub folder: PathBuf,
    /// How often the broker is killed.
    pub kills: u32,
    /// Decides who does what when. The same seed makes the same choices; what the broker was doing at that moment differs.
    pub seed: u64,
    /// How many clients publish; every other one has a durable session.
    pub publishers: u16,
    /// So many messages may wait for one subscriber. Subscribers that are away come back for a part of it.
    pub backlog: u64,
    /// The value of the broker's key `journal.level`.
    pub level: String,
}

/// Why the test could not be carried out. It says nothing about the broker's word.
#[derive(Debug)]
pub struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    fn of(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

/// Carries the plan out. `say` hears a line now and then while it lasts.
///
/// # Errors
/// When the test cannot be carried out: the folder holds something else, or the broker does not start.
pub fn run(plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Verdict, Trouble> {
    let folder = folder::Folder::prepare(&plan.folder, &plan.level)?;
    let verdict = rounds::Rounds::new(plan, &folder).run(say)?;
    folder.conclude(verdict.outcome() != Outcome::Broken)?;
    Ok(verdict)
}
