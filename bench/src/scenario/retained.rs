//! Retained messages: what each costs in memory, and what their replay to a new subscription costs.

use crate::broker::Broker;
use crate::clock;
use crate::codec::{self, Outgoing, Packet, Publish, QoS};
use crate::door::Door;
use crate::fault::Fault;
use crate::fleet::{self, Member};
use crate::measures::{Measures, Metric};
use crate::payload::{self, Label};
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::statistics;
use crate::traffic::{STALL, Timing};
use crate::usage::Usage;
use std::time::Duration;

const FILTER: &str = "r/#";
const PAYLOAD_BYTES: usize = 64;
/// Unacknowledged messages while they are stored.
const STORING_MAX: u64 = 100;
const TOPICS_PER_LEVEL: u64 = 1000;

const SUBSCRIBER: ConnectionId = 0;
const PUBLISHER: ConnectionId = 1;

pub(super) fn measure(messages: usize, broker: &Broker, timing: Timing) -> Result<Measures, Fault> {
    let mut reactor = Reactor::new()?;
    let members = ["bench-sub", "bench-pub"].map(|name| Member::without_filters(name.to_owned()));
    fleet::assemble(&mut reactor, broker.entrance(Door::Tcp)?, &members)?;

    let resident_before = broker.resident_bytes()?;
    let mut store = Store { total: messages as u64, published: 0, acknowledged: 0 };
    until_done(&mut reactor, &mut store)?;
    let resident_after = broker.resident_bytes()?;

    let mut replay = Replay::new(messages);
    replay.run(&mut reactor)?;
    let (usage_before, begin) = (broker.usage()?, clock::nanos());
    let end = clock::deadline(timing.measured);
    let mut delivered = 0;
    while clock::nanos() < end {
        replay.run(&mut reactor)?;
        delivered += messages;
    }
    let usage = usage_before.zip(broker.usage()?);
    Ok(figures(
        delivered as f64,
        clock::nanos() - begin,
        usage,
        messages,
        resident_before.zip(resident_after),
    ))
}

fn figures(
    delivered: f64,
    elapsed: u64,
    usage: Option<(Usage, Usage)>,
    messages: usize,
    resident: Option<(u64, u64)>,
) -> Measures {
    let mut measures = Measures::default();
    measures.set(Metric::DeliveredPerSecond, delivered * 1e9 / elapsed as f64);
    if let Some((before, after)) = usage {
        let nanos = after.nanos_since(&before) as f64;
        measures.set(Metric::CpuSecondsPerMillion, statistics::ratio(nanos / 1e3, delivered));
    }
    if let Some((before, after)) = resident {
        measures.set(Metric::BytesPerRetained, after.saturating_sub(before) as f64 / messages as f64);
    }
    measures
}

/// Part of the work that knows when it is complete.
trait Stage: Handler {
    fn progress(&self) -> u64;
    fn is_done(&self) -> bool;
}

fn until_done(reactor: &mut Reactor, stage: &mut impl Stage) -> Result<(), Fault> {
    let (mut progress, mut stalled_at) = (stage.progress(), clock::deadline(STALL));
    while !stage.is_done() {
        reactor.turn(Duration::from_millis(50), stage)?;
        if stage.progress() != progress {
            (progress, stalled_at) = (stage.progress(), clock::deadline(STALL));
        } else if clock::nanos() > stalled_at {
            return Err(Fault::Stalled(format!("retained messages stopped after {progress}: lost")));
        }
    }
    Ok(())
}

/// Publishes the retained messages at QoS 1, so that each is known to be stored.
struct Store {
    total: u64,
    published: u64,
    acknowledged: u64,
}

impl Stage for Store {
    fn progress(&self) -> u64 {
        self.acknowledged
    }

    fn is_done(&self) -> bool {
        self.acknowledged == self.total
    }
}

impl Handler for Store {
    fn on_packet(
        &mut self,
        _: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        _: &mut Outbox,
    ) -> Result<(), Fault> {
        let Packet::Puback { .. } = packet else {
            return Err(Fault::Delivery(format!("{packet:?} arrived while messages were stored")));
        };
        self.acknowledged += 1;
        Ok(())
    }

    fn refill(&mut self, _: u64, out: &mut Outbox) -> Result<Refill, Fault> {
        while self.published < self.total && self.published - self.acknowledged < STORING_MAX {
            let sequence = self.published;
            let topic = format!("r/{}/{}", sequence / TOPICS_PER_LEVEL, sequence % TOPICS_PER_LEVEL);
            let packet_identifier = Some(crate::window::packet_identifier_of(sequence));
            let queue = out.queue(PUBLISHER);
            codec::encode_publish_head(
                queue,
                Outgoing { topic: &topic, packet_identifier, retain: true },
                PAYLOAD_BYTES,
            );
            payload::encode(queue, Label { publisher: 0, sequence }, PAYLOAD_BYTES);
            self.published += 1;
        }
        Ok(Refill::Done)
    }
}

/// One subscription and all that it brings: each message once.
struct Replay {
    seen: Vec<bool>,
    arrived: usize,
    is_subscribed: bool,
}

impl Replay {
    fn new(messages: usize) -> Self {
        Self { seen: vec![false; messages], arrived: 0, is_subscribed: false }
    }

    /// Subscribing again to the same filter sends every retained message again. [MQTT3-3.8.4-3]
    fn run(&mut self, reactor: &mut Reactor) -> Result<(), Fault> {
        self.seen.fill(false);
        self.arrived = 0;
        self.is_subscribed = false;
        codec::encode_subscribe(reactor.outbox().queue(SUBSCRIBER), 1, &[FILTER], QoS::AtMostOnce);
        until_done(reactor, self)
    }

    fn on_publish(&mut self, message: &Publish<'_>) -> Result<(), Fault> {
        let label = Label::from_payload(message.payload).filter(|_| message.retain);
        let seen = label.and_then(|label| self.seen.get_mut(label.sequence as usize));
        match seen {
            Some(seen) if !*seen => *seen = true,
            _ => {
                return Err(Fault::Delivery(format!(
                    "{label:?} arrived twice, or is not a retained message"
                )));
            }
        }
        self.arrived += 1;
        Ok(())
    }
}

impl Stage for Replay {
    fn progress(&self) -> u64 {
        self.arrived as u64
    }

    fn is_done(&self) -> bool {
        self.is_subscribed && self.arrived == self.seen.len()
    }
}

impl Handler for Replay {
    fn on_packet(
        &mut self,
        _: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        _: &mut Outbox,
    ) -> Result<(), Fault> {
        match packet {
            Packet::Publish(message) => self.on_publish(&message),
            Packet::Suback { refused: 0 } => {
                self.is_subscribed = true;
                Ok(())
            }
            other => Err(Fault::Delivery(format!("{other:?} arrived during a replay"))),
        }
    }

    fn refill(&mut self, _: u64, _: &mut Outbox) -> Result<Refill, Fault> {
        Ok(Refill::Done)
    }
}
