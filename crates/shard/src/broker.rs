//! All shards of a process: made together, ended together.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use tidegate_core::{Core, CoreConfig, Limits, Restored, ShardId, SharedUsage};
use tidegate_journal::Journal;

use crate::acceptor::Acceptor;
use crate::authenticate::Authenticate;
use crate::clock::Clock;
use crate::doorkeeper::Doorkeeper;
use crate::journaling::Journaling;
use crate::mailbox::{Mail, Mailbox};
use crate::opening::OpenedJournal;
use crate::shard::{Shard, ShardParts, WAKER};

/// What a broker is made of.
pub struct BrokerConfig {
    /// Threads, 1 to [`ShardId::COUNT_MAX`].
    pub shards: u8,
    /// The bounds of the core.
    pub limits: Limits,
    /// Sockets that are bound and listening.
    pub listeners: Vec<TcpListener>,
    /// Decides who a client is.
    pub authenticator: Arc<dyn Authenticate>,
    /// Seconds between publications of `$SYS`; 0 is never.
    pub sys_interval_secs: u32,
    /// Connections of the process, 0 is as many as there are descriptors. At the bound new ones are closed.
    pub connections_max: usize,
    /// Connections from one address, or from one /64 of IPv6; 0 does not count. At the bound new ones are closed.
    pub connections_per_address_max: usize,
    /// Seconds that clients have to take their last packets when the broker stops.
    pub shutdown_grace_secs: u32,
    /// What was there before, and where everything durable goes; `None` keeps nothing beyond the process.
    pub journal: Option<OpenedJournal>,
    /// Unpredictable for peers, and the same for all starts on one journal: seeds hashes and assigned Client Identifiers.
    pub seed: u64,
    /// Called when a shard ends in a panic, which is a defect: the others would wait for it for ever, so whoever
    /// runs the broker should end it in good order.
    pub on_panic: Arc<dyn Fn() + Send + Sync>,
}

/// Tells when the thread that holds it unwinds.
struct PanicAlarm(Arc<dyn Fn() + Send + Sync>);

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

/// A running broker.
pub struct Broker {
    mailboxes: Vec<Arc<Mailbox>>,
    threads: Vec<JoinHandle<()>>,
    /// Dropped when the threads have ended: then what they wrote last is finished.
    journal: Option<Arc<Journal>>,
}

impl Broker {
    /// Starts the threads. Clients are accepted when this returns.
    ///
    /// # Errors
    /// Whatever the operating system says about threads, epoll or the listeners.
    pub fn start(config: BrokerConfig) -> io::Result<Broker> {
        let clock = Clock::new();
        let shards = usize::from(config.shards).clamp(1, ShardId::COUNT_MAX);
        let mut acceptor = Some(Acceptor::new(config.listeners, shards)?);
        let doorkeeper =
            Arc::new(Doorkeeper::new(config.connections_max, config.connections_per_address_max));
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..shards {
            let poll = Poll::new()?;
            mailboxes.push(Mailbox::new(Waker::new(poll.registry(), WAKER)?));
            polls.push(poll);
        }
        let usage = SharedUsage::default();
        let (journal, mut restored, damages) = match config.journal {
            Some(opened) => {
                (Some(opened.journal), opened.restored, opened.report.damages_total + opened.lost)
            }
            None => (None, Vec::new(), 0),
        };
        restored.resize_with(shards, Default::default);
        let mut all = Vec::new();
        for (index, poll) in polls.into_iter().enumerate() {
            let core = Core::new(CoreConfig {
                shard: ShardId(index as u8),
                shards: shards as u8,
                limits: config.limits.clone(),
                usage: usage.clone(),
                seed: config.seed,
                started: clock.now(),
                records: journal.is_some(),
            });
            let journaling =
                journal.as_ref().map(|journal| Journaling::new(journal, index, &mailboxes[index]));
            let parts = ShardParts {
                index,
                poll,
                core,
                clock,
                mailboxes: mailboxes.clone(),
                acceptor: acceptor.take(),
                authenticator: Arc::clone(&config.authenticator),
                doorkeeper: Arc::clone(&doorkeeper),
                sys_interval_ms: u64::from(config.sys_interval_secs) * 1000,
                shutdown_grace_ms: u64::from(config.shutdown_grace_secs) * 1000,
            };
            all.push(Shard::new(parts, journaling)?);
        }
        restore(&mut all, restored);
        if journal.is_some() && config.sys_interval_secs > 0 {
            all[0].say_journal(damages);
            settle(&mut all);
        }
        // Not before each shard has its hand in the journal: whoever had none would not be asked for its state, and lose it.
        journal.iter().for_each(|journal| journal.restored());
        let mut threads = Vec::new();
        for (index, shard) in all.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("shard-{index}"));
            let alarm = PanicAlarm(Arc::clone(&config.on_panic));
            threads.push(thread.spawn(move || {
                let _alarm = alarm;
                shard.run();
            })?);
        }
        Ok(Broker { mailboxes, threads, journal })
    }

    /// New bounds for everything that happens from now on.
    pub fn set_limits(&self, limits: &Limits) {
        for mailbox in &self.mailboxes {
            mailbox.send(Mail::Limits(Box::new(limits.clone())));
        }
    }

    /// Stops accepting, tells every client, writes what they are owed, and waits for the threads.
    pub fn shut_down(self) {
        for mailbox in &self.mailboxes {
            mailbox.send(Mail::ShutDown);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended in a panic; please report it with the log above");
            }
        }
        drop(self.journal);
    }
}

/// Gives every shard what was there before a restart, and lets them tell each other, before any client is let in.
fn restore(shards: &mut [Shard], restored: Vec<Restored>) {
    for (shard, restored) in shards.iter_mut().zip(restored) {
        shard.restore(restored);
    }
    settle(shards);
    shards.iter_mut().for_each(Shard::publish_restored_wills);
    settle(shards);
}

fn settle(shards: &mut [Shard]) {
    // All of them each time: one that has nothing to read may have something to send.
    while shards.iter_mut().map(Shard::settle).filter(|&any| any).count() > 0 {}
}
