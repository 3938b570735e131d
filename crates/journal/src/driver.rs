//! A journal without threads, for tests: whoever holds the driver decides what happens next.

use crate::journal::Workers;
use crate::steward::Next;

/// Does the work of the journal's threads, a step at a time.
pub struct Driver {
    workers: Workers,
}

impl Driver {
    pub(crate) fn new(workers: Workers) -> Self {
        Self { workers }
    }

    /// Writes one batch of what was submitted. `false` when there was nothing.
    pub fn write(&mut self, now_ms: u64) -> bool {
        self.workers.writer.turn(now_ms)
    }

    /// One step of housekeeping. `false` when there is nothing to do now.
    pub fn tend(&mut self, now_ms: u64) -> bool {
        self.workers.steward.turn(now_ms) == Next::Again
    }

    /// Answers all requests for records. `false` when there was none.
    pub fn read(&mut self) -> bool {
        self.workers.reader.turn()
    }

    /// Everything, until nothing is left to do.
    pub fn run(&mut self, now_ms: u64) {
        while self.write(now_ms) || self.tend(now_ms) || self.read() {}
    }

    /// Marks the end, as closing does.
    pub fn seal(&mut self) {
        while self.workers.writer.turn(u64::MAX) {}
        self.workers.writer.seal();
    }
}
