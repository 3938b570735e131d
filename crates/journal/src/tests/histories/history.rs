//! One history: lives of a journal, ended by crashes, with random doings in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::simulation::{Faults, Random, SimulatedDisk};
use crate::tests::world::{Ear, Heard};
use crate::*;

use super::acting::{Owner, apply_all};
use super::checker::{Fate, Submitted, Violation, compare, violation};
use super::met::Met;
use super::owner::{Owned, Saying};
use super::references::References;

/// What a history may contain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) faults: Faults,
    pub(super) power_cuts: bool,
    pub(super) may_die_anywhere: bool,
    pub(super) synced: bool,
    pub(super) flips: bool,
    /// Files are cut, lost, overwritten and invented between lives.
    pub(super) mutations: bool,
    /// Owners do not mark all that they refer to.
    pub(super) forgetful: bool,
}

const STREAMS: u16 = 3;
const LIVES: u64 = 5;
const STEPS: u64 = 60;

pub(super) struct History {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) disk: SimulatedDisk,
    /// Everything submitted that may still be told.
    pub(super) log: Vec<Submitted>,
    /// What owners have on the disk, from the beginning of time; only kept while nothing has failed.
    pub(super) truth: Option<BTreeMap<u16, Owned>>,
    /// What the disk must have for that.
    pub(super) references: References,
    pub(super) next_number: u64,
    pub(super) now_ms: u64,
    /// Owners have heard of damage while the journal ran.
    pub(super) damage_was_told: bool,
    pub(super) met: Met,
}

impl History {
    pub(super) fn new(plan: Plan, seed: u64) -> Self {
        Self {
            plan,
            random: Random::new(seed),
            disk: SimulatedDisk::new(seed ^ 0xd15c),
            log: Vec::new(),
            truth: Some((0..STREAMS).map(|stream| (stream, Owned::default())).collect()),
            references: References::default(),
            next_number: 1,
            now_ms: 0,
            damage_was_told: false,
            met: Met::default(),
        }
    }

    pub(super) fn run(plan: Plan, seed: u64) -> Result<Met, Violation> {
        let mut history = Self::new(plan, seed);
        let lives = 2 + history.random.below(LIVES);
        for life in 0..lives {
            if !history.live(life)? {
                break;
            }
        }
        Ok(history.met)
    }

    fn options(&self) -> Options {
        Options {
            level: if self.plan.synced { Level::Fsync } else { Level::Os },
            segment_bytes: 4096,
            batch_bytes_max: 1500,
            checkpoint_bytes: 6000,
            evacuation_slack_bytes: 2048,
            evacuation_bytes_max: 0,
            recycled_segments_max: 2,
            ..Options::default()
        }
    }

    /// One life. `false` when the history ends with it.
    fn live(&mut self, life: u64) -> Result<bool, Violation> {
        self.disk.set_faults(Faults { lies: self.plan.faults.lies, ..Faults::default() });
        let flipped = self.plan.flips && life > 0 && self.random.chance(400);
        if flipped {
            self.flip_bits();
        }
        let mutated = self.plan.mutations && life > 0 && self.random.chance(600);
        if mutated {
            self.mutate();
        }
        let mut heard = Heard::default();
        let opened = Journal::open_manual(Arc::new(self.disk.clone()), self.options(), &mut heard);
        let (journal, mut driver, report) = match opened {
            Ok(opened) => opened,
            Err(error) => return violation(format!("life {life} did not begin: {error}")),
        };
        self.met.torn += u64::from(report.torn_bytes > 0);
        self.met.damages += report.damages_total;
        self.met.previous_checkpoints += u64::from(report.used_previous_checkpoint);
        let noticed = report.damages_total > 0 || report.torn_bytes > 0;
        if report.damages_total > 0 && !flipped && !mutated {
            return violation(format!("life {life}: damage out of nothing: {:?}", report.damages));
        }
        let owned = self.check(&journal, &heard, life, noticed && flipped || mutated)?;
        if flipped && noticed || mutated {
            return Ok(false);
        }
        self.references.complete(journal.usage().round);
        self.references.come_to(&owned);
        self.check_references()?;
        let mut owners = self.owners(&journal, owned)?;
        self.check_messages(&mut driver, &mut owners)?;
        journal.restored();
        let started = journal.usage();
        self.disk.set_faults(self.plan.faults);
        if self.plan.may_die_anywhere && self.random.chance(500) {
            self.disk.die_after(self.random.below(100));
        }
        for _ in 0..self.random.below(STEPS) + 5 {
            if self.disk.is_dead() {
                break;
            }
            self.step(&journal, &mut driver, &mut owners)?;
            self.hear(&mut owners)?;
        }
        self.disk.live_on();
        if !self.disk.is_dead() {
            self.disk.set_faults(Faults { lies: self.plan.faults.lies, ..Faults::default() });
            self.check_messages(&mut driver, &mut owners)?;
        }
        self.check_references()?;
        let usage = journal.usage();
        self.met.checkpoints += u64::from(usage.replay_start != started.replay_start);
        let inodes = (usage.segments + usage.spare_segments) as u64;
        self.met.freed += u64::from(inodes < u64::from(usage.end.segment()));
        self.end(&mut driver, &mut owners)?;
        Ok(true)
    }

    /// Everything that was promised is there.
    fn check(
        &mut self,
        journal: &Journal,
        heard: &Heard,
        life: u64,
        damage_is_known: bool,
    ) -> Result<BTreeMap<u16, Owned>, Violation> {
        let start = journal.usage().replay_start;
        let found = compare(&self.log, &heard.records, start, damage_is_known)
            .map_err(|violation| Violation(format!("life {life}, replay from {start}: {violation}")))?;
        let mut owned: BTreeMap<u16, Owned> = (0..STREAMS).map(|stream| (stream, Owned::default())).collect();
        for (position, stream, _, bytes) in &heard.records {
            let Some(saying) = Saying::decode(bytes) else {
                return violation(format!("life {life}: a record that nobody wrote at {position}"));
            };
            owned.entry(stream.0).or_default().apply(&saying, *position);
        }
        // What was told is certain now; what was not told never will be.
        for (submitted, position) in self.log.iter_mut().zip(found) {
            if submitted.fate == Fate::Pending
                && position.is_some()
                && let (Some(truth), Some(position)) = (&mut self.truth, position)
            {
                apply_all(truth, submitted, position);
            }
            if let (Fate::Pending | Fate::Failed, Some(_)) = (submitted.fate, position) {
                self.references.add(submitted);
            }
            submitted.fate = match (submitted.fate, position) {
                (Fate::Acknowledged(position), _) | (_, Some(position)) => Fate::Acknowledged(position),
                _ => Fate::Failed,
            };
        }
        self.log.retain(|submitted| matches!(submitted.fate, Fate::Acknowledged(_)));
        if let (Some(truth), false) = (&self.truth, damage_is_known)
            && *truth != owned
        {
            return violation(format!("life {life}, replay from {start}: {owned:?} instead of {truth:?}"));
        }
        Ok(owned)
    }

    /// Owners take up what was replayed, and say what they hold.
    fn owners(&self, journal: &Journal, owned: BTreeMap<u16, Owned>) -> Result<Vec<Owner>, Violation> {
        let mut owners = Vec::new();
        for (stream, owned) in owned {
            let mut lookup = journal.lookup();
            for (id, place) in &owned.messages {
                let is_there = journal.hold(place.position, place.length);
                let is_right = lookup.read(place.position, place.length).is_ok_and(|bytes| place.is(&bytes));
                if !(is_there && is_right || self.damage_was_told || self.plan.flips) {
                    return violation(format!("message {id} of {stream} at {place:?} is gone"));
                }
            }
            let ear = Arc::new(Ear::default());
            let appender = journal.appender(Stream(stream), Arc::clone(&ear) as Arc<dyn Listener>);
            owners.push(Owner::new(stream, appender, ear, owned));
        }
        Ok(owners)
    }

    /// Every message that an owner holds can be read.
    fn check_messages(&mut self, driver: &mut Driver, owners: &mut [Owner]) -> Result<(), Violation> {
        for owner in owners {
            let settled = owner.owned.messages.iter().filter(|(id, _)| !owner.unanswered.contains_key(*id));
            let mut expected = 0;
            for (id, place) in settled {
                assert!(owner.appender.fetch(place.position, place.length, *id));
                expected += 1;
            }
            owner.appender.submit();
            driver.read();
            let answers = std::mem::take(&mut *owner.ear.answers.lock().unwrap());
            if answers.len() != expected {
                return violation(format!("{} answers to {expected} requests", answers.len()));
            }
            for answer in answers {
                let place = owner.owned.messages[&answer.tag];
                let right = answer.result.as_ref().is_ok_and(|bytes| place.is(bytes));
                self.met.read += u64::from(right);
                if !right && !self.plan.flips {
                    return violation(format!("message {} of {}: {answer:?}", answer.tag, owner.stream));
                }
                if answer.result.is_ok() && !right {
                    return violation(format!(
                        "message {} of {} is another: {answer:?}",
                        answer.tag, owner.stream
                    ));
                }
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        journal: &Journal,
        driver: &mut Driver,
        owners: &mut [Owner],
    ) -> Result<(), Violation> {
        let before = journal.usage();
        let chosen = self.random.below(u64::from(STREAMS)) as usize;
        match self.random.below(100) {
            0..40 => {
                self.do_something(&mut owners[chosen]);
                self.submit(&mut owners[chosen]);
            }
            40..70 => {
                driver.write(self.now_ms);
            }
            70..85 => {
                driver.tend(self.now_ms);
            }
            85..87 => journal.request_checkpoint(),
            87..90 => driver.run(self.now_ms),
            _ => self.now_ms += self.random.below(300),
        }
        let after = journal.usage();
        if self.references.complete(after.round) || after.segments < before.segments {
            self.check_references()?;
        }
        Ok(())
    }

    /// Everything that either of two checkpoints refers to is there.
    fn check_references(&self) -> Result<(), Violation> {
        if self.plan.flips { Ok(()) } else { self.references.are_there(&self.disk) }
    }

    /// The life ends: in order, by a kill, or by a power cut.
    fn end(&mut self, driver: &mut Driver, owners: &mut [Owner]) -> Result<(), Violation> {
        match self.random.below(4) {
            0 => {
                driver.seal();
                self.hear(owners)?;
                self.disk.kill();
            }
            1 => self.disk.kill(),
            _ if self.plan.power_cuts => self.disk.lose_power(),
            _ => self.disk.kill(),
        }
        Ok(())
    }
}
