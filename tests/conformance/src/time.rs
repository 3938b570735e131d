//! The one place where the suite asks the time: deadlines of reads and measured intervals.

use std::time::{Duration, Instant};

/// Measures from the moment it is made.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(
        clippy::disallowed_methods,
        reason = "the suite is a client in real time; there is no clock to be given"
    )]
    #[expect(clippy::new_without_default, reason = "a default value that reads the clock would surprise")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// What is left of `limit`, or nothing when it has passed.
    pub fn left_of(self, limit: Duration) -> Option<Duration> {
        limit.checked_sub(self.elapsed()).filter(|left| !left.is_zero())
    }
}
