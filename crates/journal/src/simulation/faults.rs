//! What a simulated disk does wrong, and how often.

/// Chances are per thousand operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A write fails, after having written a part or nothing.
    pub write_fails: u32,
    /// A write takes only a part.
    pub write_is_short: u32,
    /// A sync fails. Of what it should have made durable some is, some will be, and some never will.
    pub sync_fails: u32,
    /// A read fails.
    pub read_fails: u32,
    /// Creating, renaming, removing, allocating or syncing a folder fails.
    pub folder_fails: u32,
    /// How many bytes all files together may have; `None` is no bound.
    pub space: Option<u64>,
    /// The disk says that it has synced and has not. To show that tests notice.
    pub lies: bool,
}
