//! Any bytes, read as what a client sends over WebSocket.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Not a module of the library: the codec's tests replay that one, and see nothing of WebSocket.
#[path = "../src/frames/mod.rs"]
mod frames;

fuzz_target!(|bytes: &[u8]| frames::frames(bytes));
