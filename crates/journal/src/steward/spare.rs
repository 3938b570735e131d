//! Segments for what comes: freed ones used again, or new ones filled with zeros.
//!
//! Zeros matter: into a file whose blocks were written before, a sync has no metadata to write. A segment that is used
//! again needs none; its old frames name another segment, so nobody takes them for new ones.

use std::io::{self, IoSlice};

use crate::disk::{Access, write_full};
use crate::format::segment_name;
use crate::listener::Failure;
use crate::options::Level;
use crate::table::Prepared;

use super::Steward;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl Steward {
    /// Frees one segment in which nothing lives and which no replay needs.
    pub(super) fn free_one(&mut self) -> io::Result<bool> {
        let mut table = self.shared.table();
        if !table.restored || table.pins > 0 {
            return Ok(false);
        }
        let found = table.dead_segment();
        let Some((number, segment)) = found.and_then(|number| table.segments.remove_entry(&number)) else {
            return Ok(false);
        };
        let kept_max = self.shared.options.spare_segments + self.shared.options.recycled_segments_max;
        let reusable =
            segment.length == u64::from(self.shared.options.segment_bytes) && table.prepared.len() < kept_max;
        let new_number = reusable.then(|| table.claim_number());
        drop(table);
        let name = segment_name(number);
        let freed = match new_number {
            Some(new_number) => self.reuse(&name, new_number, segment.length),
            None => self.shared.disk.remove(&name),
        };
        if freed.is_err() && self.shared.disk.open(&name, Access::Read).is_ok() {
            self.shared.table().segments.insert(number, segment);
        }
        freed.map(|()| true)
    }

    fn reuse(&self, name: &str, number: u32, length: u64) -> io::Result<()> {
        let new_name = segment_name(number);
        self.shared.disk.rename(name, &new_name)?;
        self.shared.disk.sync_folder("")?;
        let file = self.shared.disk.open(&new_name, Access::Write)?;
        self.put(Prepared { number, file, length })
    }

    /// Makes one segment ready, if there are fewer than there should be.
    pub(crate) fn prepare_one(&mut self) -> io::Result<bool> {
        let number = {
            let mut table = self.shared.table();
            if table.prepared.len() >= self.shared.options.spare_segments {
                drop(table);
                self.shared.set_spare_missing(false);
                self.rounds_for_space = 0;
                return Ok(false);
            }
            table.claim_number()
        };
        let prepared = self.prepare(number);
        if let Err(error) = &prepared {
            // Said while there is still room in the segment that is in use.
            self.shared.set_spare_missing(true);
            if Failure::of(error) == Failure::Full {
                self.make_space();
            }
        }
        prepared.map(|()| true)
    }

    fn prepare(&self, number: u32) -> io::Result<()> {
        let name = segment_name(number);
        let length = u64::from(self.shared.options.segment_bytes);
        let file = self.shared.disk.create(&name)?;
        let filled = file.allocate(length).and_then(|()| {
            if self.shared.options.level == Level::Os {
                return Ok(());
            }
            let mut at = 0;
            while at < length {
                let bytes = (length - at).min(ZEROS.len() as u64);
                write_full(&*file, at, &mut [IoSlice::new(&ZEROS[..bytes as usize])])?;
                at += bytes;
            }
            file.sync()?;
            self.shared.disk.sync_folder("")
        });
        if filled.is_err() {
            // What is left of it would take space that is scarce; the next start removes what cannot be removed now.
            let _ = self.shared.disk.remove(&name);
        }
        filled?;
        self.put(Prepared { number, file, length })
    }

    /// Puts a segment behind the others that wait, under a higher number if the writer was faster.
    fn put(&self, mut prepared: Prepared) -> io::Result<()> {
        loop {
            let put = self.shared.table().put(prepared);
            let Err((late, number)) = put else { return Ok(()) };
            self.shared.disk.rename(&segment_name(late.number), &segment_name(number))?;
            self.shared.disk.sync_folder("")?;
            prepared = Prepared { number, ..late };
        }
    }
}
