//! The course of a test: start, traffic, death, again; at the end everybody comes back and everything must be there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::broker::Broker;
use crate::clock::now;
use crate::connection::Connection;
use crate::folder::Folder;
use crate::ledger::Ledger;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::subscriber::{Habit, Subscriber};
use crate::verdict::{Restarts, Verdict};
use crate::{Plan, Trouble};

pub(crate) struct Rounds<'a> {
    plan: &'a Plan,
    folder: &'a Folder,
    random: Random,
    ledger: Ledger,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    restarts: Restarts,
    kills: u32,
    began: Instant,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(plan: &'a Plan, folder: &'a Folder) -> Self {
        let mut ledger = Ledger::default();
        let publishers = (0..plan.publishers).map(|index| Publisher::new(index, &mut ledger)).collect();
        let streams = ledger.streams.len();
        let subscriber = |(index, &habit)| Subscriber::new(index, habit, streams, plan.seed);
        Self {
            plan,
            folder,
            random: Random::new(plan.seed),
            publishers,
            subscribers: HABITS.iter().enumerate().map(subscriber).collect(),
            ledger,
            restarts: Restarts::default(),
            kills: 0,
            began: now(),
        }
    }

    pub(crate) fn run(mut self, say: &mut dyn FnMut(&str)) -> Result<Verdict, Trouble> {
        self.open_sessions()?;
        let mut said = now();
        while self.kills < self.plan.kills && self.ledger.findings.total == 0 {
            self.round()?;
            self.kills += 1;
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
        let tally = &self.ledger.tally;
        format!(
            "kill {} of {}: {} messages acknowledged, {} copies delivered, {} sent again by their publishers",
            self.kills, self.plan.kills, tally.acknowledged, tally.delivered, tally.sent_again
        )
    }

    /// The first start: every subscriber gets its session, so that from here on each message has recipients.
    fn open_sessions(&mut self) -> Result<(), Trouble> {
        let (broker, address) = self.start(None)?;
        let address = address.ok_or_else(|| Trouble("the broker died at its first start".into()))?;
        self.subscribers.iter_mut().for_each(Subscriber::stay);
        let deadline = now() + QUIET_MAX;
        while !self.subscribers.iter().all(Subscriber::is_subscribed) {
            self.turn(&broker, address)?;
            if now() >= deadline {
                return Err(Trouble("the broker does not answer SUBSCRIBE".into()));
            }
        }
        self.hang_up();
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
        let early = self.random.one_in(8).then(|| Duration::from_micros(self.random.of(0..60_000)));
        let (mut broker, address) = self.start(early)?;
        if early.is_none() {
            let most_ms = [5, 50, 300][self.random.of(0..3) as usize];
            broker.kill_after(Duration::from_micros(self.random.of(0..most_ms * 1000)));
        }
        self.subscribers.iter_mut().for_each(Subscriber::begin_round);
        if let Some(address) = address {
            self.connect_publishers(&broker, address)?;
            while !broker.is_doomed() && self.ledger.findings.total == 0 {
                self.turn(&broker, address)?;
            }
        }
        if let Err(why) = broker.await_death()? {
            self.ledger.findings.add(format!("{why}:\n{}", self.folder.end_of_log()));
        }
        self.take_the_last();
        self.hang_up();
        Ok(())
    }

    fn connect_publishers(&mut self, broker: &Broker, address: SocketAddr) -> Result<(), Trouble> {
        for publisher in &mut self.publishers {
            match publisher.connect(address) {
                Err(error) if !broker.is_doomed() => return Err(unreachable_because(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for something to happen, and does what follows from it.
    fn turn(&mut self, broker: &Broker, address: SocketAddr) -> Result<(), Trouble> {
        for subscriber in &mut self.subscribers {
            match subscriber.come_and_go(address) {
                Err(error) if !broker.is_doomed() => return Err(unreachable_because(&error)),
                _ => {}
            }
        }
        self.wait();
        let backlog = self.subscribers.iter().map(|subscriber| self.ledger.missing(subscriber.seen())).max();
        let may_publish = backlog.is_none_or(|backlog| backlog < BACKLOG_MAX);
        for publisher in &mut self.publishers {
            publisher.receive(&mut self.ledger);
            if may_publish {
                publisher.publish(&mut self.ledger, &mut self.random);
            }
        }
        for subscriber in &mut self.subscribers {
            subscriber.receive(&mut self.ledger);
            subscriber.acknowledge();
        }
        let ledger = &mut self.ledger;
        let of_publishers = self.publishers.iter_mut().map(|publisher| {
            let name = publisher.name().to_owned();
            (name, &mut publisher.connection)
        });
        let of_subscribers = self.subscribers.iter_mut().map(|subscriber| {
            let name = subscriber.name().to_owned();
            (name, &mut subscriber.connection)
        });
        for (name, connection) in of_publishers.chain(of_subscribers) {
            let Some(connection) = connection else { continue };
            connection.flush();
            if connection.closed && !broker.is_doomed() {
                ledger.findings.add(format!("the broker has closed the connection of {name}"));
            }
        }
        Ok(())
    }

    /// Until a socket is ready, or a moment has passed.
    fn wait(&self) {
        let mut polled: Vec<PollFd<'_>> = self
            .connections()
            .filter(|connection| !connection.closed)
            .map(|connection| {
                let room = if connection.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
                PollFd::new(&connection.socket, PollFlags::IN | room)
            })
            .collect();
        // A signal that comes meanwhile is no reason to do anything else.
        let _ready = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
    }

    fn connections(&self) -> impl Iterator<Item = &Connection> {
        let of_publishers = self.publishers.iter().filter_map(|publisher| publisher.connection.as_ref());
        of_publishers.chain(self.subscribers.iter().filter_map(|subscriber| subscriber.connection.as_ref()))
    }

    /// What a broker has sent before it died counts. It arrives, although the broker is dead.
    fn take_the_last(&mut self) {
        let deadline = now() + LAST_WORDS_WITHIN;
        while self.connections().any(|connection| !connection.closed) && now() < deadline {
            self.wait();
            self.publishers.iter_mut().for_each(|publisher| publisher.receive(&mut self.ledger));
            self.subscribers.iter_mut().for_each(|subscriber| subscriber.receive(&mut self.ledger));
        }
    }

    fn hang_up(&mut self) {
        self.publishers.iter_mut().for_each(|publisher| publisher.disconnected(&mut self.ledger));
        self.subscribers.iter_mut().for_each(Subscriber::disconnected);
    }

    /// After the last death: everybody comes back, publishers finish, and subscribers get what is theirs.
    fn collect(&mut self) -> Result<(), Trouble> {
        let (broker, address) = self.start(None)?;
        let address = address.ok_or_else(|| Trouble("the broker died although nobody killed it".into()))?;
        self.publishers.iter_mut().for_each(Publisher::rest);
        self.connect_publishers(&broker, address)?;
        self.subscribers.iter_mut().for_each(Subscriber::stay);
        let is_idle = |rounds: &Self| rounds.publishers.iter().all(Publisher::is_idle);
        if self.turns_until(&broker, address, is_idle)? {
            for publisher in &mut self.publishers {
                publisher.publish_last(&mut self.ledger);
            }
            if self.turns_until(&broker, address, is_idle)? {
                let has_all = |rounds: &Self, of: &Subscriber| rounds.ledger.missing(of.seen()) == 0;
                self.turns_until(&broker, address, |rounds| {
                    rounds.subscribers.iter().all(|subscriber| has_all(rounds, subscriber))
                })?;
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

    /// Everything has come that will.
    fn look_for_what_is_missing(&mut self) {
        for publisher in self.publishers.iter().filter(|publisher| !publisher.is_idle()) {
            self.ledger.findings.add(format!("{} waits in vain for acknowledgements", publisher.name()));
        }
        for subscriber in &self.subscribers {
            self.ledger.conclude(subscriber.name(), subscriber.seen());
        }
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
            let come = tally.acknowledged + tally.delivered + tally.repeated;
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

fn unreachable_because(error: &std::io::Error) -> Trouble {
    Trouble(format!("the broker runs, and cannot be connected to: {error}"))
}

/// The subscribers.
const HABITS: [Habit; 6] = [Habit::Prompt, Habit::Prompt, Habit::Slow, Habit::Slow, Habit::Away, Habit::Away];
/// So many messages may wait for one subscriber; then publishers pause. It bounds the memory and the end of a long test.
const BACKLOG_MAX: u64 = 4_000;
/// If for so long nothing comes, nothing will.
const QUIET_MAX: Duration = Duration::from_secs(30);
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);
const SAY_EVERY: Duration = Duration::from_secs(1);
