//! Looking through a folder, and copying it while it is used.

use std::sync::Arc;

use crate::format::format_text;
use crate::simulation::SimulatedDisk;
use crate::*;

use super::world::{Ear, Heard, World, small_options};

/// A copy of a journal that is in use, verified.
fn back_up(journal: &Journal, from: &dyn Disk, to: &dyn Disk) -> Inspection {
    let pin = journal.pin();
    copy(from, pin.contents(), to, &mut |_, _| {}).unwrap();
    verify(to).unwrap()
}

fn filled() -> World {
    let mut world = World::new();
    let mut stream = world.stream(4);
    for number in 0..20 {
        stream.0.push(Kind::State, format!("{number:0>300}").as_bytes()).unwrap();
        stream.0.push(Kind::Message, &[number; 100]).unwrap();
        stream.0.submit();
        world.write();
    }
    world.run();
    world
}

#[test]
fn everything_in_a_folder_is_shown_in_order() {
    let world = filled();
    let mut positions = Vec::new();
    let mut segments = Vec::new();
    let sum = inspect(&world.disk, &mut |inspected| match inspected {
        Inspected::Segment { number, holds, .. } => segments.push((number, holds)),
        Inspected::Record { position, stream, intact, .. } => {
            assert_eq!((stream, intact), (Stream(4), true));
            positions.push(position);
        }
        Inspected::Damage(damage) => panic!("{damage}"),
    })
    .unwrap();
    assert!(positions.len() == 40 && positions.is_sorted());
    assert!(segments.len() >= 4);
    assert_eq!(segments.last().unwrap().1, Holds::Nothing, "the spare one");
    assert!(segments[..segments.len() - 1].iter().all(|(_, holds)| *holds == Holds::Log));
    assert_eq!((sum.submissions, sum.state.records, sum.messages.records), (20, 20, 20));
    assert_eq!((sum.state.bytes, sum.messages.bytes), (6000, 2000));
    assert_eq!(sum.end, world.journal.usage().end);
    assert!(sum.is_sound());
    assert_eq!(sum.torn_bytes, 0);
}

#[test]
fn looking_changes_nothing_and_finds_every_flipped_bit_of_the_log() {
    let mut world = filled();
    world.driver.seal();
    let content = world.disk.content(&world.segments()[0]).unwrap();
    let name = world.segments()[0].clone();
    let used = 64..content.len() - 600;
    for offset in used.step_by(7) {
        world.disk.flip(&name, offset as u64, 5);
        let before = world.disk.names();
        let operations = world.disk.operations();
        let sum = verify(&world.disk).unwrap();
        assert!(world.disk.operations() > operations);
        // Padding belongs to nobody.
        let padding = content[offset] == 0 && sum.is_sound();
        assert!(!sum.is_sound() || padding, "offset {offset}");
        assert_eq!(world.disk.names(), before);
        world.disk.flip(&name, offset as u64, 5);
    }
    assert!(verify(&world.disk).unwrap().is_sound());
}

#[test]
fn a_newer_folder_is_not_looked_at() {
    let world = filled();
    world.disk.put("format", format_text(9).as_bytes());
    assert!(matches!(verify(&world.disk), Err(OpenError::Newer { found: 9, .. })));
}

#[test]
fn a_lost_segment_shows() {
    let world = filled();
    world.disk.lose(&world.segments()[1]);
    let sum = verify(&world.disk).unwrap();
    assert_eq!(sum.damages[0].what, Flaw::SegmentMissing);
}

#[test]
fn a_copy_holds_what_was_durable_when_it_was_made() {
    let mut world = filled();
    let mut stream = world.stream(4);
    let copy = SimulatedDisk::new(2);
    let sum = back_up(&world.journal, &world.disk, &copy);
    assert!(sum.is_sound());
    assert_eq!(sum.submissions, 20);
    world.append(&mut stream, "later");
    let original = world.after_power_cut();
    copy.lose_power();
    let copied = World::on(copy, small_options());
    assert_eq!(original.heard.records.len(), 41);
    assert_eq!(copied.heard.records[..], original.heard.records[..40], "in the same places, too");
    assert_eq!((copied.report.damages_total, copied.report.torn_bytes), (0, 0));
}

#[test]
fn a_copy_starts_its_replay_where_the_original_does() {
    let mut world = filled();
    world.journal.restored();
    let mut stream = world.stream(4);
    for image in ["first image", "second image"] {
        world.journal.request_checkpoint();
        world.run();
        let (round, _) = stream.1.round().unwrap();
        stream.0.push(Kind::State, image.as_bytes()).unwrap();
        stream.0.checkpointed(round, Marks::default());
        stream.0.submit();
        world.run();
    }
    let copy = SimulatedDisk::new(2);
    back_up(&world.journal, &world.disk, &copy);
    assert_eq!(World::on(copy, small_options()).heard.texts(), ["second image"]);
}

#[test]
fn a_copy_goes_only_into_an_empty_folder() {
    let world = filled();
    let target = SimulatedDisk::new(2);
    target.put("mine", b"x");
    let pin = world.journal.pin();
    let copied = copy(&world.disk, pin.contents(), &target, &mut |_, _| {});
    assert!(matches!(copied, Err(BackupError::NotEmpty)));
    assert_eq!(target.names(), ["mine"]);
}

#[test]
fn a_copy_is_put_back_and_works() {
    let world = filled();
    let (backup, back) = (SimulatedDisk::new(2), SimulatedDisk::new(3));
    let sum = back_up(&world.journal, &world.disk, &backup);
    let (mut told, contents) = (0, Contents::of(&backup).unwrap());
    copy(&backup, &contents, &back, &mut |_, piece| told += piece.len() as u64).unwrap();
    assert_eq!(told, contents.bytes());
    assert_eq!(verify(&back).unwrap(), sum);
    let mut world = World::on(back, small_options());
    assert_eq!(world.heard.records.len(), 40);
    let mut stream = world.stream(4);
    world.append(&mut stream, "goes on");
    assert_eq!(world.after_power_cut().heard.records.len(), 41);
}

#[test]
fn while_somebody_copies_nothing_is_freed() {
    let mut world = World::new();
    let mut stream = world.stream(4);
    world.journal.restored();
    for number in 0..12 {
        world.append(&mut stream, &format!("{number:0>1000}"));
    }
    let oldest = world.segments()[0].clone();
    let pin = world.journal.pin();
    for _ in 0..3 {
        world.journal.request_checkpoint();
        world.run();
        let (round, _) = stream.1.round().unwrap();
        stream.0.push(Kind::State, b"image").unwrap();
        stream.0.checkpointed(round, Marks::default());
        stream.0.submit();
        world.run();
    }
    assert!(world.segments().contains(&oldest));
    drop(pin);
    world.run();
    assert!(!world.segments().contains(&oldest));
}

#[test]
fn a_peek_tells_what_an_opening_would_and_changes_nothing() {
    let world = filled();
    // Damage that an opening would copy aside, and a tail that it would cut.
    let names = world.segments();
    world.disk.flip(&names[1], 64 + 40 + 20, 3);
    let before: Vec<_> = world.disk.names().iter().map(|name| world.disk.content(name)).collect();
    let mut heard = Heard::default();
    let peeked = peek(&world.disk, &mut heard).unwrap();
    let after: Vec<_> = world.disk.names().iter().map(|name| world.disk.content(name)).collect();
    assert!(before == after);
    assert_eq!(peeked.files, names.len() as u64);
    let opened = world.after_kill();
    assert_eq!(heard.records, opened.heard.records);
    assert_eq!(peeked.report.damages_total, 1);
    assert_eq!(peeked.report.damages_total, opened.report.damages_total);
    assert!(peeked.report.damages[0].saved.is_none() && opened.report.damages[0].saved.is_some());
}

#[test]
fn a_real_folder_is_copied_while_it_is_used() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = Arc::new(RealDisk::create(folder.path()).unwrap());
    let options = Options { level: Level::Os, ..small_options() };
    let (journal, _) = Journal::open(Arc::<RealDisk>::clone(&disk), options, &mut Heard::default()).unwrap();
    let ear = Arc::new(Ear::default());
    let mut appender = journal.appender(Stream(1), ear);
    let copies: Vec<_> = (0..5)
        .map(|number| {
            for text in 0..200u32 {
                appender.push(Kind::Message, &text.to_le_bytes()).unwrap();
                appender.submit();
            }
            let to = RealDisk::create(copy.path().join(number.to_string())).unwrap();
            back_up(&journal, &*disk, &to)
        })
        .collect();
    assert!(copies.iter().all(Inspection::is_sound));
    assert!(copies.is_sorted_by_key(|copy| copy.submissions));
}
