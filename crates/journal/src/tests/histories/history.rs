//! One history: lives of a journal, ended by crashes, with random doings in between.

use std::collections::BTreeMap;
use std::ops::Add;
use std::sync::Arc;

use crate::format::segment_name;
use crate::simulation::{Faults, Random, SimulatedDisk};
use crate::tests::world::{Ear, Heard};
use crate::*;

use super::checker::{Fate, Submitted, Violation, compare, violation};
use super::owner::{MESSAGE_BYTES_MIN, Owned, Saying};

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
}

const STREAMS: u16 = 3;
const LIVES: u64 = 5;
const STEPS: u64 = 60;

pub(super) struct History {
    plan: Plan,
    random: Random,
    disk: SimulatedDisk,
    /// Everything submitted that may still be told.
    log: Vec<Submitted>,
    /// What owners have on the disk, from the beginning of time; only kept while nothing has failed.
    truth: Option<BTreeMap<u16, Owned>>,
    next_number: u64,
    now_ms: u64,
    /// Owners have heard of damage while the journal ran.
    damage_was_told: bool,
    met: Met,
}

/// How often something happened, to show that histories are not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) committed: u64,
    pub(super) failed: u64,
    pub(super) checkpoints: u64,
    pub(super) surveyed: u64,
    pub(super) torn: u64,
    pub(super) read: u64,
    pub(super) freed: u64,
    pub(super) damages: u64,
    pub(super) previous_checkpoints: u64,
}

impl Add for Met {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            committed: self.committed + more.committed,
            failed: self.failed + more.failed,
            checkpoints: self.checkpoints + more.checkpoints,
            surveyed: self.surveyed + more.surveyed,
            torn: self.torn + more.torn,
            read: self.read + more.read,
            freed: self.freed + more.freed,
            damages: self.damages + more.damages,
            previous_checkpoints: self.previous_checkpoints + more.previous_checkpoints,
        }
    }
}

/// One owner during one life.
struct Owner {
    stream: u16,
    appender: Appender,
    ear: Arc<Ear>,
    owned: Owned,
    /// Messages that were pushed and are not answered: their position is not known.
    unanswered: BTreeMap<u64, Unanswered>,
    /// The checkpoint that it is writing, and what is still to be written for it.
    checkpoint: Option<(Round, Vec<Saying>)>,
    /// Answers to offers that wait for the outcome of what was pushed for them.
    open: Vec<Saying>,
    open_records: Vec<Vec<u8>>,
    open_offsets: Vec<Offset>,
}

/// A message on its way: new, or moved from where it still stands.
struct Unanswered {
    ticket: Ticket,
    offset: Offset,
    length: u32,
}

impl History {
    pub(super) fn run(plan: Plan, seed: u64) -> Result<Met, Violation> {
        let mut history = Self {
            plan,
            random: Random::new(seed),
            disk: SimulatedDisk::new(seed ^ 0xd15c),
            log: Vec::new(),
            truth: Some((0..STREAMS).map(|stream| (stream, Owned::default())).collect()),
            next_number: 1,
            now_ms: 0,
            damage_was_told: false,
            met: Met::default(),
        };
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
            survey_slack_bytes: 4096,
            survey_offer_bytes: 1000,
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
            self.step(&journal, &mut driver, &mut owners);
            self.hear(&mut owners)?;
        }
        self.disk.live_on();
        if !self.disk.is_dead() {
            self.disk.set_faults(Faults { lies: self.plan.faults.lies, ..Faults::default() });
            self.check_messages(&mut driver, &mut owners)?;
        }
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
            for (id, (position, length)) in &owned.messages {
                if !journal.hold(*position, *length) && !self.damage_was_told {
                    return violation(format!("message {id} of {stream} at {position} is gone"));
                }
            }
            let ear = Arc::new(Ear::default());
            let appender = journal.appender(Stream(stream), Arc::clone(&ear) as Arc<dyn Listener>);
            owners.push(Owner {
                stream,
                appender,
                ear,
                owned,
                unanswered: BTreeMap::new(),
                checkpoint: None,
                open: Vec::new(),
                open_records: Vec::new(),
                open_offsets: Vec::new(),
            });
        }
        Ok(owners)
    }

    /// Every message that an owner holds can be read.
    fn check_messages(&mut self, driver: &mut Driver, owners: &mut [Owner]) -> Result<(), Violation> {
        for owner in owners {
            let settled = owner.owned.messages.iter().filter(|(id, _)| !owner.unanswered.contains_key(*id));
            let mut expected = 0;
            for (id, (position, length)) in settled {
                assert!(owner.appender.fetch(*position, *length, *id));
                expected += 1;
            }
            owner.appender.submit();
            driver.read();
            let answers = std::mem::take(&mut *owner.ear.answers.lock().unwrap());
            if answers.len() != expected {
                return violation(format!("{} answers to {expected} requests", answers.len()));
            }
            for answer in answers {
                let length = owner.owned.messages[&answer.tag].1;
                let right = answer.result.as_ref().is_ok_and(|bytes| {
                    Saying::decode(bytes) == Some(Saying::Message { id: answer.tag, length })
                });
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

    fn step(&mut self, journal: &Journal, driver: &mut Driver, owners: &mut [Owner]) {
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
    }

    fn do_something(&mut self, owner: &mut Owner) {
        for _ in 0..=self.random.below(4) {
            let key = self.random.below(8) as u8;
            let saying = match self.random.below(10) {
                0..2 => Saying::Set { key, value: self.random.below(100) },
                2..4 if owner.owned.counters.contains_key(&key) => Saying::Add { key, more: 1 },
                4 => Saying::Delete { key },
                5..8 => {
                    let giant = self.random.chance(10);
                    let most = if giant { 9000 } else { 500 };
                    let length = MESSAGE_BYTES_MIN + self.random.below(most) as u32;
                    Saying::Message { id: self.next_number, length }
                }
                _ => {
                    let Some((id, place)) = self.any_message(owner) else { continue };
                    owner.appender.release(place.0, place.1);
                    Saying::Done { id }
                }
            };
            self.say(owner, saying);
        }
    }

    /// A message that is committed and stays where it is.
    fn any_message(&mut self, owner: &Owner) -> Option<(u64, (Position, u32))> {
        let settled = owner.owned.messages.iter().filter(|(id, _)| !owner.unanswered.contains_key(*id));
        let settled: Vec<_> = settled.collect();
        let (id, place) = settled.get(self.random.below(settled.len() as u64) as usize)?;
        Some((**id, **place))
    }

    fn say(&mut self, owner: &mut Owner, saying: Saying) {
        let bytes = saying.encode(self.next_number);
        self.next_number += 1;
        let offset = owner.appender.push(saying.kind(), &bytes).unwrap();
        match saying {
            // Where it stands is known when it is committed.
            Saying::Message { .. } => {}
            _ => owner.owned.apply(&saying, Position::ZERO),
        }
        owner.open.push(saying);
        owner.open_records.push(bytes);
        owner.open_offsets.push(offset);
    }

    fn submit(&mut self, owner: &mut Owner) {
        let Some(ticket) = owner.appender.submit() else { return };
        let sayings = std::mem::take(&mut owner.open);
        for (saying, offset) in sayings.iter().zip(owner.open_offsets.drain(..)) {
            if let Saying::Message { id, length } = *saying {
                owner.unanswered.insert(id, Unanswered { ticket, offset, length });
            }
        }
        let records = std::mem::take(&mut owner.open_records);
        self.log.push(Submitted { stream: owner.stream, ticket, sayings, records, fate: Fate::Pending });
    }

    /// Owners act on what they are told.
    fn hear(&mut self, owners: &mut [Owner]) -> Result<(), Violation> {
        for owner in owners {
            for outcome in owner.ear.outcomes() {
                self.answered(owner, outcome)?;
            }
            if let Some(round) = owner.ear.rounds.lock().unwrap().drain(..).next_back() {
                owner.checkpoint = Some((round, images(owner)));
            }
            let damages = std::mem::take(&mut *owner.ear.damages.lock().unwrap());
            if !damages.is_empty() && !self.plan.flips {
                return violation(format!("damage out of nothing while it ran: {damages:?}"));
            }
            self.damage_was_told |= !damages.is_empty();
            let offers = std::mem::take(&mut *owner.ear.offers.lock().unwrap());
            for offer in offers {
                self.answer(owner, &offer)?;
            }
            self.checkpoint_on(owner);
        }
        Ok(())
    }

    fn answered(&mut self, owner: &mut Owner, outcome: Outcome) -> Result<(), Violation> {
        let same = |s: &&mut Submitted| {
            (s.stream, s.ticket, s.fate) == (owner.stream, outcome.ticket, Fate::Pending)
        };
        let Some(submitted) = self.log.iter_mut().find(same) else {
            return violation(format!("an answer to nothing: {outcome:?}"));
        };
        let submitted_before = submitted.ticket;
        match outcome.result {
            Ok(position) => {
                submitted.fate = Fate::Acknowledged(position);
                self.met.committed += 1;
                if let Some(truth) = &mut self.truth {
                    apply_all(truth, submitted, position);
                }
                owner.unanswered.retain(|id, message| {
                    if message.ticket == outcome.ticket {
                        owner.owned.messages.insert(*id, (position.plus(message.offset), message.length));
                    }
                    message.ticket != outcome.ticket
                });
            }
            Err(_) => {
                submitted.fate = Fate::Failed;
                self.met.failed += 1;
                self.truth = None;
                // What was new is refused to its publisher; what was moved stands where it stood.
                owner.unanswered.retain(|_, message| message.ticket != outcome.ticket);
            }
        }
        let earlier = |s: &Submitted| {
            s.stream == owner.stream && s.fate == Fate::Pending && s.ticket < submitted_before
        };
        if self.log.iter().any(earlier) {
            return violation(format!("answers out of order at {outcome:?}"));
        }
        Ok(())
    }

    /// Pushes again what it still has of an offer.
    fn answer(&mut self, owner: &mut Owner, offer: &Offer) -> Result<(), Violation> {
        for (position, bytes) in offer.records.iter() {
            let Some(saying @ Saying::Message { id, length }) = Saying::decode(bytes) else {
                return violation(format!("an offer of something else at {position}"));
            };
            if owner.owned.messages.get(&id) == Some(&(*position, length)) {
                self.say(owner, saying);
            }
        }
        owner.appender.surveyed(offer.number);
        self.met.surveyed += 1;
        self.submit(owner);
        Ok(())
    }

    /// Writes a piece of the checkpoint that it owes.
    fn checkpoint_on(&mut self, owner: &mut Owner) {
        let Some((round, mut left)) = owner.checkpoint.take() else { return };
        for _ in 0..=self.random.below(6) {
            let Some(image) = left.pop() else { break };
            // It may have changed or died since the list was made.
            let current = match image {
                Saying::Set { key, .. } => {
                    owner.owned.counters.get(&key).map(|value| Saying::Set { key, value: *value })
                }
                Saying::MessageAt { id, .. } if owner.unanswered.contains_key(&id) => None,
                Saying::MessageAt { id, .. } => owner
                    .owned
                    .messages
                    .get(&id)
                    .map(|(position, length)| Saying::MessageAt { id, position: *position, length: *length }),
                _ => None,
            };
            if let Some(image) = current {
                self.say(owner, image);
            }
        }
        if left.is_empty() {
            owner.appender.checkpointed(round);
        } else {
            owner.checkpoint = Some((round, left));
        }
        self.submit(owner);
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

    fn mutate(&mut self) {
        let names = self.disk.names();
        for _ in 0..=self.random.below(4) {
            let name = &names[self.random.below(names.len() as u64) as usize];
            let mut content = self.disk.content(name).unwrap_or_default();
            let length = content.len() as u64;
            match self.random.below(6) {
                0 => self.disk.lose(name),
                1 => self.disk.cut(name, self.random.below(length + 1)),
                2 => self.disk.put(name, &[]),
                3 => {
                    let other = &names[self.random.below(names.len() as u64) as usize];
                    self.disk.put(name, &self.disk.content(other).unwrap_or_default());
                }
                4 => {
                    let number = self.random.below(30) as u32;
                    self.disk.put(&segment_name(number + 1), &content);
                }
                _ => {
                    let from = self.random.below(length + 1) as usize;
                    let some = self.random.below(600) as usize;
                    content.iter_mut().skip(from).take(some).for_each(|byte| *byte = self.random.any() as u8);
                    self.disk.put(name, &content);
                }
            }
        }
    }

    fn flip_bits(&mut self) {
        let names = self.disk.names();
        for _ in 0..=self.random.below(5) {
            let name = &names[self.random.below(names.len() as u64) as usize];
            let length = self.disk.content(name).map_or(0, |content| content.len() as u64);
            self.disk.flip(name, self.random.below(length), self.random.below(8) as u8);
        }
    }
}

/// Everything that an owner has, to be written as images. What is on its way is replayed itself.
fn images(owner: &Owner) -> Vec<Saying> {
    let counters = owner.owned.counters.iter().map(|(key, value)| Saying::Set { key: *key, value: *value });
    let messages = owner.owned.messages.iter().map(|(id, (position, length))| Saying::MessageAt {
        id: *id,
        position: *position,
        length: *length,
    });
    counters.chain(messages).collect()
}

fn apply_all(truth: &mut BTreeMap<u16, Owned>, submitted: &Submitted, first: Position) {
    let owned = truth.entry(submitted.stream).or_default();
    let mut offset = 0;
    for (saying, bytes) in submitted.sayings.iter().zip(&submitted.records) {
        owned.apply(saying, Position::from_u64(first.to_u64() + offset));
        offset += 8 + bytes.len() as u64;
    }
}
