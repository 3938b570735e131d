//! Publishers and subscribers under one plan: who is connected, what is in flight, what arrived.
//!
//! In flight is meant literally. A publisher gets room when the subscribers have its message, so a broker is
//! offered as much as it delivers and nothing is dropped for want of a reader.

mod order;
mod plan;
mod run;
mod topics;

pub use plan::{Pace, Plan, Routes};
pub use run::{Outcome, Timing, run};

use crate::codec::{self, Outgoing, Packet, Publish, QoS};
use crate::fault::Fault;
use crate::histogram::Histogram;
use crate::payload::{self, Label};
use crate::reactor::{ConnectionId, Handler, Outbox, Refill};
use crate::window::{Window, packet_identifier_of};
pub(crate) use order::Order;
use std::time::Duration;
use topics::Topics;

/// A run in which nothing arrives for this long has lost what was in flight.
pub const STALL: Duration = Duration::from_secs(10);

/// At a fixed rate, a broker with this many messages of one publisher outstanding does not keep up.
const BEHIND_MAX: usize = 4096;

/// The state of a running plan. Connections are the subscribers, then the publishers.
pub struct Traffic<'p> {
    plan: &'p Plan,
    publishers: Vec<Publisher>,
    /// Publishers that may have room, each at most once.
    to_fill: Vec<usize>,
    order: Option<Order>,
    schedule: Option<Schedule>,
    stopped: bool,
    /// Everything counted since the last [`Traffic::forget`].
    pub tally: Tally,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that reached a subscriber.
    pub delivered: u64,
    /// Messages published.
    pub published: u64,
    /// Times that a publisher was filled, each of them one write.
    pub fills: u64,
    /// Nanoseconds from publishing (at a fixed rate: from when publishing was due) to the read that brought
    /// it.
    pub latency: Histogram,
    /// Nanoseconds that the generator itself was behind its schedule.
    pub lateness: Histogram,
}

struct Publisher {
    window: Window,
    topics: Topics,
    waits_for_fill: bool,
}

/// When the next message of a fixed rate is due, and from whom.
struct Schedule {
    interval: u64,
    next_due: u64,
    next_publisher: usize,
}

impl<'p> Traffic<'p> {
    /// A plan whose connections stand, before its first message.
    pub fn new(plan: &'p Plan, now: u64) -> Self {
        let (limit, schedule) = match plan.pace {
            Pace::InFlight(limit) => (limit, None),
            Pace::PerSecond(rate) => (
                BEHIND_MAX,
                Some(Schedule { interval: 1_000_000_000 / rate, next_due: now, next_publisher: 0 }),
            ),
        };
        let publisher = |index| Publisher {
            window: Window::new(limit),
            topics: Topics::of_publisher(plan, index),
            waits_for_fill: schedule.is_none(),
        };
        Self {
            plan,
            publishers: (0..plan.publishers).map(publisher).collect(),
            to_fill: if schedule.is_none() { (0..plan.publishers).collect() } else { Vec::new() },
            order: plan.routes.keep_order().then(|| Order::new(plan.subscribers, plan.publishers)),
            schedule,
            stopped: false,
            tally: Tally::default(),
        }
    }

    /// Begins a new count.
    pub fn forget(&mut self) {
        self.tally = Tally::default();
    }

    /// Publishes nothing more; what is in flight may still arrive.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Messages that have not arrived everywhere yet.
    pub fn unfinished(&self) -> usize {
        self.publishers.iter().map(|publisher| publisher.window.unfinished()).sum()
    }

    #[inline]
    fn on_publish(&mut self, subscriber: usize, message: &Publish<'_>, now: u64) -> Result<(), Fault> {
        let label = Label::from_payload(message.payload)
            .filter(|_| message.payload.len() == self.plan.payload_bytes && !message.retain)
            .ok_or_else(|| Fault::Delivery("a message arrived that this run has not published".into()))?;
        if let Some(order) = &mut self.order {
            order.check(subscriber, label)?;
        }
        let index = label.publisher as usize;
        let delivered = self
            .publishers
            .get_mut(index)
            .and_then(|publisher| publisher.window.on_delivery(label.sequence).ok())
            .ok_or_else(|| Fault::Delivery(format!("{label:?} arrived once more than it should")))?;
        self.tally.delivered += 1;
        self.tally.latency.record(now.saturating_sub(delivered.sent_at));
        if delivered.finished {
            self.mark_for_fill(index);
        }
        Ok(())
    }

    fn on_puback(&mut self, index: usize, packet_identifier: u16) -> Result<(), Fault> {
        let noted = self
            .publishers
            .get_mut(index)
            .and_then(|publisher| publisher.window.on_puback(packet_identifier).ok())
            .ok_or_else(|| Fault::Delivery(format!("PUBACK {packet_identifier} acknowledges nothing")))?;
        if noted.finished {
            self.mark_for_fill(index);
        }
        Ok(())
    }

    #[inline]
    fn mark_for_fill(&mut self, index: usize) {
        if self.schedule.is_none() && !self.publishers[index].waits_for_fill {
            self.publishers[index].waits_for_fill = true;
            self.to_fill.push(index);
        }
    }

    #[inline]
    fn publish(&mut self, index: usize, sent_at: u64, out: &mut Outbox) {
        let Publisher { window, topics, .. } = &mut self.publishers[index];
        let is_qos_1 = self.plan.qos == QoS::AtLeastOnce;
        let sequence = window.open(self.plan.deliveries_per_message(), is_qos_1, sent_at);
        let queue = out.queue(self.plan.subscribers + index);
        let packet_identifier = is_qos_1.then(|| packet_identifier_of(sequence));
        let message = Outgoing { topic: topics.next(), packet_identifier, retain: false };
        codec::encode_publish_head(queue, message, self.plan.payload_bytes);
        payload::encode(queue, Label { publisher: index as u32, sequence }, self.plan.payload_bytes);
        self.tally.published += 1;
    }

    /// Gives one publisher all the messages it has room for.
    fn fill(&mut self, now: u64, out: &mut Outbox) -> Refill {
        let Some(index) = self.to_fill.pop() else { return Refill::Done };
        self.publishers[index].waits_for_fill = false;
        self.tally.fills += 1;
        while self.publishers[index].window.has_room() {
            self.publish(index, now, out);
        }
        Refill::More
    }

    /// Publishes one message when it is due, stamped with the time it was due: a late generator hides no
    /// latency.
    fn publish_due(&mut self, now: u64, out: &mut Outbox) -> Result<Refill, Fault> {
        let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.next_due <= now) else {
            return Ok(Refill::Done);
        };
        let (due, index) = (schedule.next_due, schedule.next_publisher);
        schedule.next_due += schedule.interval;
        schedule.next_publisher = (index + 1) % self.plan.publishers;
        if !self.publishers[index].window.has_room() {
            return Err(Fault::Delivery(format!(
                "the broker fell {BEHIND_MAX} messages behind the fixed rate"
            )));
        }
        self.tally.lateness.record(now - due);
        self.tally.fills += 1;
        self.publish(index, due, out);
        Ok(Refill::More)
    }
}

impl Handler for Traffic<'_> {
    #[inline]
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        now: u64,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        match packet {
            Packet::Publish(message) if from < self.plan.subscribers => {
                if let Some(packet_identifier) = message.packet_identifier {
                    codec::encode_puback(out.queue(from), packet_identifier);
                }
                self.on_publish(from, &message, now)
            }
            Packet::Puback { packet_identifier } if from >= self.plan.subscribers => {
                self.on_puback(from - self.plan.subscribers, packet_identifier)
            }
            other => Err(Fault::Delivery(format!("connection {from} got an unexpected {other:?}"))),
        }
    }

    fn refill(&mut self, now: u64, out: &mut Outbox) -> Result<Refill, Fault> {
        match (self.stopped, &self.schedule) {
            (true, _) => Ok(Refill::Done),
            (false, None) => Ok(self.fill(now, out)),
            (false, Some(_)) => self.publish_due(now, out),
        }
    }
}
