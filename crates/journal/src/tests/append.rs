//! What is committed is there after a crash, in order and whole.

use crate::*;

use super::world::World;

#[test]
fn what_was_committed_is_replayed_after_a_power_cut() {
    let mut world = World::new();
    let (mut appender, ear) = world.stream(3);
    let first = appender.push(Kind::State, b"one").unwrap();
    let second = appender.push(Kind::Message, b"two").unwrap();
    assert_eq!(appender.submit(), Some(Ticket(1)));
    world.write();
    let position = ear.position();
    let world = world.after_power_cut();
    let expected = vec![
        (position.plus(first), Stream(3), Kind::State, b"one".to_vec()),
        (position.plus(second), Stream(3), Kind::Message, b"two".to_vec()),
    ];
    assert_eq!(world.heard.records, expected);
    assert_eq!((world.report.submissions, world.report.records, world.report.bytes), (1, 2, 6));
    assert_eq!(world.report.damages, []);
}

#[test]
fn nothing_is_answered_before_it_is_written() {
    let mut world = World::new();
    let (mut appender, ear) = world.stream(0);
    appender.push(Kind::State, b"x").unwrap();
    assert_eq!(appender.submit(), Some(Ticket(1)));
    assert_eq!(appender.pending_bytes(), 56);
    assert_eq!(ear.outcomes(), []);
    world.write();
    assert_eq!(ear.outcomes().len(), 1);
    assert_eq!(appender.pending_bytes(), 0);
}

#[test]
fn submitting_nothing_is_nothing() {
    let mut world = World::new();
    let (mut appender, ear) = world.stream(0);
    assert_eq!(appender.submit(), None);
    assert!(!world.driver.write(0));
    appender.push(Kind::State, b"x").unwrap();
    assert_eq!(appender.submit(), Some(Ticket(1)));
    assert_eq!(appender.submit(), None);
    world.write();
    assert_eq!(ear.outcomes()[0].ticket, Ticket(1));
}

#[test]
fn what_comes_during_a_sync_shares_the_next_one() {
    let mut world = World::new();
    let (mut one, mut two) = (world.stream(1), world.stream(2));
    for text in ["a", "b"] {
        one.0.push(Kind::State, text.as_bytes()).unwrap();
        one.0.submit();
        two.0.push(Kind::State, text.as_bytes()).unwrap();
        two.0.submit();
    }
    assert!(world.driver.write(0));
    assert!(!world.driver.write(0), "all of it was one batch");
    assert_eq!(
        one.1.outcomes().iter().map(|outcome| outcome.ticket).collect::<Vec<_>>(),
        [Ticket(1), Ticket(2)]
    );
    assert_eq!(two.1.outcomes().len(), 2);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["a", "a", "b", "b"]);
}

#[test]
fn a_batch_is_bounded_and_the_rest_is_the_next_one() {
    let mut world = World::new();
    let (mut appender, ear) = world.stream(1);
    for _ in 0..3 {
        appender.push(Kind::State, &[7; 1000]).unwrap();
        appender.submit();
    }
    assert!(world.driver.write(0));
    assert_eq!(ear.outcomes().len(), 1, "two would exceed 2048 bytes with their headers");
    world.write();
    assert_eq!(ear.outcomes().len(), 2);
}

#[test]
fn the_log_goes_on_in_the_next_segment() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let texts: Vec<_> = (0..40).map(|number| format!("{number:0>300}")).collect();
    let positions: Vec<_> = texts.iter().map(|text| world.append(&mut stream, text)).collect();
    assert!(positions.is_sorted());
    assert!(positions[39].segment() >= 4, "{}", positions[39]);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), texts);
}

#[test]
fn a_submission_larger_than_a_segment_gets_one_of_its_size() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    world.append(&mut stream, "before");
    let giant = "g".repeat(100_000);
    world.append(&mut stream, &giant);
    world.append(&mut stream, "after");
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["before", giant.as_str(), "after"]);
}

#[test]
fn many_lives_follow_each_other() {
    let mut world = World::new();
    for life in 0..10 {
        assert_eq!(world.heard.records.len(), life * 2, "life {life}: {:?}", world.report);
        let mut stream = world.stream(1);
        world.append(&mut stream, "a");
        world.append(&mut stream, "b");
        if life % 2 == 0 {
            world.run();
        }
        world = match life % 3 {
            0 => world.after_power_cut(),
            1 => world.after_kill(),
            _ => world.closed_and_opened(),
        };
        assert_eq!(world.report.damages, []);
        assert_eq!(world.report.torn_bytes, 0);
    }
}

#[test]
fn positions_rise_over_lives() {
    let mut world = World::new();
    let mut last = Position::ZERO;
    for _ in 0..5 {
        let mut stream = world.stream(1);
        let position = world.append(&mut stream, "x");
        assert!(position > last);
        last = position;
        world = world.after_kill();
    }
}
