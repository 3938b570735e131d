//! What publishing used: processor time, time, and the batches that went to the disk, added up over the turns of a run.

use super::publishing::Tally;
use crate::bare_loop::Appended;
use crate::broker::Broker;
use crate::clock;
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::statistics::ratio;
use crate::usage::{Usage, Writes};

/// The thread of Tidegate that writes and syncs; one call to write is one batch.
const JOURNAL_THREAD: &str = "journal-write";

/// What the turns of a run used, added up.
#[derive(Default)]
pub(super) struct Account {
    nanos: u64,
    cpu_nanos: Option<u64>,
    written: Writes,
    /// What the bare loop did meanwhile.
    pub(super) appended: Appended,
    /// Around all turns.
    usage: Option<(Usage, Usage)>,
}

impl Account {
    /// Watches a turn of the publishers. Returns the mean size of a batch that the broker wrote, if it wrote any.
    pub(super) fn publish(
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

    pub(super) fn figures(&self, tally: &Tally) -> Measures {
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
