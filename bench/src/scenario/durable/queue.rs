//! A queue of known length: what it takes in memory, and what it costs to hand it out.

use super::{Backlog, Publishing, draining};
use crate::broker::Broker;
use crate::clock;
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::statistics::ratio;

/// Publishes `messages` without looking at the clock, then measures how they are handed out.
///
/// Memory is looked at in the middle as well. A broker may keep the content of messages in memory up to a bound, which
/// the first half reaches; what the second half adds is what each message costs beyond it.
pub(in crate::scenario) fn measure_drain(
    backlog: &Backlog,
    messages: u64,
    broker: &Broker,
) -> Result<Measures, Fault> {
    backlog.leave_sessions(broker)?;
    let mut reactor = backlog.connect_publishers(broker)?;
    let resident_empty = broker.resident_bytes()?;
    let each = messages / backlog.publishers as u64;
    let mut publishing = Publishing::new(backlog, Some(each / 2));
    publishing.run(&mut reactor, u64::MAX)?;
    let resident_half = broker.resident_bytes()?;
    publishing.allow(each);
    publishing.run(&mut reactor, u64::MAX)?;
    drop(reactor);
    let resident_full = broker.resident_bytes()?;

    let (usage_before, begin) = (broker.usage()?, clock::nanos());
    let drained = draining::drain(backlog, broker, &publishing.acknowledged())?;
    let (usage_after, end) = (broker.usage()?, clock::nanos());

    let mut measures = Measures::default();
    measures.set(Metric::DeliveredPerSecond, drained as f64 * 1e9 / (end - begin) as f64);
    if let Some((before, after)) = usage_before.zip(usage_after) {
        let nanos = after.nanos_since(&before) as f64;
        measures.set(Metric::CpuSecondsPerMillion, ratio(nanos / 1e3, drained as f64));
        measures.threads = after.shares_since(&before);
    }
    set_bytes(&mut measures, Metric::BytesPerQueued, resident_empty.zip(resident_full), drained);
    set_bytes(&mut measures, Metric::BytesPerQueuedLater, resident_half.zip(resident_full), drained / 2);
    Ok(measures)
}

/// What each of the `queued` messages added.
pub(super) fn set_bytes(measures: &mut Measures, metric: Metric, resident: Option<(u64, u64)>, queued: u64) {
    if let Some((before, after)) = resident {
        measures.set(metric, ratio(after.saturating_sub(before) as f64, queued as f64));
    }
}
