//! Looks through a folder without changing anything: what is in it, and whether every checksum holds.
//!
//! It takes no lock, so it works beside a running journal too; there the last batch may be caught half written, and what
//! is freed meanwhile may appear as missing.

use std::io;

use crate::disk::{Access, Disk, read_small};
use crate::format::{
    FRAME_HEADER_BYTES, FrameHeader, Manifest, RECORD_HEADER_BYTES, Records, SEGMENT_HEADER_BYTES,
    segment_name,
};
use crate::position::{Kind, Position, Round, Stream};
use crate::quarantine::Quarantine;
use crate::recovery::chain::Chain;
use crate::recovery::files::{self, Content, Found};
use crate::recovery::{folder, tail};
use crate::replay::{Damage, Flaw, OpenError, Report};
use crate::walk::{Item, Walk};

/// Something that was come across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspected<'a> {
    /// A file of the log. Its records follow.
    Segment {
        /// Its number.
        number: u32,
        /// The length of its file.
        bytes: u64,
        /// What it holds.
        holds: Holds,
    },
    /// A record.
    Record {
        /// Where it stands.
        position: Position,
        /// Whose it is.
        stream: Stream,
        /// How long it lives.
        kind: Kind,
        /// The batch that it was synced with.
        batch: u64,
        /// What was pushed.
        bytes: &'a [u8],
        /// Whether its checksum holds.
        intact: bool,
    },
    /// A place that is not as it was written.
    Damage(&'a Damage),
}

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Records.
    Log,
    /// Records, and its header is damaged.
    Headless,
    /// Nothing yet: it waits to be used.
    Nothing,
    /// A batch that was never finished, and never acknowledged.
    Torn,
    /// Nothing that can be told.
    Garbage,
}

/// The sum of an inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The last complete round of checkpoints.
    pub round: Round,
    /// Where a replay would begin.
    pub replay_start: Position,
    /// Where it would begin if the last checkpoint were damaged.
    pub previous_start: Position,
    /// Where the log ends.
    pub end: Position,
    /// Segments that hold something.
    pub segments: u64,
    /// Segments that wait to be used.
    pub spare_segments: u64,
    /// Submissions.
    pub submissions: u64,
    /// Records of state, and their bytes.
    pub state: Tally,
    /// Message records, and their bytes. Which of them are still needed only their owners know.
    pub messages: Tally,
    /// Bytes of batches that were never finished. They were never acknowledged.
    pub torn_bytes: u64,
    /// What is damaged; at most a thousand are listed.
    pub damages: Vec<Damage>,
    /// How many there were.
    pub damages_total: u64,
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Inspection {
    /// Whether everything is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages_total == 0
    }
}

/// Checks everything in the folder.
///
/// # Errors
/// When a newer program has written the folder, or it cannot be listed.
pub fn verify(disk: &dyn Disk) -> Result<Inspection, OpenError> {
    inspect(disk, &mut |_| {})
}

/// Checks everything in the folder and shows it, in the order of positions.
///
/// # Errors
/// When a newer program has written the folder, or it cannot be listed.
pub fn inspect(disk: &dyn Disk, visit: &mut dyn FnMut(Inspected<'_>)) -> Result<Inspection, OpenError> {
    folder::refuse_newer(disk)?;
    let files = files::find(disk).map_err(OpenError::io("list the journal"))?;
    let mut damages = Quarantine::new(disk);
    folder::check_format(disk, &files, &mut damages)?;
    let bytes = read_small(disk, Manifest::NAME, Manifest::FILE_BYTES).unwrap_or_default();
    let manifest = Manifest::of_file(&bytes);
    if manifest.is_none() {
        damages.note(Damage { segment: 0, offset: 0, bytes: 0, what: Flaw::Manifest, saved: None });
    }
    let newest = files.iter().rev().find(|found| found.content.is_log());
    let chain = Chain::of(&files, newest, manifest.as_ref(), &mut damages);
    let known = manifest.unwrap_or_else(|| chain.whole());
    let sum = Inspection {
        round: known.round,
        replay_start: known.start,
        previous_start: known.previous,
        ..Inspection::default()
    };
    let mut inspector = Inspector { disk, visit, damages, sum };
    for found in &files {
        let is_newest = newest.is_some_and(|newest| newest.number == found.number);
        let end = files.iter().find_map(|other| other.content.end_of_previous(found.number));
        inspector.segment(found, end.filter(|_| !is_newest), is_newest);
    }
    Ok(inspector.finish())
}

struct Inspector<'a> {
    disk: &'a dyn Disk,
    visit: &'a mut dyn FnMut(Inspected<'_>),
    damages: Quarantine<'a>,
    sum: Inspection,
}

impl Inspector<'_> {
    fn segment(&mut self, found: &Found, end: Option<u32>, is_newest: bool) {
        let Found { number, length: bytes, content, .. } = *found;
        let holds = match content {
            Content::Log(_) => Holds::Log,
            Content::Headless => Holds::Headless,
            Content::Empty => Holds::Nothing,
            Content::Torn { end } => {
                self.sum.torn_bytes += u64::from(end).saturating_sub(SEGMENT_HEADER_BYTES as u64);
                Holds::Torn
            }
            Content::Garbage => Holds::Garbage,
        };
        (self.visit)(Inspected::Segment { number, bytes, holds });
        match holds {
            Holds::Nothing => self.sum.spare_segments += 1,
            Holds::Torn => {}
            Holds::Garbage => self.damaged(number, 0, bytes, Flaw::Gap),
            Holds::Log | Holds::Headless => {
                self.sum.segments += 1;
                if self.records(number, end, is_newest).is_err() {
                    self.damaged(number, 0, bytes, Flaw::SegmentMissing);
                }
            }
        }
    }

    fn records(&mut self, number: u32, end: Option<u32>, is_newest: bool) -> io::Result<()> {
        // Where nothing behind it says where it ends, what is bad at its end was never finished.
        let end = match end {
            Some(end) => end,
            None => {
                let tail = tail::find(self.disk, number)?;
                self.sum.torn_bytes += tail.torn.map_or(0, |(from, to)| to - from);
                tail.end
            }
        };
        if is_newest {
            self.sum.end = Position::new(number, end);
        }
        let file = self.disk.open(&segment_name(number), Access::Read)?;
        let mut walk = Walk::new(&*file, number, Some(end))?;
        let length = walk.length();
        loop {
            match walk.next() {
                Item::Frame { header, records } => self.frame(&header, records),
                Item::Broken { header } => {
                    self.damaged(number, header.offset, header.frame_bytes(), Flaw::Submission);
                }
                Item::Gap { offset, end } => self.damaged(number, offset, u64::from(end - offset), Flaw::Gap),
                Item::End { offset, .. } => {
                    let what = if length < u64::from(end) { Flaw::SegmentShort } else { Flaw::Gap };
                    if offset < end {
                        self.damaged(number, offset, u64::from(end - offset), what);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn frame(&mut self, header: &FrameHeader, records: Records<'_>) {
        self.sum.submissions += u64::from(header.records > 0);
        let base = header.offset + FRAME_HEADER_BYTES as u32;
        for record in records {
            let tally = match record.kind {
                Kind::State => &mut self.sum.state,
                Kind::Message => &mut self.sum.messages,
            };
            tally.records += 1;
            tally.bytes += record.bytes.len() as u64;
            let position = Position::new(header.segment, base + record.offset);
            (self.visit)(Inspected::Record {
                position,
                stream: Stream(header.stream),
                kind: record.kind,
                batch: header.batch,
                bytes: record.bytes,
                intact: record.intact,
            });
            if !record.intact {
                let bytes = (RECORD_HEADER_BYTES + record.bytes.len()) as u64;
                self.damaged(header.segment, position.offset(), bytes, Flaw::Record);
            }
        }
    }

    fn damaged(&mut self, segment: u32, offset: u32, bytes: u64, what: Flaw) {
        let damage = Damage { segment, offset, bytes, what, saved: None };
        (self.visit)(Inspected::Damage(&damage));
        self.damages.note(damage);
    }

    fn finish(self) -> Inspection {
        let mut report = Report::default();
        self.damages.finish(&mut report);
        Inspection { damages: report.damages, damages_total: report.damages_total, ..self.sum }
    }
}
