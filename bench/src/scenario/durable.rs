//! Messages for durable sessions whose clients are away: what it costs to acknowledge them, and to hand them out.
//!
//! A run connects the sessions, subscribes them and disconnects them; publishes at QoS 1; then connects the sessions
//! again and sees that everything acknowledged is there, once and in order. Whether the broker kept it in memory or on
//! the disk is its own affair; what a disk would allow stands beside it, from a [`BareLoop`] that takes turns with the
//! publishers.

mod draining;
mod publishing;

use super::mib;
use crate::bare_loop::{Appended, BareLoop};
use crate::broker::Broker;
use crate::clock;
use crate::codec::{self, QoS, SessionLifetime};
use crate::fault::Fault;
use crate::fleet::{self, Member};
use crate::measures::{Measures, Metric};
use crate::reactor::Reactor;
use crate::statistics::ratio;
use crate::traffic::Timing;
use crate::usage::{Usage, Writes};
use publishing::{Publishing, Tally};

/// Publishers and bare loop take turns so often in a run, because a shared disk is fast at one moment and slow at
/// another.
const TURNS: u32 = 10;

/// The bare loop gets this part of the publishers' time.
const BARE_PART: u32 = 2;

/// The thread of Tidegate that writes and syncs; one call to write is one batch.
const JOURNAL_THREAD: &str = "journal-write";

/// Who publishes how, and for how many sessions. Publisher `n` publishes to session `n` modulo their number, so each
/// message waits in one session.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Publishing clients.
    pub publishers: usize,
    /// Messages of one publisher that may be unacknowledged.
    pub in_flight: usize,
    /// Sessions whose clients are away.
    pub sessions: usize,
    /// Length of the application message.
    pub payload_bytes: usize,
}

impl Backlog {
    /// The session that gets the messages of `publisher`.
    fn session_of(&self, publisher: usize) -> usize {
        publisher % self.sessions
    }

    fn topic(session: usize) -> String {
        format!("d/{session}")
    }

    fn client_identifier(session: usize) -> String {
        format!("bench-durable-{session}")
    }

    /// Leaves the sessions at the broker. The last to disconnect does so before the first publisher connects.
    fn leave_sessions(&self, broker: &Broker) -> Result<(), Fault> {
        let member = |session| Member {
            client_identifier: Self::client_identifier(session),
            filters: vec![Self::topic(session)],
            qos: QoS::AtLeastOnce,
            lifetime: SessionLifetime::Durable,
        };
        let members: Vec<_> = (0..self.sessions).map(member).collect();
        let mut reactor = Reactor::new()?;
        fleet::assemble(&mut reactor, broker.address, &members)?;
        for id in 0..self.sessions {
            codec::encode_disconnect(reactor.outbox().queue(id));
            reactor.close(id)?;
        }
        Ok(())
    }

    fn connect_publishers(&self, broker: &Broker) -> Result<Reactor, Fault> {
        let member = |index| Member::without_filters(format!("bench-pub-{index}"));
        let members: Vec<_> = (0..self.publishers).map(member).collect();
        let mut reactor = Reactor::new()?;
        fleet::assemble(&mut reactor, broker.address, &members)?;
        Ok(reactor)
    }
}

/// Publishes for as long as `timing` says, then hands out what was acknowledged.
pub(super) fn measure(backlog: &Backlog, broker: &Broker, timing: Timing) -> Result<Measures, Fault> {
    backlog.leave_sessions(broker)?;
    let mut reactor = backlog.connect_publishers(broker)?;
    let mut bare = broker.durable_folder.as_deref().map(BareLoop::create).transpose()?;
    let resident_before = broker.resident_bytes()?;
    let mut publishing = Publishing::new(backlog, None);
    publishing.run(&mut reactor, clock::deadline(timing.warm_up))?;
    publishing.tally = Tally::default();

    let mut account = Account::default();
    for _ in 0..TURNS {
        let batch_bytes = account
            .publish(broker, || publishing.run(&mut reactor, clock::deadline(timing.measured / TURNS)))?;
        if let Some((bare, batch_bytes)) = bare.as_mut().zip(batch_bytes) {
            let end = clock::deadline(timing.measured / TURNS / BARE_PART);
            bare.run(batch_bytes, end, &mut account.appended)?;
        }
    }
    let resident_after = broker.resident_bytes()?;
    draining::drain(backlog, broker, &publishing.acknowledged())?;

    let mut measures = account.figures(&publishing.tally);
    measures.set(Metric::ResidentMib, resident_after.map(mib));
    let queued: u64 = publishing.acknowledged().iter().sum();
    set_bytes_per_queued(&mut measures, resident_before.zip(resident_after), queued);
    Ok(measures)
}

/// Publishes `messages` without looking at the clock, then measures how they are handed out.
pub(super) fn measure_drain(backlog: &Backlog, messages: u64, broker: &Broker) -> Result<Measures, Fault> {
    backlog.leave_sessions(broker)?;
    let mut reactor = backlog.connect_publishers(broker)?;
    let resident_before = broker.resident_bytes()?;
    let mut publishing = Publishing::new(backlog, Some(messages / backlog.publishers as u64));
    publishing.run(&mut reactor, u64::MAX)?;
    drop(reactor);
    let resident_after = broker.resident_bytes()?;

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
    set_bytes_per_queued(&mut measures, resident_before.zip(resident_after), drained);
    Ok(measures)
}

fn set_bytes_per_queued(measures: &mut Measures, resident: Option<(u64, u64)>, queued: u64) {
    if let Some((before, after)) = resident {
        measures.set(Metric::BytesPerQueued, ratio(after.saturating_sub(before) as f64, queued as f64));
    }
}

/// What the turns of a run used, added up.
#[derive(Default)]
struct Account {
    nanos: u64,
    cpu_nanos: Option<u64>,
    written: Writes,
    appended: Appended,
    /// Around all turns.
    usage: Option<(Usage, Usage)>,
}

impl Account {
    /// Watches a turn of the publishers. Returns the mean size of a batch that the broker wrote, if it wrote any.
    fn publish(
        &mut self,
        broker: &Broker,
        turn: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<Option<usize>, Fault> {
        let (usage_before, writes_before, begin) = (broker.usage()?, writes(broker)?, clock::nanos());
        turn()?;
        let (usage_after, writes_after, end) = (broker.usage()?, writes(broker)?, clock::nanos());
        self.nanos += end - begin;
        if let Some((before, after)) = usage_before.zip(usage_after) {
            *self.cpu_nanos.get_or_insert_default() += after.nanos_since(&before);
            let first = self.usage.take().map_or(before, |(first, _)| first);
            self.usage = Some((first, after));
        }
        let Some((before, after)) = writes_before.zip(writes_after) else { return Ok(None) };
        let written = after.since(before);
        self.written.calls += written.calls;
        self.written.bytes += written.bytes;
        Ok(written.bytes.checked_div(written.calls).map(|bytes| bytes as usize))
    }

    fn figures(&self, tally: &Tally) -> Measures {
        let mut measures = Measures::default();
        let acknowledged = tally.acknowledged as f64;
        let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
        let per_second = acknowledged * 1e9 / self.nanos as f64;
        let latency = micros(tally.latency.quantile(0.5));
        measures.set(Metric::AcknowledgedPerSecond, per_second);
        measures.set(Metric::MessagesPerWrite, ratio(tally.published as f64, tally.fills as f64));
        measures.set(Metric::LatencyP50Micros, latency);
        measures.set(Metric::LatencyP99Micros, micros(tally.latency.quantile(0.99)));
        if let Some(nanos) = self.cpu_nanos {
            measures.set(Metric::CpuSecondsPerMillion, ratio(nanos as f64 / 1e3, acknowledged));
        }
        if let Some((before, after)) = &self.usage {
            measures.threads = after.shares_since(before);
        }
        if self.appended.batches > 0 {
            let batch = acknowledged / self.written.calls as f64;
            let bare = batch * self.appended.batches as f64 * 1e9 / self.appended.nanos as f64;
            let bare_latency = micros(self.appended.latency.quantile(0.5));
            measures.set(Metric::MessagesPerSync, batch);
            measures.set(Metric::BareLoopPerSecond, bare);
            measures.set(Metric::ShareOfBareLoop, ratio(per_second, bare));
            measures.set(Metric::BareLoopP50Micros, bare_latency);
            measures.set(Metric::BareLoopP99Micros, micros(self.appended.latency.quantile(0.99)));
            let times = latency.zip(bare_latency).and_then(|(ours, bare)| ratio(ours, bare));
            measures.set(Metric::TimesBareLoop, times);
        }
        measures
    }
}

fn writes(broker: &Broker) -> Result<Option<Writes>, Fault> {
    Ok(broker.process.map(|pid| Writes::of(pid, JOURNAL_THREAD)).transpose()?.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_loop_is_held_to_the_messages_of_the_brokers_batches() {
        let tally = Tally { acknowledged: 8_000, published: 8_000, fills: 400, ..Tally::default() };
        let appended = Appended { batches: 100, nanos: 1_000_000_000, ..Appended::default() };
        let written = Writes { calls: 200, bytes: 2_400_000 };
        let account = Account { nanos: 4_000_000_000, written, appended, ..Account::default() };
        let figures = account.figures(&tally).figures;
        assert_eq!(figures[&Metric::AcknowledgedPerSecond], 2_000.0);
        assert_eq!(figures[&Metric::MessagesPerSync], 40.0);
        assert_eq!(figures[&Metric::BareLoopPerSecond], 4_000.0, "100 batches of 40 messages in a second");
        assert_eq!(figures[&Metric::ShareOfBareLoop], 0.5);
    }

    #[test]
    fn a_broker_that_syncs_nothing_has_no_share() {
        let account = Account { nanos: 1, ..Account::default() };
        assert!(!account.figures(&Tally::default()).figures.contains_key(&Metric::ShareOfBareLoop));
    }
}
