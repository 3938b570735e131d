//! One organisation (tenant) on one shard: its topic tree, sessions, groups, retained messages and counters.
//!
//! Nothing in here refers to another organisation, and no function of this crate takes two: what belongs to
//! one can only be reached through its value.

use tidegate_observe::Counters;

use crate::group::Groups;
use crate::identifiers::OrganisationId;
use crate::limits::Limits;
use crate::retained::Retained;
use crate::routes::Routes;
use crate::session::Sessions;

/// Everything of one organisation that lives on this shard.
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    pub(crate) routes: Routes,
    pub(crate) groups: Groups,
    pub(crate) sessions: Sessions,
    pub(crate) retained: Retained,
    pub(crate) counters: Counters,
}

impl Organisation {
    /// `seed` makes hashes unpredictable for peers.
    pub(crate) fn new(id: OrganisationId, seed: u64, limits: &Limits) -> Self {
        Self {
            id,
            routes: Routes::new(seed, limits.match_cache_bytes),
            groups: Groups::default(),
            sessions: Sessions::new(seed),
            retained: Retained::new(seed),
            counters: Counters::default(),
        }
    }

    /// The running totals with the gauges of this moment.
    pub(crate) fn counters(&self, connected: usize) -> Counters {
        let mut counters = self.counters.clone();
        counters.clients_connected = connected as u64;
        counters.sessions = self.sessions.len() as u64;
        counters.retained = self.retained.count() as u64;
        counters.retained_bytes = self.retained.bytes() as u64;
        for session in self.sessions.iter() {
            counters.subscriptions += session.subscription_count() as u64;
            counters.shared_subscriptions += session.groups.len() as u64;
            counters.queued += (session.queue.len() + session.window.len()) as u64;
            counters.queued_bytes += session.queue.bytes() as u64;
        }
        counters
    }
}
