//! Any bytes, read as a stream of packets on a connection of MQTT 5.0.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_mqtt::Version;

fuzz_target!(|bytes: &[u8]| tidegate_fuzz::packets(bytes, Version::V5));
