//! Finds Message records by their position, on the thread of whoever looks.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::disk::{Access, DiskFile, read_full};
use crate::format::{RECORD_HEADER_BYTES, RecordHeader, segment_name};
use crate::limits::{DAMAGES_LISTED_MAX, OPEN_FILES_MAX};
use crate::listener::Unreadable;
use crate::position::{Kind, Position};
use crate::quarantine::Quarantine;
use crate::replay::{Damage, Flaw};
use crate::shared::Shared;
use crate::submission::record_bytes;
use crate::walk::Walk;

use super::cache::{BLOCK_BYTES, Cache};

/// Reads Message records at once, for an owner that needs some before it can begin. It waits for the disk; records that are
/// asked for in the order of their positions cost the fewest reads. Drop it when the start is over: the space of segments
/// that are freed meanwhile is not given back before.
pub struct Lookup {
    shared: Arc<Shared>,
    files: HashMap<u32, Arc<dyn DiskFile>>,
    cache: Cache,
    damages: Vec<Damage>,
}

impl Lookup {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let cache = Cache::new(shared.options.cache_bytes_max);
        Self { shared, files: HashMap::new(), cache, damages: Vec::new() }
    }

    /// The bytes of the Message record of `length` bytes at `position`.
    ///
    /// # Errors
    /// When no such record is there, its checksum does not hold, or the disk fails. Of a damaged one a copy was put aside,
    /// see [`damages`](Self::damages).
    pub fn read(&mut self, position: Position, length: u32) -> Result<Vec<u8>, Unreadable> {
        let segment = self.shared.table().segments.get(&position.segment()).copied();
        let segment = segment.ok_or(Unreadable::Gone)?;
        let end = u64::from(position.offset()) + record_bytes(length);
        if end > u64::from(segment.end) {
            return Err(Unreadable::Gone);
        }
        let read = self.copy(position, record_bytes(length) as usize, segment.end);
        // The file may have become another segment meanwhile; then the number was taken off the table before.
        if !self.shared.table().segments.contains_key(&position.segment()) {
            return Err(Unreadable::Gone);
        }
        let mut bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unreadable::Gone),
            Err(error) => return Err(Unreadable::Io(error.kind())),
        };
        let header = RecordHeader::decode(&bytes);
        if header.is_some_and(|h| h.kind == Kind::Message && h.fits(&bytes[RECORD_HEADER_BYTES..])) {
            bytes.drain(..RECORD_HEADER_BYTES);
            return Ok(bytes);
        }
        self.save(position, length);
        Err(Unreadable::Damaged)
    }

    /// What was found to be damaged so far, at most a thousand.
    #[must_use]
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    pub(super) fn take_damages(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damages)
    }

    /// An open file of a segment that was freed keeps its space.
    pub(super) fn close_files(&mut self) {
        self.files.clear();
    }

    /// The bytes of a record with its header.
    fn copy(&mut self, position: Position, length: usize, end: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut offset = u64::from(position.offset());
        if length > BLOCK_BYTES {
            let file = self.file(position.segment())?;
            let read = read_full(&*file, offset, &mut bytes)?;
            return if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let mut done = 0;
        while done < length {
            let block = self.block(position.segment(), (offset / BLOCK_BYTES as u64) as u32, end)?;
            let begin = (offset % BLOCK_BYTES as u64) as usize;
            let some = block.get(begin..).filter(|some| !some.is_empty());
            let some = some.ok_or(io::ErrorKind::UnexpectedEof)?;
            let count = some.len().min(length - done);
            bytes[done..done + count].copy_from_slice(&some[..count]);
            done += count;
            offset += count as u64;
        }
        Ok(bytes)
    }

    /// A block of a segment whose content ends at `end`; the last one is short.
    fn block(&mut self, segment: u32, index: u32, end: u32) -> io::Result<&[u8]> {
        let begin = u64::from(index) * BLOCK_BYTES as u64;
        let length = u64::from(end).saturating_sub(begin).min(BLOCK_BYTES as u64) as usize;
        // A block that has grown since it was read is read again.
        if !self.cache.has(segment, index, length) {
            let file = self.file(segment)?;
            let mut block = self.cache.vacant(length);
            let read = read_full(&*file, begin, &mut block)?;
            block.truncate(read);
            self.cache.put(segment, index, block);
        }
        Ok(self.cache.get(segment, index))
    }

    fn file(&mut self, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.files.get(&segment) {
            return Ok(Arc::clone(file));
        }
        if self.files.len() >= OPEN_FILES_MAX {
            self.files.clear();
        }
        let file = self.shared.disk.open(&segment_name(segment), Access::Read)?;
        self.files.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Keeps a copy of what is damaged.
    fn save(&mut self, position: Position, length: u32) {
        let (segment, offset, bytes) = (position.segment(), position.offset(), record_bytes(length));
        let file = self.file(segment).ok();
        let saved = file.and_then(|file| {
            let mut walk = Walk::new(&*file, segment, None).ok()?;
            Quarantine::new(&*self.shared.disk).save(&mut walk, segment, u64::from(offset), bytes)
        });
        if self.damages.len() < DAMAGES_LISTED_MAX {
            self.damages.push(Damage { segment, offset, bytes, what: Flaw::Record, saved });
        }
    }
}
