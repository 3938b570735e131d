//! Damage is reported and copied aside, and everything else is served.

use crate::format::segment_name as name;
use crate::*;

use super::world::World;

fn filled(texts: &[&str]) -> (World, Vec<Position>) {
    let mut world = World::new();
    let mut stream = world.stream(1);
    let positions = texts.iter().map(|text| world.append(&mut stream, text)).collect();
    (world, positions)
}

#[test]
fn a_flipped_bit_costs_one_record_which_is_kept_aside() {
    let (world, positions) = filled(&["one", "two", "three"]);
    world.disk.flip(&name(1), u64::from(positions[1].offset()) + 9, 3);
    let world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one", "three"]);
    let damage = &world.report.damages[0];
    assert_eq!((damage.segment, damage.offset, damage.what), (1, positions[1].offset(), Flaw::Record));
    assert_eq!(world.heard.damages, world.report.damages);
    let saved = world.disk.content(damage.saved.as_deref().unwrap()).unwrap();
    assert_eq!(saved.len() as u64, damage.bytes);
    assert_eq!(&saved[8..], [b't', b'w' ^ 8, b'o']);
}

#[test]
fn a_damaged_header_costs_one_submission() {
    let (world, positions) = filled(&["one", "two", "three"]);
    world.disk.flip(&name(1), u64::from(positions[1].offset()) - 20, 0);
    let world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one", "three"]);
    assert_eq!(world.report.damages[0].what, Flaw::Gap);
    assert_eq!(world.report.damages[0].bytes, 56);
    let world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one", "three"], "and the next start says the same");
    assert_eq!(world.report.damages_total, 1);
}

#[test]
fn what_is_damaged_at_the_very_end_is_a_torn_tail_and_kept_aside() {
    let (world, positions) = filled(&["one", "two"]);
    world.disk.flip(&name(1), u64::from(positions[1].offset()) + 9, 3);
    let mut world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one"]);
    assert_eq!(world.report.damages, []);
    assert!(world.report.torn_bytes >= 50, "{:?}", world.report);
    assert!(world.disk.content(world.report.torn_saved.as_deref().unwrap()).unwrap().len() >= 50);
    let mut stream = world.stream(1);
    world.append(&mut stream, "three");
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["one", "three"]);
    assert_eq!((world.report.torn_bytes, world.report.damages_total), (0, 0));
}

#[test]
fn after_an_orderly_end_the_same_is_damage() {
    let (mut world, positions) = filled(&["one", "two"]);
    world.driver.seal();
    world.disk.flip(&name(1), u64::from(positions[1].offset()) + 9, 3);
    let world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one"]);
    assert_eq!(world.report.damages[0].what, Flaw::Record);
    assert_eq!(world.report.torn_bytes, 0);
}

#[test]
fn a_missing_segment_is_reported_and_the_others_are_told() {
    let long = "x".repeat(1500);
    let texts: Vec<_> = (0..8).map(|number| format!("{number}{long}")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let (world, positions) = filled(&texts);
    world.disk.lose(&name(2));
    let world = world.after_kill();
    let expected: Vec<_> =
        texts.iter().zip(&positions).filter(|(_, p)| p.segment() != 2).map(|(text, _)| *text).collect();
    assert!(expected.len() < 8);
    assert_eq!(world.heard.texts(), expected);
    assert_eq!(world.report.damages[0].what, Flaw::SegmentMissing);
    assert_eq!(world.report.damages[0].segment, 2);
}

#[test]
fn a_segment_cut_short_is_reported_and_the_others_are_told() {
    let long = "x".repeat(1500);
    let texts: Vec<_> = (0..8).map(|number| format!("{number}{long}")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    for length in [0, 30, 64, 100, 1700] {
        let (world, positions) = filled(&texts);
        world.disk.cut(&name(2), length);
        let world = world.after_kill();
        let lost = |p: &Position| p.segment() == 2 && u64::from(p.offset()) + 1501 > length;
        let expected: Vec<_> =
            texts.iter().zip(&positions).filter(|(_, p)| !lost(p)).map(|(text, _)| *text).collect();
        assert_eq!(world.heard.texts(), expected, "cut to {length}");
        assert_eq!(world.report.damages_total, 1, "cut to {length}: {:?}", world.report.damages);
    }
}

#[test]
fn a_damaged_segment_header_is_reported_and_what_follows_is_told() {
    let long = "x".repeat(1000);
    let texts: Vec<_> = (0..8).map(|number| format!("{number}{long}")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    for segment in [1, 2, 3] {
        let (world, positions) = filled(&texts);
        assert!(positions[7].segment() >= 3);
        world.disk.flip(&name(segment), 20, 1);
        let world = world.after_kill();
        assert_eq!(world.heard.texts(), texts);
        assert_eq!(world.report.damages[0].what, Flaw::SegmentHeader);
        assert_eq!(world.report.damages_total, 1);
    }
}

#[test]
fn foreign_files_are_left_alone() {
    let (world, _) = filled(&["one"]);
    world.disk.put("notes.txt", b"mine");
    world
        .disk
        .put("0000000000000009.log", b"garbage that is no segment at all, and longer than a header of one");
    let mut world = world.after_kill();
    assert_eq!(world.heard.texts(), ["one"]);
    let mut stream = world.stream(1);
    let position = world.append(&mut stream, "two");
    assert!(position.segment() > 9);
    let world = world.after_power_cut();
    assert_eq!(world.heard.texts(), ["one", "two"]);
    assert_eq!(world.disk.content("notes.txt").unwrap(), b"mine");
}
