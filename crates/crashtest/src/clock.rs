//! The time, for this crate. Nothing that is checked depends on it.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a client outside the broker has a clock of its own")]
    Instant::now()
}
