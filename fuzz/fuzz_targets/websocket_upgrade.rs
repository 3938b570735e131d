//! Any bytes, read as a request for WebSocket.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Not a module of the library: the codec's tests replay that one, and see nothing of WebSocket.
#[path = "../src/upgrade.rs"]
mod upgrade;

fuzz_target!(|bytes: &[u8]| upgrade::upgrade(bytes));
