//! The seam to the disk: the only thing under the journal, and one folder of it.
//!
//! It is as small as the journal needs, so that a test can put a disk there that loses, tears and refuses
//! (`simulation`). It knows nothing of segments; names are relative to the journal's folder.

mod real;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

pub use real::RealDisk;

/// The folder of a journal.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Keeps every other process out until what is returned is dropped.
    ///
    /// # Errors
    /// `Held` when somebody else has it.
    fn lock(&self) -> Result<Box<dyn Lock>, LockError>;

    /// The files in the folder itself, or in a folder in it; none if it does not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;

    /// An existing file.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// A new file, for its owner only. It must not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a folder in the folder, unless it is there.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_folder(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name; what had that name is gone.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable: what was created, renamed and removed before.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
}

/// A file of it. Its methods take `&self`: a writer and readers share it.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Its length.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// What the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes pieces one behind the other, from `offset` on; may write less, and says how much.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, offset: u64, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Reads from `offset` on; may read less, and nothing at the end.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Makes durable what was written, and the length.
    ///
    /// # Errors
    /// After an error the fate of what was written since the last success is unknown; trying again proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Claims space up to `length`, so that writing there cannot lack it.
    ///
    /// # Errors
    /// What the operating system says.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts the file to `length`.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// Held while it lives.
pub trait Lock: Send + Sync + fmt::Debug {}

/// Why a lock was not given.
#[derive(Debug)]
pub enum LockError {
    /// By whom, as far as is known.
    Held {
        /// The number of the process.
        pid: Option<u32>,
    },
    /// The disk failed.
    Io(io::Error),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only to look.
    Read,
    /// To read and write.
    Write,
}

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length.
    pub length: u64,
}

/// Reads all of a file that is known to be small.
pub(crate) fn read_small(disk: &dyn Disk, name: &str, most: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(name, Access::Read)?;
    let mut bytes = vec![0; most];
    let read = read_full(&*file, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads until `into` is full or the file ends.
pub(crate) fn read_full(file: &dyn DiskFile, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(offset + read as u64, &mut into[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Writes all of `pieces`, however often that takes.
pub(crate) fn write_full(file: &dyn DiskFile, offset: u64, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    let mut offset = offset;
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        match file.write_at(offset, pieces) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut pieces, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts a small file in the place of one with that name, so that a crash leaves either.
pub(crate) fn replace(disk: &dyn Disk, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<()> {
    match disk.remove(temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = disk.create(temporary)?;
    write_full(&*file, 0, &mut [IoSlice::new(bytes)])?;
    file.sync()?;
    disk.rename(temporary, name)?;
    disk.sync_folder("")
}
