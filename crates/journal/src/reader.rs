//! Reads Message records back, for owners that keep only their positions in memory.
//!
//! Owners ask and go on; answers come to their listeners. Requests that wait together are read in the order of their
//! positions, through a cache of blocks, so neighbours cost one read and a message that many sessions hold is read once.
//! What comes out of the log is verified every time.

mod cache;
mod lookup;
mod requests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::inbox::Owner;
use crate::limits::ANSWERED_BYTES_MAX;
use crate::listener::{Answer, Unreadable};
use crate::shared::Shared;

pub use lookup::Lookup;
pub(crate) use requests::{Request, Requests};

pub(crate) struct Reader {
    shared: Arc<Shared>,
    requests: Vec<Request>,
    lookup: Lookup,
    answers: Vec<(Arc<Owner>, Vec<Answer>)>,
    /// Bytes in `answers`.
    answered_bytes: usize,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let lookup = Lookup::new(Arc::clone(&shared));
        Self { shared, requests: Vec::new(), lookup, answers: Vec::new(), answered_bytes: 0 }
    }

    /// Answers all requests that are waiting. `false` when there was none.
    pub(crate) fn turn(&mut self) -> bool {
        self.shared.requests.take(&mut self.requests);
        if self.requests.is_empty() {
            return false;
        }
        let mut requests = std::mem::take(&mut self.requests);
        requests.sort_unstable_by_key(|request| request.position);
        for request in requests.drain(..) {
            let result = self.lookup.read(request.position, request.length);
            if result == Err(Unreadable::Damaged) {
                self.report();
            }
            self.answer(request, result);
        }
        self.requests = requests;
        self.tell();
        self.lookup.close_files();
        true
    }

    /// Says what is damaged.
    fn report(&mut self) {
        for damage in self.lookup.take_damages() {
            for owner in self.shared.owners() {
                owner.listener.damaged(&damage);
            }
        }
    }

    fn answer(&mut self, request: Request, result: Result<Vec<u8>, Unreadable>) {
        let Request { owner, position, tag, .. } = request;
        self.answered_bytes += result.as_ref().map_or(0, Vec::len);
        let answer = Answer { tag, position, result };
        match self.answers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &owner)) {
            Some((_, answers)) => answers.push(answer),
            None => {
                self.answers.retain(|(known, _)| Arc::strong_count(known) > 1);
                self.answers.push((owner, vec![answer]));
            }
        }
        if self.answered_bytes >= ANSWERED_BYTES_MAX {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.answered_bytes = 0;
        for (owner, answers) in self.answers.iter_mut().filter(|(_, answers)| !answers.is_empty()) {
            owner.fetching.fetch_sub(answers.len(), Ordering::Relaxed);
            owner.listener.fetched(answers);
            answers.clear();
        }
    }
}
