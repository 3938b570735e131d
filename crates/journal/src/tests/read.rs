//! Message records are read back by their position.

use crate::simulation::{Faults, SimulatedDisk};
use crate::*;

use super::world::{Owner, World, small_options};

fn answers(world: &mut World, stream: &mut Owner) -> Vec<(u64, Result<Vec<u8>, Unreadable>)> {
    stream.0.submit();
    world.driver.read();
    let answers = std::mem::take(&mut *stream.1.answers.lock().unwrap());
    answers.into_iter().map(|answer| (answer.tag, answer.result)).collect()
}

#[test]
fn a_message_is_read_as_soon_as_it_is_committed_and_after_a_restart() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let one = world.message(&mut stream, b"one");
    assert!(stream.0.fetch(one, 3, 7));
    assert_eq!(answers(&mut world, &mut stream), [(7, Ok(b"one".to_vec()))]);
    // The block of the first was read when the second was not there.
    let two = world.message(&mut stream, b"two");
    assert!(stream.0.fetch(two, 3, 8) && stream.0.fetch(one, 3, 9));
    assert_eq!(answers(&mut world, &mut stream), [(9, Ok(b"one".to_vec())), (8, Ok(b"two".to_vec()))]);
    let mut world = world.after_power_cut();
    let mut stream = world.stream(1);
    assert!(stream.0.fetch(two, 3, 1));
    assert_eq!(answers(&mut world, &mut stream), [(1, Ok(b"two".to_vec()))]);
}

#[test]
fn messages_of_any_size_are_read() {
    let options = Options { segment_bytes: 1 << 20, batch_bytes_max: 4 << 20, ..small_options() };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut stream = world.stream(1);
    let sizes = [0, 1, 300, 65_000, 65_536 - 8, 65_536, 200_000, 2 << 20, 40_000, 100];
    let mut places = Vec::new();
    for (tag, size) in sizes.into_iter().enumerate() {
        places.push((world.message(&mut stream, &vec![tag as u8; size]), size));
    }
    for (tag, (position, size)) in places.iter().enumerate() {
        assert!(stream.0.fetch(*position, *size as u32, tag as u64));
    }
    let answers = answers(&mut world, &mut stream);
    assert_eq!(answers.len(), sizes.len());
    for (tag, result) in answers {
        assert!(result == Ok(vec![tag as u8; sizes[tag as usize]]), "{tag}");
    }
}

#[test]
fn neighbours_cost_one_read() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let places: Vec<_> = (0..10).map(|_| world.message(&mut stream, &[1; 100])).collect();
    let before = world.disk.operations();
    for position in &places {
        assert!(stream.0.fetch(*position, 100, 0));
    }
    assert_eq!(answers(&mut world, &mut stream).len(), 10);
    let operations = world.disk.operations() - before;
    assert!(operations <= 2, "{operations}: open the file, read a block");
}

#[test]
fn a_record_that_is_not_there_is_gone() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let one = world.message(&mut stream, b"one");
    let beyond = Position::new(one.segment(), one.offset() + 8);
    assert!(stream.0.fetch(Position::new(77, 64), 3, 1) && stream.0.fetch(beyond, 3, 2));
    assert_eq!(answers(&mut world, &mut stream), [(2, Err(Unreadable::Gone)), (1, Err(Unreadable::Gone))]);
}

#[test]
fn a_damaged_record_is_never_handed_out_and_a_copy_is_kept() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let one = world.message(&mut stream, b"one");
    let two = world.message(&mut stream, b"two");
    world.disk.flip(&format!("{:016x}.log", one.segment()), u64::from(one.offset()) + 9, 2);
    assert!(stream.0.fetch(one, 3, 1) && stream.0.fetch(two, 3, 2));
    assert_eq!(answers(&mut world, &mut stream), [(1, Err(Unreadable::Damaged)), (2, Ok(b"two".to_vec()))]);
    let damages = std::mem::take(&mut *stream.1.damages.lock().unwrap());
    assert_eq!((damages.len(), damages[0].offset), (1, one.offset()));
    assert_eq!(world.disk.content(damages[0].saved.as_deref().unwrap()).unwrap().len(), 11);
}

#[test]
fn a_record_of_another_length_or_kind_is_not_handed_out() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let state = world.append(&mut stream, "state");
    let one = world.message(&mut stream, b"one");
    assert!(stream.0.fetch(one, 2, 1) && stream.0.fetch(state, 5, 2));
    let answers = answers(&mut world, &mut stream);
    assert_eq!(answers, [(2, Err(Unreadable::Damaged)), (1, Err(Unreadable::Damaged))]);
}

#[test]
fn a_disk_that_cannot_read_says_so_and_may_be_asked_again() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let one = world.message(&mut stream, b"one");
    world.disk.set_faults(Faults { read_fails: 1000, ..Faults::default() });
    assert!(stream.0.fetch(one, 3, 1));
    assert!(matches!(answers(&mut world, &mut stream)[..], [(1, Err(Unreadable::Io(_)))]));
    world.disk.set_faults(Faults::default());
    assert!(stream.0.fetch(one, 3, 2));
    assert_eq!(answers(&mut world, &mut stream), [(2, Ok(b"one".to_vec()))]);
}

#[test]
fn what_one_may_ask_for_at_once_is_bounded() {
    let mut world = World::on(SimulatedDisk::new(1), Options { fetches_max: 2, ..small_options() });
    let mut stream = world.stream(1);
    let one = world.message(&mut stream, b"one");
    assert!(stream.0.fetch(one, 3, 1) && stream.0.fetch(one, 3, 2));
    assert!(!stream.0.fetch(one, 3, 3));
    assert_eq!(answers(&mut world, &mut stream).len(), 2);
    assert!(stream.0.fetch(one, 3, 3));
}

#[test]
fn a_lookup_reads_at_once_and_before_anybody_says_what_is_held() {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let (one, two) = (world.message(&mut stream, b"one"), world.message(&mut stream, b"two"));
    // A last batch would be taken for one that was never finished.
    world.append(&mut stream, "behind");
    world.disk.flip(&format!("{:016x}.log", two.segment()), u64::from(two.offset()) + 9, 2);
    let world = world.after_kill();
    let mut lookup = world.journal.lookup();
    assert_eq!(lookup.read(one, 3), Ok(b"one".to_vec()));
    assert_eq!(lookup.read(one, 2), Err(Unreadable::Damaged), "no such record stands there");
    assert_eq!(lookup.read(Position::new(77, 64), 3), Err(Unreadable::Gone));
    assert_eq!(lookup.read(two, 3), Err(Unreadable::Damaged));
    let damage = lookup.damages().last().unwrap();
    assert_eq!((damage.segment, damage.offset, damage.what), (two.segment(), two.offset(), Flaw::Record));
    assert!(world.disk.content(damage.saved.as_deref().unwrap()).is_some());
    world.disk.set_faults(Faults { read_fails: 1000, ..Faults::default() });
    assert!(matches!(world.journal.lookup().read(one, 3), Err(Unreadable::Io(_))));
}
