//! Gathers the outcomes of a batch for each owner, so that each hears once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::inbox::{Owner, Submission};
use crate::listener::{Failure, Outcome};
use crate::position::Position;

#[derive(Default)]
pub(super) struct Outcomes {
    owners: Vec<(Arc<Owner>, Vec<Outcome>)>,
}

impl Outcomes {
    pub(super) fn add(&mut self, submission: &Submission, result: Result<Position, Failure>) {
        let owner = &submission.owner;
        owner.pending.fetch_sub(submission.contents.frame_bytes(), Ordering::Relaxed);
        let outcome = Outcome { ticket: submission.ticket, result };
        match self.owners.iter_mut().find(|(known, _)| Arc::ptr_eq(known, owner)) {
            Some((_, outcomes)) => outcomes.push(outcome),
            None => {
                // Owners whose appender is gone have no other holder.
                self.owners.retain(|(known, _)| Arc::strong_count(known) > 1);
                self.owners.push((Arc::clone(owner), vec![outcome]));
            }
        }
    }

    pub(super) fn tell(&mut self) {
        for (owner, outcomes) in self.owners.iter_mut().filter(|(_, outcomes)| !outcomes.is_empty()) {
            owner.listener.committed(outcomes);
            outcomes.clear();
        }
    }
}
