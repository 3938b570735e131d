//! The course of a test: start, traffic, death, again; at the end everybody comes back and everything must be there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::clients::Clients;
use crate::clock::now;
use crate::folder::Folder;
use crate::ledger::Ledger;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::subscriber::Subscriber;
use crate::verdict::{Kills, Restarts, Verdict};
use crate::{Plan, Trouble};

pub(crate) struct Rounds<'a> {
    plan: &'a Plan,
    folder: &'a Folder,
    random: Random,
    ledger: Ledger,
    clients: Clients,
    restarts: Restarts,
    kills: Kills,
    began: Instant,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(plan: &'a Plan, folder: &'a Folder) -> Self {
        let mut ledger = Ledger::default();
        Self {
            plan,
            folder,
            random: Random::new(plan.seed),
            clients: Clients::new(plan.publishers, plan.backlog, plan.seed, &mut ledger),
            ledger,
            restarts: Restarts::default(),
            kills: Kills::default(),
            began: now(),
        }
    }

    pub(crate) fn run(mut self, say: &mut dyn FnMut(&str)) -> Result<Verdict, Trouble> {
        self.open_sessions()?;
        let mut said = now();
        while self.kills.total < self.plan.kills && self.ledger.findings.total == 0 {
            self.round()?;
            if said.elapsed() >= SAY_EVERY {
                said = now();
                say(&self.progress());
            }
        }
        if self.ledger.findings.total == 0 {
            self.collect()?;
        }
        let Self { plan, ledger, restarts, kills, began, .. } = self;
        let (tally, findings) = (ledger.tally, ledger.findings);
        let (seed, folder) = (plan.seed, self.folder.path.clone());
        Ok(Verdict { kills, seed, tally, findings, restarts, took: began.elapsed(), folder })
    }

    fn progress(&self) -> String {
        let (tally, kills) = (&self.ledger.tally, &self.kills);
        format!(
            "kill {} of {}, {} in traffic: {} messages acknowledged, {} copies delivered, {} sent again by their publishers",
            kills.total,
            self.plan.kills,
            kills.in_traffic,
            tally.acknowledged,
            tally.delivered,
            tally.sent_again
        )
    }

    /// The first start: every subscriber gets its session, so that from here on each message has recipients.
    fn open_sessions(&mut self) -> Result<(), Trouble> {
        let (broker, address) = self.start(None)?;
        let address = address.ok_or_else(|| Trouble("the broker died at its first start".into()))?;
        self.clients.subscribers.iter_mut().for_each(Subscriber::stay);
        let deadline = now() + QUIET_MAX;
        while !self.clients.subscribers.iter().all(Subscriber::is_subscribed) {
            self.turn(&broker, address)?;
            if now() >= deadline {
                return Err(Trouble("the broker does not answer SUBSCRIBE".into()));
            }
        }
        self.clients.hang_up(&mut self.ledger);
        broker.stop().map(|_| ())
    }

    /// Starts the broker, perhaps to be killed even while it starts.
    fn start(&mut self, early: Option<Duration>) -> Result<(Broker, Option<SocketAddr>), Trouble> {
        let started = now();
        let mut broker = Broker::start(&self.plan.program, self.folder)?;
        early.into_iter().for_each(|delay| broker.kill_after(delay));
        let address = broker.await_address(self.folder)?;
        if address.is_some() {
            self.restarts.add(started.elapsed());
        }
        Ok((broker, address))
    }

    /// From a start to a death.
    fn round(&mut self) -> Result<(), Trouble> {
        let early = self.kills.total > 0 && self.random.one_in(EARLY_ONE_IN);
        let early = early.then(|| {
            Duration::from_micros(self.random.of(0..2 * self.restarts.mean().as_micros() as u64 + 1))
        });
        let (mut broker, address) = self.start(early)?;
        self.clients.subscribers.iter_mut().for_each(Subscriber::begin_round);
        let acknowledged_before = self.ledger.tally.acknowledged;
        if let Some(address) = address {
            self.clients.connect_publishers(&broker, address)?;
            let mut kill_is_due = early.is_none();
            let latest = now() + TRAFFIC_WITHIN;
            while !broker.is_doomed() && self.ledger.findings.total == 0 {
                self.turn(&broker, address)?;
                let traffic = self.ledger.tally.acknowledged > acknowledged_before;
                if kill_is_due && (traffic || now() >= latest) {
                    kill_is_due = false;
                    let most_ms = [15, 60, 300][self.random.of(0..3) as usize];
                    broker.kill_after(Duration::from_micros(self.random.of(0..most_ms * 1000)));
                }
            }
        }
        // Wrong already: there is nothing to wait for.
        broker.doom();
        let catching_up = self.clients.subscribers.iter().any(Subscriber::is_catching_up);
        if let Err(why) = broker.await_death()? {
            self.ledger.findings.add(format!("{why}:\n{}", self.folder.end_of_log()));
        }
        self.clients.take_the_last(&mut self.ledger);
        let outstanding = self.clients.in_flight() as u64;
        let acknowledged = self.ledger.tally.acknowledged > acknowledged_before;
        self.kills.add(early.is_some(), acknowledged, outstanding, catching_up);
        self.clients.hang_up(&mut self.ledger);
        Ok(())
    }

    fn turn(&mut self, broker: &Broker, address: SocketAddr) -> Result<(), Trouble> {
        self.clients.turn(broker, address, &mut self.ledger, &mut self.random)
    }

    /// After the last death: everybody comes back, publishers finish, and subscribers get what is theirs.
    fn collect(&mut self) -> Result<(), Trouble> {
        let (broker, address) = self.start(None)?;
        let address = address.ok_or_else(|| Trouble("the broker died although nobody killed it".into()))?;
        self.clients.publishers.iter_mut().for_each(Publisher::rest);
        self.clients.connect_publishers(&broker, address)?;
        self.clients.subscribers.iter_mut().for_each(Subscriber::stay);
        let is_idle = |rounds: &Self| rounds.clients.publishers.iter().all(Publisher::is_idle);
        if self.turns_until(&broker, address, is_idle)? {
            for publisher in &mut self.clients.publishers {
                publisher.publish_last(&mut self.ledger);
            }
            if self.turns_until(&broker, address, is_idle)? {
                // It asks anew, now that nothing changes any more.
                self.clients.watcher.disconnected();
                self.turns_until(&broker, address, Self::has_all_come)?;
            }
        }
        if self.ledger.findings.total == 0 {
            self.look_for_what_is_missing();
        }
        let status = broker.stop()?;
        if !status.success() {
            self.ledger.findings.add(format!("told to stop, the broker ended with {status}"));
        }
        Ok(())
    }

    fn has_all_come(&self) -> bool {
        let Self { clients, ledger, .. } = self;
        clients.subscribers.iter().all(|subscriber| subscriber.backlog(ledger) == 0)
            && clients.watcher.has_asked()
            && clients.watcher.missing(ledger).next().is_none()
    }

    /// Everything has come that will.
    fn look_for_what_is_missing(&mut self) {
        let Self { clients, ledger, .. } = self;
        for publisher in clients.publishers.iter().filter(|publisher| !publisher.is_idle()) {
            ledger.findings.add(format!("{} waits in vain for acknowledgements", publisher.name()));
        }
        clients.subscribers.iter().for_each(|subscriber| subscriber.conclude(ledger));
        ledger.conclude_group();
        if !clients.watcher.has_asked() {
            ledger.findings.add("nobody could ask for the retained messages".into());
        }
        let lost: Vec<_> = clients.watcher.missing(ledger).map(str::to_owned).collect();
        lost.iter().for_each(|topic| ledger.findings.add(format!("{topic} has no retained message")));
    }

    /// Goes on until it is so; `false` when something is wrong, or nothing has come for long.
    fn turns_until(
        &mut self,
        broker: &Broker,
        address: SocketAddr,
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<bool, Trouble> {
        let mut last = (0, now());
        while !is_so(self) {
            self.turn(broker, address)?;
            let tally = &self.ledger.tally;
            let come = tally.acknowledged + tally.delivered + tally.repeated + tally.retained;
            if come != last.0 {
                last = (come, now());
            }
            if self.ledger.findings.total > 0 || last.1.elapsed() > QUIET_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One in so many kills is aimed at the start: it may hit a broker that is reading its journal.
const EARLY_ONE_IN: u64 = 8;
/// If nothing was acknowledged for so long after a start, the kill comes nevertheless.
const TRAFFIC_WITHIN: Duration = Duration::from_secs(10);
/// If for so long nothing comes, nothing will.
const QUIET_MAX: Duration = Duration::from_secs(30);
const SAY_EVERY: Duration = Duration::from_secs(1);
