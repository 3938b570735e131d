//! What may be chosen when a journal is opened.

/// What "committed" means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Synced to the disk: survives a power cut.
    #[default]
    Fsync,
    /// Handed to the operating system: survives the end of the process, however violent, and not a power cut.
    Os,
}

/// How a journal works. All bounds are in bytes unless they say otherwise.
///
/// There is no level "memory": who wants nothing on disk opens no journal.
#[derive(Clone, Debug)]
pub struct Options {
    /// What "committed" means.
    pub level: Level,
    /// The size of a segment file. A larger one wastes more at its end and is freed later; a smaller one costs a file and
    /// two syncs more often. A submission that is larger gets a segment of its own. At most 3 GiB.
    pub segment_bytes: u32,
    /// The largest batch. What is beyond waits for the next sync, so one batch bounds what a sync may take.
    pub batch_bytes_max: usize,
    /// What may wait to be written, for each appender. At this bound [`Appender::is_full`](crate::Appender::is_full) says so and
    /// its owner stops reading from its publishers; what it submits is taken all the same, so it overshoots by a turn.
    pub pending_bytes_max: usize,
    /// How many segments are kept prepared for what comes: at least one, so that a full disk is noticed while there is
    /// still room.
    pub spare_segments: usize,
    /// How many segments that have become free are kept for use again. Beyond it their files are removed.
    pub recycled_segments_max: usize,
    /// A checkpoint is asked for when so much was written since the last one began (and at least four times of what was
    /// written during it, so that checkpoints never become the main work); also when so much has died, or when twice as
    /// much could be freed by another one.
    pub checkpoint_bytes: u64,
    /// A segment is worth emptying when less than this many percent of it live. When more than half of what such
    /// segments hold is dead, those are, too, that are less than half alive.
    pub evacuation_live_percent: u32,
    /// So much dead content beside living is never worth an evacuation, in all segments together.
    pub evacuation_slack_bytes: u64,
    /// How much owners are asked to write again in one round of checkpoints. At least a segment; of one that is larger
    /// less must live before it is emptied.
    pub evacuation_bytes_max: u64,
    /// What the reader keeps of what it has read.
    pub cache_bytes_max: usize,
    /// How many requests may wait for the reader, for each appender. At the bound
    /// [`Appender::fetch`](crate::Appender::fetch) refuses.
    pub fetches_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::Fsync,
            segment_bytes: 64 << 20,
            batch_bytes_max: 8 << 20,
            pending_bytes_max: 64 << 20,
            spare_segments: 1,
            recycled_segments_max: 4,
            checkpoint_bytes: 256 << 20,
            evacuation_live_percent: 30,
            evacuation_slack_bytes: 256 << 20,
            evacuation_bytes_max: 64 << 20,
            cache_bytes_max: 32 << 20,
            fetches_max: 65_536,
        }
    }
}

impl Options {
    /// The same, with what makes no sense mended.
    pub(crate) fn within_reason(mut self) -> Self {
        self.segment_bytes = self.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX) & !7;
        self.spare_segments = self.spare_segments.max(1);
        self.evacuation_live_percent = self.evacuation_live_percent.min(99);
        self.evacuation_bytes_max = self.evacuation_bytes_max.max(u64::from(self.segment_bytes));
        self.fetches_max = self.fetches_max.max(1);
        self
    }
}

const SEGMENT_BYTES_MIN: u32 = 1024;
const SEGMENT_BYTES_MAX: u32 = 3 << 30;
