//! What is left in the cores of a world: when all clients and their sessions are gone, nothing may be.

use crate::{Core, OrganisationId};

use super::world::World;

/// Everything that belongs to somebody, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Residue {
    pub(super) connections: usize,
    pub(super) sessions: usize,
    pub(super) filter_nodes: usize,
    pub(super) groups: usize,
    pub(super) walks: usize,
    pub(super) held_journal: usize,
    pub(super) receipts_owed: usize,
    /// Bytes of waiting messages in memory.
    pub(super) queue_cache: u64,
    /// Contents and copies of which the log is to tell where they are.
    pub(super) on_their_way: usize,
}

impl World {
    /// What is left on all shards together.
    pub(super) fn residue(&self) -> Residue {
        self.cores.iter().fold(Residue::default(), |mut sum, core| {
            let own = &core.organisations[OrganisationId::FIRST.0 as usize];
            sum.connections += core.connections.open;
            sum.sessions += own.sessions.len();
            sum.filter_nodes += own.routes.tree().node_count();
            sum.groups += own.groups.len();
            sum.walks += own.retained.walk_count();
            sum.held_journal += core.awaiting_journal.len();
            sum.receipts_owed += core.receipts_owed.len();
            sum.queue_cache += core.queue_cache.used();
            sum.on_their_way += core.numbers.on_their_way.len();
            sum
        })
    }

    /// Counts anew what is counted as it changes.
    pub(super) fn check_gauges(&mut self) {
        let connected = self.of_all_cores(|core| core.connections.connected());
        let mut scanned = self.counters();
        scanned.clients_connected = connected as u64;
        (scanned.sessions, scanned.subscriptions, scanned.shared_subscriptions) = (0, 0, 0);
        (scanned.queued, scanned.queued_bytes, scanned.queued_in_log) = (0, 0, 0);
        for core in &self.cores {
            for session in core.organisations[OrganisationId::FIRST.0 as usize].sessions.iter() {
                let (messages, bytes) = session.queue.size();
                scanned.queued_in_log += session.queue.counted_in_log();
                scanned.sessions += 1;
                scanned.subscriptions += (session.subscriptions.len() + session.groups.len()) as u64;
                scanned.shared_subscriptions += session.groups.len() as u64;
                scanned.queued += (messages + session.window.unfinished()) as u64;
                scanned.queued_bytes += bytes as u64;
            }
        }
        assert_eq!(self.counters(), scanned);
    }

    /// Nodes of the retained trees, roots not counted.
    pub(super) fn retained_nodes(&self) -> usize {
        self.of_all_cores(|core| core.organisations[OrganisationId::FIRST.0 as usize].retained.node_count())
    }

    /// What the match caches take, roughly.
    pub(super) fn match_cache_bytes(&self) -> usize {
        self.of_all_cores(|core| core.organisations[OrganisationId::FIRST.0 as usize].routes.cached_bytes())
    }

    /// What subscriptions count for.
    pub(super) fn subscription_weight(&self) -> usize {
        let used = |core: &Core| core.organisations[0].usage.subscriptions.used() as usize;
        self.of_all_cores(used)
    }

    /// Timers that wait, meaningless ones included.
    pub(super) fn timers(&self) -> usize {
        self.of_all_cores(|core| core.wheel.len())
    }

    fn of_all_cores(&self, count: impl Fn(&Core) -> usize) -> usize {
        self.cores.iter().map(count).sum()
    }
}
