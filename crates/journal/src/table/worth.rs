//! What it would pay to empty, and whether another round of checkpoints would pay. Estimates: nothing here decides whether
//! something is lost.

use crate::options::Options;

use super::{Segment, Table};

/// A checkpoint is not worth its writing before so many times of what the last one took was written.
const WORTH: u64 = 4;

impl Table {
    /// Whether it is time for a checkpoint.
    pub(crate) fn round_is_due(&self, options: &Options) -> bool {
        let worth = options.checkpoint_bytes.max(WORTH.saturating_mul(self.last_round_bytes));
        let live = self.live_bytes();
        // Who counts a record once for each that refers to it may count more than there is.
        let died = self.forgotten.min(live);
        self.round_is_wanted
            || self.written >= worth
            || (died >= worth && died >= live / 2)
            // About as much as a round takes is dead after each, and free after the next.
            || self.gain(options) >= worth.saturating_mul(2)
    }

    /// Message records that count as alive.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.segments.values().map(Segment::live_bytes).sum()
    }

    /// The segments that should be emptied in a round, by number: the ones with the smallest share of living content, as
    /// long as that is worth it, and not more than `bytes_max` of it.
    pub(crate) fn worth_emptying(&self, options: &Options, bytes_max: u64) -> Vec<u32> {
        let mut candidates: Vec<_> = self.judged().filter(|(_, segment)| !segment.live.is_empty()).collect();
        let mut dead: u64 = candidates.iter().map(|(_, segment)| segment.dead_bytes()).sum();
        let live: u64 = candidates.iter().map(|(_, segment)| segment.live_bytes()).sum();
        let is_much = dead > live;
        candidates.retain(|(_, segment)| segment.lives_below(options.evacuation_live_percent, is_much));
        candidates
            .sort_by_key(|(_, segment)| segment.live_bytes().saturating_mul(1000) / segment.length.max(1));
        let (mut chosen, mut bytes) = (Vec::new(), 0);
        for (number, segment) in candidates {
            if dead <= options.evacuation_slack_bytes {
                break;
            }
            if bytes + segment.live_bytes() <= bytes_max {
                bytes += segment.live_bytes();
                dead -= segment.dead_bytes();
                chosen.push(number);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// The bytes that another round would free, or make free for the one after.
    fn gain(&self, options: &Options) -> u64 {
        let needed_from = self.needed_from();
        let dead = self.judged().filter(|(number, segment)| {
            let is_free = segment.is_dead() && *number < needed_from;
            segment.live.is_empty() && !is_free
        });
        let dead: u64 = dead.map(|(_, segment)| segment.length).sum();
        let sparse = self.worth_emptying(options, options.evacuation_bytes_max);
        let sparse = sparse.iter().filter_map(|number| self.segments.get(number));
        // If owners did not empty it when they were asked, asking at once again would not help.
        let sparse = sparse.filter(|segment| !segment.was_evacuated);
        dead + sparse.map(Segment::dead_bytes).sum::<u64>()
    }

    /// Segments of which a complete round has said what lives in them.
    fn judged(&self) -> impl Iterator<Item = (u32, &Segment)> {
        let end = self.manifest.start.segment().min(self.current);
        self.segments.range(..end).map(|(number, segment)| (*number, segment))
    }
}

impl Segment {
    /// Many may have marked the same.
    fn live_bytes(&self) -> u64 {
        self.live.bytes.min(u64::from(self.end))
    }

    fn dead_bytes(&self) -> u64 {
        self.length.saturating_sub(self.live_bytes())
    }

    /// Whether so little lives in it that it should be emptied; less than half is little when much is dead elsewhere, too.
    fn lives_below(&self, percent: u32, is_much: bool) -> bool {
        let percent = if is_much { percent.max(50) } else { percent };
        self.live_bytes().saturating_mul(100) < self.length.saturating_mul(u64::from(percent))
    }
}
