//! Section 2.2.1 (3.1.1: 2.3.1): Packet Identifiers.

use tidegate_mqtt::{Packet, PacketIdentifier, Version};

use crate::assertions::{ALL, BEFORE_5, V5, decode, malformed, protocol_error};
use crate::notation::bytes;

#[test]
fn a_packet_identifier_is_not_zero() {
    protocol_error(BEFORE_5, "82 .. 0000 'a' 00"); // [MQTT3-2.3.1-1]
    protocol_error(V5, "82 .. 0000 [ ] 'a' 00"); // [MQTT5-2.2.1-3]
    protocol_error(BEFORE_5, "A2 .. 0000 'a'"); // [MQTT3-2.3.1-1]
    protocol_error(V5, "A2 .. 0000 [ ] 'a'"); // [MQTT5-2.2.1-3]
    protocol_error(BEFORE_5, "32 .. 't' 0000"); // [MQTT3-2.3.1-1]
    protocol_error(V5, "32 .. 't' 0000 [ ]"); // [MQTT5-2.2.1-3]
    protocol_error(BEFORE_5, "34 .. 't' 0000"); // [MQTT3-2.3.1-1]
    protocol_error(V5, "34 .. 't' 0000 [ ]"); // [MQTT5-2.2.1-3]
    for first in ["40", "50", "62", "70"] {
        protocol_error(ALL, &format!("{first} .. 0000"));
    }
    for first in ["90", "B0"] {
        protocol_error(BEFORE_5, &format!("{first} .. 0000"));
        protocol_error(V5, &format!("{first} .. 0000 [ ] 00"));
    }
    assert_eq!(PacketIdentifier::new(0), None);
}

#[test]
fn a_qos_0_publish_has_no_packet_identifier() {
    // The two bytes where one would stand are payload (3.x) or the length of the properties (5.0).
    let wire = bytes("30 .. 't' 0007");
    let Ok(Packet::Publish(publish)) = decode(&wire, Version::V311) else { panic!("a PUBLISH") };
    assert_eq!((publish.packet_identifier, publish.payload), (None, &[0, 7][..])); // [MQTT3-2.3.1-5]
    let Ok(Packet::Publish(publish)) = decode(&wire, Version::V5) else { panic!("a PUBLISH") };
    assert_eq!((publish.packet_identifier, publish.payload), (None, &[7][..])); // [MQTT5-2.2.1-2]
}

#[test]
fn a_qos_1_or_2_publish_has_one() {
    malformed(ALL, "32 .. 't'");
    malformed(ALL, "34 .. 't' 00");
    for (text, number) in
        [("32 .. 't' 0001 00", 1), ("34 .. 't' FFFF 00", 65_535), ("34 .. 't' 0100 00", 256)]
    {
        for version in Version::ALL {
            let wire = bytes(text);
            let Ok(Packet::Publish(publish)) = decode(&wire, version) else { panic!("a PUBLISH") };
            assert_eq!(publish.packet_identifier.map(PacketIdentifier::get), Some(number));
        }
    }
}
