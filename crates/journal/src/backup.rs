//! Copies of a folder: of a running journal everything that was durable when the copy began, and nothing later; of one that
//! nobody uses, everything.
//!
//! While somebody has a [`Pin`] nothing is freed; appending goes on. So whoever may read the files can copy them, in this
//! process or in another, and a copy opens like any other folder.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, Entry, read_full, read_small, replace, write_full};
use crate::format::{FORMAT_NAME, Manifest, SEGMENT_HEADER_BYTES, VERSION, format_text, segment_name};
use crate::journal::Journal;
use crate::recovery::files::{self, Content};
use crate::shared::Shared;
use crate::table::Segment;

/// Why there is no copy.
#[derive(Debug)]
pub enum BackupError {
    /// The folder for the copy holds something. Nothing was changed in it.
    NotEmpty,
    /// A disk failed. What was copied so far is no use.
    Io {
        /// With this file.
        name: String,
        /// What the operating system says.
        error: io::Error,
    },
}

impl BackupError {
    fn io(name: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { name: name.to_owned(), error }
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty => f.write_str("the folder for the copy is not empty"),
            Self::Io { name, error } => write!(f, "cannot copy {name} of the journal: {error}"),
        }
    }
}

impl std::error::Error for BackupError {}

/// What belongs to a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Segments, and how much of each.
    pub segments: Vec<Entry>,
    /// Small files with what stands in them, in the order in which they are written.
    pub small: Vec<(String, Vec<u8>)>,
}

impl Contents {
    /// Of a folder that nobody uses: all but locks, evidence of damage, and segments that wait to be used.
    ///
    /// # Errors
    /// When a disk fails.
    pub fn of(disk: &dyn Disk) -> io::Result<Self> {
        let holding = files::find(disk)?.into_iter().filter(|found| !matches!(found.content, Content::Empty));
        let segments = holding.map(|found| Entry { name: segment_name(found.number), length: found.length });
        let segments = segments.collect();
        let mut small = Vec::new();
        for (name, most) in [(Manifest::NAME, Manifest::FILE_BYTES), (FORMAT_NAME, FORMAT_BYTES_MAX)] {
            match read_small(disk, name, most) {
                Ok(bytes) => small.push((name.to_owned(), bytes)),
                // That is damage, which the copy shows as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { segments, small })
    }

    /// How much there is to copy.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let small = self.small.iter().map(|(_, bytes)| bytes.len() as u64);
        self.segments.iter().map(|entry| entry.length).chain(small).sum()
    }
}

/// While it lives nothing is freed.
pub struct Pin {
    shared: Arc<Shared>,
    contents: Contents,
}

impl Journal {
    /// Holds what is durable now where it is.
    #[must_use]
    pub fn pin(&self) -> Pin {
        let shared = Arc::clone(self.shared());
        let mut table = shared.table();
        table.pins += 1;
        // One that was begun in vain holds nothing that counts.
        let holding = table.segments.iter().filter(|(_, s)| s.end as usize > SEGMENT_HEADER_BYTES);
        let segments = holding.map(|(number, segment)| entry(*number, segment)).collect();
        let manifest = table.manifest.new_file();
        drop(table);
        // The format comes last: without it the folder is no journal.
        let format = format_text(VERSION).into_bytes();
        let small = vec![(Manifest::NAME.to_owned(), manifest), (FORMAT_NAME.to_owned(), format)];
        Pin { shared, contents: Contents { segments, small } }
    }
}

fn entry(number: u32, segment: &Segment) -> Entry {
    let length = if segment.end_is_known { u64::from(segment.end) } else { segment.length };
    Entry { name: segment_name(number), length }
}

impl Pin {
    /// What it holds.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.pins -= 1;
        table.changed = true;
        drop(table);
        self.shared.changed.notify_one();
    }
}

/// Copies `contents` into an empty folder. `told` hears every piece with the name of its file, in order. Damage that is in the
/// original is in the copy; [`verify`](crate::verify) finds it.
///
/// # Errors
/// When the folder is not empty, or a disk fails.
pub fn copy(
    from: &dyn Disk,
    contents: &Contents,
    to: &dyn Disk,
    told: &mut dyn FnMut(&str, &[u8]),
) -> Result<(), BackupError> {
    if !to.list("").map_err(BackupError::io("the folder"))?.is_empty() {
        return Err(BackupError::NotEmpty);
    }
    for Entry { name, length } in &contents.segments {
        let from = match from.open(name, Access::Read) {
            Ok(from) => from,
            // Damage, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(BackupError::io(name)(error)),
        };
        let copied =
            to.create(name).and_then(|to| copy_file(&*from, *length, &*to, &mut |piece| told(name, piece)));
        copied.map_err(BackupError::io(name))?;
    }
    for (name, bytes) in &contents.small {
        told(name, bytes);
        replace(to, name, &format!("{name}.new"), bytes).map_err(BackupError::io(name))?;
    }
    Ok(())
}

fn copy_file(
    from: &dyn DiskFile,
    length: u64,
    to: &dyn DiskFile,
    told: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES.min(length as usize)];
    let mut at = 0;
    while at < length {
        let wanted = (length - at).min(COPY_BYTES as u64) as usize;
        let read = read_full(from, at, &mut buffer[..wanted])?;
        if read == 0 {
            // Shorter than it should be: that is damage, which the copy shows as well.
            break;
        }
        told(&buffer[..read]);
        write_full(to, at, &mut [IoSlice::new(&buffer[..read])])?;
        at += read as u64;
    }
    to.sync()
}

const COPY_BYTES: usize = 1 << 20;
const FORMAT_BYTES_MAX: usize = 4096;
