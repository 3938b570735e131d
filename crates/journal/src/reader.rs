//! Reads Message records back, for owners that keep only their positions in memory.
//!
//! Owners ask and go on; answers come to their listeners. Requests that wait together are read in the order of their
//! positions, through a cache of blocks, so neighbours cost one read and a message that many sessions hold is read once.
//! What comes out of the log is verified every time.

mod cache;
mod requests;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::disk::{Access, DiskFile, read_full};
use crate::format::{RECORD_HEADER_BYTES, RecordHeader, segment_name};
use crate::inbox::Owner;
use crate::limits::{ANSWERED_BYTES_MAX, OPEN_FILES_MAX};
use crate::listener::{Answer, Unreadable};
use crate::position::{Kind, Position};
use crate::quarantine::Quarantine;
use crate::replay::{Damage, Flaw};
use crate::shared::Shared;
use crate::submission::record_bytes;
use crate::walk::Walk;

use cache::{BLOCK_BYTES, Cache};
pub(crate) use requests::{Request, Requests};

pub(crate) struct Reader {
    shared: Arc<Shared>,
    requests: Vec<Request>,
    files: HashMap<u32, Arc<dyn DiskFile>>,
    cache: Cache,
    answers: Vec<(Arc<Owner>, Vec<Answer>)>,
    /// Bytes in `answers`.
    answered_bytes: usize,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let cache = Cache::new(shared.options.cache_bytes_max);
        let (requests, files, answers) = (Vec::new(), HashMap::new(), Vec::new());
        Self { shared, requests, files, cache, answers, answered_bytes: 0 }
    }

    /// Answers all requests that are waiting. `false` when there was none.
    pub(crate) fn turn(&mut self) -> bool {
        self.shared.requests.take(&mut self.requests);
        if self.requests.is_empty() {
            return false;
        }
        let mut requests = std::mem::take(&mut self.requests);
        requests.sort_unstable_by_key(|request| request.position);
        for request in requests.drain(..) {
            let result = self.read(&request);
            self.answer(request, result);
        }
        self.requests = requests;
        self.tell();
        // An open file of a segment that was freed keeps its space.
        self.files.clear();
        true
    }

    fn read(&mut self, request: &Request) -> Result<Vec<u8>, Unreadable> {
        let position = request.position;
        let segment = self.shared.table().segments.get(&position.segment()).copied();
        let segment = segment.ok_or(Unreadable::Gone)?;
        let end = u64::from(position.offset()) + record_bytes(request.length);
        if end > u64::from(segment.end) {
            return Err(Unreadable::Gone);
        }
        let read = self.copy(position, record_bytes(request.length) as usize, segment.end);
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
        self.report(position, request.length);
        Err(Unreadable::Damaged)
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

    /// Keeps a copy of what is damaged, and says so.
    fn report(&mut self, position: Position, length: u32) {
        let (segment, offset, bytes) = (position.segment(), position.offset(), record_bytes(length));
        let file = self.file(segment).ok();
        let saved = file.and_then(|file| {
            let mut walk = Walk::new(&*file, segment, None).ok()?;
            Quarantine::new(&*self.shared.disk).save(&mut walk, segment, u64::from(offset), bytes)
        });
        let damage = Damage { segment, offset, bytes, what: Flaw::Record, saved };
        for owner in self.shared.owners() {
            owner.listener.damaged(&damage);
        }
    }

    fn answer(&mut self, request: Request, result: Result<Vec<u8>, Unreadable>) {
        let Request { owner, position, tag, .. } = request;
        self.answered_bytes += result.as_ref().map_or(0, Vec::len);
        let answer = Answer { tag, position, result };
        match self.answers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &owner)) {
            Some((_, answers)) => answers.push(answer),
            None => {
                self.answers.retain(|(known, _)| Arc::strong_count(known) > 1);
                self.answers.push((owner, vec![answer]));
            }
        }
        if self.answered_bytes >= ANSWERED_BYTES_MAX {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.answered_bytes = 0;
        for (owner, answers) in self.answers.iter_mut().filter(|(_, answers)| !answers.is_empty()) {
            owner.fetching.fetch_sub(answers.len(), Ordering::Relaxed);
            owner.listener.fetched(answers);
            answers.clear();
        }
    }
}
