//! Everybody who talks to the broker, and one turn of their talk: wait, read, judge, publish, answer, write.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Trouble;
use crate::broker::Broker;
use crate::clock::now;
use crate::connection::Connection;
use crate::ledger::Ledger;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::subscriber::{Habit, Role, Subscriber};
use crate::watcher::Watcher;

pub(crate) struct Clients {
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) watcher: Watcher,
    /// So many messages may wait for one subscriber; then publishers only trickle.
    backlog_max: u64,
    /// Whose turn it is to trickle.
    next_to_trickle: usize,
    last_trickle: Instant,
}

impl Clients {
    pub(crate) fn new(publishers: u16, backlog_max: u64, seed: u64, ledger: &mut Ledger) -> Self {
        let publishers: Vec<_> = (0..publishers).map(|index| Publisher::new(index, ledger)).collect();
        let streams = ledger.streams.len();
        let subscriber =
            |(index, &(habit, role))| Subscriber::new(index, habit, role, streams, backlog_max, seed);
        Self {
            publishers,
            subscribers: SUBSCRIBERS.iter().enumerate().map(subscriber).collect(),
            watcher: Watcher::new(),
            backlog_max,
            next_to_trickle: 0,
            last_trickle: now(),
        }
    }

    pub(crate) fn connect_publishers(&mut self, broker: &Broker, address: SocketAddr) -> Result<(), Trouble> {
        for publisher in &mut self.publishers {
            match publisher.connect(address) {
                Err(error) if !broker.is_doomed() => return Err(unreachable_because(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for something to happen, and does what follows from it.
    pub(crate) fn turn(
        &mut self,
        broker: &Broker,
        address: SocketAddr,
        ledger: &mut Ledger,
        random: &mut Random,
    ) -> Result<(), Trouble> {
        let mut come_and_go = || -> std::io::Result<()> {
            for subscriber in &mut self.subscribers {
                subscriber.come_and_go(address, ledger)?;
            }
            self.watcher.come(address, ledger)
        };
        match come_and_go() {
            Err(error) if !broker.is_doomed() => return Err(unreachable_because(&error)),
            _ => {}
        }
        self.wait();
        self.receive(ledger);
        self.publish(ledger, random);
        self.subscribers.iter_mut().for_each(Subscriber::acknowledge);
        for (name, connection) in self.named_connections() {
            connection.flush();
            if connection.closed && !broker.is_doomed() {
                ledger.findings.add(format!("the broker has closed the connection of {name}"));
            }
        }
        Ok(())
    }

    fn receive(&mut self, ledger: &mut Ledger) {
        self.publishers.iter_mut().for_each(|publisher| publisher.receive(ledger));
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.receive(ledger));
        self.watcher.receive(ledger);
    }

    /// Publishers fill their windows while the subscriber that is furthest behind may have more waiting for it. At the bound
    /// they do not fall silent: a kill shall always hit a broker that is at work.
    fn publish(&mut self, ledger: &mut Ledger, random: &mut Random) {
        let backlog = self.subscribers.iter().map(|subscriber| subscriber.backlog(ledger)).max();
        let mut room = self.backlog_max.saturating_sub(backlog.unwrap_or(0));
        if room == 0 && self.in_flight() < TRICKLE_IN_FLIGHT && self.last_trickle.elapsed() >= TRICKLE_EVERY {
            self.last_trickle = now();
            self.next_to_trickle = (self.next_to_trickle + 1) % self.publishers.len().max(1);
            if let Some(publisher) = self.publishers.get_mut(self.next_to_trickle) {
                publisher.publish(1, ledger, random);
            }
        }
        for publisher in &mut self.publishers {
            room -= publisher.publish(room, ledger, random).min(room);
        }
    }

    /// How many messages wait for an acknowledgement.
    pub(crate) fn in_flight(&self) -> usize {
        self.publishers.iter().map(Publisher::in_flight).sum()
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
        let of_subscribers = self.subscribers.iter().filter_map(|subscriber| subscriber.connection.as_ref());
        of_publishers.chain(of_subscribers).chain(self.watcher.connection.as_ref())
    }

    fn named_connections(&mut self) -> impl Iterator<Item = (String, &mut Connection)> {
        let of_publishers = self.publishers.iter_mut().filter_map(|publisher| {
            let name = publisher.name().to_owned();
            publisher.connection.as_mut().map(|connection| (name, connection))
        });
        let of_subscribers = self.subscribers.iter_mut().filter_map(|subscriber| {
            let name = subscriber.name().to_owned();
            subscriber.connection.as_mut().map(|connection| (name, connection))
        });
        let of_watcher =
            self.watcher.connection.as_mut().map(|connection| (Watcher::NAME.to_owned(), connection));
        of_publishers.chain(of_subscribers).chain(of_watcher)
    }

    /// What a broker has sent before it died counts. It arrives, although the broker is dead.
    pub(crate) fn take_the_last(&mut self, ledger: &mut Ledger) {
        let deadline = now() + LAST_WORDS_WITHIN;
        while self.connections().any(|connection| !connection.closed) && now() < deadline {
            self.wait();
            self.receive(ledger);
        }
    }

    pub(crate) fn hang_up(&mut self, ledger: &mut Ledger) {
        self.publishers.iter_mut().for_each(|publisher| publisher.disconnected(ledger));
        self.subscribers.iter_mut().for_each(Subscriber::disconnected);
        self.watcher.disconnected();
    }
}

fn unreachable_because(error: &std::io::Error) -> Trouble {
    Trouble(format!("the broker runs, and cannot be connected to: {error}"))
}

/// The subscribers: six that want everything, and a shared subscription of three.
const SUBSCRIBERS: [(Habit, Role); 9] = [
    (Habit::Prompt, Role::Alone),
    (Habit::Prompt, Role::Alone),
    (Habit::Slow, Role::Alone),
    (Habit::Slow, Role::Alone),
    (Habit::Away, Role::Alone),
    (Habit::Away, Role::Alone),
    (Habit::Prompt, Role::Member),
    (Habit::Slow, Role::Member),
    (Habit::Away, Role::Member),
];
const TRICKLE_IN_FLIGHT: usize = 4;
const TRICKLE_EVERY: Duration = Duration::from_millis(2);
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);
