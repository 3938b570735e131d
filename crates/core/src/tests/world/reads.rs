//! Reading content back, at once or late, in any order, and not always with success.

use tidegate_observe::DropReason;

use super::World;
use crate::{Fetched, Input, Unreadable};

impl World {
    /// Nothing is read until it is let go.
    pub(crate) fn reads_stall(&mut self, stalled: bool) {
        self.reads_stalled = stalled;
        if !stalled {
            self.read_all();
            self.settle();
        }
    }

    /// How many reads wait.
    pub(crate) fn reads_waiting(&self) -> usize {
        self.unread.len()
    }

    /// One of the reads that wait is answered: with its content, or with a failure of the disk.
    pub(crate) fn read_one(&mut self, at: usize, fails: bool) {
        let (shard, fetch) = self.unread.swap_remove(at);
        let result = match (fails, self.log.read(fetch.place)) {
            (true, _) => Err(Unreadable::Io),
            (false, content) => content.ok_or(Unreadable::Gone),
        };
        self.input(shard, Input::Fetched { answers: vec![Fetched { tag: fetch.tag, result }] });
        self.nothing_is_unreadable();
    }

    /// Content rots.
    pub(crate) fn damage_contents(&mut self) {
        self.may_lose = true;
        self.log.contents.values_mut().for_each(|content| content.fill(0xFF));
    }

    /// Whether anything waited to be read.
    pub(super) fn read_all(&mut self) -> bool {
        let unread = std::mem::take(&mut self.unread);
        let any = !unread.is_empty();
        for (shard, fetch) in unread {
            let result = self.log.read(fetch.place).ok_or(Unreadable::Gone);
            self.handle(shard, Input::Fetched { answers: vec![Fetched { tag: fetch.tag, result }] });
        }
        self.nothing_is_unreadable();
        any
    }

    /// Nothing that is needed was destroyed.
    fn nothing_is_unreadable(&self) {
        let lost = self.counters().dropped(DropReason::Unreadable);
        assert!(lost == 0 || self.may_lose, "{lost} messages wait for content that is not there");
    }
}
