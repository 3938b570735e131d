//! Where the log ends in its last segment.
//!
//! A batch is written only after the one before it was synced. So what is bad in a batch that some later batch follows
//! was good once: that is damage. What is bad in the last batch may never have reached the disk: that is a torn tail,
//! and the log ends before it.

use std::io;

use crate::disk::{Access, Disk};
use crate::format::{SEGMENT_HEADER_BYTES, segment_name};
use crate::walk::{Beginning, Item, Walk};

/// How the last segment ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) end: u32,
    /// Where the last batch before it begins. Whether that was ever synced is not known.
    pub(crate) unsure_from: u32,
    /// What was written behind it, from and to.
    pub(crate) torn: Option<(u64, u64)>,
    /// The highest batch, torn or not.
    pub(crate) last_batch: u64,
}

/// When something only looks like a torn header, so much is kept of it.
const TORN_GLIMPSE_BYTES: u64 = 4096;

/// What matters here of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    offset: u32,
    end: u64,
    good: bool,
    /// The batch that it belongs to; of something unreadable, the batch that was due there.
    batch: u64,
    /// Whether the number of the batch was read.
    known: bool,
}

/// Looks for the end in segment `number`.
pub(crate) fn find(disk: &dyn Disk, number: u32) -> io::Result<Tail> {
    let file = disk.open(&segment_name(number), Access::Read)?;
    let mut walk = Walk::new(&*file, number, None)?;
    let first_batch = match walk.beginning() {
        Beginning::Used(header) => header.first_batch,
        Beginning::Unused | Beginning::Damaged => 0,
    };
    let mut seen = Seen::default();
    each_piece(&mut walk, first_batch, |piece| seen.add(piece));
    Ok(seen.tail(walk.length()))
}

fn each_piece(walk: &mut Walk<'_>, first_batch: u64, mut add: impl FnMut(Piece)) {
    // The batch of whatever comes next, if it cannot be read.
    let mut due = first_batch;
    loop {
        let (header, good) = match walk.next() {
            Item::Frame { header, mut records } => (header, records.all(|record| record.intact)),
            Item::Broken { header } => (header, false),
            Item::Gap { offset, end } => {
                add(Piece { offset, end: u64::from(end), good: false, batch: due, known: false });
                continue;
            }
            Item::End { offset, torn } => {
                let end = u64::from(offset) + if torn { TORN_GLIMPSE_BYTES } else { 0 };
                add(Piece { offset, end, good: false, batch: due, known: false });
                return;
            }
        };
        due = header.batch + u64::from(header.is_last());
        let end = u64::from(header.offset) + header.frame_bytes();
        add(Piece { offset: header.offset, end, good, batch: header.batch, known: true });
    }
}

/// What of the pieces seen so far decides.
#[derive(Debug, Default)]
struct Seen {
    /// The bad ones, each with the offset at which the last known batch before it begins.
    bad: Vec<(Piece, Option<u32>)>,
    last_batch: u64,
    last_batch_from: Option<u32>,
    written: u64,
}

impl Seen {
    fn add(&mut self, piece: Piece) {
        if !piece.good {
            // Of bad ones in one batch the first counts.
            self.bad.push((piece, self.last_batch_from));
        }
        if piece.known && (piece.batch > self.last_batch || self.last_batch_from.is_none()) {
            (self.last_batch, self.last_batch_from) = (piece.batch, Some(piece.offset));
        }
        self.written = self.written.max(piece.end);
    }

    fn tail(&self, length: u64) -> Tail {
        // The last piece is the end, which is bad and which nothing follows: there is always one.
        let cut = self.bad.iter().find(|(piece, _)| self.last_batch <= piece.batch);
        let end = cut.map_or(SEGMENT_HEADER_BYTES as u32, |(piece, _)| piece.offset);
        let unsure_from = cut.and_then(|(_, from)| *from).unwrap_or(end);
        let written = self.written.min(length);
        let torn = (written > u64::from(end)).then_some((u64::from(end), written));
        Tail { end, unsure_from, torn, last_batch: self.last_batch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(pieces: &[Piece], length: u64) -> Tail {
        let mut seen = Seen::default();
        pieces.iter().for_each(|piece| seen.add(*piece));
        seen.tail(length)
    }

    fn good(offset: u32, batch: u64) -> Piece {
        Piece { offset, end: u64::from(offset) + 100, good: true, batch, known: true }
    }

    fn broken(offset: u32, batch: u64) -> Piece {
        Piece { good: false, ..good(offset, batch) }
    }

    fn gap(offset: u32, due: u64) -> Piece {
        Piece { known: false, ..broken(offset, due) }
    }

    fn end(offset: u32, due: u64) -> Piece {
        Piece { end: u64::from(offset), ..gap(offset, due) }
    }

    #[test]
    fn a_whole_log_ends_behind_its_last_frame() {
        let tail = end_of(&[good(64, 1), good(164, 2), end(264, 3)], 1000);
        assert_eq!(tail, Tail { end: 264, unsure_from: 164, torn: None, last_batch: 2 });
    }

    #[test]
    fn what_is_bad_in_the_last_batch_is_torn_and_takes_the_rest_of_its_batch_along() {
        let tail = end_of(&[good(64, 1), broken(164, 2), good(264, 2), end(364, 3)], 1000);
        assert_eq!(tail, Tail { end: 164, unsure_from: 64, torn: Some((164, 364)), last_batch: 2 });
        let tail = end_of(&[good(64, 1), gap(164, 2), good(264, 2), end(364, 3)], 1000);
        assert_eq!(tail, Tail { end: 164, unsure_from: 64, torn: Some((164, 364)), last_batch: 2 });
    }

    #[test]
    fn what_is_bad_before_a_later_batch_is_not_torn() {
        let tail = end_of(&[good(64, 1), broken(164, 2), gap(264, 3), good(364, 4), end(464, 5)], 1000);
        assert_eq!(tail, Tail { end: 464, unsure_from: 364, torn: None, last_batch: 4 });
        let tail = end_of(&[broken(64, 1), broken(164, 2), end(264, 3)], 1000);
        assert_eq!(tail, Tail { end: 164, unsure_from: 64, torn: Some((164, 264)), last_batch: 2 });
    }
}
