//! What an owner refers to by position, summed up for each segment: it is handed over with the end of a checkpoint, and
//! what nobody has marked is dead.

use std::collections::BTreeMap;

use crate::position::Position;
use crate::submission::record_bytes;

/// The Message records in one segment to which somebody refers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) records: u64,
    /// With their headers.
    pub(crate) bytes: u64,
}

impl Mark {
    pub(crate) fn add(&mut self, more: Self) {
        self.records = self.records.saturating_add(more.records);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    pub(crate) fn is_empty(self) -> bool {
        self.records == 0
    }
}

/// The segments to which an owner refers. Whether a segment has a mark decides whether it may be freed; how much is
/// marked in it is an estimate of what lives there. So a record that many refer to may be marked once for all or once for
/// each, and it costs nothing but accuracy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    segments: BTreeMap<u32, Mark>,
}

impl Marks {
    /// Somebody refers to the Message record of `length` bytes at `position`.
    pub fn mark(&mut self, position: Position, length: u32) {
        self.put(position.segment(), Mark { records: 1, bytes: record_bytes(length) });
    }

    /// Somebody refers to so many Message records in this segment, which have so many bytes together.
    pub fn add(&mut self, segment: u32, records: u64, bytes: u64) {
        if records > 0 {
            let bytes = bytes.saturating_add(records.saturating_mul(record_bytes(0)));
            self.put(segment, Mark { records, bytes });
        }
    }

    /// Whether something in this segment is marked.
    #[must_use]
    pub fn has(&self, segment: u32) -> bool {
        self.segments.contains_key(&segment)
    }

    /// Whether nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(crate) fn of(&self, segment: u32) -> Mark {
        self.segments.get(&segment).copied().unwrap_or_default()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.segments.iter().for_each(|(segment, mark)| self.put(*segment, *mark));
    }

    fn put(&mut self, segment: u32, mark: Mark) {
        self.segments.entry(segment).or_default().add(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_sums_for_each_segment() {
        let mut marks = Marks::default();
        marks.mark(Position::new(3, 64), 100);
        marks.mark(Position::new(3, 64), 100);
        marks.add(4, 2, 50);
        marks.add(5, 0, 0);
        let mut all = Marks::default();
        all.merge(&marks);
        all.merge(&marks);
        assert_eq!(all.of(3), Mark { records: 4, bytes: 4 * 108 });
        assert_eq!(all.of(4), Mark { records: 4, bytes: 2 * 66 });
        assert!(all.has(4) && !all.has(5) && all.of(5).is_empty());
        assert!(Marks::default().is_empty() && !all.is_empty());
    }
}
