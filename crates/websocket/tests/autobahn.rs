//! The server cases of the Autobahn testsuite, chapters 1 to 10, under its ids, driven by a client of our own.
//!
//! The testsuite itself needs Python 2; how to run it is in `autobahn/README.md`. These are its cases as we understand
//! them, so that every build meets them: what is sent, and exactly what must come back. Where it accepts several
//! outcomes, the strictest is expected. The chapters 12 and 13 test compression, which is declined.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "autobahn/case.rs"]
mod case;
#[path = "autobahn/closing.rs"]
mod closing;
#[allow(unreachable_pub, reason = "a module of several programs")]
mod echo;
#[path = "autobahn/framing.rs"]
mod framing;
#[path = "autobahn/text.rs"]
mod text;
#[path = "autobahn/volume.rs"]
mod volume;

use std::net::TcpListener;

use case::Case;

/// Plays all cases of a chapter against one echo server.
fn play(count: usize, cases: impl IntoIterator<Item = Case>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || echo::serve(&listener));
    let played = cases.into_iter().map(|case| case.play(address)).count();
    assert_eq!(played, count, "cases of this chapter");
}

#[test]
fn chapter_1_messages_of_both_kinds_and_every_form_of_length() {
    play(16, framing::messages());
}

#[test]
fn chapter_2_pings_and_pongs() {
    play(11, framing::pings());
}

#[test]
fn chapter_3_reserved_bits() {
    play(7, framing::reserved_bits());
}

#[test]
fn chapter_4_reserved_opcodes() {
    play(10, framing::reserved_opcodes());
}

#[test]
fn chapter_5_fragmentation() {
    play(20, framing::fragmentation());
}

#[test]
fn chapter_6_text_is_utf8_and_refused_as_early_as_can_be_known() {
    play(145, text::fragmented().into_iter().chain(text::sequences()));
}

#[test]
fn chapter_7_the_close_handshake() {
    play(37, closing::cases());
}

#[test]
fn chapter_9_large_messages_and_many() {
    play(54, volume::cases());
}

#[test]
fn chapter_10_a_message_in_fragments_of_1300() {
    play(1, volume::fragments_of_1300());
}
