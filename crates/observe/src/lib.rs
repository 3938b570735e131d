//! What can be observed: one type per fact, from which log lines, metrics and test assertions are made.
//!
//! The core reports a [`Fact`] when something happens that an operator would want to read, and counts
//! everything else in [`Counters`]. This crate knows nothing of sessions or sockets; it holds names and texts.

mod counters;
mod drop_reason;
mod fact;
mod throttle;

pub use counters::Counters;
pub use drop_reason::DropReason;
pub use fact::{EndReason, Fact};
pub use throttle::Throttle;
