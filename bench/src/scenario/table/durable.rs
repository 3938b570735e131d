//! Scenarios with sessions whose clients are away.

use super::goal;
use crate::door::Door;
use crate::measures::Metric;
use crate::scenario::{Backlog, Bound, Goal, Route, Scenario, Work};

/// Sessions whose clients are away.
const AWAY: usize = 50;
const MANY_AWAY: usize = 1000;
const QUEUED_MESSAGES: u64 = 1_000_000;
/// Each takes half of what a queue may hold.
const RESTART_SESSIONS: usize = 200;
const RESTART_MESSAGES: u64 = 10_000_000;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = vec![durable(), single(), thousand()];
    scenarios.extend([
        spread("durable-1x50", "1 publisher, QoS 1 in turns into 50 offline sessions", 1, AWAY),
        spread("durable-64x50", "64 publishers, QoS 1 in turns into 50 offline sessions", 64, AWAY),
        spread("durable-1000x50", "1000 publishers, QoS 1 in turns into 50 offline sessions", 1000, AWAY),
        spread("durable-1x1000", "1 publisher, QoS 1 in turns into 1000 offline sessions", 1, MANY_AWAY),
        spread("durable-64x1000", "64 publishers, QoS 1 in turns into 1000 offline sessions", 64, MANY_AWAY),
        spread(
            "durable-1000x1000",
            "1000 publishers, QoS 1 in turns into 1000 offline sessions",
            1000,
            MANY_AWAY,
        ),
        drain(),
        restart(),
    ]);
    scenarios
}

/// Messages of 256 bytes into sessions whose clients are away.
fn backlog(publishers: usize, in_flight: usize) -> Backlog {
    Backlog { publishers, in_flight, sessions: AWAY, payload_bytes: 256, route: Route::Own }
}

fn scenario(name: &'static str, about: &'static str, work: Work, goals: Vec<Goal>) -> Scenario {
    Scenario { name, about, work, door: Door::Tcp, goals, is_saturated: false }
}

fn durable() -> Scenario {
    let goals = vec![
        goal(Metric::CpuSecondsPerMillion, Bound::TimesReference(0.25)),
        goal(Metric::AcknowledgedPerSecond, Bound::None),
        goal(Metric::MessagesPerSync, Bound::None),
        goal(Metric::BareLoopPerSecond, Bound::None),
        goal(Metric::ShareOfBareLoop, Bound::AtLeast(0.5)),
    ];
    let about = "QoS 1 into 50 offline sessions, 50 publishers, 20 in flight";
    scenario("durable", about, Work::Durable(backlog(50, 20)), goals)
}

fn single() -> Scenario {
    let goals = vec![
        goal(Metric::LatencyP50Micros, Bound::None),
        goal(Metric::LatencyP99Micros, Bound::None),
        goal(Metric::EchoP50Micros, Bound::None),
        goal(Metric::EchoP99Micros, Bound::None),
        goal(Metric::TimesEcho, Bound::AtMost(1.2)),
        goal(Metric::BareLoopP50Micros, Bound::None),
        goal(Metric::BareLoopP99Micros, Bound::None),
        goal(Metric::TimesBareLoop, Bound::None),
        goal(Metric::CpuSecondsPerMillion, Bound::None),
    ];
    let about = "QoS 1 into an offline session, one publisher, one in flight";
    scenario("durable-single", about, Work::Durable(Backlog { sessions: 1, ..backlog(1, 1) }), goals)
}

fn thousand() -> Scenario {
    let goals = vec![
        goal(Metric::AcknowledgedPerSecond, Bound::AtLeast(150_000.0)),
        goal(Metric::CpuSecondsPerMillion, Bound::None),
        goal(Metric::MessagesPerSync, Bound::None),
        goal(Metric::BareLoopPerSecond, Bound::None),
        goal(Metric::ShareOfBareLoop, Bound::None),
    ];
    let about = "QoS 1 into 50 offline sessions, 1000 publishers, 20 in flight";
    scenario("durable-1000", about, Work::Durable(backlog(1000, 20)), goals)
}

/// The next message of a publisher goes to the next session, so that few publishers reach many.
fn spread(name: &'static str, about: &'static str, publishers: usize, sessions: usize) -> Scenario {
    let goals = vec![
        goal(Metric::CpuSecondsPerMillion, Bound::None),
        goal(Metric::AcknowledgedPerSecond, Bound::None),
        goal(Metric::MessagesPerSync, Bound::None),
        goal(Metric::ShareOfBareLoop, Bound::None),
    ];
    let backlog = Backlog { sessions, route: Route::Turns, ..backlog(publishers, 20) };
    scenario(name, about, Work::Durable(backlog), goals)
}

fn drain() -> Scenario {
    let goals = vec![
        goal(Metric::CpuSecondsPerMillion, Bound::TimesReference(0.1)),
        goal(Metric::DeliveredPerSecond, Bound::None),
        goal(Metric::BytesPerQueued, Bound::None),
        goal(Metric::BytesPerQueuedLater, Bound::AtMost(64.0)),
    ];
    let about = "1 M queued messages to 50 clients that come back";
    scenario("drain", about, Work::Drain(backlog(50, 20), QUEUED_MESSAGES), goals)
}

fn restart() -> Scenario {
    let goals = vec![
        goal(Metric::RestartSeconds, Bound::AtMost(10.0)),
        goal(Metric::SecondRestartSeconds, Bound::AtMost(10.0)),
        goal(Metric::QueuedMillions, Bound::AtLeast(10.0)),
        goal(Metric::StoredMib, Bound::None),
        goal(Metric::ResidentMib, Bound::None),
        goal(Metric::RestartedMib, Bound::None),
    ];
    let backlog = Backlog { sessions: RESTART_SESSIONS, route: Route::Turns, ..backlog(50, 20) };
    let about = "killed while 10 M messages wait in 200 offline sessions";
    scenario("restart", about, Work::Restart(backlog, RESTART_MESSAGES), goals)
}
