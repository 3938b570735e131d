//! What is marked stays, what two rounds have not marked is freed, and what is sparse is named for evacuation.

use std::sync::Arc;

use crate::format::segment_name;
use crate::simulation::{Faults, SimulatedDisk};
use crate::*;

use super::world::{Owner, World, small_options};

/// A round of checkpoints of one owner which refers to these Message records. Returns what it was asked to empty.
fn round(world: &mut World, owner: &mut Owner, held: &[(Position, u32)]) -> Arc<[u32]> {
    world.journal.request_checkpoint();
    world.run();
    let (round, evacuate) = owner.1.round().expect("it was asked for a checkpoint");
    answer(world, owner, round, held);
    evacuate
}

fn answer(world: &mut World, owner: &mut Owner, round: Round, held: &[(Position, u32)]) {
    let mut marks = Marks::default();
    held.iter().for_each(|(position, length)| marks.mark(*position, *length));
    owner.0.push(Kind::State, b"image").unwrap();
    owner.0.checkpointed(round, marks);
    owner.0.submit();
    world.run();
    owner.1.outcomes();
}

fn is_there(world: &World, position: Position) -> bool {
    world.disk.content(&segment_name(position.segment())).is_some()
}

#[test]
fn a_segment_stays_as_long_as_one_of_the_last_two_rounds_has_marked_it() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = world.message(&mut owner, b"alive");
    for _ in 0..4 {
        world.fill(&mut owner);
        round(&mut world, &mut owner, &[(position, 5)]);
    }
    assert_eq!(world.journal.usage().live_bytes, 13);
    round(&mut world, &mut owner, &[]);
    assert_eq!(world.journal.usage().live_bytes, 0);
    assert!(is_there(&world, position), "if this checkpoint is damaged the one before refers to it");
    round(&mut world, &mut owner, &[]);
    assert!(!is_there(&world, position));
}

#[test]
fn the_mark_of_any_stream_counts() {
    let mut world = World::new();
    let (mut one, mut two) = (world.stream(1), world.stream(2));
    world.journal.restored();
    let position = world.message(&mut one, b"alive");
    for _ in 0..4 {
        world.fill(&mut one);
        world.journal.request_checkpoint();
        world.run();
        let (asked, _) = two.1.round().unwrap();
        answer(&mut world, &mut two, asked, &[(position, 5)]);
        answer(&mut world, &mut one, asked, &[]);
    }
    assert!(is_there(&world, position));
}

#[test]
fn what_was_written_since_a_round_began_counts_as_alive_until_the_next() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    world.fill(&mut owner);
    world.journal.request_checkpoint();
    world.run();
    let position = world.message(&mut owner, b"alive");
    world.fill(&mut owner);
    let (first, _) = owner.1.round().unwrap();
    answer(&mut world, &mut owner, first, &[]);
    world.fill(&mut owner);
    assert_eq!(world.journal.usage().live_bytes, 13);
    for rounds in 2..4 {
        round(&mut world, &mut owner, &[]);
        assert_eq!(is_there(&world, position), rounds < 3, "round {rounds}");
    }
}

#[test]
fn what_is_held_after_a_restart_stays() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    let kept = world.message(&mut owner, b"kept");
    world.fill(&mut owner);
    let mut world = world.after_power_cut();
    assert!(world.journal.hold(kept, 4));
    assert!(!world.journal.hold(Position::new(99, 64), 4), "there is no such segment");
    assert_eq!(world.journal.usage().live_bytes, 12);
    let mut owner = world.stream(1);
    world.journal.restored();
    for _ in 0..3 {
        world.fill(&mut owner);
        round(&mut world, &mut owner, &[(kept, 4)]);
        assert!(is_there(&world, kept));
    }
}

#[test]
fn what_an_earlier_life_has_marked_counts_until_a_round_is_complete() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = world.message(&mut owner, b"alive");
    for _ in 0..3 {
        world.fill(&mut owner);
        round(&mut world, &mut owner, &[(position, 5)]);
    }
    // It has died since, and nobody holds it. The older of the two checkpoints refers to it all the same.
    let mut world = world.after_power_cut();
    let mut owner = world.stream(1);
    world.journal.restored();
    world.fill(&mut owner);
    world.run();
    assert!(is_there(&world, position));
    round(&mut world, &mut owner, &[]);
    assert!(!is_there(&world, position));
}

#[test]
fn a_round_that_a_failure_gave_up_marks_nothing_dead() {
    let mut world = World::new();
    let mut owner = world.stream(1);
    world.journal.restored();
    let position = world.message(&mut owner, b"alive");
    for _ in 0..3 {
        world.fill(&mut owner);
        round(&mut world, &mut owner, &[(position, 5)]);
    }
    for _ in 0..3 {
        world.journal.request_checkpoint();
        world.run();
        let (given_up, _) = owner.1.round().unwrap();
        world.disk.set_faults(Faults { sync_fails: 1000, ..Default::default() });
        owner.0.push(Kind::State, b"done with it").unwrap();
        owner.0.submit();
        world.write();
        assert!(owner.1.outcomes()[0].result.is_err());
        world.disk.set_faults(Faults::default());
        world.now_ms += 1000;
        answer(&mut world, &mut owner, given_up, &[]);
    }
    assert!(is_there(&world, position), "a crash now would bring the message back");
    assert_eq!(world.journal.usage().live_bytes, 13);
    let (asked, _) = owner.1.round().expect("a failure asks for a checkpoint by itself");
    answer(&mut world, &mut owner, asked, &[]);
    round(&mut world, &mut owner, &[]);
    assert!(!is_there(&world, position));
}

#[test]
fn a_sparse_segment_is_named_and_free_when_two_rounds_no_longer_refer_to_it() {
    let options = Options { evacuation_slack_bytes: 1000, ..small_options() };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut owner = world.stream(1);
    world.journal.restored();
    let old = world.message(&mut owner, b"survivor");
    let full = world.message(&mut owner, &[7; 3950]);
    assert_ne!(old.segment(), full.segment());
    let held = [(old, 8), (full, 3950)];
    world.fill(&mut owner);
    assert!(round(&mut world, &mut owner, &held).is_empty(), "nobody knows yet what lives where");
    world.fill(&mut owner);
    world.journal.request_checkpoint();
    world.run();
    let (asked, evacuate) = owner.1.round().unwrap();
    assert_eq!(evacuate[..], [old.segment()]);
    let new = world.message(&mut owner, b"survivor");
    answer(&mut world, &mut owner, asked, &[(full, 3950)]);
    world.fill(&mut owner);
    assert!(is_there(&world, old));
    round(&mut world, &mut owner, &[(new, 8), (full, 3950)]);
    assert!(!is_there(&world, old) && is_there(&world, full));
    assert!(owner.0.fetch(new, 8, 1) && owner.0.fetch(old, 8, 2));
    owner.0.submit();
    world.run();
    let answers = std::mem::take(&mut *owner.1.answers.lock().unwrap());
    assert!(answers.iter().any(|answer| answer.tag == 1 && answer.result == Ok(b"survivor".to_vec())));
    assert!(answers.iter().any(|answer| answer.tag == 2 && answer.result == Err(Unreadable::Gone)));
}

#[test]
fn not_more_is_to_be_written_again_in_one_round_than_may_be() {
    let options = Options {
        evacuation_slack_bytes: 0,
        evacuation_bytes_max: 0,
        segment_bytes: 16 << 10,
        ..small_options()
    };
    let mut world = World::on(SimulatedDisk::new(1), options.clone());
    let mut owner = world.stream(1);
    world.journal.restored();
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push((world.message(&mut owner, &[7; 4000]), 4000));
        world.fill(&mut owner);
    }
    round(&mut world, &mut owner, &held);
    let named = round(&mut world, &mut owner, &held);
    assert!(!named.is_empty());
    let of_named = held.iter().filter(|(position, _)| named.contains(&position.segment()));
    let bytes: u32 = of_named.map(|(_, length)| length).sum();
    assert!(u64::from(bytes) <= u64::from(options.segment_bytes), "{bytes}");
    assert!(named.len() < held.len());
}

/// Twelve segments of messages which a round has marked.
fn full_of_messages(options: Options) -> (World, Owner, Vec<(Position, u32)>) {
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut owner = world.stream(1);
    world.journal.restored();
    let held: Vec<_> = (0..12).map(|_| (world.message(&mut owner, &[7; 3000]), 3000)).collect();
    round(&mut world, &mut owner, &held);
    (world, owner, held)
}

#[test]
fn a_checkpoint_is_asked_for_when_much_has_died_although_little_was_written() {
    let (mut world, mut owner, _) = full_of_messages(Options { checkpoint_bytes: 10_000, ..small_options() });
    for (dead, is_due) in [(9500, false), (9500, true)] {
        owner.0.forgot(dead);
        world.append(&mut owner, "done with some");
        world.run();
        assert_eq!(owner.1.round().is_some(), is_due);
    }
}

#[test]
fn another_round_follows_when_it_would_free_much() {
    let (mut world, mut owner, held) =
        full_of_messages(Options { checkpoint_bytes: 10_000, ..small_options() });
    let first = held[0].0;
    round(&mut world, &mut owner, &[]);
    assert!(is_there(&world, first));
    let (asked, _) = owner.1.round().expect("all that is dead now would be free after one more");
    answer(&mut world, &mut owner, asked, &[]);
    assert!(!is_there(&world, first));
    assert_eq!(owner.1.round(), None, "there is nothing left to gain");
}

#[test]
fn owners_that_do_not_empty_a_segment_are_not_asked_at_once_again() {
    let options = Options { checkpoint_bytes: 10_000, evacuation_slack_bytes: 0, ..small_options() };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut owner = world.stream(1);
    world.journal.restored();
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push((world.message(&mut owner, b"survivor"), 8));
        world.fill(&mut owner);
    }
    round(&mut world, &mut owner, &held);
    let mut asked = 0;
    while let Some((next, _)) = owner.1.round() {
        answer(&mut world, &mut owner, next, &held);
        asked += 1;
        assert!(asked < 10);
    }
    assert!(asked > 0, "it would have paid");
}
