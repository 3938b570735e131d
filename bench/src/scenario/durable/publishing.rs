//! Publishers that count a message as done when its PUBACK is there.

use super::Backlog;
use crate::clock;
use crate::codec::{self, Outgoing, Packet};
use crate::fault::Fault;
use crate::histogram::Histogram;
use crate::payload::{self, Label};
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::traffic::STALL;
use crate::window::{Window, packet_identifier_of};
use std::time::Duration;

/// The publishers of a backlog. Connection `n` is publisher `n`.
pub(super) struct Publishing<'b> {
    backlog: &'b Backlog,
    /// By session.
    topics: Vec<String>,
    publishers: Vec<Publisher>,
    /// Publishers that may have room, each at most once.
    to_fill: Vec<usize>,
    /// What each publishes in all, if that is bounded.
    messages_max: u64,
    paused: bool,
    /// Everything counted since it was last replaced.
    pub(super) tally: Tally,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Messages whose PUBACK came.
    pub(super) acknowledged: u64,
    /// Messages published.
    pub(super) published: u64,
    /// Times that a publisher was filled, each of them one write.
    pub(super) fills: u64,
    /// Nanoseconds from publishing to the read that brought the PUBACK.
    pub(super) latency: Histogram,
}

struct Publisher {
    window: Window,
    waits_for_fill: bool,
}

impl<'b> Publishing<'b> {
    pub(super) fn new(backlog: &'b Backlog, messages_max: Option<u64>) -> Self {
        let publisher = |_| Publisher { window: Window::new(backlog.in_flight), waits_for_fill: false };
        Self {
            backlog,
            topics: (0..backlog.sessions).map(Backlog::topic).collect(),
            publishers: (0..backlog.publishers).map(publisher).collect(),
            to_fill: Vec::new(),
            messages_max: messages_max.unwrap_or(u64::MAX),
            paused: true,
            tally: Tally::default(),
        }
    }

    /// Lets each publish up to so many in all.
    pub(super) fn allow(&mut self, messages_max: u64) {
        self.messages_max = messages_max;
    }

    /// Publishes until `end` or until everything is published, then waits for the last PUBACK.
    pub(super) fn run(&mut self, reactor: &mut Reactor, end: u64) -> Result<(), Fault> {
        self.paused = false;
        (0..self.publishers.len()).for_each(|index| self.mark_for_fill(index));
        let (mut acknowledged, mut stalled_at) = (self.tally.acknowledged, clock::deadline(STALL));
        // Nothing comes before the end of the first turn, which publishes.
        let mut patience = Duration::ZERO;
        loop {
            let now = clock::nanos();
            self.paused |= now >= end;
            reactor.turn(patience, self)?;
            patience = Duration::from_millis(50);
            if self.tally.acknowledged != acknowledged {
                (acknowledged, stalled_at) = (self.tally.acknowledged, clock::deadline(STALL));
            } else if now > stalled_at {
                return Err(Fault::Stalled(format!("{} PUBACKs never came", self.unfinished())));
            }
            if self.unfinished() == 0 && self.to_fill.is_empty() {
                return Ok(());
            }
        }
    }

    /// How many messages of each publisher were acknowledged; between two runs these are all it has published.
    pub(super) fn acknowledged(&self) -> Vec<u64> {
        self.publishers.iter().map(|publisher| publisher.window.published()).collect()
    }

    fn unfinished(&self) -> usize {
        self.publishers.iter().map(|publisher| publisher.window.unfinished()).sum()
    }

    fn mark_for_fill(&mut self, index: usize) {
        if !self.publishers[index].waits_for_fill {
            self.publishers[index].waits_for_fill = true;
            self.to_fill.push(index);
        }
    }
}

impl Handler for Publishing<'_> {
    #[inline]
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        now: u64,
        _: &mut Outbox,
    ) -> Result<(), Fault> {
        let Packet::Puback { packet_identifier } = packet else {
            return Err(Fault::Delivery(format!("publisher {from} got an unexpected {packet:?}")));
        };
        let noted = self.publishers[from].window.on_puback(packet_identifier).map_err(|_| {
            Fault::Delivery(format!("PUBACK {packet_identifier} of publisher {from} acknowledges nothing"))
        })?;
        self.tally.acknowledged += 1;
        self.tally.latency.record(now.saturating_sub(noted.sent_at));
        self.mark_for_fill(from);
        Ok(())
    }

    /// Gives one publisher all the messages it has room for.
    fn refill(&mut self, now: u64, out: &mut Outbox) -> Result<Refill, Fault> {
        if self.paused {
            self.to_fill.drain(..).for_each(|index| self.publishers[index].waits_for_fill = false);
        }
        let Some(index) = self.to_fill.pop() else { return Ok(Refill::Done) };
        let Publisher { window, waits_for_fill } = &mut self.publishers[index];
        *waits_for_fill = false;
        let before = window.published();
        while window.has_room() && window.published() < self.messages_max {
            let sequence = window.open(0, true, now);
            let topic = &self.topics[self.backlog.session_of(index, sequence)];
            let queue = out.queue(index);
            let packet_identifier = Some(packet_identifier_of(sequence));
            codec::encode_publish_head(
                queue,
                Outgoing { topic, packet_identifier, retain: false },
                self.backlog.payload_bytes,
            );
            payload::encode(queue, Label { publisher: index as u32, sequence }, self.backlog.payload_bytes);
        }
        let published = window.published() - before;
        self.tally.published += published;
        self.tally.fills += u64::from(published > 0);
        Ok(Refill::More)
    }
}
