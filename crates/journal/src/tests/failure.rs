//! When the disk refuses: nobody is told "committed", the journal goes on by itself, and nothing comes back in a wrong
//! order.

use crate::limits::PROBE_INTERVAL_MS;
use crate::simulation::Faults;
use crate::*;

use super::world::World;

fn failing_sync() -> Faults {
    Faults { sync_fails: 1000, ..Faults::default() }
}

#[test]
fn a_failed_sync_is_told_and_the_next_submission_goes_elsewhere() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let before = world.append(&mut stream, "before");
    world.disk.set_faults(failing_sync());
    stream.0.push(Kind::State, b"lost").unwrap();
    stream.0.submit();
    world.write();
    let outcome = stream.1.outcomes()[0];
    assert!(matches!(outcome.result, Err(Failure::Io(_))), "{outcome:?}");
    assert!(matches!(world.journal.health(), Health::Failing(Failure::Io(_))));
    world.disk.set_faults(Faults::default());
    world.now_ms += PROBE_INTERVAL_MS;
    let after = world.append(&mut stream, "after");
    assert!(after.segment() > before.segment());
    assert_eq!(world.journal.health(), Health::Good);
    assert_eq!(stream.1.healths.lock().unwrap().len(), 2);
    let world = world.after_kill();
    assert_eq!(
        world.heard.texts(),
        ["before", "after"],
        "what failed does not come back after a later success"
    );
    assert_eq!(world.report.damages, []);
}

#[test]
fn between_attempts_submissions_fail_at_once() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    world.disk.set_faults(failing_sync());
    let mut submit = |world: &mut World| {
        stream.0.push(Kind::State, b"x").unwrap();
        stream.0.submit();
        world.write();
        assert!(stream.1.outcomes()[0].result.is_err());
        world.disk.operations()
    };
    let after_first = submit(&mut world);
    world.now_ms += PROBE_INTERVAL_MS - 1;
    assert_eq!(submit(&mut world), after_first, "the disk is left alone");
    world.now_ms += 1;
    assert!(submit(&mut world) > after_first);
}

#[test]
fn a_full_disk_is_told_early_and_recovers() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    world.append(&mut stream, "first");
    world.run();
    let used: u64 = world.segments().iter().map(|name| world.disk.content(name).unwrap().len() as u64).sum();
    world.disk.set_faults(Faults { space: Some(used + 1000), ..Faults::default() });
    // One segment more is there already. When it is begun, the next one cannot be made.
    let mut failed = false;
    let mut warned = false;
    for number in 0..40 {
        stream.0.push(Kind::State, format!("{number:0>300}").as_bytes()).unwrap();
        stream.0.submit();
        world.run();
        warned |= world.journal.health() == Health::NearlyFull;
        match stream.1.outcomes()[0].result {
            Ok(_) => assert!(!failed),
            Err(failure) => {
                assert_eq!(failure, Failure::Full);
                assert!(warned, "it was told before");
                failed = true;
            }
        }
    }
    assert!(failed);
    assert_eq!(world.journal.health(), Health::Failing(Failure::Full));
    world.disk.set_faults(Faults::default());
    world.now_ms += 1000;
    world.append(&mut stream, "last");
    world.run();
    assert_eq!(world.journal.health(), Health::Good);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts().last(), Some(&"last"));
    assert_eq!(world.report.damages, []);
}

#[test]
fn short_writes_are_continued() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    world.disk.set_faults(Faults { write_is_short: 800, ..Faults::default() });
    let texts: Vec<_> = (0..30).map(|number| format!("{number:0>200}")).collect();
    for text in &texts {
        world.append(&mut stream, text);
    }
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), texts);
}
