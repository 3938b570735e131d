//! What a person sees while a command works: the step, and how long it took.

use std::fmt::Display;
use std::io::Write;
use std::time::Instant;

/// Why a command cannot go on, for the person who started it.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Runs one step between its name and its time.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    say(format!("── {name}"));
    #[expect(clippy::disallowed_methods, reason = "the times are shown to a person, nothing depends on them")]
    let started = Instant::now();
    let outcome = work();
    let took = started.elapsed().as_secs_f64();
    match &outcome {
        Ok(_) => say(format!("── {name}: done in {took:.1} s")),
        Err(why) => say(format!("── {name}: FAILED after {took:.1} s: {why}")),
    }
    outcome
}

/// Writes a line. A reader that has gone away is not an error of ours.
pub(crate) fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _reader_may_be_gone = writeln!(out, "{line}").and_then(|()| out.flush());
}
