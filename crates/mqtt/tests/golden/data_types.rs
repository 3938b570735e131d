//! Section 1.5: the data types, seen through packets that carry them.

use tidegate_mqtt::{
    Packet, PacketIdentifier, PropertyBuf, PropertyId, Publish, QoS, TopicName, Unsubscribe,
    UnsubscribeFilters, Version,
};

use crate::assertions::{ALL, BEFORE_5, V5, V311, decode, malformed, reads, same};
use crate::notation::bytes;

/// Texts that are no UTF-8 Encoded String, as hexadecimal.
const ILL_FORMED: &[(&str, &str)] = &[
    ("a continuation byte alone", "80"),
    ("a character that ends too early", "C3"),
    ("a character that ends too early, inside", "E28241"),
    ("a surrogate, U+D800", "EDA080"),
    ("a surrogate, U+DFFF", "EDBFBF"),
    ("a pair of surrogates instead of U+1F600", "EDA0BDEDB880"),
    ("an over-long form of /", "C0AF"),
    ("an over-long form of U+0000", "C080"),
    ("beyond U+10FFFF", "F4908080"),
    ("a byte that UTF-8 never has", "FF"),
];

/// An UNSUBSCRIBE of one filter with these bytes.
fn unsubscribe_of(version: Version, hex: &str) -> String {
    let properties = if version.is_v5() { "[ ]" } else { "" };
    format!("A2 .. 0001 {properties} {:04X} {hex}", hex.len() / 2)
}

#[test]
fn a_string_is_well_formed_utf8_without_surrogates() {
    for (_, hex) in ILL_FORMED {
        malformed(&[Version::V31], &unsubscribe_of(Version::V31, hex));
        malformed(V311, &unsubscribe_of(Version::V311, hex)); // [MQTT3-1.5.3-1]
        malformed(V5, &unsubscribe_of(Version::V5, hex)); // [MQTT5-1.5.4-1]
    }
}

#[test]
fn a_string_does_not_contain_the_null_character() {
    for hex in ["00", "6100", "610062", "C3A900"] {
        malformed(&[Version::V31], &unsubscribe_of(Version::V31, hex));
        malformed(V311, &unsubscribe_of(Version::V311, hex)); // [MQTT3-1.5.3-2]
        malformed(V5, &unsubscribe_of(Version::V5, hex)); // [MQTT5-1.5.4-2]
    }
}

#[test]
fn a_byte_order_mark_is_a_character_and_is_kept() {
    let marked = "\u{FEFF}a\u{FEFF}";
    let mut buffer = Vec::new();
    let filters = UnsubscribeFilters::build(&[marked], &mut buffer);
    let packet = Packet::Unsubscribe(Unsubscribe {
        packet_identifier: PacketIdentifier::new(1).unwrap(),
        properties: Default::default(),
        filters,
    });
    same(V311, &unsubscribe_of(Version::V311, "EFBBBF61EFBBBF"), &packet); // [MQTT3-1.5.3-3]
    same(V5, &unsubscribe_of(Version::V5, "EFBBBF61EFBBBF"), &packet); // [MQTT5-1.5.4-3]
    for version in Version::ALL {
        let wire = bytes(&unsubscribe_of(version, "EFBBBF61EFBBBF"));
        let Ok(Packet::Unsubscribe(read)) = decode(&wire, version) else { panic!("{version:?}") };
        assert_eq!(read.filters.iter().collect::<Vec<_>>(), [marked]);
    }
}

#[test]
fn characters_of_every_length_are_read() {
    for text in
        ["a", "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10FFFF}"]
    {
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        let mut buffer = Vec::new();
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_identifier: PacketIdentifier::new(1).unwrap(),
            properties: Default::default(),
            filters: UnsubscribeFilters::build(&[text], &mut buffer),
        });
        for version in Version::ALL {
            same(&[version], &unsubscribe_of(version, &hex), &packet);
        }
    }
}

#[test]
fn a_string_that_is_longer_than_its_packet_is_malformed() {
    malformed(BEFORE_5, "A2 .. 0001 0003 6161");
    malformed(BEFORE_5, "A2 .. 0001 'a' 00");
    malformed(V5, "A2 .. 0001 [ ] FFFF 61");
}

/// A PUBLISH whose only property is a Subscription Identifier with these bytes.
fn publish_with_identifier(hex: &str) -> String {
    format!("30 .. 't' [ 0B {hex} ]")
}

#[test]
fn a_variable_byte_integer_has_the_borders_of_table_1_1() {
    for (value, hex) in [
        (1, "01"),
        (127, "7F"),
        (128, "8001"),
        (16_383, "FF7F"),
        (16_384, "808001"),
        (2_097_151, "FFFF7F"),
        (2_097_152, "80808001"),
        (268_435_455, "FFFFFF7F"),
    ] {
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::SubscriptionIdentifier, value);
        let packet = Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Some(TopicName::new("t").unwrap()),
            packet_identifier: None,
            properties: properties.as_properties(),
            payload: b"",
        });
        same(V5, &publish_with_identifier(hex), &packet);
        let wire = bytes(&publish_with_identifier(hex));
        let Ok(Packet::Publish(read)) = decode(&wire, Version::V5) else { panic!("{value}") };
        assert_eq!(read.properties.number(PropertyId::SubscriptionIdentifier), Some(value));
    }
}

#[test]
fn a_variable_byte_integer_takes_the_fewest_bytes() {
    for longer in ["8100", "FF00", "818000", "81808000", "808000"] {
        malformed(V5, &publish_with_identifier(longer)); // [MQTT5-1.5.5-1]
    }
    // The same of the two lengths that every packet has, and of a property's identifier.
    malformed(V5, "C0 8000"); // [MQTT5-1.5.5-1]
    malformed(V5, "30 8600 't' 00 \"xy\""); // [MQTT5-1.5.5-1]
    malformed(V5, "30 .. 't' 8000 \"x\""); // [MQTT5-1.5.5-1]
    malformed(V5, "30 .. 't' [ 8100 01 ]"); // [MQTT5-1.5.5-1]
    malformed(V5, "10 8E00 'MQTT' 05 02 003C 00 'c'"); // [MQTT5-1.5.5-1]
}

#[test]
fn before_5_a_longer_remaining_length_is_read() {
    // 2.2.3 of 3.1.1 bounds the length to four bytes and asks for no shortest form.
    reads(BEFORE_5, "C0 8000", &Packet::PingReq);
    reads(BEFORE_5, "C0 808000", &Packet::PingReq);
    reads(BEFORE_5, "C0 80808000", &Packet::PingReq);
}

#[test]
fn a_variable_byte_integer_has_at_most_four_bytes() {
    malformed(V5, &publish_with_identifier("FFFFFFFF7F"));
    malformed(V5, &publish_with_identifier("8080808001"));
    malformed(ALL, "C0 8080808001");
    malformed(ALL, "C0 FFFFFFFF");
}

#[test]
fn both_halves_of_a_string_pair_are_valid_strings() {
    malformed(V5, "30 .. 't' [ 26 0001 FF 'v' ]"); // [MQTT5-1.5.7-1]
    malformed(V5, "30 .. 't' [ 26 'k' 0001 FF ]"); // [MQTT5-1.5.7-1]
    malformed(V5, "30 .. 't' [ 26 0001 00 'v' ]"); // [MQTT5-1.5.7-1]
    malformed(V5, "30 .. 't' [ 26 'k' 0003 EDA080 ]"); // [MQTT5-1.5.7-1]
    malformed(V5, "30 .. 't' [ 26 'k' ]");
}
