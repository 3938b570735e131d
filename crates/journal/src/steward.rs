//! Keeps the folder in order beside the writer, and never in its way: prepares segments, notes complete rounds of
//! checkpoints and asks for new ones, frees segments in which nothing lives, and has owners copy the few survivors out of
//! those in which little does.
//!
//! It does one thing at a time and then says when to look again.

mod checkpoint;
mod spare;
mod survey;

use std::sync::Arc;

use crate::shared::Shared;

use survey::Survey;

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
    survey: Option<Survey>,
    offers: u64,
    /// After a failure nothing is tried before this.
    retry_at_ms: Option<u64>,
}

impl Steward {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, survey: None, offers: 0, retry_at_ms: None }
    }

    /// One step.
    pub(crate) fn turn(&mut self, now_ms: u64) -> Next {
        if let Some(at) = self.retry_at_ms.filter(|at| now_ms < *at) {
            return Next::At(at);
        }
        self.retry_at_ms = None;
        let done = self.note_round().and_then(|done| match done {
            true => Ok(true),
            false => self.free_one(),
        });
        let done = done.and_then(|done| match done {
            true => Ok(true),
            false => self.prepare_one(),
        });
        let done = done.map(|done| done || self.begin_round() || self.survey_on());
        match done {
            Ok(true) => Next::Again,
            Ok(false) => Next::Idle,
            Err(_) => {
                let at = now_ms + crate::limits::SPARE_RETRY_MS;
                self.retry_at_ms = Some(at);
                Next::At(at)
            }
        }
    }
}
