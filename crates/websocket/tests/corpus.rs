//! Replays what the fuzz targets found worth keeping, so that every build meets it and not only a fuzzing run; and puts
//! the same question to frames that a generator makes.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../../../fuzz/src/frames/mod.rs"]
#[allow(unreachable_pub, reason = "part of a program there, a module here")]
mod frames;
#[path = "../../../fuzz/src/upgrade.rs"]
#[allow(unreachable_pub, reason = "part of a program there, a module here")]
mod upgrade;

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
fn the_corpus_of_frames_is_read() {
    replay("websocket_frames", frames::frames);
}

#[test]
fn the_corpus_of_requests_is_read() {
    replay("websocket_upgrade", upgrade::upgrade);
}

/// A frame as a client may send it, right in most things.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(&[0x82u8, 0x02, 0x80, 0x00, 0x81, 0x01, 0x89, 0x8A][..]),
        1 => Just(0x88u8),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..20),
        2 => "[a-zé€𝄞]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 120..130),
        1 => (990u16..5010, "[a-z€]{0,5}").prop_map(|(code, reason)| {
            [&code.to_be_bytes()[..], reason.as_bytes()].concat()
        }),
    ];
    (first, payload, any::<[u8; 4]>()).prop_map(|(first, payload, mask)| {
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..=125 => bytes.push(0x80 | len as u8),
            len => bytes.extend([0xFE, (len >> 8) as u8, len as u8]),
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    })
}

proptest! {
    #[test]
    fn frames_say_the_same_however_they_are_cut_and_whoever_reads_them(
        settings in any::<[u8; 4]>(),
        sent in prop::collection::vec(frame(), 0..12),
    ) {
        let input: Vec<u8> = settings.into_iter().chain(sent.into_iter().flatten()).collect();
        frames::frames(&input);
    }
}
