//! Section 3.2: CONNACK.

use tidegate_mqtt::{ConnAck, Packet, Properties, PropertyBuf, PropertyId, ReasonCode, Version};

use crate::assertions::{BEFORE_5, V5, V31, V311, decode, malformed, reads, same};
use crate::notation::bytes;

fn connack(session_present: bool, reason: ReasonCode, properties: Properties<'_>) -> Packet<'_> {
    Packet::ConnAck(ConnAck { session_present, reason, properties })
}

#[test]
fn a_connack_is_four_bytes_before_5_and_five_in_5() {
    same(BEFORE_5, "20 02 00 00", &connack(false, ReasonCode::Success, Properties::NONE));
    same(V311, "20 02 01 00", &connack(true, ReasonCode::Success, Properties::NONE));
    same(V5, "20 03 00 00 00", &connack(false, ReasonCode::Success, Properties::NONE));
    same(V5, "20 03 01 00 00", &connack(true, ReasonCode::Success, Properties::NONE));
    same(V5, "20 03 00 85 00", &connack(false, ReasonCode::ClientIdentifierNotValid, Properties::NONE));
    same(BEFORE_5, "20 02 00 05", &connack(false, ReasonCode::NotAuthorized, Properties::NONE));
}

#[test]
fn the_reserved_acknowledge_flags_are_zero() {
    for flags in 2..=255 {
        malformed(V5, &format!("20 .. {flags:02X} 00 [ ]")); // [MQTT5-3.2.2-1]
        malformed(V311, &format!("20 .. {flags:02X} 00"));
    }
}

#[test]
fn in_3_1_the_flags_byte_says_nothing() {
    let plain = connack(false, ReasonCode::Success, Properties::NONE);
    for flags in 0..=255 {
        reads(V31, &format!("20 02 {flags:02X} 00"), &plain); // [MQTT31-connack-reserved]
    }
    let mut encoded = Vec::new();
    connack(true, ReasonCode::Success, Properties::NONE).encode(Version::V31, &mut encoded);
    assert_eq!(encoded, bytes("20 02 00 00")); // [MQTT31-connack-reserved]
}

#[test]
fn every_property_of_connack_is_carried() {
    let mut properties = PropertyBuf::new();
    properties
        .number(PropertyId::SessionExpiryInterval, 10)
        .number(PropertyId::ReceiveMaximum, 20)
        .number(PropertyId::MaximumQoS, 1)
        .number(PropertyId::RetainAvailable, 0)
        .number(PropertyId::MaximumPacketSize, 1024)
        .text(PropertyId::AssignedClientIdentifier, "id")
        .number(PropertyId::TopicAliasMaximum, 5)
        .text(PropertyId::ReasonString, "why")
        .user("k", "v")
        .number(PropertyId::WildcardSubscriptionAvailable, 0)
        .number(PropertyId::SubscriptionIdentifierAvailable, 0)
        .number(PropertyId::SharedSubscriptionAvailable, 0)
        .number(PropertyId::ServerKeepAlive, 30)
        .text(PropertyId::ResponseInformation, "info")
        .text(PropertyId::ServerReference, "other")
        .text(PropertyId::AuthenticationMethod, "m")
        .binary(PropertyId::AuthenticationData, &[1, 2]);
    let text = "20 .. 00 9C [ 11 0000000A 21 0014 24 01 25 00 27 00000400 12 'id' 22 0005 1F 'why' 26 'k' 'v' \
                28 00 29 00 2A 00 13 001E 1A 'info' 1C 'other' 15 'm' 16 0002 0102 ]";
    same(V5, text, &connack(false, ReasonCode::UseAnotherServer, properties.as_properties()));
    let wire = bytes(text);
    let Ok(Packet::ConnAck(read)) = decode(&wire, Version::V5) else { panic!("a CONNACK") };
    assert_eq!(read.properties.number(PropertyId::ServerKeepAlive), Some(30));
    assert_eq!(read.properties.text(PropertyId::AssignedClientIdentifier), Some("id"));
}

#[test]
fn properties_of_5_do_not_exist_before() {
    malformed(BEFORE_5, "20 .. 00 00 [ ]");
    malformed(BEFORE_5, "20 .. 00 00 [ 21 0014 ]");
    malformed(V5, "20 02 00 00");
    malformed(V5, "20 01 00");
}
