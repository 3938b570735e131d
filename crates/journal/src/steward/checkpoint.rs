//! Rounds of checkpoints: asked for when it is time, complete when every stream says so.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::disk::{Access, write_full};
use crate::format::Manifest;
use crate::limits::NEARLY_FULL_SHARE;
use crate::listener::Health;
use crate::position::Position;

use super::Steward;

impl Steward {
    /// Makes durable where replays begin, when a round is complete.
    pub(super) fn note_round(&mut self) -> io::Result<bool> {
        let Some((round, manifest)) = self.shared.table().completed_round() else { return Ok(false) };
        let file = self.shared.disk.open(Manifest::NAME, Access::Write)?;
        write_full(&*file, manifest.place(), &mut [IoSlice::new(&manifest.encode())])?;
        file.sync()?;
        self.shared.table().noted(&round, manifest);
        Ok(true)
    }

    /// Asks all owners for a checkpoint, if it is time.
    pub(super) fn begin_round(&mut self) -> bool {
        let owners = self.shared.owners();
        // What cannot be written now would only fail.
        let health = self.shared.health();
        let possible = !owners.is_empty() && !matches!(health, Health::Failing(_));
        let options = &self.shared.options;
        let mut table = self.shared.table();
        let ready = table.restored && table.round.is_none() && table.told > Position::ZERO;
        if !(possible && ready && table.round_is_due(options)) {
            return false;
        }
        let bytes_max = match health {
            // What is written again takes space, and gives some back only after another round.
            Health::NearlyFull => table.room() / NEARLY_FULL_SHARE,
            _ => options.evacuation_bytes_max,
        };
        let evacuate: Arc<[u32]> = table.worth_emptying(options, bytes_max).into();
        let streams = owners.iter().map(|owner| owner.stream).collect();
        let round = table.begin_round(streams, Arc::clone(&evacuate));
        drop(table);
        for owner in owners {
            owner.listener.checkpoint(round, Arc::clone(&evacuate));
        }
        true
    }
}
