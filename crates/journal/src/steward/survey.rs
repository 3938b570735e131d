//! Copying the few survivors out of a segment, so that it can be freed.
//!
//! Who holds a record knows whether it lives and where it is referred to; so the records are offered to all owners, a
//! piece at a time, and whoever holds one pushes it again.

use std::io;
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::format::{FRAME_HEADER_BYTES, segment_name};
use crate::listener::Offer;
use crate::position::{Kind, Position};
use crate::quarantine::Quarantine;
use crate::recovery::tail;
use crate::replay::{Damage, Flaw};
use crate::table::{OfferUnderWay, Table};
use crate::walk::{Item, Walk};

use super::Steward;

pub(super) struct Survey {
    pub(super) segment: u32,
    file: Arc<dyn DiskFile>,
    /// Where its content ends, and where the next records are.
    end: u32,
    next: u32,
}

/// What a piece of a segment holds.
struct Found {
    records: Vec<(Position, Vec<u8>)>,
    damages: Vec<Damage>,
}

impl Steward {
    /// Goes on with the survey, or begins one if it is worth it. `false` when there is nothing to do now.
    pub(super) fn survey_on(&mut self) -> bool {
        let Some(survey) = &mut self.survey else { return self.begin_survey() };
        let mut table = self.shared.table();
        if table.owners_are_ahead {
            // What owners no longer know may still be needed; begin again when the disk knows as much as they do.
            table.offer = None;
            self.survey = None;
            return true;
        }
        if table.offer.take_if(|offer| offer.waiting.is_empty()).is_none() && table.offer.is_some() {
            return false;
        }
        drop(table);
        let most = self.shared.options.survey_offer_bytes;
        let Ok(Found { records, damages }) = survey.read(&*self.shared.disk, most) else {
            // It cannot be read now; it stays as it is.
            self.survey = None;
            return false;
        };
        for damage in damages {
            for owner in self.shared.owners() {
                owner.listener.damaged(&damage);
            }
        }
        if records.is_empty() {
            self.end_survey();
        } else {
            self.offer(records);
        }
        true
    }

    fn begin_survey(&mut self) -> bool {
        let table = self.shared.table();
        let Some(segment) = table.worth_surveying(&self.shared.options) else { return false };
        let Some(known) = table.segments.get(&segment).copied() else { return false };
        drop(table);
        // The segment behind it, which said where it ends, has been freed since.
        let found = if known.end_is_known { None } else { tail::find(&*self.shared.disk, segment).ok() };
        let end = found.map_or(known.end, |tail| tail.end);
        let Ok(file) = self.shared.disk.open(&segment_name(segment), Access::Read) else { return false };
        self.survey = Some(Survey { segment, file, end, next: 0 });
        true
    }

    fn offer(&mut self, records: Vec<(Position, Vec<u8>)>) {
        self.offers += 1;
        let owners = self.shared.owners();
        let waiting = owners.iter().map(|owner| owner.stream).collect();
        self.shared.table().offer = Some(OfferUnderWay { number: self.offers, waiting });
        let segment = self.survey.as_ref().map_or(0, |survey| survey.segment);
        let offer = Offer { number: self.offers, segment, records: records.into() };
        for owner in owners {
            owner.listener.survey(offer.clone());
        }
    }

    /// Everything that lived in the segment has been written again, durably.
    fn end_survey(&mut self) {
        let Some(survey) = self.survey.take() else { return };
        if let Some(segment) = self.shared.table().segments.get_mut(&survey.segment) {
            (segment.live_bytes, segment.live_records) = (0, 0);
        }
    }
}

impl Survey {
    /// The next Message records, about `most` bytes of them. What cannot be read is copied aside, since the segment
    /// will be freed.
    fn read(&mut self, disk: &dyn Disk, most: usize) -> io::Result<Found> {
        let mut damages = Vec::new();
        let mut walk = Walk::new(&*self.file, self.segment, Some(self.end))?.starting_at(self.next);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while bytes < most {
            let (offset, length, what) = match walk.next() {
                Item::Frame { header, records: found } => {
                    let base = header.offset + FRAME_HEADER_BYTES as u32;
                    self.next = (u64::from(header.offset) + header.frame_bytes()) as u32;
                    let mut damaged = false;
                    for record in found {
                        damaged |= !record.intact;
                        if record.intact && record.kind == Kind::Message {
                            bytes += record.bytes.len();
                            records.push((
                                Position::new(self.segment, base + record.offset),
                                record.bytes.to_vec(),
                            ));
                        }
                    }
                    if !damaged {
                        continue;
                    }
                    (header.offset, header.frame_bytes(), Flaw::Record)
                }
                Item::Broken { header } => {
                    self.next = (u64::from(header.offset) + header.frame_bytes()) as u32;
                    (header.offset, header.frame_bytes(), Flaw::Submission)
                }
                Item::Gap { offset, end } => {
                    self.next = end;
                    (offset, u64::from(end - offset), Flaw::Gap)
                }
                Item::End { .. } => break,
            };
            let saved = Quarantine::new(disk).save(&mut walk, self.segment, u64::from(offset), length);
            damages.push(Damage { segment: self.segment, offset, bytes: length, what, saved });
        }
        Ok(Found { records, damages })
    }
}

impl Table {
    /// The segment with the smallest share of living content, if freeing it is worth the copying.
    fn worth_surveying(&self, options: &crate::Options) -> Option<u32> {
        if !self.restored || self.owners_are_ahead || self.pins > 0 {
            return None;
        }
        let needed_from = self.manifest.previous.segment().min(self.current);
        let (mut total, mut live) = (0, 0);
        for segment in self.segments.values() {
            total += segment.length;
            live += segment.live_bytes;
        }
        let candidates = self.segments.range(..needed_from).filter(|(_, segment)| segment.live_records > 0);
        let (number, segment) =
            candidates.min_by_key(|(_, segment)| segment.live_bytes * 1000 / segment.length.max(1))?;
        let slack = options.survey_slack_bytes;
        let is_sparse = segment.live_bytes * 100 < segment.length * u64::from(options.survey_live_percent);
        let is_much = total > 2 * live + slack;
        (total > live + slack && (is_sparse || is_much)).then_some(*number)
    }
}
