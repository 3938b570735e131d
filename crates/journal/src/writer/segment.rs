//! The segment that the writer writes to.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::format::{SEGMENT_HEADER_BYTES, segment_name};
use crate::shared::Shared;

#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u32,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) length: u64,
    /// Where the next batch goes.
    pub(super) end: u32,
    /// Its header is not written yet.
    pub(super) fresh: bool,
    /// Its file's name may not survive a crash yet.
    pub(super) name_is_volatile: bool,
}

impl Open {
    /// The next segment, with room for `bytes`: one that was prepared, or else a new file. A new file has space but no
    /// zeros, so syncs into it are slower; that is better than waiting for the zeros.
    pub(super) fn next(shared: &Shared, bytes: usize) -> io::Result<Self> {
        let needed = (SEGMENT_HEADER_BYTES + bytes) as u64;
        let taken = shared.table().take();
        let (number, file, mut length, name_is_volatile) = match taken {
            Ok(prepared) => (prepared.number, prepared.file, prepared.length, false),
            Err(number) => (number, shared.disk.create(&segment_name(number))?, 0, true),
        };
        let wanted = needed.max(u64::from(shared.options.segment_bytes));
        if length < wanted {
            file.allocate(wanted).inspect_err(|_| {
                // It holds nothing. If it cannot be removed, the next start will.
                let _ = shared.disk.remove(&segment_name(number));
            })?;
            length = wanted;
        }
        Ok(Self { number, file, length, end: SEGMENT_HEADER_BYTES as u32, fresh: true, name_is_volatile })
    }

    pub(super) fn room(&self) -> usize {
        self.length.min(u64::from(u32::MAX)) as usize - self.end as usize
    }
}
