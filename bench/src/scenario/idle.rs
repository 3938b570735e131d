//! What connections cost that do nothing: memory of each, the CPU to establish it, and the CPU to keep it.

use crate::broker::Broker;
use crate::clock;
use crate::codec::Packet;
use crate::door::Door;
use crate::fault::Fault;
use crate::fleet::{self, Member};
use crate::measures::{Measures, Metric};
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::traffic::Timing;
use std::time::Duration;

pub(super) fn measure(
    connections: usize,
    broker: &Broker,
    door: Door,
    timing: Timing,
) -> Result<Measures, Fault> {
    let members: Vec<_> =
        (0..connections).map(|index| Member::without_filters(format!("bench-idle-{index}"))).collect();
    let mut reactor = Reactor::new()?;
    let (resident_before, usage_before, begin) = (broker.resident_bytes()?, broker.usage()?, clock::nanos());
    fleet::assemble(&mut reactor, broker.entrance(door)?, &members)?;
    let (usage_after, end) = (broker.usage()?, clock::nanos());

    // What the broker defers until it has nothing else to do belongs to neither figure.
    wait(&mut reactor, timing.warm_up)?;
    let (idle_before, idle_begin) = (broker.usage()?, clock::nanos());
    wait(&mut reactor, timing.measured)?;
    let (idle_after, idle_end) = (broker.usage()?, clock::nanos());
    let resident_after = broker.resident_bytes()?;

    let mut measures = Measures::default();
    let count = connections as f64;
    measures.set(Metric::ConnectionsPerSecond, count * 1e9 / (end - begin) as f64);
    if let Some((before, after)) = usage_before.zip(usage_after) {
        measures.set(Metric::CpuMicrosPerConnection, after.nanos_since(&before) as f64 / 1e3 / count);
    }
    if let Some((before, after)) = idle_before.zip(idle_after) {
        let share = after.nanos_since(&before) as f64 / (idle_end - idle_begin) as f64;
        measures.set(Metric::IdleCpuPercent, 100.0 * share);
    }
    if let Some((before, after)) = resident_before.zip(resident_after) {
        measures.set(Metric::KibPerConnection, after.saturating_sub(before) as f64 / 1024.0 / count);
    }
    Ok(measures)
}

fn wait(reactor: &mut Reactor, duration: Duration) -> Result<(), Fault> {
    let end = clock::deadline(duration);
    while let Some(rest) = end.checked_sub(clock::nanos()).filter(|&rest| rest > 0) {
        reactor.turn(Duration::from_nanos(rest), &mut Silence)?;
    }
    Ok(())
}

/// Nobody subscribes and nobody publishes, so nothing may arrive.
struct Silence;

impl Handler for Silence {
    fn on_packet(
        &mut self,
        _: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        _: &mut Outbox,
    ) -> Result<(), Fault> {
        Err(Fault::Delivery(format!("an idle client got {packet:?}")))
    }

    fn refill(&mut self, _: u64, _: &mut Outbox) -> Result<Refill, Fault> {
        Ok(Refill::Done)
    }
}
