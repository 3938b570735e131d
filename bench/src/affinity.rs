//! Which cores the broker and the generator may use.
//!
//! The broker gets one core and the generator another, so that neither takes time from the other and the
//! broker's CPU seconds are those of one core. A machine with a single core cannot be measured fairly; both
//! then share it.

use crate::fault::Fault;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the two processes of a run are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Broker on the first allowed core, generator on the second.
    OneCoreEach,
    /// Both wherever the scheduler puts them: for brokers with several shards.
    Free,
}

/// The cores this process was started with.
#[derive(Clone, Debug)]
pub struct Cores {
    allowed: CpuSet,
    numbers: Vec<usize>,
}

impl Cores {
    /// Reads the allowed cores; to be called before anything is pinned.
    pub fn of_this_process() -> Result<Self, Fault> {
        let allowed =
            sched_getaffinity(None).map_err(|error| Fault::io("reading the allowed cores")(error.into()))?;
        let numbers = (0..CpuSet::MAX_CPU).filter(|&number| allowed.is_set(number)).collect();
        Ok(Self { allowed, numbers })
    }

    /// Runs `start` on the broker's core, so that the child it starts inherits that core before its first
    /// thread, and leaves this thread on the generator's.
    pub fn around<T>(
        &self,
        placement: Placement,
        start: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.enter(placement, 0)?;
        let started = start();
        self.enter(placement, 1)?;
        started
    }

    /// Pins this thread to the generator's core alone.
    pub fn hold_generator(&self, placement: Placement) -> Result<(), Fault> {
        self.enter(placement, 1)
    }

    fn enter(&self, placement: Placement, position: usize) -> Result<(), Fault> {
        let cores = match placement {
            Placement::Free => self.allowed,
            Placement::OneCoreEach => {
                // Invariant: a running process is allowed on at least one core.
                let mut one = CpuSet::new();
                one.set(self.numbers[position % self.numbers.len()]);
                one
            }
        };
        sched_setaffinity(None, &cores).map_err(|error| Fault::io("choosing a core")(error.into()))
    }
}
