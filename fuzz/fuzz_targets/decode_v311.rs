//! Any bytes, read as a stream of packets on a connection of MQTT 3.1.1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_mqtt::Version;

fuzz_target!(|bytes: &[u8]| tidegate_fuzz::packets(bytes, Version::V311));
