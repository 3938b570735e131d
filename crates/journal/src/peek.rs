//! A replay that changes nothing: what an owner would be told if the folder were opened now.
//!
//! It takes no lock and works beside a running journal too. There it shows one moment, and what is being written is left
//! out; if the folder changes under it so much that something seems to be missing, it looks again.

use std::io;
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, Entry, Lock, LockError, read_small};
use crate::format::Manifest;
use crate::position::Round;
use crate::quarantine::Quarantine;
use crate::recovery::chain::Chain;
use crate::recovery::files::{self, Content};
use crate::recovery::reading::Reading;
use crate::recovery::tail::{self, Tail};
use crate::recovery::{folder, of_segment};
use crate::replay::{Flaw, OpenError, Replay, Report};

/// What a folder looks like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// As an opening would have it.
    pub report: Report,
    /// The last complete round of checkpoints.
    pub round: Round,
    /// The files of segments, those that wait to be used too.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
}

/// Tells `replay` everything since the last checkpoint.
///
/// # Errors
/// When a newer program has written the folder, or it cannot be read. Never because of damage.
pub fn peek(disk: &dyn Disk, replay: &mut dyn Replay) -> Result<Peek, OpenError> {
    let disk = &ReadOnly(disk);
    let mut before = generation(disk);
    for _ in 1..ATTEMPTS_MAX {
        let peeked = attempt(disk, replay)?;
        let after = generation(disk);
        // What a checkpoint has made unnecessary may have gone while it was read.
        if peeked.report.damages_total == 0 || after == before {
            return Ok(peeked);
        }
        before = after;
    }
    attempt(disk, replay)
}

fn attempt(disk: &dyn Disk, replay: &mut dyn Replay) -> Result<Peek, OpenError> {
    folder::refuse_newer(disk)?;
    // Before the files are listed: those that it counts on are there by then.
    let manifest = read_manifest(disk);
    let files = files::find(disk).map_err(OpenError::io("list the journal"))?;
    let mut damages = Quarantine::new(disk);
    folder::check_format(disk, &files, &mut damages)?;
    if manifest.is_none() && !files.is_empty() {
        damages.note(of_segment(0, Flaw::Manifest));
    }
    let newest = files.iter().rev().find(|found| found.content.is_log());
    let chain = Chain::of(&files, newest, manifest.as_ref(), &mut damages);
    let tail = match newest {
        Some(newest) => tail::find(disk, newest.number).map_err(OpenError::io("read the last segment"))?,
        None => Tail::default(),
    };
    let manifest = manifest.unwrap_or_else(|| chain.whole());
    let mut reading = Reading { disk, quarantine: &mut damages, replay, report: Report::default() };
    reading.replay(&chain, manifest, tail.end);
    let mut report = reading.report;
    let torn = files.iter().filter_map(|found| match found.content {
        Content::Torn { end } => Some(u64::from(end)),
        _ => None,
    });
    report.torn_bytes = torn.sum::<u64>() + tail.torn.map_or(0, |(from, to)| to - from);
    report.segments = files.iter().filter(|found| found.content.is_log()).count() as u64;
    damages.finish(&mut report);
    let files_bytes = files.iter().map(|found| found.length).sum();
    Ok(Peek { report, round: manifest.round, files: files.len() as u64, files_bytes })
}

fn read_manifest(disk: &dyn Disk) -> Option<Manifest> {
    Manifest::of_file(&read_small(disk, Manifest::NAME, Manifest::FILE_BYTES).unwrap_or_default())
}

fn generation(disk: &dyn Disk) -> Option<u64> {
    read_manifest(disk).map(|manifest| manifest.generation)
}

/// More often than this a folder is not looked at again; then what seems to be damaged is reported as such.
const ATTEMPTS_MAX: u32 = 4;

/// The same disk, on which nothing can be changed: what would copy damage aside finds that it cannot.
#[derive(Debug)]
struct ReadOnly<'d>(&'d dyn Disk);

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadOnly<'_> {
    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        refused().map_err(LockError::Io)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.0.list(folder)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        if access == Access::Read { self.0.open(name, access) } else { refused() }
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        refused()
    }

    fn create_folder(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        refused()
    }
}
