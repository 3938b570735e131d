//! What histories came across.

use std::ops::Add;

/// How often something happened, to show that histories are not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) committed: u64,
    pub(super) failed: u64,
    pub(super) checkpoints: u64,
    pub(super) evacuated: u64,
    pub(super) shared: u64,
    pub(super) torn: u64,
    pub(super) read: u64,
    pub(super) freed: u64,
    pub(super) damages: u64,
    pub(super) previous_checkpoints: u64,
}

impl Add for Met {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            committed: self.committed + more.committed,
            failed: self.failed + more.failed,
            checkpoints: self.checkpoints + more.checkpoints,
            evacuated: self.evacuated + more.evacuated,
            shared: self.shared + more.shared,
            torn: self.torn + more.torn,
            read: self.read + more.read,
            freed: self.freed + more.freed,
            damages: self.damages + more.damages,
            previous_checkpoints: self.previous_checkpoints + more.previous_checkpoints,
        }
    }
}
