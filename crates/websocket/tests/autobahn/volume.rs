//! Chapters 9 and 10: large messages, in one frame, in fragments and in small writes, and many messages.
//!
//! The testsuite measures with these; here they must only hold. Messages are a sixteenth as large, and 50 for its 1000.

use crate::case::{BINARY, CONTINUATION, Case, FIN, Heard, TEXT, frame};

const KIB: usize = 1024;
const SMALLER: usize = 16;
const MESSAGES: usize = 50;

fn payload(opcode: u8, len: usize) -> Vec<u8> {
    let pattern: &[u8] = if opcode == TEXT { b"BAsd7&jh23" } else { b"\x00\xFE\x23\xFA\xF0" };
    pattern.iter().copied().cycle().take(len).collect()
}

fn echo(opcode: u8, payload: Vec<u8>) -> Heard {
    if opcode == TEXT { Heard::Text(payload) } else { Heard::Binary(payload) }
}

fn fragmented(opcode: u8, payload: &[u8], fragment: usize) -> Vec<u8> {
    let count = payload.len().div_ceil(fragment);
    let parts = payload.chunks(fragment).enumerate();
    let frames = parts.map(|(i, part)| {
        let fin = if i + 1 == count { FIN } else { 0 };
        frame(fin | if i == 0 { opcode } else { CONTINUATION }, part)
    });
    frames.collect::<Vec<_>>().concat()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, opcode) in [(0, TEXT), (1, BINARY)] {
        for (number, kib) in (1..).zip([64, 256, 1024, 4096, 8192, 16384]) {
            let payload = payload(opcode, kib * KIB / SMALLER);
            let case = Case::new(format!("9.{}.{number}", 1 + group)).sends(frame(FIN | opcode, &payload));
            cases.push(case.hears(echo(opcode, payload)).ends_well());
        }
        for (number, fragment) in (1..=9).map(|i| (i, 64 << (2 * (i - 1)))) {
            let payload = payload(opcode, 4096 * KIB / SMALLER);
            let case = Case::new(format!("9.{}.{number}", 3 + group));
            let case = case.sends(fragmented(opcode, &payload, fragment));
            cases.push(case.hears(echo(opcode, payload)).ends_well());
        }
        for (number, chop) in (1..=6).map(|i| (i, 32 << i)) {
            let payload = payload(opcode, 1024 * KIB / SMALLER);
            let case = Case::new(format!("9.{}.{number}", 5 + group));
            let case = case.sends_chops(&frame(FIN | opcode, &payload), chop);
            cases.push(case.hears(echo(opcode, payload)).ends_well());
        }
        for (number, len) in (1..).zip([0, 16, 64, 256, 1024, 4096]) {
            let mut case = Case::new(format!("9.{}.{number}", 7 + group));
            for _ in 0..MESSAGES {
                let payload = payload(opcode, len);
                case = case.sends(frame(FIN | opcode, &payload)).hears(echo(opcode, payload));
            }
            cases.push(case.ends_well());
        }
    }
    cases
}

pub(crate) fn fragments_of_1300() -> [Case; 1] {
    let payload = payload(TEXT, 64 * KIB);
    let case = Case::new("10.1.1").sends(fragmented(TEXT, &payload, 1300));
    [case.hears_text(&payload).ends_well()]
}
