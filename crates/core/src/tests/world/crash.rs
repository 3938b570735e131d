//! The end of the process, and a new one that has only the log.

use std::mem;

use super::log::Checkpoint;
use super::{World, cores};
use tidegate_mqtt::ReasonCode;

use crate::{Effects, Input, Recovery};

impl World {
    /// How many turns the journal was given, and how many of them are durable.
    pub(crate) fn log_len(&self) -> (usize, usize) {
        (self.log.len(), self.log.durable)
    }

    /// The size of everything that the journal was given.
    pub(crate) fn log_bytes(&self) -> usize {
        self.log.bytes()
    }

    /// How many contents of messages can be read, of all that ever were written.
    pub(crate) fn contents(&self) -> usize {
        self.log.contents.len()
    }

    /// The process is killed and starts anew, with so many shards and what the log has up to a turn.
    pub(crate) fn crash(&mut self, shards: u8, turns: usize) {
        self.log.crash(turns);
        self.restart(shards);
    }

    /// What is on its way to the disk does not arrive there, and the journal says so.
    pub(crate) fn journal_fails(&mut self, reason: ReasonCode) {
        for (shard, places) in self.log.fail() {
            self.input(shard, Input::Placed { places: &places });
        }
        for (shard, up_to, _) in mem::take(&mut self.unpersisted) {
            self.input(shard, Input::NotPersisted { up_to, reason });
        }
    }

    /// As [`World::crash`], when nothing is on its way to the disk.
    pub(crate) fn kill(&mut self, shards: u8) {
        let turns = self.log.len();
        self.crash(shards, turns);
    }

    /// Images of everything are written, `between` happens between two pieces, and what is older leaves the log.
    pub(crate) fn checkpoint(&mut self, mut between: impl FnMut(&mut Self)) {
        self.begin_checkpoint(|_| false, false);
        while !self.continue_checkpoint(4 * 1024) {
            between(self);
        }
    }

    /// As [`World::checkpoint`]; every content moves.
    pub(crate) fn checkpoint_that_evacuates(&mut self) {
        self.begin_checkpoint(|_| true, false);
        while !self.continue_checkpoint(64 * 1024) {}
    }

    /// Images of everything are due, a piece with each [`World::continue_checkpoint`]. Contents for which `evacuate` says so move.
    /// If it comes late, each shard hears of it only when its first piece is due; the log begins here all the same.
    pub(crate) fn begin_checkpoint(&mut self, evacuate: impl FnMut(u32) -> bool, comes_late: bool) {
        if self.log.checkpoint.is_some() {
            return;
        }
        let evacuated = self.log.begin_checkpoint(self.cores.len(), evacuate);
        for shard in 0..self.cores.len() {
            if !comes_late {
                self.cores[shard].begin_checkpoint(&evacuated);
            }
        }
        if let Some(checkpoint) = self.log.checkpoint.as_mut().filter(|_| !comes_late) {
            checkpoint.unaware.clear();
        }
    }

    /// A piece of the images of so many bytes; whether none is left. What is older leaves the log when all pieces are durable.
    pub(crate) fn continue_checkpoint(&mut self, piece_bytes: usize) -> bool {
        let Some(Checkpoint { unaware, waiting, evacuated, .. }) = &mut self.log.checkpoint else {
            return true;
        };
        let Some(&shard) = waiting.first() else { return true };
        if let Some(at) = unaware.iter().position(|other| *other == shard) {
            unaware.remove(at);
            self.cores[shard].begin_checkpoint(evacuated);
        }
        let is_last = self.cores[shard].write_images(self.now, piece_bytes, &mut self.effects[shard]);
        let marks = if is_last { self.cores[shard].take_marks() } else { Vec::new() };
        self.settle();
        if is_last && self.log.end_images(shard, &marks) {
            self.trim();
            return true;
        }
        false
    }

    pub(super) fn trim(&mut self) {
        let from = self.log.trim();
        self.unpersisted.iter_mut().for_each(|(_, _, turns)| *turns -= from);
    }

    fn restart(&mut self, shards: u8) {
        let mut recovery = Recovery::default();
        recovery.begin();
        for (position, bytes) in self.log.records() {
            assert!(recovery.record(bytes, position), "a record is not understood: {bytes:?}");
        }
        recovery.hold(|place| self.log.read(place).is_some());
        recovery.read(|place| self.log.read(place));
        assert!(recovery.lost() == 0 || self.may_lose, "something is referred to that is not there");
        (self.journal_stalled, self.shards_delayed, self.reads_stalled) = (false, false, false);
        mem::take(&mut self.unpersisted);
        mem::take(&mut self.delayed);
        mem::take(&mut self.unread);
        self.clients.clear();
        self.cores = cores(shards, &self.limits, self.now);
        self.effects = (0..shards).map(|_| Effects::new(usize::from(shards))).collect();
        for (shard, restored) in recovery.split(99, shards).into_iter().enumerate() {
            self.cores[shard].restore(self.now, restored, &mut self.effects[shard]);
        }
        self.settle();
        for shard in 0..usize::from(shards) {
            self.cores[shard].publish_restored_wills(self.now, &mut self.effects[shard]);
        }
        self.settle();
    }
}
