//! Rounds of checkpoints: asked for when enough was written, complete when every stream says so.

use std::io::{self, IoSlice};

use crate::disk::{Access, write_full};
use crate::format::Manifest;
use crate::listener::Health;
use crate::position::Position;

use super::Steward;

/// A checkpoint is not worth its writing before so many times of what the last one took was written.
const WORTH: u64 = 4;

impl Steward {
    /// Makes durable where replays begin, when a round is complete.
    pub(super) fn note_round(&mut self) -> io::Result<bool> {
        let Some(manifest) = self.shared.table().completed_round() else { return Ok(false) };
        let file = self.shared.disk.open(Manifest::NAME, Access::Write)?;
        write_full(&*file, manifest.place(), &mut [IoSlice::new(&manifest.encode())])?;
        file.sync()?;
        self.shared.table().noted(manifest);
        Ok(true)
    }

    /// Asks all owners for a checkpoint, if it is time.
    pub(super) fn begin_round(&mut self) -> bool {
        let owners = self.shared.owners();
        // What cannot be written now would only fail.
        let possible = !owners.is_empty() && !matches!(self.shared.health(), Health::Failing(_));
        let mut table = self.shared.table();
        let worth = self.shared.options.checkpoint_bytes.max(WORTH * table.last_round_bytes);
        let is_time = table.round_is_wanted || table.written >= worth;
        let ready = table.restored && table.round.is_none() && table.told > Position::ZERO;
        if !(possible && is_time && ready) {
            return false;
        }
        let round = table.begin_round(owners.iter().map(|owner| owner.stream).collect());
        drop(table);
        for owner in owners {
            owner.listener.checkpoint(round);
        }
        true
    }
}
