//! The journal as a whole: opening, its threads, its end.

mod threads;

use std::fmt;
use std::sync::Arc;

use crate::appender::Appender;
use crate::clock::Clock;
use crate::disk::{Disk, Lock};
use crate::inbox::Owner;
use crate::listener::{Health, Listener};
use crate::marks::Mark;
use crate::options::Options;
use crate::position::{Position, Round, Stream};
use crate::reader::{Lookup, Reader};
use crate::recovery::recover;
use crate::replay::{OpenError, Replay, Report};
use crate::shared::Shared;
use crate::steward::Steward;
use crate::submission::record_bytes;
use crate::writer::Writer;

use threads::Threads;

/// A folder that is open for appending. Dropping it finishes what was submitted, and then lets go of the folder.
pub struct Journal {
    shared: Arc<Shared>,
    threads: Threads,
    /// Let go of last.
    _lock: Box<dyn Lock>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("disk", &self.shared.disk).finish_non_exhaustive()
    }
}

/// The parts that do the work, not yet in threads.
pub(crate) struct Workers {
    pub(crate) writer: Writer,
    pub(crate) steward: Steward,
    pub(crate) reader: Reader,
}

impl Journal {
    /// Opens the folder, tells `replay` what is in it, and starts to work.
    ///
    /// # Errors
    /// When somebody else has it, a newer program has written it, or the disk fails. Never because of damage.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        replay: &mut dyn Replay,
    ) -> Result<(Self, Report), OpenError> {
        let (mut journal, mut workers, report) = Self::recover(disk, options, replay)?;
        // Without one the first segment would be a file without zeros, and each sync into it slower. If it fails, the
        // steward tries again and says so.
        let _ = workers.steward.prepare_one();
        journal.threads =
            Threads::start(&journal.shared, workers).map_err(OpenError::io("start a thread"))?;
        Ok((journal, report))
    }

    /// The same without threads: nothing happens but in calls of the driver, so a test can repeat it exactly.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg(any(test, feature = "simulation"))]
    pub fn open_manual(
        disk: Arc<dyn Disk>,
        options: Options,
        replay: &mut dyn Replay,
    ) -> Result<(Self, crate::Driver, Report), OpenError> {
        let (journal, workers, report) = Self::recover(disk, options, replay)?;
        let driver = crate::Driver::new(workers);
        Ok((journal, driver, report))
    }

    fn recover(
        disk: Arc<dyn Disk>,
        options: Options,
        replay: &mut dyn Replay,
    ) -> Result<(Self, Workers, Report), OpenError> {
        let clock = Clock::start();
        let options = options.within_reason();
        let recovered = recover(&*disk, &options, replay)?;
        let shared = Arc::new(Shared::new(disk, options, recovered.table));
        let writer = Writer::new(Arc::clone(&shared), recovered.end, recovered.next_batch);
        let steward = Steward::new(Arc::clone(&shared));
        let reader = Reader::new(Arc::clone(&shared));
        let report = Report { took: clock.elapsed(), ..recovered.report };
        let journal = Self { shared, threads: Threads::default(), _lock: recovered.lock };
        Ok((journal, Workers { writer, steward, reader }, report))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A hand for the owner of `stream`. Each stream has one at a time. Make those of all streams that have anything before
    /// [`restored`](Self::restored).
    pub fn appender(&self, stream: Stream, listener: Arc<dyn Listener>) -> Appender {
        let owner = Arc::new(Owner::new(stream, listener));
        self.shared.add_owner(Arc::clone(&owner));
        self.shared.table().owner_came();
        self.shared.changed.notify_one();
        Appender::new(Arc::clone(&self.shared), owner)
    }

    /// After a restart: somebody still refers to the Message record of `length` bytes at `position`, whether it was told in
    /// the replay or is older. This counts as its mark until the next round of checkpoints; so say so for each segment at
    /// least once, and better for each record. `false` when no such record can be there: then it is lost, and the
    /// report says why.
    pub fn hold(&self, position: Position, length: u32) -> bool {
        let bytes = record_bytes(length);
        let mut table = self.shared.table();
        table.holds(position, bytes) && table.add_live(position.segment(), Mark { records: 1, bytes })
    }

    /// Reads Message records on the caller's thread, for who needs some before anything begins. Later there is
    /// [`Appender::fetch`], which nobody waits for.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        Lookup::new(Arc::clone(&self.shared))
    }

    /// After a restart, also of an empty folder: everything that is still needed is held, and every stream that has
    /// anything has its appender. From now on checkpoints are asked for and space is freed: who has no appender is not
    /// asked, so what it has would be lost.
    pub fn restored(&self) {
        let mut table = self.shared.table();
        (table.restored, table.changed) = (true, true);
        drop(table);
        self.shared.changed.notify_one();
    }

    /// Asks all owners for a checkpoint now, for example before the program ends, so that the next start is quick.
    pub fn request_checkpoint(&self) {
        let mut table = self.shared.table();
        (table.round_is_wanted, table.changed) = (true, true);
        drop(table);
        self.shared.changed.notify_one();
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// What it occupies.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let table = self.shared.table();
        let length: u64 = table.segments.values().map(|segment| segment.length).sum();
        Usage {
            segments: table.segments.len(),
            spare_segments: table.prepared.len(),
            bytes: length + table.prepared.iter().map(|prepared| prepared.length).sum::<u64>(),
            live_bytes: table.live_bytes(),
            end: table.end,
            round: table.manifest.round,
            replay_start: table.manifest.start,
        }
    }
}

/// What a journal occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Segments in use.
    pub segments: usize,
    /// Segments that wait to be used.
    pub spare_segments: usize,
    /// The files of both.
    pub bytes: u64,
    /// Message records that count as alive: marked in the last complete round of checkpoints, or written since it began. An
    /// estimate: what has died since is in it, and what was marked several times counts as often.
    pub live_bytes: u64,
    /// Where the durable log ends.
    pub end: Position,
    /// The last complete round of checkpoints.
    pub round: Round,
    /// Where a replay would begin: where that round did.
    pub replay_start: Position,
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.inbox.close();
        self.shared.requests.close();
        self.shared.table().closed = true;
        self.shared.changed.notify_one();
        self.threads.join();
    }
}
