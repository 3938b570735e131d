//! Checkpoints move the start of the replay, and what is no longer needed is freed.

use std::sync::Arc;

use crate::format::segment_name;
use crate::simulation::{Faults, SimulatedDisk};
use crate::*;

use super::world::{Ear, World, small_options};

type Owner = (Appender, Arc<Ear>);

/// Every owner answers the round that it was asked for.
fn checkpoint(world: &mut World, owners: &mut [(&mut Owner, &str)]) {
    world.journal.request_checkpoint();
    world.run();
    for (owner, image) in owners.iter_mut() {
        let round = owner.1.rounds.lock().unwrap().pop().expect("it was asked for a checkpoint");
        owner.0.push(Kind::State, image.as_bytes()).unwrap();
        owner.0.checkpointed(round);
        owner.0.submit();
    }
    world.run();
    for (owner, _) in owners.iter_mut() {
        owner.1.outcomes();
    }
}

/// Some segments of State records.
fn fill(world: &mut World, owner: &mut Owner) {
    for number in 0..12 {
        world.append(owner, &format!("{number:0>1000}"));
    }
}

fn message(world: &mut World, owner: &mut Owner, bytes: &[u8]) -> Position {
    owner.0.push(Kind::Message, bytes).unwrap();
    owner.0.submit().unwrap();
    world.write();
    owner.1.position()
}

#[test]
fn a_replay_starts_where_the_last_complete_round_began() {
    let mut world = World::new();
    let (mut one, mut two) = (world.stream(1), world.stream(2));
    world.journal.restored();
    world.append(&mut one, "before");
    checkpoint(&mut world, &mut [(&mut one, "image of one"), (&mut two, "image of two")]);
    world.append(&mut one, "after");
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["image of one", "image of two", "after"]);
}

#[test]
fn a_round_that_one_owner_has_not_finished_counts_for_nothing() {
    let mut world = World::new();
    let (mut one, two) = (world.stream(1), world.stream(2));
    world.journal.restored();
    world.append(&mut one, "before");
    world.journal.request_checkpoint();
    world.run();
    let round = one.1.rounds.lock().unwrap().pop().unwrap();
    assert_eq!(*two.1.rounds.lock().unwrap(), [round]);
    one.0.push(Kind::State, b"image").unwrap();
    one.0.checkpointed(round);
    one.0.submit();
    world.run();
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["before", "image"]);
}

#[test]
fn a_round_begins_anew_when_an_owner_comes() {
    let mut world = World::new();
    let mut one = world.stream(1);
    world.journal.restored();
    world.append(&mut one, "before");
    world.journal.request_checkpoint();
    world.run();
    let given_up = one.1.rounds.lock().unwrap().pop().unwrap();
    let two = world.stream(2);
    one.0.push(Kind::State, b"image").unwrap();
    one.0.checkpointed(given_up);
    one.0.submit();
    world.run();
    let round = one.1.rounds.lock().unwrap().pop().unwrap();
    assert!(round > given_up);
    assert_eq!(*two.1.rounds.lock().unwrap(), [round]);
    assert_eq!(world.journal.usage().replay_start, Position::ZERO);
}

#[test]
fn a_checkpoint_is_asked_for_when_enough_was_written() {
    let options = Options { checkpoint_bytes: 10_000, ..small_options() };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut owner = world.stream(1);
    world.journal.restored();
    world.append(&mut owner, "a little");
    world.run();
    assert!(owner.1.rounds.lock().unwrap().is_empty());
    fill(&mut world, &mut owner);
    world.run();
    assert_eq!(owner.1.rounds.lock().unwrap().len(), 1);
}

#[test]
fn segments_without_life_are_used_again_after_two_checkpoints() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    fill(&mut world, &mut owner);
    checkpoint(&mut world, &mut [(&mut owner, "first")]);
    assert!(world.disk.content(&segment_name(1)).is_some(), "the checkpoint before may still be needed");
    fill(&mut world, &mut owner);
    checkpoint(&mut world, &mut [(&mut owner, "second")]);
    assert!(world.disk.content(&segment_name(1)).is_none());
    let usage = world.journal.usage();
    assert!(usage.spare_segments > 1, "{usage:?}");
    fill(&mut world, &mut owner);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts()[0], "second");
    assert_eq!(world.heard.records.len(), 13);
}

#[test]
fn nothing_is_freed_before_owners_have_said_what_they_hold() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    fill(&mut world, &mut owner);
    world.journal.request_checkpoint();
    world.run();
    assert!(owner.1.rounds.lock().unwrap().is_empty());
}

#[test]
fn a_segment_with_a_living_message_stays_until_it_is_released() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = message(&mut world, &mut owner, b"alive");
    for image in ["first", "second", "third"] {
        fill(&mut world, &mut owner);
        checkpoint(&mut world, &mut [(&mut owner, image)]);
    }
    assert!(world.disk.content(&segment_name(position.segment())).is_some());
    owner.0.release(position, 5);
    owner.0.push(Kind::State, b"done with it").unwrap();
    owner.0.submit();
    assert_eq!(world.journal.usage().live_bytes, 13, "not before the submission is durable");
    world.run();
    assert_eq!(world.journal.usage().live_bytes, 0);
    assert!(world.disk.content(&segment_name(position.segment())).is_none());
}

#[test]
fn what_is_held_after_a_restart_stays() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    let (kept, lost) = (message(&mut world, &mut owner, b"kept"), message(&mut world, &mut owner, b"lost"));
    fill(&mut world, &mut owner);
    let mut world = world.after_power_cut();
    assert!(world.journal.hold(kept, 4));
    assert!(!world.journal.hold(Position::new(99, 64), 4), "there is no such segment");
    world.journal.restored();
    let mut owner = world.stream(1);
    for image in ["first", "second", "third"] {
        fill(&mut world, &mut owner);
        checkpoint(&mut world, &mut [(&mut owner, image)]);
    }
    assert_eq!(kept.segment(), lost.segment());
    assert!(world.disk.content(&segment_name(kept.segment())).is_some());
    assert_eq!(world.journal.usage().live_bytes, 12);
}

#[test]
fn few_survivors_are_offered_and_their_segment_is_freed() {
    let options = Options { survey_slack_bytes: 1000, ..small_options() };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let (mut owner, other) = (world.stream(1), world.stream(2));
    world.journal.restored();
    let old = message(&mut world, &mut owner, b"survivor");
    let mut other = other;
    for image in ["first", "second"] {
        fill(&mut world, &mut owner);
        checkpoint(&mut world, &mut [(&mut owner, image), (&mut other, image)]);
    }
    let offer = owner.1.offers.lock().unwrap().pop().expect("little lives in that segment");
    assert_eq!(offer.records[..], [(old, b"survivor".to_vec())]);
    assert_eq!(other.1.offers.lock().unwrap().pop().unwrap().number, offer.number);
    other.0.surveyed(offer.number);
    other.0.submit();
    let offset = owner.0.push(Kind::Message, b"survivor").unwrap();
    owner.0.surveyed(offer.number);
    owner.0.submit();
    assert!(world.disk.content(&segment_name(old.segment())).is_some());
    world.run();
    let new = owner.1.outcomes()[0].result.unwrap().plus(offset);
    assert!(world.disk.content(&segment_name(old.segment())).is_none());
    assert!(owner.0.fetch(new, 8, 1) && owner.0.fetch(old, 8, 2));
    owner.0.submit();
    world.run();
    let answers = std::mem::take(&mut *owner.1.answers.lock().unwrap());
    assert!(answers.iter().any(|answer| answer.tag == 1 && answer.result == Ok(b"survivor".to_vec())));
    assert!(answers.iter().any(|answer| answer.tag == 2 && answer.result == Err(Unreadable::Gone)));
}

#[test]
fn damage_in_the_last_checkpoint_makes_the_replay_start_from_the_one_before() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    checkpoint_after(&mut world, &mut owner, "a", "first");
    checkpoint_after(&mut world, &mut owner, "b", "second");
    let end = world.append(&mut owner, "c");
    let content = world.disk.content(&segment_name(end.segment())).unwrap();
    let at = content.windows(6).position(|bytes| bytes == b"second").unwrap();
    world.disk.flip(&segment_name(end.segment()), at as u64, 0);
    let world = world.after_kill();
    assert_eq!(world.heard.texts(), ["first", "b", "c"]);
    assert_eq!(world.heard.begins, 2);
    assert!(world.report.used_previous_checkpoint);
    assert_eq!(world.report.damages_total, 1);
}

fn checkpoint_after(world: &mut World, owner: &mut Owner, text: &str, image: &str) {
    world.append(owner, text);
    checkpoint(world, &mut [(owner, image)]);
}

#[test]
fn without_a_manifest_everything_that_hangs_together_is_told() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    for image in ["first", "second", "third"] {
        fill(&mut world, &mut owner);
        checkpoint(&mut world, &mut [(&mut owner, image)]);
    }
    world.append(&mut owner, "last");
    world.disk.lose("manifest");
    let world = world.after_kill();
    let texts = world.heard.texts();
    let at = |text: &str| texts.iter().position(|other| *other == text);
    assert!(at("second") < at("third") && at("third") < at("last"), "{:?}", at("second"));
    assert!(at("second").is_some(), "both checkpoints are told");
    assert_eq!(world.report.damages[0].what, Flaw::Manifest);
    let world = world.after_kill();
    assert_eq!(world.report.damages_total, 0, "it is written anew");
}

#[test]
fn a_log_that_is_shorter_than_its_manifest_knows_is_damaged() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    fill(&mut world, &mut owner);
    checkpoint(&mut world, &mut [(&mut owner, "image")]);
    for name in world.segments().into_iter().skip(1) {
        world.disk.lose(&name);
    }
    let world = world.after_kill();
    assert_eq!(world.report.damages[0].what, Flaw::SegmentMissing);
    assert!(world.report.used_previous_checkpoint);
    assert!(!world.heard.records.is_empty(), "what is left is told");
}

#[test]
fn releases_of_a_failed_submission_wait_for_a_checkpoint() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = message(&mut world, &mut owner, b"alive");
    world.disk.set_faults(Faults { sync_fails: 1000, ..Default::default() });
    owner.0.push(Kind::State, b"done with it").unwrap();
    owner.0.release(position, 5);
    owner.0.submit();
    world.write();
    assert!(owner.1.outcomes()[0].result.is_err());
    world.disk.set_faults(Default::default());
    world.now_ms += 1000;
    world.append(&mut owner, "works again");
    world.run();
    assert_eq!(world.journal.usage().live_bytes, 13, "a crash now would bring the message back");
    let round = owner.1.rounds.lock().unwrap().pop().expect("a failure asks for a checkpoint by itself");
    owner.0.push(Kind::State, b"image without it").unwrap();
    owner.0.checkpointed(round);
    owner.0.submit();
    world.run();
    assert_eq!(world.journal.usage().live_bytes, 0);
}

#[test]
fn a_release_behind_a_failure_waits_for_a_checkpoint_too() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = message(&mut world, &mut owner, b"alive");
    fail(&mut world, &mut owner, b"done with it");
    owner.0.release(position, 5);
    owner.0.submit();
    world.write();
    assert_eq!(world.journal.usage().live_bytes, 13, "what made it unnecessary is not on the disk");
}

#[test]
fn a_round_in_which_something_failed_is_never_complete() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    world.append(&mut owner, "before");
    world.journal.request_checkpoint();
    world.run();
    let round = owner.1.rounds.lock().unwrap().pop().unwrap();
    fail(&mut world, &mut owner, b"image");
    owner.0.push(Kind::State, b"the rest of the images").unwrap();
    owner.0.checkpointed(round);
    owner.0.submit();
    world.run();
    assert!(owner.1.outcomes()[0].result.is_ok());
    assert_eq!(world.journal.usage().replay_start, Position::ZERO);
    assert!(owner.1.rounds.lock().unwrap()[0] > round, "another one is asked for");
}

/// Submits something that the disk refuses; afterwards the disk works again.
fn fail(world: &mut World, owner: &mut Owner, record: &[u8]) {
    world.disk.set_faults(Faults { sync_fails: 1000, ..Default::default() });
    owner.0.push(Kind::State, record).unwrap();
    owner.0.submit();
    world.write();
    assert!(owner.1.outcomes()[0].result.is_err());
    world.disk.set_faults(Faults::default());
    world.now_ms += 1000;
}

#[test]
fn a_full_disk_asks_for_checkpoints_which_make_space() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    fill(&mut world, &mut owner);
    world.run();
    let used: u64 =
        world.disk.names().iter().map(|name| world.disk.content(name).unwrap().len() as u64).sum();
    world.disk.set_faults(Faults { space: Some(used + 100), ..Default::default() });
    let mut asked = 0;
    for number in 0..100 {
        owner.0.push(Kind::State, format!("{number:0>300}").as_bytes()).unwrap();
        if let Some(round) = owner.1.rounds.lock().unwrap().pop() {
            owner.0.push(Kind::State, b"image").unwrap();
            owner.0.checkpointed(round);
            asked += 1;
        }
        owner.0.submit();
        world.now_ms += 1000;
        world.run();
        assert_eq!(owner.1.outcomes().len(), 1, "submission {number}");
    }
    assert!(asked >= 2);
    assert_eq!(world.journal.health(), Health::Good);
}
