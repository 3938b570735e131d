//! Time as the core sees it: an argument, never a question.

/// The moment of a turn. Every decision within a turn sees the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back; for intervals and deadlines.
    pub mono_ms: u64,
    /// Milliseconds since 1970, UTC; for what outlives the process (message expiry).
    pub unix_ms: u64,
}
