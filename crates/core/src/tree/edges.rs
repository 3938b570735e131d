//! The way from a node to its children: one open-addressed table for a whole tree.
//!
//! A slot is eight bytes and holds 32 bits of the hash beside the child, so that a look-up reads one place of memory
//! before it reads the child's own, and the table grows without asking for any hash again. Linear probing; what is
//! removed is closed up, so nothing is left behind that would slow down later look-ups.

/// Children by a hash of (parent, text). The caller says which of those with the same hash is meant.
pub(super) struct Edges {
    /// A power of two of them.
    slots: Box<[Slot]>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    child: u32,
}

const EMPTY: Slot = Slot { hash: 0, child: u32::MAX };
const SLOTS_MIN: usize = 16;

impl Edges {
    pub(super) fn new() -> Self {
        Self { slots: vec![EMPTY; SLOTS_MIN].into(), len: 0 }
    }

    /// The child for which `is` says so.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.place(hash, &mut is).map(|at| self.slots[at].child)
    }

    /// A child that may be meant: the first in the way. Costs one look at memory, and decides nothing.
    #[inline]
    pub(super) fn guess(&self, hash: u32) -> u32 {
        self.slots[self.home(hash)].child
    }

    /// Adds a child that is not there.
    pub(super) fn insert(&mut self, hash: u32, child: u32) {
        // At most three quarters are taken: probes stay short, and every one ends.
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.resize(self.slots.len() * 2);
        }
        self.put(Slot { hash, child });
        self.len += 1;
    }

    /// Removes a child, if it is there.
    pub(super) fn remove(&mut self, hash: u32, child: u32) {
        let Some(mut hole) = self.place(hash, &mut |other| other == child) else { return };
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot.child == EMPTY.child {
                break;
            }
            // Whoever may stand in the hole moves there: its way from home leads past it.
            let from_home = at.wrapping_sub(self.home(slot.hash)) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
        if self.len * 8 < self.slots.len() && self.slots.len() > SLOTS_MIN {
            self.resize(self.slots.len() / 2);
        }
    }

    #[inline]
    fn place(&self, hash: u32, is: &mut impl FnMut(u32) -> bool) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot.child == EMPTY.child {
                return None;
            }
            if slot.hash == hash && is(slot.child) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(slot.hash);
        while self.slots[at].child != EMPTY.child {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn resize(&mut self, slots: usize) {
        let before = std::mem::replace(&mut self.slots, vec![EMPTY; slots].into());
        before.iter().filter(|slot| slot.child != EMPTY.child).for_each(|&slot| self.put(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Few hashes, so that many children want the same place.
        #[test]
        fn holds_what_a_map_holds(steps in proptest::collection::vec((any::<bool>(), 0u32..200), 0..2000)) {
            let hash = |child: u32| (child % 7) * 3;
            let mut edges = Edges::new();
            let mut model = HashMap::new();
            for (adds, child) in steps {
                if !adds {
                    edges.remove(hash(child), child);
                    model.remove(&child);
                } else if model.insert(child, ()).is_none() {
                    edges.insert(hash(child), child);
                }
                prop_assert_eq!(edges.len, model.len());
            }
            for child in 0..200 {
                let found = edges.find(hash(child), |other| other == child);
                prop_assert_eq!(found.is_some(), model.contains_key(&child));
            }
        }
    }

    #[test]
    fn gives_memory_back() {
        let mut edges = Edges::new();
        (0..10_000u32).for_each(|child| edges.insert(u32::wrapping_mul(child, 0x9E37_79B9), child));
        let grown = edges.slots.len();
        (0..10_000u32).for_each(|child| edges.remove(child.wrapping_mul(0x9E37_79B9), child));
        assert!(grown >= 10_000 && edges.slots.len() == SLOTS_MIN && edges.len == 0);
    }
}
