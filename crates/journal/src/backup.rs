//! A consistent copy of the folder of a running journal: everything that was durable when it began, and nothing later.
//!
//! While it runs nothing is freed; appending goes on. The copy is verified, and opens like any other folder.

use std::fmt;
use std::io::{self, IoSlice};

use crate::disk::{Access, Disk, DiskFile, read_full, replace, write_full};
use crate::format::{FORMAT_NAME, Manifest, SEGMENT_HEADER_BYTES, VERSION, format_text, segment_name};
use crate::inspect::{Inspection, verify};
use crate::journal::Journal;
use crate::replay::OpenError;
use crate::shared::Shared;
use crate::table::Segment;

/// Why there is no copy.
#[derive(Debug)]
pub enum BackupError {
    /// The folder for the copy holds something. Nothing was changed in it.
    NotEmpty,
    /// A disk failed. What was copied so far is no use.
    Io(io::Error),
    /// The copy could not be looked at.
    Unverified(OpenError),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty => f.write_str("the folder for the copy is not empty"),
            Self::Io(error) => write!(f, "cannot copy the journal: {error}"),
            Self::Unverified(error) => write!(f, "cannot verify the copy: {error}"),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Journal {
    /// Copies everything that is durable now into an empty folder, and verifies the copy. Damage that is in the original
    /// is in the copy, and the inspection that is returned lists it. Takes as long as copying does; call it on a thread
    /// that has the time.
    ///
    /// # Errors
    /// When the folder is not empty, or a disk fails.
    pub fn backup(&self, to: &dyn Disk) -> Result<Inspection, BackupError> {
        if !to.list("")?.is_empty() {
            return Err(BackupError::NotEmpty);
        }
        let shared = self.shared();
        let pin = Pin::of(shared);
        for (number, segment) in &pin.segments {
            let name = segment_name(*number);
            let from = shared.disk.open(&name, Access::Read)?;
            let length = if segment.end_is_known { u64::from(segment.end) } else { segment.length };
            copy(&*from, length, &*to.create(&name)?)?;
        }
        replace(to, Manifest::NAME, "manifest.new", &pin.manifest.new_file())?;
        drop(pin);
        // Last: without it the folder is no journal.
        replace(to, FORMAT_NAME, "format.new", format_text(VERSION).as_bytes())?;
        verify(to).map_err(BackupError::Unverified)
    }
}

/// Copies a folder that no journal is using into an empty one, for example a backup to where it shall be used, and verifies
/// the copy. Locks and evidence of damage stay behind.
///
/// # Errors
/// When the folder is not empty, or a disk fails.
pub fn restore(from: &dyn Disk, to: &dyn Disk) -> Result<Inspection, BackupError> {
    if !to.list("")?.is_empty() {
        return Err(BackupError::NotEmpty);
    }
    verify(from).map_err(BackupError::Unverified)?;
    let mut entries = from.list("")?;
    // The format comes last here, too.
    entries.sort_by_key(|entry| entry.name == FORMAT_NAME);
    for entry in entries.iter().filter(|entry| entry.name != "lock") {
        copy(&*from.open(&entry.name, Access::Read)?, entry.length, &*to.create(&entry.name)?)?;
    }
    to.sync_folder("")?;
    verify(to).map_err(BackupError::Unverified)
}

/// While it lives nothing is freed.
struct Pin<'a> {
    shared: &'a Shared,
    /// What there was when it began.
    segments: Vec<(u32, Segment)>,
    manifest: Manifest,
}

impl<'a> Pin<'a> {
    fn of(shared: &'a Shared) -> Self {
        let mut table = shared.table();
        table.pins += 1;
        // One that was begun in vain holds nothing that counts.
        let holding = table.segments.iter().filter(|(_, s)| s.end as usize > SEGMENT_HEADER_BYTES);
        let segments = holding.map(|(number, segment)| (*number, *segment)).collect();
        Self { shared, segments, manifest: table.manifest }
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.pins -= 1;
        table.changed = true;
        drop(table);
        self.shared.changed.notify_one();
    }
}

fn copy(from: &dyn DiskFile, length: u64, to: &dyn DiskFile) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES.min(length as usize)];
    let mut at = 0;
    while at < length {
        let wanted = (length - at).min(COPY_BYTES as u64) as usize;
        let read = read_full(from, at, &mut buffer[..wanted])?;
        if read == 0 {
            // Shorter than it should be: that is damage, which the copy shows as well.
            break;
        }
        write_full(to, at, &mut [IoSlice::new(&buffer[..read])])?;
        at += read as u64;
    }
    to.sync()
}

const COPY_BYTES: usize = 1 << 20;
