//! One run of a plan against one broker: connect, warm up, measure, drain.

use super::{Pace, Plan, STALL, Tally, Traffic};
use crate::broker::Broker;
use crate::clock;
use crate::door::Entrance;
use crate::fault::Fault;
use crate::fleet;
use crate::reactor::Reactor;
use crate::usage::Usage;
use std::time::Duration;

/// How long a run works before and while it is measured.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Long enough for caches of both sides to fill and for TCP windows to open.
    pub warm_up: Duration,
    /// The measured part.
    pub measured: Duration,
}

/// What a run measured.
#[derive(Debug)]
pub struct Outcome {
    /// Everything counted in the measured part.
    pub tally: Tally,
    /// Nanoseconds between the two snapshots.
    pub elapsed: u64,
    /// The broker's counters before and after; absent when its process is unknown.
    pub usage: Option<(Usage, Usage)>,
}

/// Runs `plan` through one `entrance` of `broker` and sees that nothing was lost. `observe` is called right before and right after the measured
/// part.
pub fn run(
    plan: &Plan,
    broker: &Broker,
    entrance: &Entrance,
    timing: Timing,
    mut observe: impl FnMut() -> Result<(), Fault>,
) -> Result<Outcome, Fault> {
    let mut reactor = Reactor::new()?;
    fleet::assemble(&mut reactor, entrance, &plan.members())?;
    let mut traffic = Traffic::new(plan, clock::nanos());
    drive(&mut reactor, &mut traffic, clock::deadline(timing.warm_up))?;

    observe()?;
    traffic.forget();
    let (usage_before, begin) = (broker.usage()?, clock::nanos());
    drive(&mut reactor, &mut traffic, clock::deadline(timing.measured))?;
    let (usage_after, end) = (broker.usage()?, clock::nanos());
    let tally = std::mem::take(&mut traffic.tally);
    observe()?;

    traffic.stop();
    drive(&mut reactor, &mut traffic, u64::MAX)?;
    Ok(Outcome { tally, elapsed: end - begin, usage: usage_before.zip(usage_after) })
}

/// Turns the reactor until `end`, or until nothing is in flight once the traffic has stopped.
fn drive(reactor: &mut Reactor, traffic: &mut Traffic<'_>, end: u64) -> Result<(), Fault> {
    // At a fixed rate the generator spins on its own core: a timer of the poll would be late by a
    // millisecond.
    let patience = match traffic.plan.pace {
        Pace::InFlight(_) => Duration::from_millis(50),
        Pace::PerSecond(_) => Duration::ZERO,
    };
    let (mut arrived, mut stalled_at) = (traffic.tally.delivered, clock::deadline(STALL));
    loop {
        let now = clock::nanos();
        if now >= end || (traffic.stopped && traffic.unfinished() == 0) {
            return Ok(());
        }
        if traffic.tally.delivered != arrived {
            (arrived, stalled_at) = (traffic.tally.delivered, clock::deadline(STALL));
        } else if now > stalled_at {
            let missing = traffic.unfinished();
            return Err(Fault::Stalled(format!("{missing} messages in flight never arrived: lost")));
        }
        reactor.turn(patience, traffic)?;
    }
}
