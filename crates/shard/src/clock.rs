//! The only place on the message path that asks what time it is: once a turn.

#![allow(clippy::disallowed_methods, reason = "this file is where the time comes from")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_core::Now;

/// A clock whose monotonic milliseconds begin when the process does; all shards share the beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono_ms: self.start.elapsed().as_millis() as u64, unix_ms: unix.as_millis() as u64 }
    }
}
