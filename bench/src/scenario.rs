//! The rows of the comparison: what runs, and which bound its figures have to keep.

mod doors;
mod durable;
mod idle;
mod retained;
mod storm;
mod table;
mod traffic;

pub use durable::{Backlog, Route};
pub use table::all;

use crate::broker::Broker;
use crate::door::{Door, Doors, Records};
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::traffic::{Plan, Timing};

/// One row.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What runs.
    pub work: Work,
    /// Where its clients come in.
    pub door: Door,
    /// Figures to show, and what they are held to.
    pub goals: Vec<Goal>,
    /// Whether the broker is kept as busy as it can be: only then has a second shard something to win.
    pub is_saturated: bool,
}

/// What a scenario runs.
#[derive(Clone, Debug)]
pub enum Work {
    /// Publishers and subscribers.
    Traffic(Plan),
    /// So many connections that then stay silent.
    Idle(usize),
    /// So many retained messages, sent again and again to a new subscription.
    Retained(usize),
    /// Messages for sessions whose clients are away, for as long as a run takes.
    Durable(Backlog),
    /// So many messages for such sessions, handed out when the clients come back.
    Drain(Backlog, u64),
    /// So many messages for such sessions, and a broker that is killed and has to serve again.
    Restart(Backlog, u64),
    /// Publishers and subscribers, through one door after the other.
    Doors(Plan, Records),
    /// Connections that come and go as fast as the broker takes them.
    Storm,
}

/// A figure that the table shows.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// Which figure.
    pub metric: Metric,
    /// What Tidegate is held to.
    pub bound: Bound,
}

/// The most that Tidegate may show, or the least.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// This many times what the reference shows in the same run.
    TimesReference(f64),
    /// This much.
    AtMost(f64),
    /// Not the most but the least.
    AtLeast(f64),
    /// Shown for information.
    None,
}

impl Scenario {
    /// The same with clients that come in by `door`, without the bounds, which are for the usual one. Some scenarios
    /// choose their doors themselves.
    pub fn through(self, door: Door) -> Self {
        match self.work {
            Work::Traffic(_) | Work::Idle(_) | Work::Storm => {
                let goals = self.goals.into_iter().map(|goal| Goal { bound: Bound::None, ..goal }).collect();
                Self { door, goals, ..self }
            }
            _ => self,
        }
    }

    /// Which listeners the broker needs.
    pub fn doors(&self) -> Doors {
        match (&self.work, self.door) {
            (Work::Doors(..), _) => Doors::All,
            (_, Door::Tcp) => Doors::TcpOnly,
            _ => Doors::All,
        }
    }

    /// Whether the reference can run it too: mosquitto as it is configured here keeps nothing over a restart.
    pub fn has_reference(&self) -> bool {
        !matches!(self.work, Work::Restart(..))
    }

    /// Runs once against `broker`.
    pub fn run(&self, broker: &mut Broker, timing: Timing) -> Result<Measures, Fault> {
        match &self.work {
            Work::Traffic(plan) => traffic::measure(plan, broker, self.door, timing),
            Work::Idle(connections) => idle::measure(*connections, broker, self.door, timing),
            Work::Retained(messages) => retained::measure(*messages, broker, timing),
            Work::Durable(backlog) => durable::measure(backlog, broker, timing),
            Work::Drain(backlog, messages) => durable::measure_drain(backlog, *messages, broker),
            Work::Restart(backlog, messages) => durable::measure_restart(backlog, *messages, broker),
            Work::Doors(plan, records) => doors::measure(plan, *records, broker, timing),
            Work::Storm => storm::measure(broker, self.door, timing),
        }
    }
}

/// Bytes as mebibytes.
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
