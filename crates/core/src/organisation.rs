//! One organisation (tenant) on one shard: its topic tree, sessions, groups, retained messages and counters.
//!
//! Nothing in here refers to another organisation, and no function of this crate takes two: what belongs to
//! one can only be reached through its value.

use tidegate_observe::Counters;

use crate::group::Groups;
use crate::identifiers::OrganisationId;
use crate::limits::Limits;
use crate::queue::Accounts;
use crate::queue::cache::QueueCache;
use crate::retained::Retained;
use crate::routes::Routes;
use crate::session::Sessions;
use crate::time::Now;
use crate::usage::{RetainedUsage, SharedUsage, Usage};

/// Everything of one organisation that lives on this shard.
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    pub(crate) routes: Routes,
    pub(crate) groups: Groups,
    pub(crate) sessions: Sessions,
    pub(crate) retained: Retained,
    pub(crate) usage: Usage,
    /// The gauges in it are kept at every change, but for those that are counted elsewhere.
    pub(crate) counters: Counters,
}

impl Organisation {
    /// `seed` makes hashes unpredictable for peers; `usage` is what all `shards` use together.
    pub(crate) fn new(
        id: OrganisationId,
        seed: u64,
        limits: &Limits,
        (usage, shards): (&SharedUsage, u8),
    ) -> Self {
        let totals = usage.of(id);
        Self {
            id,
            routes: Routes::new(seed, limits.match_cache_bytes),
            groups: Groups::default(),
            sessions: Sessions::new(seed),
            retained: Retained::new(seed, RetainedUsage::new(&totals, shards)),
            usage: Usage::new(&totals, shards),
            counters: Counters::default(),
        }
    }

    /// What the queues are accounted to.
    pub(crate) fn accounts<'a>(
        &'a mut self,
        now: Now,
        limits: &'a Limits,
        cache: &'a mut QueueCache,
    ) -> Accounts<'a> {
        let allowance = &mut self.usage.queued_bytes;
        Accounts { now, limits, allowance, counters: &mut self.counters, cache }
    }

    /// The running totals with the gauges of this moment.
    pub(crate) fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.sessions = self.sessions.len() as u64;
        counters.retained = self.retained.count() as u64;
        counters.retained_bytes = self.retained.bytes() as u64;
        counters
    }
}
