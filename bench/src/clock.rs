//! Monotonic time in nanoseconds since the generator started.
//!
//! The one place of this crate that asks the clock, so that every timestamp of a run is on one scale.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(now);

/// Nanoseconds since the first call in this process.
pub fn nanos() -> u64 {
    // Invariant: a process that runs for 584 years is not measured.
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The moment `after` from now, on the scale of [`nanos`].
pub fn deadline(after: Duration) -> u64 {
    nanos().saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a load generator measures real time; it is no part of the broker"
)]
fn now() -> Instant {
    Instant::now()
}
