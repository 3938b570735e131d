//! Copying the few survivors out of a segment, so that it can be freed.
//!
//! Who holds a record knows whether it lives and where it is referred to; so the records are offered to all owners, a
//! piece at a time, and whoever holds one pushes it again.

use std::io;
use std::sync::Arc;

use crate::disk::{Access, DiskFile};
use crate::format::{FRAME_HEADER_BYTES, segment_name};
use crate::listener::{Health, Offer};
use crate::position::{Kind, Position};
use crate::table::{OfferUnderWay, Table};
use crate::walk::{Item, Walk};

use super::Steward;

pub(super) struct Survey {
    pub(super) segment: u32,
    file: Arc<dyn DiskFile>,
    /// Where the records of the current offer begin, and where the next ones do.
    from: u32,
    next: u32,
}

impl Steward {
    /// Goes on with the survey, or begins one if it is worth it. `false` when there is nothing to do now.
    pub(super) fn survey_on(&mut self) -> bool {
        let Some(survey) = &mut self.survey else { return self.begin_survey() };
        let mut table = self.shared.table();
        match &table.offer {
            Some(offer) if offer.failed => {
                if matches!(self.shared.health(), Health::Failing(_)) {
                    return false;
                }
                survey.next = survey.from;
            }
            Some(offer) if !offer.waiting.is_empty() => return false,
            _ => {}
        }
        table.offer = None;
        drop(table);
        survey.from = survey.next;
        let most = self.shared.options.survey_offer_bytes;
        let Ok(records) = survey.read(most) else {
            // It cannot be read now; it stays as it is.
            self.survey = None;
            return false;
        };
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
        drop(table);
        let Ok(file) = self.shared.disk.open(&segment_name(segment), Access::Read) else { return false };
        self.survey = Some(Survey { segment, file, from: 0, next: 0 });
        true
    }

    fn offer(&mut self, records: Vec<(Position, Vec<u8>)>) {
        self.offers += 1;
        let owners = self.shared.owners();
        let waiting = owners.iter().map(|owner| owner.stream).collect();
        self.shared.table().offer = Some(OfferUnderWay { number: self.offers, failed: false, waiting });
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
    /// The next Message records, about `most` bytes of them.
    fn read(&mut self, most: usize) -> io::Result<Vec<(Position, Vec<u8>)>> {
        let mut walk = Walk::new(&*self.file, self.segment, None)?.starting_at(self.next);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while bytes < most {
            match walk.next() {
                Item::Frame { header, records: found } => {
                    let base = header.offset + FRAME_HEADER_BYTES as u32;
                    for record in found.filter(|record| record.intact && record.kind == Kind::Message) {
                        bytes += record.bytes.len();
                        records
                            .push((Position::new(self.segment, base + record.offset), record.bytes.to_vec()));
                    }
                    self.next = (u64::from(header.offset) + header.frame_bytes()) as u32;
                }
                Item::Broken { header } => {
                    self.next = (u64::from(header.offset) + header.frame_bytes()) as u32;
                }
                Item::Gap { end, .. } => self.next = end,
                Item::End { .. } => {
                    break;
                }
            }
        }
        Ok(records)
    }
}

impl Table {
    /// The segment with the smallest share of living content, if freeing it is worth the copying.
    fn worth_surveying(&self, options: &crate::Options) -> Option<u32> {
        if !self.restored || self.pins > 0 {
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
