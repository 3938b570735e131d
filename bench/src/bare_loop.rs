//! What the disk itself can do: a loop that appends and syncs, and nothing else. A broker that syncs before it
//! acknowledges is judged beside it, on the same file system, in the same run and with batches of the same size.

use crate::clock;
use crate::fault::Fault;
use crate::histogram::Histogram;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The loop goes through the file again and again, so that the disk is not asked for more and more space.
const FILE_BYTES: usize = 64 << 20;

/// A file that can be appended to.
#[derive(Debug)]
pub struct BareLoop {
    file: File,
    at: usize,
    /// Bytes that differ, so that no file system stores them as a hole.
    content: Vec<u8>,
}

/// What was appended.
#[derive(Debug, Default)]
pub struct Appended {
    /// How many batches, each synced before the next.
    pub batches: u64,
    /// How long that took.
    pub nanos: u64,
    /// The time of each batch.
    pub latency: Histogram,
}

impl BareLoop {
    /// Makes the file in `folder` and fills it with zeros, so that a sync has no blocks to allocate: the best that a
    /// broker could have prepared.
    pub fn create(folder: &Path) -> Result<Self, Fault> {
        Self::prepare(&folder.join("bare-loop")).map_err(Fault::io("preparing the file of the bare loop"))
    }

    fn prepare(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self { file, at: 0, content: (0..FILE_BYTES).map(|index| index as u8 | 1).collect() })
    }

    /// Appends batches of `batch_bytes` until `end`.
    pub fn run(&mut self, batch_bytes: usize, end: u64, appended: &mut Appended) -> Result<(), Fault> {
        let begin = clock::nanos();
        let mut now = begin;
        while now < end {
            self.append(batch_bytes).map_err(Fault::io("appending in the bare loop"))?;
            let done = clock::nanos();
            appended.latency.record(done - now);
            appended.batches += 1;
            now = done;
        }
        appended.nanos += now - begin;
        Ok(())
    }

    /// Appends so many bytes, with the call that the broker's journal uses, and syncs them.
    pub fn append(&mut self, bytes: usize) -> io::Result<()> {
        let bytes = bytes.clamp(1, FILE_BYTES);
        if self.at + bytes > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.content[..bytes], self.at as u64)?;
        self.at += bytes;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_batch_is_counted_and_its_time_is_the_loops() {
        let folder = tempfile::tempdir().unwrap();
        let mut bare = BareLoop::create(folder.path()).unwrap();
        let mut appended = Appended::default();
        bare.run(300, clock::deadline(Duration::from_millis(20)), &mut appended).unwrap();
        assert!(appended.batches > 0);
        assert!(appended.nanos >= 20_000_000);
        assert_eq!(bare.at as u64, 300 * appended.batches % FILE_BYTES as u64);
        assert!(appended.latency.quantile(0.5).unwrap() <= appended.nanos * 2);
    }

    #[test]
    fn the_file_is_used_again_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut bare = BareLoop::create(folder.path()).unwrap();
        bare.at = FILE_BYTES - 10;
        bare.append(11).unwrap();
        assert_eq!(bare.at, 11);
        assert_eq!(folder.path().join("bare-loop").metadata().unwrap().len(), FILE_BYTES as u64);
    }
}
