//! Chapter 7: what ends a connection, and what is not heard afterwards.

use crate::case::{CLOSE, CONTINUATION, Case, FIN, Heard, PING, TEXT, close, frame};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = order();
    cases.extend(payloads());
    for (number, code) in
        (1..).zip([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
    {
        cases.push(Case::new(format!("7.7.{number}")).sends(close(code, b"")).fails(code));
    }
    for (number, code) in (1..).zip([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]) {
        cases.push(Case::new(format!("7.9.{number}")).sends(close(code, b"")).fails(1002));
    }
    // Informational; the second, 65536, does not fit a code and is sent as its low bytes.
    for (number, code) in [(1, 5000), (2, 0)] {
        cases.push(Case::new(format!("7.13.{number}")).sends(close(code, b"")).fails(1002));
    }
    cases
}

/// What stands behind a Close is not heard.
fn order() -> Vec<Case> {
    let hello = frame(FIN | TEXT, b"Hello World!");
    let goodbye = close(1000, b"");
    let ignored = |id: &str, before: &[u8], behind: &[u8]| {
        let case = Case::new(id).sends([before, &goodbye, behind].concat());
        case.fails(1000)
    };
    let large = vec![b'*'; 256 * 1024];
    vec![
        Case::new("7.1.1").sends(hello.clone()).hears_text(b"Hello World!").ends_well(),
        ignored("7.1.2", b"", &goodbye),
        ignored("7.1.3", b"", &frame(PING, b"")),
        ignored("7.1.4", b"", &hello),
        ignored("7.1.5", &frame(TEXT, b"fragment1"), &frame(FIN | CONTINUATION, b"fragment2")),
        Case::new("7.1.6")
            .sends([&frame(FIN | TEXT, &large)[..], &goodbye, &frame(PING, b"")].concat())
            .hears(Heard::Text(large))
            .fails(1000),
    ]
}

/// What a Close may hold.
fn payloads() -> Vec<Case> {
    vec![
        Case::new("7.3.1").sends(frame(CLOSE, b"")).hears(Heard::Close(None)).hears(Heard::Gone),
        Case::new("7.3.2").sends(frame(CLOSE, b"a")).fails(1002),
        Case::new("7.3.3").sends(close(1000, b"")).fails(1000),
        Case::new("7.3.4").sends(close(1000, b"Hello World!")).fails(1000),
        Case::new("7.3.5").sends(close(1000, &[b'*'; 123])).fails(1000),
        Case::new("7.3.6").sends(close(1000, &[b'*'; 124])).fails(1002),
        Case::new("7.5.1")
            .sends(close(1000, "κ\u{1F79}σμε\u{D7FF}".as_bytes().split_last().unwrap().1))
            .fails(1007),
    ]
}
