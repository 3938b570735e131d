//! Chapters 1 to 5: messages, control frames, what is reserved, and fragments.

use crate::case::{BINARY, CONTINUATION, Case, FIN, Heard, PING, PONG, TEXT, frame};

const HELLO: &[u8] = b"Hello, world!";

fn hello() -> Vec<u8> {
    frame(FIN | TEXT, HELLO)
}

pub(crate) fn messages() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, opcode, byte) in [(1, TEXT, b'*'), (2, BINARY, 0xFE)] {
        for (case, len) in (1..).zip([0, 125, 126, 127, 128, 65535, 65536, 65536]) {
            let payload = vec![byte; len];
            // The eighth is the seventh in chops of 997 bytes.
            let chop = if case == 8 { 997 } else { usize::MAX };
            let heard = if opcode == TEXT { Heard::Text } else { Heard::Binary };
            cases.push(
                Case::new(format!("1.{kind}.{case}"))
                    .sends_chops(&frame(FIN | opcode, &payload), chop)
                    .hears(heard(payload))
                    .ends_well(),
            );
        }
    }
    cases
}

pub(crate) fn pings() -> Vec<Case> {
    let answered = |id: &str, payload: &[u8], chop: usize| {
        Case::new(id)
            .sends_chops(&frame(PING, payload), chop)
            .hears(Heard::Pong(payload.to_vec()))
            .ends_well()
    };
    let ten = |id: &str, chop: usize| {
        let payloads: Vec<Vec<u8>> = (0..10).map(|i| format!("payload-{i}").into_bytes()).collect();
        let pings: Vec<u8> = payloads.iter().flat_map(|payload| frame(PING, payload)).collect();
        let case = Case::new(id).sends_chops(&pings, chop);
        payloads.into_iter().fold(case, |case, payload| case.hears(Heard::Pong(payload))).ends_well()
    };
    vec![
        answered("2.1", b"", usize::MAX),
        answered("2.2", b"Hello, world!", usize::MAX),
        answered("2.3", &[0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0, 0xFF], usize::MAX),
        answered("2.4", &[0xFE; 125], usize::MAX),
        Case::new("2.5").sends(frame(PING, &[0xFE; 126])).fails(1002),
        answered("2.6", &[0xFE; 125], 1),
        Case::new("2.7").sends(frame(PONG, b"")).ends_well(),
        Case::new("2.8").sends(frame(PONG, b"unsolicited")).ends_well(),
        Case::new("2.9")
            .sends([frame(PONG, b"unsolicited"), frame(PING, b"asked")].concat())
            .hears(Heard::Pong(b"asked".to_vec()))
            .ends_well(),
        ten("2.10", usize::MAX),
        ten("2.11", 1),
    ]
}

/// A good message, then what breaks the rule, then a Ping that nobody answers.
fn echoed_then_fails(id: &str, broken: &[u8], chop: usize) -> Case {
    let bytes = [&hello()[..], broken, &frame(PING, b"")].concat();
    Case::new(id).sends_chops(&bytes, chop).hears_text(HELLO).fails(1002)
}

pub(crate) fn reserved_bits() -> Vec<Case> {
    let reserved = |bits: u8, first: u8| frame(first | bits << 4, HELLO);
    vec![
        Case::new("3.1").sends(reserved(1, FIN | TEXT)).fails(1002),
        echoed_then_fails("3.2", &reserved(2, FIN | TEXT), usize::MAX),
        echoed_then_fails("3.3", &reserved(3, FIN | TEXT), hello().len()),
        echoed_then_fails("3.4", &reserved(4, FIN | TEXT), 1),
        Case::new("3.5").sends(reserved(5, FIN | BINARY)).fails(1002),
        Case::new("3.6").sends(reserved(6, PING)).fails(1002),
        Case::new("3.7").sends(reserved(7, 0x88)).fails(1002),
    ]
}

pub(crate) fn reserved_opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, opcodes) in [(1, 3..=7), (2, 11..=15)] {
        for (case, opcode) in (1..).zip(opcodes) {
            let id = format!("4.{kind}.{case}");
            let payload = if case % 2 == 0 || case == 5 { HELLO } else { b"" };
            let broken = frame(FIN | opcode, payload);
            cases.push(match case {
                1 | 2 => Case::new(id).sends(broken).fails(1002),
                _ => echoed_then_fails(&id, &broken, usize::MAX),
            });
        }
    }
    cases
}

pub(crate) fn fragmentation() -> Vec<Case> {
    let first = frame(TEXT, b"fragment1");
    let last = frame(FIN | CONTINUATION, b"fragment2");
    let ping = frame(PING, b"ping payload");
    let unfinished = frame(CONTINUATION, b"fragment");
    let two = [&first[..], &last].concat();
    let whole = b"fragment1fragment2";
    // All at once, a write for each frame (they are of one length), a write for each byte.
    let chops = [usize::MAX, first.len(), 1];
    let mut cases = vec![
        Case::new("5.1").sends([frame(0x9, b"fragment1"), last.clone()].concat()).fails(1002),
        Case::new("5.2").sends([frame(0xA, b"fragment1"), last.clone()].concat()).fails(1002),
    ];
    for (case, chop) in (3..).zip(chops) {
        let case = Case::new(format!("5.{case}")).sends_chops(&two, chop);
        cases.push(case.hears_text(whole).ends_well());
    }
    for (case, chop) in (6..).zip(chops) {
        let bytes = [&first[..], &ping, &last].concat();
        let case = Case::new(format!("5.{case}")).sends_chops(&bytes, chop);
        cases.push(case.hears(Heard::Pong(b"ping payload".to_vec())).hears_text(whole).ends_well());
    }
    // Nothing to continue: a last frame, and one that is not the last.
    for (from, fin) in [(9, FIN), (12, 0)] {
        for (case, chop) in (from..).zip(chops) {
            let bytes = [frame(fin | CONTINUATION, b"to nothing"), hello()].concat();
            cases.push(Case::new(format!("5.{case}")).sends_chops(&bytes, chop).fails(1002));
        }
    }
    let after_a_message = [&two[..], &unfinished, &hello()].concat();
    cases.push(Case::new("5.15").sends(after_a_message).hears_text(whole).fails(1002));
    cases.push(Case::new("5.16").sends([&unfinished[..], &two].concat().repeat(2)).fails(1002));
    let continues_nothing = frame(FIN | CONTINUATION, b"fragment");
    cases.push(Case::new("5.17").sends([&continues_nothing[..], &two].concat().repeat(2)).fails(1002));
    cases.push(Case::new("5.18").sends([&first[..], &frame(FIN | TEXT, b"fragment2")].concat()).fails(1002));
    for (id, chop) in [("5.19", usize::MAX), ("5.20", 1)] {
        cases.push(pings_between_fragments(id, chop));
    }
    cases
}

/// Each Ping is answered before the fragments behind it are there.
fn pings_between_fragments(id: &str, chop: usize) -> Case {
    let fragment = |first: u8, number: u8| frame(first, &[b'0' + number]);
    let begin = [fragment(TEXT, 1), fragment(CONTINUATION, 2), frame(PING, b"one")].concat();
    let middle = [fragment(CONTINUATION, 3), fragment(CONTINUATION, 4), frame(PING, b"two")].concat();
    Case::new(id)
        .sends_chops(&begin, chop)
        .hears(Heard::Pong(b"one".to_vec()))
        .sends_chops(&middle, chop)
        .hears(Heard::Pong(b"two".to_vec()))
        .sends_chops(&fragment(FIN | CONTINUATION, 5), chop)
        .hears_text(b"12345")
        .ends_well()
}
