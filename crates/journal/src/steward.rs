//! Keeps the folder in order beside the writer, and never in its way: prepares segments, notes complete rounds of
//! checkpoints and asks for new ones, and frees segments in which nothing lives.
//!
//! It does one step of each at a time and then says when to look again.

mod checkpoint;
mod spare;

use std::sync::Arc;

use crate::limits::{ROUNDS_FOR_SPACE_MAX, SPARE_RETRY_MS};
use crate::shared::Shared;

/// What the steward waits for after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There may be more to do.
    Again,
    /// Nothing to do until something changes.
    Idle,
    /// Something failed; to be tried again at this time.
    At(u64),
}

pub(crate) struct Steward {
    shared: Arc<Shared>,
    /// After a failure nothing is tried before this.
    retry_at_ms: Option<u64>,
    /// How many checkpoints were asked for because there was no space for another segment.
    rounds_for_space: u32,
}

impl Steward {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, retry_at_ms: None, rounds_for_space: 0 }
    }

    /// One step.
    pub(crate) fn turn(&mut self, now_ms: u64) -> Next {
        if let Some(at) = self.retry_at_ms.filter(|at| now_ms < *at) {
            return Next::At(at);
        }
        self.retry_at_ms = None;
        // None waits for another: on a full disk only freeing can help.
        let done = [self.note_round(), self.free_one(), self.prepare_one()];
        let failed = done.iter().any(Result::is_err);
        let moved = self.begin_round();
        if moved || done.iter().any(|done| matches!(done, Ok(true))) {
            return Next::Again;
        }
        if failed {
            let at = now_ms.saturating_add(SPARE_RETRY_MS);
            self.retry_at_ms = Some(at);
            return Next::At(at);
        }
        Next::Idle
    }

    /// There is no space for another segment. While there is room in the one that is in use, checkpoints can free old ones:
    /// the first makes the last one the older of two, the second lets go of what came before.
    fn make_space(&mut self) {
        if self.rounds_for_space < ROUNDS_FOR_SPACE_MAX {
            let mut table = self.shared.table();
            if table.round.is_none() {
                table.round_is_wanted = true;
                self.rounds_for_space += 1;
            }
        }
    }
}
