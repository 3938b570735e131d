//! Chapter 6: text is UTF-8, in whatever fragments it comes, and what can never become UTF-8 is refused at once.

use crate::case::{CONTINUATION, Case, FIN, TEXT, frame};

/// The testsuite's favourite word: characters of two and of three bytes.
const KOSME: &str = "κ\u{1F79}σμε";

/// A message in fragments.
fn fragments<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for part in parts {
        frames.push(frame(if frames.is_empty() { TEXT } else { CONTINUATION }, part));
    }
    frames.last_mut().unwrap()[0] |= FIN;
    frames.concat()
}

pub(crate) fn fragmented() -> Vec<Case> {
    let echoed = |id: &str, bytes: Vec<u8>, text: &str| {
        Case::new(id).sends(bytes).hears_text(text.as_bytes()).ends_well()
    };
    let hello = "Hello-µ@ßöäüàá-UTF-8!!";
    let (start, end) = hello.split_at(hello.find('ü').unwrap());
    let surrogate = [KOSME.as_bytes(), b"\xED\xA0\x80edited"].concat();
    vec![
        echoed("6.1.1", frame(FIN | TEXT, b""), ""),
        echoed("6.1.2", fragments([&b""[..], b"", b""]), ""),
        echoed("6.1.3", fragments([&b""[..], b"middle frame payload", b""]), "middle frame payload"),
        echoed("6.2.1", frame(FIN | TEXT, hello.as_bytes()), hello),
        echoed("6.2.2", fragments([start.as_bytes(), end.as_bytes()]), hello),
        echoed("6.2.3", fragments(hello.as_bytes().chunks(1)), hello),
        echoed("6.2.4", fragments(KOSME.as_bytes().chunks(1)), KOSME),
        Case::new("6.3.1").sends(frame(FIN | TEXT, &surrogate)).fails(1007),
        Case::new("6.3.2").sends(fragments(surrogate.chunks(1))).fails(1007),
        // The rest is never sent: the server must not wait for it.
        Case::new("6.4.1").sends(begun(&[KOSME.as_bytes(), b"\xF4\x90\x80\x80"])).fails(1007),
        Case::new("6.4.2").sends(begun(&[KOSME.as_bytes(), b"\xF4", b"\x90"])).fails(1007),
        part_of_a_frame("6.4.3", b"\xF4\x90\x80\x80"),
        part_of_a_frame("6.4.4", b"\xF4\x90"),
    ]
}

/// Fragments of which the last has not come.
fn begun(parts: &[&[u8]]) -> Vec<u8> {
    fragments(parts.iter().copied().chain([&b""[..]])).split_last_chunk::<6>().unwrap().0.to_vec()
}

/// One frame of which the end has not come.
fn part_of_a_frame(id: &str, broken: &[u8]) -> Case {
    let good = KOSME.as_bytes();
    let bytes = frame(FIN | TEXT, &[good, broken, b"\x80\x80edited"].concat());
    let header = 6;
    let (first, rest) = bytes.split_at(header + good.len());
    Case::new(id).sends(first).sends(&rest[..broken.len()]).fails(1007)
}

/// A number in the scheme of UTF-8, in that many bytes: also in more than it needs, and numbers that no character has.
fn encoded(number: u32, len: u32) -> Vec<u8> {
    if len == 1 {
        return vec![number as u8];
    }
    let lead = 0xFFu8 << (8 - len);
    let bits = |i: u32| (number >> (6 * i)) as u8;
    let tail = (0..len - 1).rev().map(|i| 0x80 | bits(i) & 0x3F);
    std::iter::once(lead | bits(len - 1)).chain(tail).collect()
}

/// The largest number that fits so many bytes.
fn largest(len: u32) -> u32 {
    if len == 1 { 0x7F } else { (1 << (5 * len + 1)) - 1 }
}

/// The groups 6.5 to 6.23; what is UTF-8 comes back, what is not fails.
pub(crate) fn sequences() -> Vec<Case> {
    let char_of = |number: u32| char::from_u32(number).unwrap().to_string().into_bytes();
    let mut hellos: Vec<Vec<u8>> =
        ['$', '¢', '€', '\u{24B62}'].map(|c| format!("hello{c}world").into_bytes()).to_vec();
    hellos.push(KOSME.into());
    // All that begin a sequence, each before a space; the last of each length is left out.
    let lonely = |(from, to): (u8, u8)| (from..to).flat_map(|start| [start, b' ']).collect::<Vec<u8>>();
    let missing: Vec<Vec<u8>> = (2..=6)
        .map(|len| encoded(0, len))
        .chain((2..=6).map(|len| encoded(largest(len), len)))
        .map(|sequence| sequence.split_last().unwrap().1.to_vec())
        .collect();
    let pairs = [0xD800, 0xDB7F, 0xDB80, 0xDBFF]
        .iter()
        .flat_map(|high| [0xDC00, 0xDFFF].map(|low| [encoded(*high, 3), encoded(low, 3)].concat()));
    let groups: Vec<(u32, bool, Vec<Vec<u8>>)> = vec![
        (5, true, hellos),
        (7, true, [0, 0x80, 0x800, 0x1_0000].map(char_of).to_vec()),
        (8, false, vec![encoded(0x20_0000, 5), encoded(0x400_0000, 6)]),
        (9, true, [0x7F, 0x7FF, 0xFFFF, 0x10_FFFF].map(char_of).to_vec()),
        (10, false, (4..=6).map(|len| encoded(largest(len), len)).collect()),
        (
            13,
            false,
            [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)].map(lonely).to_vec(),
        ),
        (15, false, vec![missing.concat()]),
        (14, false, missing),
        (16, false, vec![vec![0xFE], vec![0xFF], vec![0xFE, 0xFE, 0xFF, 0xFF]]),
        (17, false, (2..=6).map(|len| encoded(u32::from(b'/'), len)).collect()),
        (18, false, (2..=6).map(|len| encoded(largest(len - 1), len)).collect()),
        (19, false, (2..=6).map(|len| encoded(0, len)).collect()),
        (20, false, [0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF].map(|n| encoded(n, 3)).to_vec()),
        (21, false, pairs.collect()),
        (22, true, (0..17).flat_map(|plane| [0xFFFE, 0xFFFF].map(|n| char_of(plane << 16 | n))).collect()),
        (23, true, (0xFFF9..=0xFFFF).map(char_of).collect()),
    ];
    let mut cases = Vec::new();
    for (group, valid, texts) in groups {
        for (number, text) in (1..).zip(texts) {
            cases.push(judged(format!("6.{group}.{number}"), &text, valid));
        }
    }
    // Every prefix of a word, of which those are text that end with a character.
    for end in 1..=KOSME.len() {
        let valid = KOSME.is_char_boundary(end);
        cases.push(judged(format!("6.6.{end}"), &KOSME.as_bytes()[..end], valid));
    }
    for (number, end) in (1..).zip([0xD7FF, 0xE000, 0xFFFD, 0x10_FFFF]) {
        cases.push(judged(format!("6.11.{number}"), &char_of(end), true));
    }
    cases.push(judged("6.11.5".into(), &encoded(0x11_0000, 4), false));
    // Bytes that only continue: one of each end, two to six in turn, and all but the last.
    let mut continuing = vec![vec![0x80], vec![0xBF]];
    continuing.extend((2..=6).map(|len| [0x80, 0xBF].into_iter().cycle().take(len).collect()));
    continuing.push((0x80..0xBF).collect());
    for (number, text) in (1..).zip(continuing) {
        cases.push(judged(format!("6.12.{number}"), &text, false));
    }
    cases
}

fn judged(id: String, text: &[u8], valid: bool) -> Case {
    assert_eq!(std::str::from_utf8(text).is_ok(), valid, "{id}: {text:02X?}");
    let case = Case::new(id).sends(frame(FIN | TEXT, text));
    if valid { case.hears_text(text).ends_well() } else { case.fails(1007) }
}
