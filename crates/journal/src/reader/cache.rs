//! Blocks of segments, the ones that were asked for last.

use std::collections::{HashMap, VecDeque};

/// What is read at once: large enough that a queue read in order costs few reads, small enough that one message read alone
/// does not cost much.
pub(super) const BLOCK_BYTES: usize = 64 << 10;

/// A block, and whether it was asked for since the hand last passed.
struct Block {
    bytes: Vec<u8>,
    used: bool,
}

/// A cache with a second chance: a block goes when the hand comes by and nobody has asked for it since the last time.
pub(super) struct Cache {
    blocks: HashMap<(u32, u32), Block>,
    hand: VecDeque<(u32, u32)>,
    blocks_max: usize,
    /// The buffer of a block that went.
    spare: Vec<u8>,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        let blocks_max = (bytes_max / BLOCK_BYTES).max(1);
        Self { blocks: HashMap::new(), hand: VecDeque::new(), blocks_max, spare: Vec::new() }
    }

    /// Whether at least `length` bytes of a block are there.
    pub(super) fn has(&self, segment: u32, index: u32, length: usize) -> bool {
        self.blocks.get(&(segment, index)).is_some_and(|block| block.bytes.len() >= length)
    }

    /// The bytes of a block; none if it is not there.
    pub(super) fn get(&mut self, segment: u32, index: u32) -> &[u8] {
        match self.blocks.get_mut(&(segment, index)) {
            Some(block) => {
                block.used = true;
                &block.bytes
            }
            None => &[],
        }
    }

    /// A buffer of `length` bytes to read a block into.
    pub(super) fn vacant(&mut self, length: usize) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.clear();
        buffer.reserve_exact(length);
        buffer.resize(length, 0);
        buffer
    }

    pub(super) fn put(&mut self, segment: u32, index: u32, bytes: Vec<u8>) {
        let key = (segment, index);
        if let Some(old) = self.blocks.insert(key, Block { bytes, used: false }) {
            self.spare = old.bytes;
            return;
        }
        self.hand.push_back(key);
        while self.blocks.len() > self.blocks_max {
            let Some(candidate) = self.hand.pop_front() else { return };
            let used = self.blocks.get_mut(&candidate).is_some_and(|block| std::mem::take(&mut block.used));
            if used || candidate == key {
                self.hand.push_back(candidate);
            } else if let Some(block) = self.blocks.remove(&candidate) {
                self.spare = block.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_asked_for_and_never_more_than_its_bound() {
        let mut cache = Cache::new(3 * BLOCK_BYTES);
        for index in 0..100 {
            cache.put(1, index, vec![index as u8; 8]);
            assert_eq!(cache.get(1, 0), [0; 8], "asked for all the time, at {index}");
            assert!(cache.blocks.len() <= 3 && cache.hand.len() <= 3);
        }
        assert!(cache.has(1, 99, 8) && !cache.has(1, 99, 9));
        assert!(!cache.has(1, 50, 1));
    }

    #[test]
    fn a_block_that_has_grown_replaces_the_old_one() {
        let mut cache = Cache::new(BLOCK_BYTES);
        cache.put(1, 0, vec![1; 8]);
        cache.put(1, 0, vec![2; 16]);
        assert_eq!(cache.get(1, 0), [2; 16]);
        assert_eq!(cache.hand.len(), 1);
    }
}
