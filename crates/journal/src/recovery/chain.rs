//! Which segments, in which order, are the log that may have to be replayed.

use crate::format::Manifest;
use crate::position::Position;
use crate::quarantine::Quarantine;
use crate::replay::Flaw;

use super::files::{Content, Found};
use super::of_segment;

/// Followed backwards from the newest segment by what each header says of the one before, and held forwards.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) number: u32,
    /// Where the log ends in it, if the one behind it could be asked.
    pub(crate) end: Option<u32>,
}

impl Chain {
    /// As far back as the older of the two checkpoints. Without a manifest, as far as the log hangs together: whatever
    /// was freed is older than the older checkpoint, so both are in it.
    pub(crate) fn of(
        files: &[Found],
        newest: Option<&Found>,
        manifest: Option<&Manifest>,
        quarantine: &mut Quarantine<'_>,
    ) -> Self {
        let mut links = Vec::new();
        let known = manifest.map_or(0, |manifest| manifest.complete.segment());
        if newest.map_or(0, |newest| newest.number) < known {
            // The log once was longer than what is there.
            quarantine.note(of_segment(known, Flaw::SegmentMissing));
        }
        let mut at = newest.map(|newest| (newest, None));
        let oldest = manifest.map_or(Position::ZERO, |manifest| manifest.previous).segment();
        while let Some((found, end)) = at {
            links.push(Link { number: found.number, end });
            if found.number <= oldest {
                break;
            }
            let (previous, previous_end) = match found.content {
                Content::Log(header) if header.previous == 0 => break,
                Content::Log(header) => (Some(header.previous), Some(header.previous_end)),
                _ => {
                    quarantine.note(of_segment(found.number, Flaw::SegmentHeader));
                    (None, None)
                }
            };
            let below = previous.map_or(found.number, |previous| previous + 1);
            let next = files.iter().rev().find(|other| other.number < below && other.content.is_log());
            at = match (next, previous) {
                (Some(next), Some(previous)) if next.number == previous => Some((next, previous_end)),
                (Some(next), None) => Some((next, None)),
                (_, Some(_)) if manifest.is_none() => None,
                (None, None) => None,
                (next, Some(previous)) => {
                    quarantine.note(of_segment(previous, Flaw::SegmentMissing));
                    next.filter(|next| next.number >= oldest).map(|next| (next, None))
                }
            };
        }
        links.reverse();
        Self { links }
    }

    /// What stands in for a manifest that was lost: everything.
    pub(crate) fn whole(&self) -> Manifest {
        let start = self.links.first().map_or(Position::ZERO, |link| Position::new(link.number, 0));
        Manifest { start, previous: start, ..Manifest::default() }
    }

    pub(crate) fn has(&self, position: Position) -> bool {
        self.links.iter().any(|link| link.number == position.segment())
    }
}
