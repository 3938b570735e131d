//! The journal of a data folder: opened before the shards start, heard to its end, and dealt out to them.

use std::path::Path;
use std::sync::Arc;

use tidegate_core::{Recovery, Restored};
use tidegate_journal::{
    Damage, Journal, Level, OpenError, Options, Position, RealDisk, Record, Replay, Report,
};

/// A journal that was read to its end.
pub struct OpenedJournal {
    pub(crate) journal: Arc<Journal>,
    pub(crate) restored: Vec<Restored>,
    /// What the journal found.
    pub report: Report,
    /// Sessions that came back.
    pub sessions: usize,
    /// Retained messages that came back.
    pub retained: usize,
    /// Records that could not be understood, or that refer to what is not there.
    pub lost: u64,
}

/// Opens the journal in `folder`, which is made if it is not there, for a broker of `shards` shards under `seed`.
///
/// # Errors
/// When another process has the folder, when a newer program has written it, or when the disk fails. Never because of
/// damage, which is in the report.
pub fn open_journal(folder: &Path, level: Level, seed: u64, shards: u8) -> Result<OpenedJournal, OpenError> {
    let disk = RealDisk::create(folder).map_err(|error| OpenError::Io { what: "make the folder", error })?;
    let options = Options { level, ..Options::default() };
    let mut hearing = Hearing(Recovery::default());
    let (journal, report) = Journal::open(Arc::new(disk), options, &mut hearing)?;
    let mut recovery = hearing.0;
    recovery.hold(|place| journal.hold(Position::from_u64(place.position()), place.length()));
    let mut lookup = journal.lookup();
    recovery.read(|place| lookup.read(Position::from_u64(place.position()), place.length()).ok());
    drop(lookup);
    let ((sessions, retained), lost) = (recovery.counts(), recovery.lost());
    let restored = recovery.split(seed, shards);
    Ok(OpenedJournal { journal: Arc::new(journal), restored, report, sessions, retained, lost })
}

struct Hearing(Recovery);

impl Replay for Hearing {
    fn begin(&mut self) {
        self.0.begin();
    }

    fn record(&mut self, record: Record<'_>) {
        self.0.record(record.bytes, record.position.to_u64());
    }

    fn damaged(&mut self, damage: &Damage) {
        tracing::error!("the journal is damaged: {damage}. What is around it is served");
    }
}
