//! The same owners, each on a thread of its own, on a journal with its threads and a real disk: what the simulation cannot
//! show is whether the parts get along when they run at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tests::world::{Ear, Heard};
use crate::*;

use super::acting::Owner;
use super::checker::{Fate, Violation, compare, violation};
use super::history::{History, Plan};
use super::owner::{Owned, Saying};

const THREADS: u16 = 3;
const LIVES: u64 = 4;
const SUBMISSIONS: usize = 400;
const PLAN: Plan = super::SOUND;

fn options(level: Level) -> Options {
    Options {
        level,
        segment_bytes: 16 << 10,
        checkpoint_bytes: 30_000,
        evacuation_slack_bytes: 20_000,
        ..Options::default()
    }
}

/// One owner's life. It reads what it holds all the time, and checks it.
fn live(history: &mut History, owner: Owner) -> Result<(), Violation> {
    owner.ear.wakes_this_thread();
    let stream = owner.stream;
    let mut owners = [owner];
    let mut asked = BTreeMap::new();
    let end = history.log.len() + SUBMISSIONS;
    for round in 0.. {
        let [owner] = &mut owners;
        let acts = owner.unanswered.len() < 40 && history.log.len() < end;
        if acts {
            history.do_something(owner);
        }
        if let Some((id, place)) = history.any_message(owner)
            && owner.appender.fetch(place.position, place.length, round)
        {
            asked.insert(round, (id, place));
        }
        if owner.open.is_empty() {
            owner.appender.submit();
        } else {
            history.submit(owner);
        }
        history.hear(&mut owners)?;
        let [owner] = &mut owners;
        for answer in std::mem::take(&mut *owner.ear.answers.lock().unwrap()) {
            let Some((id, place)) = asked.remove(&answer.tag) else {
                return violation(format!("an answer to nothing: {answer:?}"));
            };
            match &answer.result {
                Ok(bytes) if place.is(bytes) => history.met.read += 1,
                // It died or moved since it was asked for.
                Err(Unreadable::Gone)
                    if owner.unanswered.contains_key(&id)
                        || owner.owned.messages.get(&id) != Some(&place) => {}
                _ => return violation(format!("message {id} of {stream}: {answer:?}")),
            }
        }
        let waits = history.log.iter().rev().take(200).any(|submitted| submitted.fate == Fate::Pending);
        if history.log.len() >= end && !waits && asked.is_empty() && owner.checkpoint.is_none() {
            return Ok(());
        }
        if !acts && owner.checkpoint.is_none() && (waits || !asked.is_empty()) {
            // Whatever is on its way wakes this thread.
            std::thread::park();
        }
    }
    Ok(())
}

/// What was told of one stream, compared with what it did.
fn check(heard: &Heard, history: &History, stream: u16, start: Position) -> Result<Owned, Violation> {
    let told: Vec<_> =
        heard.records.iter().filter(|(_, whose, ..)| *whose == Stream(stream)).cloned().collect();
    compare(&history.log, &told, start, false)?;
    let mut owned = Owned::default();
    for (position, _, _, bytes) in &told {
        let saying = Saying::decode(bytes).ok_or(Violation(format!("nobody wrote what is at {position}")))?;
        owned.apply(&saying, *position);
    }
    match &history.truth {
        Some(truth) if truth[&stream] != owned => {
            let truth = &truth[&stream];
            let missing = truth.messages.iter().find(|(id, place)| owned.messages.get(id) != Some(place));
            let extra = owned.messages.iter().find(|(id, place)| truth.messages.get(id) != Some(place));
            let (told, true_) = (&owned.counters, &truth.counters);
            violation(format!("missing {missing:?}, extra {extra:?}, counters {told:?} instead of {true_:?}"))
        }
        _ => Ok(owned),
    }
}

fn lives_follow_each_other(level: Level) {
    let folder = tempfile::tempdir().unwrap();
    let mut histories: Vec<_> = (0..THREADS).map(|stream| History::new(PLAN, u64::from(stream))).collect();
    let mut freed = 0;
    for life in 0..LIVES {
        let disk = Arc::new(RealDisk::create(folder.path()).unwrap());
        let mut heard = Heard::default();
        let (journal, report) = Journal::open(disk, options(level), &mut heard).unwrap();
        assert_eq!((report.damages_total, report.torn_bytes), (0, 0), "{report:?}");
        let start = journal.usage().replay_start;
        let mut all = Vec::new();
        for (stream, history) in (0..).zip(&mut histories) {
            let owned = check(&heard, history, stream, start).unwrap_or_else(|v| panic!("life {life}: {v}"));
            for place in owned.messages.values() {
                assert!(journal.hold(place.position, place.length));
            }
            let ear = Arc::new(Ear::default());
            let appender = journal.appender(Stream(stream), Arc::clone(&ear) as Arc<dyn Listener>);
            all.push(Owner::new(stream, appender, ear, owned));
        }
        journal.restored();
        std::thread::scope(|scope| {
            for (history, owner) in histories.iter_mut().zip(all) {
                scope.spawn(move || live(history, owner).unwrap_or_else(|v| panic!("{v}")));
            }
        });
        let usage = journal.usage();
        freed += u64::from((usage.segments + usage.spare_segments) < usage.end.segment() as usize);
        drop(journal);
    }
    assert!(freed > 0, "segments were never used again");
    assert!(histories.iter().all(|history| history.met.read > 100));
    assert!(histories.iter().any(|history| history.met.evacuated > 0));
}

#[test]
fn owners_on_threads_get_along_with_all_that_goes_on_beside_them() {
    lives_follow_each_other(Level::Os);
}

#[test]
fn owners_on_threads_get_along_when_everything_is_synced() {
    lives_follow_each_other(Level::Fsync);
}
