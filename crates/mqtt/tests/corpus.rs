//! Replays what the fuzz targets found worth keeping, so that every build meets it and not only a fuzzing run.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::Path;

use tidegate_mqtt::Version;

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library there, a module here")]
mod check;

/// Hands each file of a target's corpus to `run`; a corpus that is missing or nearly empty fails.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        run(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 20, "{} holds only {files} files", folder.display());
}

#[test]
fn the_corpus_of_3_1_is_read() {
    replay("decode_v31", |bytes| check::packets(bytes, Version::V31));
}

#[test]
fn the_corpus_of_3_1_1_is_read() {
    replay("decode_v311", |bytes| check::packets(bytes, Version::V311));
}

#[test]
fn the_corpus_of_5_0_is_read() {
    replay("decode_v5", |bytes| check::packets(bytes, Version::V5));
}

#[test]
fn the_corpus_of_topic_filters_is_read() {
    replay("topic_filter", check::topics);
}

#[test]
fn a_corpus_is_read_the_same_way_on_connections_of_every_version() {
    for target in ["decode_v31", "decode_v311", "decode_v5"] {
        for version in Version::ALL {
            replay(target, |bytes| check::packets(bytes, version));
        }
    }
}

#[test]
fn the_second_matcher_gives_the_examples_of_the_specification() {
    // What judges the codec is judged itself, by the examples of section 4.7.
    for (filter, name, matches) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/x", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/x", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
    ] {
        assert!(check::naive_filter_is_legal(filter));
        assert_eq!(check::naive_matches(filter, name), matches, "{filter} {name}");
    }
    for filter in ["sport/tennis#", "sport/tennis/#/ranking", "sport+", ""] {
        assert!(!check::naive_filter_is_legal(filter), "{filter}");
    }
}
