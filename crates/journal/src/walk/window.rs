//! A piece of a file in memory that moves along with who reads it.

use std::io;

use crate::disk::{DiskFile, read_full};
use crate::limits::{SALVAGE_READ_BYTES, WALK_READ_BYTES};

pub(crate) struct Window<'a> {
    file: &'a dyn DiskFile,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile) -> io::Result<Self> {
        Ok(Self { file, length: file.len()?, start: 0, bytes: Vec::new() })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// `length` bytes from `offset` on; `None` if the file ends before. What the disk cannot read appears as zeros, so
    /// no checksum holds there.
    pub(crate) fn get(&mut self, offset: u64, length: usize) -> Option<&[u8]> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length)?;
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            self.fill(offset, length);
        }
        let begin = (offset - self.start) as usize;
        self.bytes.get(begin..begin + length)
    }

    fn fill(&mut self, offset: u64, length: usize) {
        let wanted = (length.max(WALK_READ_BYTES) as u64).min(self.length - offset) as usize;
        self.start = offset;
        if wanted < self.bytes.capacity() / 4 {
            // One giant record does not cost its memory for the rest of the walk.
            self.bytes = Vec::new();
        }
        self.bytes.resize(wanted, 0);
        if !matches!(read_full(self.file, offset, &mut self.bytes), Ok(read) if read == wanted) {
            self.salvage();
        }
    }

    /// Reads piece by piece what could not be read at once.
    fn salvage(&mut self) {
        for (index, piece) in self.bytes.chunks_mut(SALVAGE_READ_BYTES).enumerate() {
            let at = self.start + (index * SALVAGE_READ_BYTES) as u64;
            if !matches!(read_full(self.file, at, piece), Ok(read) if read == piece.len()) {
                piece.fill(0);
            }
        }
    }
}
