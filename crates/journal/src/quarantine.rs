//! Evidence: copies of what is damaged, and the list of it. Nothing here ever stops anything.

use std::io::{self, IoSlice};

use crate::disk::{Disk, read_small, write_full};
use crate::limits::{DAMAGES_LISTED_MAX, QUARANTINE_BYTES_MAX, QUARANTINE_PIECE_BYTES_MAX, WALK_READ_BYTES};
use crate::replay::{Damage, Report};
use crate::walk::Walk;

/// The small files of the folder are smaller.
const SMALL_FILE_BYTES_MAX: usize = 64 << 10;

pub(crate) const FOLDER: &str = "quarantine";

pub(crate) struct Quarantine<'d> {
    disk: &'d dyn Disk,
    damages: Vec<Damage>,
    total: u64,
}

impl<'d> Quarantine<'d> {
    pub(crate) fn new(disk: &'d dyn Disk) -> Self {
        Self { disk, damages: Vec::new(), total: 0 }
    }

    /// Puts damage on the list, once.
    pub(crate) fn note(&mut self, damage: Damage) {
        let known = |other: &Damage| {
            (other.segment, other.offset, other.what) == (damage.segment, damage.offset, damage.what)
        };
        if self.damages.iter().any(known) {
            return;
        }
        self.total += 1;
        if self.damages.len() < DAMAGES_LISTED_MAX {
            self.damages.push(damage);
        }
    }

    /// Copies bytes of a segment and says where; `None` if that was not possible. What was copied at an earlier start is
    /// not copied again.
    pub(crate) fn save(
        &mut self,
        walk: &mut Walk<'_>,
        segment: u32,
        offset: u64,
        bytes: u64,
    ) -> Option<String> {
        let name = format!("{FOLDER}/{segment:016x}-{offset}.bin");
        self.copy(&name, bytes.min(QUARANTINE_PIECE_BYTES_MAX), |at, length| {
            let left = walk.length().saturating_sub(offset + at);
            walk.bytes(offset + at, length.min(left as usize)).map(<[u8]>::to_vec)
        })
        .ok()?;
        Some(name)
    }

    /// Copies one of the small files before it is written anew.
    pub(crate) fn keep(&mut self, name: &str) {
        if let Ok(bytes) = read_small(self.disk, name, SMALL_FILE_BYTES_MAX) {
            let copy = format!("{FOLDER}/{name}-{:08x}.bin", crc32c::crc32c(&bytes));
            let _ = self.copy(&copy, bytes.len() as u64, |at, length| {
                bytes.get(at as usize..at as usize + length).map(<[u8]>::to_vec)
            });
        }
    }

    fn copy(
        &mut self,
        name: &str,
        bytes: u64,
        mut read: impl FnMut(u64, usize) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let kept = self.disk.list(FOLDER)?;
        if kept.iter().any(|entry| name.ends_with(&entry.name)) {
            return Ok(());
        }
        if kept.iter().map(|entry| entry.length).sum::<u64>() + bytes > QUARANTINE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.create_folder(FOLDER)?;
        // Under another name first, so that a copy that was interrupted is made again.
        let temporary = format!("{FOLDER}/copying");
        if kept.iter().any(|entry| entry.name == "copying") {
            self.disk.remove(&temporary)?;
        }
        let file = self.disk.create(&temporary)?;
        let mut at = 0;
        while at < bytes {
            let Some(piece) = read(at, (bytes - at).min(WALK_READ_BYTES as u64) as usize) else { break };
            if piece.is_empty() {
                break;
            }
            write_full(&*file, at, &mut [IoSlice::new(&piece)])?;
            at += piece.len() as u64;
        }
        file.sync()?;
        self.disk.rename(&temporary, name)?;
        self.disk.sync_folder(FOLDER)?;
        self.disk.sync_folder("")
    }

    pub(crate) fn finish(self, report: &mut Report) {
        report.damages = self.damages;
        report.damages_total = self.total;
    }
}
