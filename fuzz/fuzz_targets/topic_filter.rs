//! Any text, read as a topic filter, a line feed and a topic name.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidegate_fuzz::topics(bytes));
