//! What the log refers to by its place: said to the journal at the end of each checkpoint, so that it can free what nobody
//! refers to.
//!
//! An epoch ends when the marks are handed over. Whatever a record refers to by place is marked in the same moment, so
//! it stays for the next epoch. What was learnt after a checkpoint's start stays as long: its record is behind that start.
//! What was learnt before it stays for this epoch only, unless it is marked. Nothing in memory refers to a place for longer.
//!
//! ```text
//!   epoch 4                                │ epoch 5                          │ epoch 6
//!   ───────── start ─── images ─── hand over ───────── start ─── images ─── hand over ────
//!     learnt here: valid until here ───────┘                                  │
//!     marked here, or learnt behind the start: until here ────────────────────┘
//! ```

use std::collections::BTreeMap;

use crate::durable::place::Place;

/// What is alive in one segment, as far as one shard has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The segment.
    pub segment: u32,
    /// Bytes of content; a message that several sessions have counts for each.
    pub bytes: u64,
    /// How many.
    pub records: u64,
}

/// The marks of one shard.
#[derive(Debug)]
pub(crate) struct Marks {
    epoch: u32,
    /// The segment that was marked last: neighbours have neighbours.
    last: Mark,
    others: BTreeMap<u32, Mark>,
    /// In order: what is in these segments is written anew instead of being referred to.
    evacuated: Vec<u32>,
    /// A checkpoint has begun and its marks were not taken.
    is_begun: bool,
}

impl Default for Marks {
    fn default() -> Self {
        let (last, others, evacuated) = (Mark::default(), BTreeMap::new(), Vec::new());
        Self { epoch: 1, last, others, evacuated, is_begun: false }
    }
}

impl Marks {
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// From now on these segments are to be emptied. What was marked before stays marked: records behind the checkpoint's
    /// start may refer to it.
    pub(crate) fn begin(&mut self, mut evacuated: Vec<u32>) {
        // What was learnt since the beginning of one that was given up is not behind the beginning of this one.
        self.epoch += u32::from(self.is_begun);
        self.is_begun = true;
        evacuated.sort_unstable();
        self.evacuated = evacuated;
    }

    /// The last epoch in which a place may be referred to that is learnt now.
    pub(crate) fn learnt(&self) -> u32 {
        self.epoch + u32::from(self.is_begun)
    }

    pub(crate) fn is_evacuated(&self, place: Place) -> bool {
        self.evacuated.binary_search(&place.segment()).is_ok()
    }

    pub(crate) fn mark(&mut self, place: Place) {
        if self.last.segment != place.segment() {
            self.put_last_aside();
            let segment = place.segment();
            self.last = self.others.remove(&segment).unwrap_or(Mark { segment, ..Mark::default() });
        }
        self.last.bytes += u64::from(place.length());
        self.last.records += 1;
    }

    /// Ends the epoch.
    pub(crate) fn take(&mut self) -> Vec<Mark> {
        self.put_last_aside();
        self.last = Mark::default();
        self.epoch += 1;
        self.is_begun = false;
        std::mem::take(&mut self.others).into_values().collect()
    }

    fn put_last_aside(&mut self) {
        if self.last.records > 0 {
            self.others.insert(self.last.segment, self.last);
        }
    }
}
