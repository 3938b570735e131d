//! Checkpoints move the start of the replay, and what is no longer needed is freed.

use crate::format::segment_name;
use crate::simulation::{Faults, SimulatedDisk};
use crate::*;

use super::world::{Owner, World, small_options};

/// Every owner answers the round that it was asked for.
fn checkpoint(world: &mut World, owners: &mut [(&mut Owner, &str)]) {
    world.journal.request_checkpoint();
    world.run();
    for (owner, image) in owners.iter_mut() {
        let (round, _) = owner.1.round().expect("it was asked for a checkpoint");
        owner.0.push(Kind::State, image.as_bytes()).unwrap();
        owner.0.checkpointed(round, Marks::default());
        owner.0.submit();
    }
    world.run();
    for (owner, _) in owners.iter_mut() {
        owner.1.outcomes();
    }
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
    let (round, _) = one.1.round().unwrap();
    assert_eq!(two.1.round().unwrap().0, round);
    one.0.push(Kind::State, b"image").unwrap();
    one.0.checkpointed(round, Marks::default());
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
    let (given_up, _) = one.1.round().unwrap();
    let two = world.stream(2);
    one.0.push(Kind::State, b"image").unwrap();
    one.0.checkpointed(given_up, Marks::default());
    one.0.submit();
    world.run();
    let (round, _) = one.1.round().unwrap();
    assert!(round > given_up);
    assert_eq!(two.1.round().unwrap().0, round);
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
    world.fill(&mut owner);
    world.run();
    assert_eq!(owner.1.rounds.lock().unwrap().len(), 1);
}

#[test]
fn segments_without_life_are_used_again_after_two_checkpoints() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    world.fill(&mut owner);
    checkpoint(&mut world, &mut [(&mut owner, "first")]);
    assert!(world.disk.content(&segment_name(1)).is_some(), "the checkpoint before may still be needed");
    world.fill(&mut owner);
    checkpoint(&mut world, &mut [(&mut owner, "second")]);
    assert!(world.disk.content(&segment_name(1)).is_none());
    let usage = world.journal.usage();
    assert!(usage.spare_segments > 1, "{usage:?}");
    world.fill(&mut owner);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts()[0], "second");
    assert_eq!(world.heard.records.len(), 13);
}

#[test]
fn nothing_is_freed_before_owners_have_said_what_they_hold() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.fill(&mut owner);
    world.journal.request_checkpoint();
    world.run();
    assert!(owner.1.rounds.lock().unwrap().is_empty());
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
        world.fill(&mut owner);
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
    world.fill(&mut owner);
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
fn a_round_in_which_something_failed_is_never_complete() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    world.append(&mut owner, "before");
    world.journal.request_checkpoint();
    world.run();
    let (round, _) = owner.1.round().unwrap();
    fail(&mut world, &mut owner, b"image");
    owner.0.push(Kind::State, b"the rest of the images").unwrap();
    owner.0.checkpointed(round, Marks::default());
    owner.0.submit();
    world.run();
    assert!(owner.1.outcomes()[0].result.is_ok());
    assert_eq!(world.journal.usage().replay_start, Position::ZERO);
    assert!(owner.1.round().unwrap().0 > round, "another one is asked for");
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
    world.fill(&mut owner);
    world.run();
    let used: u64 =
        world.disk.names().iter().map(|name| world.disk.content(name).unwrap().len() as u64).sum();
    world.disk.set_faults(Faults { space: Some(used + 100), ..Default::default() });
    let mut asked = 0;
    for number in 0..100 {
        owner.0.push(Kind::State, format!("{number:0>300}").as_bytes()).unwrap();
        if let Some((round, _)) = owner.1.round() {
            owner.0.push(Kind::State, b"image").unwrap();
            owner.0.checkpointed(round, Marks::default());
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
