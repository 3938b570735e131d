//! The bounds that nobody turns, each with its reason and what happens there. The ones that somebody may want to turn
//! are in [`Options`](crate::Options).

/// The largest record. MQTT's largest packet is 256 MiB; the rest is for what its owner writes around it. A larger one is
/// refused when it is pushed.
pub const RECORD_BYTES_MAX: usize = (256 + 16) << 20;

/// The largest submission, so that offsets in a segment stay within 32 bits. A record that would exceed it is refused
/// when it is pushed; submit, and push it again.
pub const SUBMISSION_BYTES_MAX: usize = 1 << 30;

/// How many submissions one batch may have. Keeps what is done between two looks at the queue short.
pub(crate) const BATCH_SUBMISSIONS_MAX: usize = 4096;

/// How many pieces are given to the kernel in one write; Linux takes 1024. A batch with more is written in several.
pub(crate) const PIECES_MAX: usize = 64;

/// An emptied buffer of a submission is kept for the next one unless it has grown beyond this.
pub(crate) const POOLED_BUFFER_BYTES_MAX: usize = 2 << 20;

/// How many emptied buffers are kept.
pub(crate) const POOLED_BUFFERS_MAX: usize = 16;

/// After a failure the disk is tried again with the next submission, but not more often than this. In between
/// submissions fail at once, so a broken disk does not hold everybody up.
pub(crate) const PROBE_INTERVAL_MS: u64 = 100;

/// While no spare segment can be made, it is tried this often.
pub(crate) const SPARE_RETRY_MS: u64 = 500;

/// How many checkpoints may be asked for because the disk is full, until it no longer is. They take space themselves.
pub(crate) const ROUNDS_FOR_SPACE_MAX: u32 = 2;

/// While the disk is nearly full, a checkpoint may fill one in so many bytes that are left with content that it takes out of
/// segments, so that the images find room.
pub(crate) const NEARLY_FULL_SHARE: u64 = 4;

/// How much of a folder's damage is copied aside for each damaged place.
pub(crate) const QUARANTINE_PIECE_BYTES_MAX: u64 = 64 << 20;

/// How much `quarantine` may hold altogether. Beyond it damage is reported, and stays where it is, but is not copied.
pub(crate) const QUARANTINE_BYTES_MAX: u64 = 1 << 30;

/// How many damages a report lists; beyond it they are counted.
pub(crate) const DAMAGES_LISTED_MAX: usize = 1000;

/// How many files the reader keeps open while it works.
pub(crate) const OPEN_FILES_MAX: usize = 64;

/// After so many bytes the reader tells what it has before it goes on.
pub(crate) const ANSWERED_BYTES_MAX: usize = 1 << 20;

/// How much is read at once when a segment is walked.
pub(crate) const WALK_READ_BYTES: usize = 1 << 20;

/// When a place cannot be read, what surrounds it is read in pieces of this size, so that only the sectors that fail are
/// lost.
pub(crate) const SALVAGE_READ_BYTES: usize = 4096;
