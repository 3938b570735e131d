//! A file's content as the process sees it, and as the disk has it.

use std::collections::BTreeSet;

use super::random::Random;

const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What reads return.
    pub(super) seen: Vec<u8>,
    /// What is certain to survive.
    durable: Vec<u8>,
    /// Sectors of `seen` that the next sync makes durable. One that a failed sync has dropped is in neither: it is read
    /// as it was written and yet never reaches the disk.
    dirty: BTreeSet<usize>,
    length_is_dirty: bool,
}

impl Inode {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.resize(end);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    pub(super) fn resize(&mut self, length: usize) {
        if length != self.seen.len() {
            // What a file grows by is zeros, also where it was longer before.
            self.dirty.extend(self.seen.len() / SECTOR..length.div_ceil(SECTOR));
            self.dirty.retain(|sector| sector * SECTOR < length);
            self.seen.resize(length, 0);
            self.length_is_dirty = true;
        }
    }

    pub(super) fn sync(&mut self) {
        self.settle_length();
        for sector in std::mem::take(&mut self.dirty) {
            self.settle(sector, SECTOR);
        }
    }

    /// A sync that failed.
    pub(super) fn sync_in_vain(&mut self, random: &mut Random) {
        if random.chance(500) {
            self.settle_length();
        }
        for sector in std::mem::take(&mut self.dirty) {
            match random.below(3) {
                0 => self.settle(sector, SECTOR),
                1 => {}
                _ => {
                    self.dirty.insert(sector);
                }
            }
        }
    }

    /// The power goes: of what was not synced, each sector is there, or not, or torn.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        if random.chance(500) {
            self.settle_length();
        }
        for sector in std::mem::take(&mut self.dirty) {
            match random.below(3) {
                0 => self.settle(sector, SECTOR),
                1 => {}
                _ => self.settle(sector, random.below(SECTOR as u64) as usize),
            }
        }
        self.seen = self.durable.clone();
        self.length_is_dirty = false;
    }

    /// Changes one bit for good.
    pub(super) fn flip(&mut self, offset: usize, bit: u8) {
        for content in [&mut self.seen, &mut self.durable] {
            if let Some(byte) = content.get_mut(offset) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Cuts it for good, as if that part had never been.
    pub(super) fn cut(&mut self, length: usize) {
        self.seen.truncate(length);
        self.durable.truncate(length);
        self.dirty.retain(|sector| sector * SECTOR < length);
    }

    fn settle_length(&mut self) {
        if std::mem::take(&mut self.length_is_dirty) {
            self.durable.resize(self.seen.len(), 0);
        }
    }

    /// The first `bytes` of a sector reach the disk.
    fn settle(&mut self, sector: usize, bytes: usize) {
        let begin = sector * SECTOR;
        let end = (begin + bytes).min(self.durable.len()).min(self.seen.len());
        if begin < end {
            self.durable[begin..end].copy_from_slice(&self.seen[begin..end]);
        }
    }
}
