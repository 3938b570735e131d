//! The end of the process, and a new one that has only the log.

use std::mem;

use super::{World, cores};
use tidegate_mqtt::ReasonCode;

use crate::{Effects, Input, Recovery};

impl World {
    /// How many turns the journal was given, and how many of them are durable.
    pub(crate) fn log_len(&self) -> (usize, usize) {
        (self.log.len(), self.durable)
    }

    /// The size of everything that the journal was given.
    pub(crate) fn log_bytes(&self) -> usize {
        self.log.iter().flatten().map(Vec::len).sum()
    }

    /// The process is killed and starts anew, with so many shards and what the log has up to a turn.
    pub(crate) fn crash(&mut self, shards: u8, turns: usize) {
        assert!(turns >= self.durable, "what is durable stays");
        self.log.truncate(turns);
        self.restart(shards);
    }

    /// What is on its way to the disk does not arrive there, and the journal says so.
    pub(crate) fn journal_fails(&mut self, reason: ReasonCode) {
        self.log.truncate(self.durable);
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
        self.begin_checkpoint();
        while !self.continue_checkpoint(64 * 1024) {
            between(self);
        }
    }

    /// Images of everything are due, a piece with each [`World::continue_checkpoint`].
    pub(crate) fn begin_checkpoint(&mut self) {
        if self.checkpoint_from.is_none() {
            self.checkpoint_from = Some(self.log.len());
            self.cores.iter_mut().for_each(crate::Core::begin_checkpoint);
        }
    }

    /// A piece of the images of so many bytes; whether none is left. What is older leaves the log when all pieces are durable.
    pub(crate) fn continue_checkpoint(&mut self, piece_bytes: usize) -> bool {
        let shard = self.cores.iter().position(crate::Core::is_in_checkpoint);
        if let Some(shard) = shard {
            self.cores[shard].write_images(self.now, piece_bytes, &mut self.effects[shard]);
            self.settle();
        }
        let ended = !self.cores.iter().any(crate::Core::is_in_checkpoint);
        if ended && let Some(from) = self.checkpoint_from.take() {
            self.checkpointed = Some((from, self.log.len()));
            self.trim();
        }
        ended
    }

    pub(super) fn trim(&mut self) {
        if let Some((from, to)) = self.checkpointed
            && to <= self.durable
        {
            self.checkpointed = None;
            self.log.drain(..from);
            self.durable -= from;
            self.unpersisted.iter_mut().for_each(|(_, _, turns)| *turns -= from);
            self.checkpoint_from = self.checkpoint_from.map(|at| at - from);
        }
    }

    fn restart(&mut self, shards: u8) {
        let mut recovery = Recovery::default();
        recovery.begin();
        for record in self.log.iter().flatten() {
            assert!(recovery.record(record), "a record is not understood: {record:?}");
        }
        assert_eq!(recovery.lost(), 0, "something is referred to that is not there");
        self.durable = self.log.len();
        (self.checkpoint_from, self.checkpointed) = (None, None);
        (self.journal_stalled, self.shards_delayed) = (false, false);
        mem::take(&mut self.unpersisted);
        mem::take(&mut self.delayed);
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
