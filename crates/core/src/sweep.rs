//! The slow look at all queues: drops what waits for too long for clients that do not come back. A queue that is
//! filled or emptied looks for itself; without the sweep, one that nobody touches would keep its messages for ever.

use crate::core::Core;
use crate::organisation::Organisation;
use crate::queue::Accounts;
use crate::queue::cache::QueueCache;
use crate::time::Now;

/// Where the sweep is.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// When it goes on, in monotonic milliseconds; nobody is woken for it while nothing is queued.
    pub(crate) due_ms: u64,
    /// The organisation that is swept.
    organisation: usize,
    /// The slot of its next session.
    session: u32,
}

impl Core {
    /// Whether any session has a queue on this shard.
    pub(crate) fn has_queued(&self) -> bool {
        self.organisations.iter().any(|own| own.usage.queued_bytes.used() > 0)
    }

    /// Goes on with the sweep: a bounded number of sessions and messages at a time.
    pub(crate) fn sweep_queues(&mut self, now: Now) {
        self.sweep.due_ms = now.mono_ms + SWEEP_INTERVAL_MS;
        let mut visits = SWEEP_VISITS_MAX;
        let cache = &mut self.queue_cache;
        // Once round at most, however few there are.
        for _ in 0..=self.organisations.len() {
            let Some(own) = self.organisations.get_mut(self.sweep.organisation) else {
                self.sweep.organisation = 0;
                continue;
            };
            let queued = own.usage.queued_bytes.used() > 0;
            if queued
                && !sweep_organisation(own, &mut self.sweep.session, &mut visits, (now, &self.limits), cache)
            {
                return;
            }
            self.sweep.session = 0;
            self.sweep.organisation += 1;
        }
    }
}

/// Whether it came to the end of the sessions.
fn sweep_organisation(
    own: &mut Organisation,
    next: &mut u32,
    visits: &mut usize,
    (now, limits): (Now, &crate::limits::Limits),
    cache: &mut QueueCache,
) -> bool {
    let Organisation { sessions, usage, counters, .. } = own;
    while (*next as usize) < sessions.slot_count() {
        if *visits == 0 {
            return false;
        }
        *visits -= 1;
        if let Some(session) = sessions.at(*next)
            && !session.queue.is_empty()
        {
            let allowance = &mut usage.queued_bytes;
            let (counters, cache) = (&mut *counters, &mut *cache);
            let mut accounts = Accounts { now, limits, allowance, counters, cache };
            let dropped = session.queue.drop_old(*visits, &mut accounts);
            *visits -= dropped;
            if *visits == 0 {
                return false;
            }
        }
        *next += 1;
    }
    true
}

/// How often the sweep goes on while anything is queued.
const SWEEP_INTERVAL_MS: u64 = 1000;
/// Sessions and messages that it looks at each time: well below a millisecond's work, and a million sessions in four
/// minutes.
const SWEEP_VISITS_MAX: usize = 4096;
