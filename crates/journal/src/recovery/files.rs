//! What the segment files hold, each looked at by itself.

use std::io;

use crate::disk::{Access, Disk};
use crate::format::{SegmentHeader, segment_name, segment_number};
use crate::walk::{Beginning, Item, Walk};

/// One file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) length: u64,
    pub(crate) content: Content,
    /// The highest batch seen while looking; only looked for where the header does not tell.
    pub(crate) last_batch: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// Part of the log, now or before.
    Log(SegmentHeader),
    /// Part of the log, and its header is damaged.
    Headless,
    /// The first batch of a segment whose header did not reach the disk: never acknowledged.
    Torn { end: u32 },
    /// Prepared, not used.
    Empty,
    /// Nothing that can be told.
    Garbage,
}

impl Content {
    pub(crate) fn is_log(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Headless)
    }

    /// Where the log ends in segment `number`, if this is the one behind it.
    pub(crate) fn end_of_previous(&self, number: u32) -> Option<u32> {
        match self {
            Self::Log(header) if header.previous == number => Some(header.previous_end),
            _ => None,
        }
    }
}

/// All segment files, by number.
pub(crate) fn find(disk: &dyn Disk) -> io::Result<Vec<Found>> {
    let entries = disk.list("")?;
    let mut files: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| segment_number(&entry.name).map(|number| (number, entry.length)))
        .collect();
    files.sort_unstable();
    let mut found: Vec<_> = files.into_iter().map(|(number, length)| look(disk, number, length)).collect();
    // Something that comes after a segment proves that its batches were finished, however few they are.
    let newest = found.iter().rev().find(|file| file.content.is_log()).map_or(0, |file| file.number);
    for file in &mut found {
        if file.number < newest && matches!(file.content, Content::Torn { .. }) {
            file.content = Content::Headless;
        }
    }
    Ok(found)
}

fn look(disk: &dyn Disk, number: u32, length: u64) -> Found {
    let unreadable = Found { number, length, content: Content::Garbage, last_batch: 0 };
    let Ok(file) = disk.open(&segment_name(number), Access::Read) else { return unreadable };
    let Ok(mut walk) = Walk::new(&*file, number, None) else { return unreadable };
    let beginning = walk.beginning();
    if let Beginning::Used(header) = beginning {
        return Found { number, length, content: Content::Log(header), last_batch: header.first_batch };
    }
    let (mut first_batch, mut last_batch, mut end) = (None, 0, 0);
    loop {
        let header = match walk.next() {
            Item::Frame { header, .. } | Item::Broken { header } => header,
            Item::Gap { .. } => continue,
            Item::End { .. } => break,
        };
        first_batch = first_batch.or(Some(header.batch));
        last_batch = last_batch.max(header.batch);
        end = (u64::from(header.offset) + header.frame_bytes()) as u32;
    }
    let content = match (first_batch, beginning) {
        (Some(first), _) if first < last_batch => Content::Headless,
        (Some(_), _) => Content::Torn { end },
        (None, Beginning::Damaged) if length > 0 => Content::Garbage,
        (None, _) => Content::Empty,
    };
    Found { number, length, content, last_batch }
}
