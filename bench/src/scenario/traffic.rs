//! Figures of a run with publishers and subscribers.

use super::mib;
use crate::broker::Broker;
use crate::door::Door;
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::statistics;
use crate::traffic::{self, Outcome, Plan, Timing};
use crate::usage::Thread;

pub(super) fn measure(plan: &Plan, broker: &Broker, door: Door, timing: Timing) -> Result<Measures, Fault> {
    let outcome = traffic::run(plan, broker, broker.entrance(door)?, timing, || Ok(()))?;
    let mut measures = figures_of(&outcome);
    measures.set(Metric::ResidentMib, broker.resident_bytes()?.map(mib));
    Ok(measures)
}

fn figures_of(outcome: &Outcome) -> Measures {
    let Outcome { tally, elapsed, usage } = outcome;
    let mut measures = Measures::default();
    let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
    measures.set(Metric::DeliveredPerSecond, tally.delivered as f64 * 1e9 / *elapsed as f64);
    measures.set(Metric::MessagesPerWrite, statistics::ratio(tally.published as f64, tally.fills as f64));
    measures.set(Metric::LatencyP50Micros, micros(tally.latency.quantile(0.5)));
    measures.set(Metric::LatencyP99Micros, micros(tally.latency.quantile(0.99)));
    measures.set(Metric::LatenessP99Micros, micros(tally.lateness.quantile(0.99)));
    if let Some((before, after)) = usage {
        let nanos = after.nanos_since(before) as f64;
        // A nanosecond per message is a thousandth of a second per million.
        measures.set(Metric::CpuSecondsPerMillion, statistics::ratio(nanos / 1e3, tally.delivered as f64));
        let threads = after.threads_since(before);
        measures.set(Metric::BusiestShardPercent, busiest_shard(&threads));
        measures.threads = after.shares_since(before);
    }
    measures
}

/// Among the threads named after shards, the busiest one's share of their time; none unless there are
/// several.
fn busiest_shard(threads: &[Thread]) -> Option<f64> {
    let shards: Vec<_> = threads
        .iter()
        .filter(|thread| thread.name.contains("shard"))
        .map(|thread| thread.cpu_nanos as f64)
        .collect();
    let busiest = shards.iter().copied().reduce(f64::max).filter(|_| shards.len() > 1)?;
    statistics::ratio(100.0 * busiest, shards.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(name: &str, cpu_nanos: u64) -> Thread {
        Thread { name: name.to_owned(), cpu_nanos }
    }

    #[test]
    fn the_split_counts_shards_only() {
        let threads = [thread("shard-1", 60), thread("tidegate", 500), thread("shard-0", 40)];
        assert_eq!(busiest_shard(&threads), Some(60.0));
        assert_eq!(busiest_shard(&threads[..2]), None);
    }
}
