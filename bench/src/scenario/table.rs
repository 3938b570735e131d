//! All scenarios with their targets. Names and bounds are those of the performance targets of the broker.

mod doors;
mod durable;

use super::{Bound, Goal, Scenario, Work};
use crate::codec::QoS::{self, AtLeastOnce, AtMostOnce};
use crate::door::Door;
use crate::measures::Metric;
use crate::traffic::{Pace, Plan, Routes};

const SMALL: usize = 64;
const IDLE_CONNECTIONS: usize = 10_000;
const RETAINED_MESSAGES: usize = 100_000;
const FILTERS: u32 = 100_000;
const LATENCY_RATE_PER_SEC: u64 = 20_000;

/// Every scenario, in the order of the table. `topics_per_filter` is the one parameter that a cache would
/// notice.
pub fn all(topics_per_filter: u32) -> Vec<Scenario> {
    let filters = Routes::Filters { filters: FILTERS, topics_per_filter };
    let mut scenarios = vec![
        busy("pairs-qos0", "50 pairs, QoS 0, 100 in flight", pairs(50, AtMostOnce, SMALL, 100), 0.022),
        busy("pairs-qos1", "50 pairs, QoS 1, 20 in flight", pairs(50, AtLeastOnce, SMALL, 20), 0.056),
        single(
            "pairs-single",
            "500 pairs, one message in flight",
            pairs(500, AtMostOnce, SMALL, 1),
            Some(0.70),
        ),
        busy("fanout", "fan-out 1→500, 20 in flight", plan(1, 500, Routes::FanOut, 20), 0.055),
        single(
            "fanout-single",
            "fan-out 1→1000, one at a time",
            plan(1, 1000, Routes::FanOut, 1),
            Some(0.85),
        ),
        busy("fanin", "fan-in 500→1, 10 in flight", plan(500, 1, Routes::FanIn, 10), 0.057),
        busy(
            "shared",
            "shared group of 4, 500 publishers, 10 in flight",
            plan(500, 4, Routes::Shared, 10),
            0.055,
        ),
        busy(
            "filters",
            "100k wildcard filters, random topics, 20 in flight",
            plan(50, 50, filters, 20),
            0.074,
        ),
        retained(),
        busy("pairs-1k", "50 pairs, 1 KiB, 100 in flight", pairs(50, AtMostOnce, 1024, 100), 0.05),
        busy("pairs-16k", "20 pairs, 16 KiB, 10 in flight", pairs(20, AtMostOnce, 16 * 1024, 10), 0.36),
        idle(),
        latency(),
        single("roundtrip", "1 pair, one message in flight", pairs(1, AtMostOnce, SMALL, 1), None),
        storm(),
    ];
    scenarios.extend(durable::all());
    scenarios.extend(doors::all());
    scenarios
}

fn plan(publishers: usize, subscribers: usize, routes: Routes, in_flight: usize) -> Plan {
    let pace = Pace::InFlight(in_flight);
    Plan { publishers, subscribers, routes, qos: AtMostOnce, payload_bytes: SMALL, pace }
}

fn pairs(count: usize, qos: QoS, payload_bytes: usize, in_flight: usize) -> Plan {
    Plan { qos, payload_bytes, ..plan(count, count, Routes::Pairs, in_flight) }
}

fn goal(metric: Metric, bound: Bound) -> Goal {
    Goal { metric, bound }
}

/// Many messages in flight: CPU per message is what counts.
fn busy(name: &'static str, about: &'static str, plan: Plan, at_most: f64) -> Scenario {
    let goals = vec![
        goal(Metric::CpuSecondsPerMillion, Bound::TimesReference(at_most)),
        goal(Metric::DeliveredPerSecond, Bound::None),
        goal(Metric::ResidentMib, Bound::None),
    ];
    Scenario { name, about, work: Work::Traffic(plan), door: Door::Tcp, goals, is_saturated: true }
}

/// One message at a time: the kernel's share is large, and waiting for company would show in the latency.
fn single(name: &'static str, about: &'static str, plan: Plan, at_most: Option<f64>) -> Scenario {
    let goals = vec![
        goal(Metric::CpuSecondsPerMillion, at_most.map_or(Bound::None, Bound::TimesReference)),
        goal(Metric::LatencyP50Micros, Bound::TimesReference(1.0)),
        goal(Metric::LatencyP99Micros, Bound::None),
        goal(Metric::DeliveredPerSecond, Bound::None),
    ];
    Scenario { name, about, work: Work::Traffic(plan), door: Door::Tcp, goals, is_saturated: false }
}

fn retained() -> Scenario {
    Scenario {
        name: "retained",
        about: "replay of 100k retained messages",
        work: Work::Retained(RETAINED_MESSAGES),
        door: Door::Tcp,
        goals: vec![
            goal(Metric::CpuSecondsPerMillion, Bound::TimesReference(0.094)),
            goal(Metric::BytesPerRetained, Bound::AtMost(400.0)),
            goal(Metric::DeliveredPerSecond, Bound::None),
        ],
        is_saturated: false,
    }
}

fn idle() -> Scenario {
    Scenario {
        name: "idle",
        about: "10k idle connections",
        work: Work::Idle(IDLE_CONNECTIONS),
        door: Door::Tcp,
        goals: vec![
            goal(Metric::KibPerConnection, Bound::AtMost(1.0)),
            goal(Metric::CpuMicrosPerConnection, Bound::TimesReference(0.75)),
            goal(Metric::IdleCpuPercent, Bound::AtMost(0.1)),
        ],
        is_saturated: false,
    }
}

fn latency() -> Scenario {
    let plan = Plan { pace: Pace::PerSecond(LATENCY_RATE_PER_SEC), ..pairs(50, AtMostOnce, SMALL, 0) };
    Scenario {
        name: "latency",
        about: "50 pairs at 20k msg/s",
        work: Work::Traffic(plan),
        door: Door::Tcp,
        goals: vec![
            goal(Metric::LatencyP50Micros, Bound::TimesReference(1.0)),
            goal(Metric::LatencyP99Micros, Bound::TimesReference(1.0)),
            goal(Metric::LatenessP99Micros, Bound::None),
            goal(Metric::CpuSecondsPerMillion, Bound::None),
        ],
        is_saturated: false,
    }
}

fn storm() -> Scenario {
    Scenario {
        name: "storm",
        about: "connections that come and go, 64 at a time",
        work: Work::Storm,
        door: Door::Tcp,
        goals: vec![
            goal(Metric::ConnectionsPerSecond, Bound::None),
            goal(Metric::CpuMicrosPerConnection, Bound::None),
        ],
        is_saturated: false,
    }
}
