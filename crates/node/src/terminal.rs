//! What the program says to the person who started it: results to standard output, refusals to standard error.
//!
//! A reader that has gone away (`tidegate config show | head`) is not an error of ours.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a result.
pub fn say(text: impl Display) {
    let _reader_may_be_gone = writeln!(io::stdout().lock(), "{text}");
}

/// Writes why something was refused.
pub fn complain(text: impl Display) {
    let _reader_may_be_gone = writeln!(io::stderr().lock(), "{text}");
}
