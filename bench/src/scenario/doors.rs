//! The same traffic through each door of one broker, in turns: what TLS and WebSocket add to plain TCP.

use crate::broker::Broker;
use crate::door::{Door, Entrance, Records};
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::statistics::ratio;
use crate::traffic::{self, Plan, Timing};

/// Each door has so many turns in a run, so that a machine that is slow for a moment is slow for all.
const TURNS: u32 = 3;

#[derive(Clone, Copy, Default)]
struct Sum {
    cpu_nanos: u64,
    nanos: u64,
    delivered: u64,
}

pub(super) fn measure(
    plan: &Plan,
    records: Records,
    broker: &Broker,
    timing: Timing,
) -> Result<Measures, Fault> {
    let part = Timing { warm_up: timing.warm_up / TURNS, measured: timing.measured / TURNS };
    let mut sums = [Sum::default(); Door::ALL.len()];
    for _ in 0..TURNS {
        for (door, sum) in Door::ALL.into_iter().zip(&mut sums) {
            let entrance = Entrance { records, ..broker.entrance(door)?.clone() };
            let outcome = traffic::run(plan, broker, &entrance, part, || Ok(()))?;
            sum.cpu_nanos += outcome.usage.map_or(0, |(before, after)| after.nanos_since(&before));
            sum.nanos += outcome.elapsed;
            sum.delivered += outcome.tally.delivered;
        }
    }
    Ok(figures_of(sums))
}

fn figures_of(sums: [Sum; Door::ALL.len()]) -> Measures {
    let mut measures = Measures::default();
    let plain = cpu_per_message(sums[0]);
    for (door, sum) in Door::ALL.into_iter().zip(sums) {
        let (cpu, rate, times) = metrics_of(door);
        let each = cpu_per_message(sum);
        measures.set(cpu, each);
        measures.set(rate, ratio(sum.delivered as f64 * 1e9, sum.nanos as f64));
        if let Some(times) = times {
            measures.set(times, each.zip(plain).and_then(|(each, plain)| ratio(each, plain)));
        }
    }
    measures
}

/// Microseconds a message, which is seconds a million; none if the broker is not observed.
fn cpu_per_message(sum: Sum) -> Option<f64> {
    ratio(sum.cpu_nanos as f64 / 1e3, sum.delivered as f64).filter(|&each| each > 0.0)
}

fn metrics_of(door: Door) -> (Metric, Metric, Option<Metric>) {
    match door {
        Door::Tcp => (Metric::TcpCpu, Metric::TcpPerSecond, None),
        Door::WebSocket => (Metric::WsCpu, Metric::WsPerSecond, Some(Metric::WsTimesTcp)),
        Door::Tls => (Metric::TlsCpu, Metric::TlsPerSecond, Some(Metric::TlsTimesTcp)),
        Door::SecureWebSocket => (Metric::WssCpu, Metric::WssPerSecond, Some(Metric::WssTimesTcp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_door_is_held_to_plain_tcp() {
        let sum = |cpu_nanos| Sum { cpu_nanos, nanos: 2_000_000_000, delivered: 1000 };
        let figures = figures_of([sum(1_000_000), sum(1_500_000), sum(2_000_000), sum(3_000_000)]).figures;
        assert_eq!(figures[&Metric::TcpCpu], 1.0);
        assert_eq!(figures[&Metric::WsTimesTcp], 1.5);
        assert_eq!(figures[&Metric::TlsTimesTcp], 2.0);
        assert_eq!(figures[&Metric::WssTimesTcp], 3.0);
        assert_eq!(figures[&Metric::WssPerSecond], 500.0);
    }

    #[test]
    fn a_broker_that_is_not_observed_has_no_ratio() {
        let sum = Sum { cpu_nanos: 0, nanos: 1, delivered: 1 };
        assert!(!figures_of([sum; 4]).figures.contains_key(&Metric::WsTimesTcp));
    }
}
