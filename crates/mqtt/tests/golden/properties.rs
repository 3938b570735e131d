//! Section 2.2.2: which property may stand where, how often, and with which values. The table is written again here,
//! from the specification's table 2-4, so that a slip in the codec's own table shows.

use tidegate_mqtt::property::Value;
use tidegate_mqtt::{Fault, Packet, PropertyBuf, PropertyId, Publish, QoS, ReasonCode, TopicName, Version};

use crate::assertions::{V5, decode, malformed, protocol_error, reads, refused, same};
use crate::notation::bytes;

/// Identifier, a legal value, and the places where table 2-4 allows it: the letters of [`PLACES`].
const TABLE_2_4: &[(u8, &str, &str)] = &[
    (0x01, "01", "PW"),
    (0x02, "0000003C", "PW"),
    (0x03, "'text/plain'", "PW"),
    (0x08, "'r'", "PW"),
    (0x09, "0002 00FF", "PW"),
    (0x0B, "8001", "PS"),
    (0x11, "FFFFFFFF", "CKD"),
    (0x12, "'id'", "K"),
    (0x13, "003C", "K"),
    (0x15, "'m'", "CKA"),
    (0x16, "0002 00FF", "CKA"),
    (0x17, "00", "C"),
    (0x18, "0000003C", "W"),
    (0x19, "01", "C"),
    (0x1A, "'info'", "K"),
    (0x1C, "'other'", "KD"),
    (0x1F, "'why'", "K123456DA"),
    (0x21, "0001", "CK"),
    (0x22, "FFFF", "CK"),
    (0x23, "0001", "P"),
    (0x24, "01", "K"),
    (0x25, "00", "K"),
    (0x26, "'k' 'v'", "CKPW123456SUDA"),
    (0x27, "00000001", "CK"),
    (0x28, "01", "K"),
    (0x29, "01", "K"),
    (0x2A, "00", "K"),
];

/// A letter for each place of a property block, and the packet around it, with `@` for the block.
const PLACES: &[(char, &str)] = &[
    ('C', "10 .. 'MQTT' 05 02 003C [ @ ] 'c'"),
    ('W', "10 .. 'MQTT' 05 06 003C [ ] 'c' [ @ ] 'w' 0000"),
    ('K', "20 .. 00 00 [ @ ]"),
    ('P', "30 .. 't' [ @ ]"),
    ('1', "40 .. 0001 00 [ @ ]"),
    ('2', "50 .. 0001 00 [ @ ]"),
    ('3', "62 .. 0001 00 [ @ ]"),
    ('4', "70 .. 0001 00 [ @ ]"),
    ('S', "82 .. 0001 [ @ ] 'a' 00"),
    ('5', "90 .. 0001 [ @ ] 00"),
    ('U', "A2 .. 0001 [ @ ] 'a'"),
    ('6', "B0 .. 0001 [ @ ] 00"),
    ('D', "E0 .. 00 [ @ ]"),
    ('A', "F0 .. 18 [ @ ]"),
];

fn in_place(place: char, block: &str) -> String {
    let (_, packet) = PLACES.iter().find(|(letter, _)| *letter == place).unwrap();
    packet.replace('@', block)
}

/// The block of one property, with the Authentication Method that AUTH and Authentication Data need.
fn block_of(id: u8, value: &str, place: char) -> String {
    let needs_method = id != 0x15 && (place == 'A' || id == 0x16 && "CK".contains(place));
    let method = if needs_method { "15 'm'" } else { "" };
    format!("{id:02X} {value} {method}")
}

#[test]
fn a_property_stands_only_where_table_2_4_allows_it() {
    for &(id, value, allowed) in TABLE_2_4 {
        for &(place, _) in PLACES {
            let text = in_place(place, &block_of(id, value, place));
            if allowed.contains(place) {
                let wire = bytes(&text);
                let read = decode(&wire, Version::V5);
                assert!(read.is_ok(), "property {id:02X} in {place}: {read:?}");
            } else {
                malformed(V5, &text); // 2.2.2.2: an identifier that is not valid for its packet type
            }
        }
    }
}

#[test]
fn an_identifier_that_the_specification_has_not_is_malformed() {
    let known: Vec<u8> = TABLE_2_4.iter().map(|row| row.0).collect();
    assert_eq!(PropertyId::ALL.iter().map(|&id| id as u8).collect::<Vec<_>>(), known);
    for id in (0..=0x7F).filter(|id| !known.contains(id)) {
        for &(place, _) in PLACES {
            malformed(V5, &in_place(place, &format!("{id:02X} 00 00 00 00")));
        }
    }
    malformed(V5, "30 .. 't' [ 8101 00 ]");
    malformed(V5, "30 .. 't' [ 8102 01 ]");
}

#[test]
fn a_property_stands_once_unless_it_may_repeat() {
    for &(id, value, allowed) in TABLE_2_4 {
        for place in allowed.chars() {
            let twice = format!("{id:02X} {value} {}", block_of(id, value, place));
            // User Properties repeat everywhere; Subscription Identifiers in a PUBLISH to a client (3.3.2.3.8).
            if id == 0x26 || (id, place) == (0x0B, 'P') {
                let wire = bytes(&in_place(place, &twice));
                assert!(decode(&wire, Version::V5).is_ok(), "property {id:02X} twice in {place}");
            } else {
                protocol_error(V5, &in_place(place, &twice));
            }
        }
    }
}

#[test]
fn a_property_that_ends_too_early_is_malformed() {
    for &(id, value, allowed) in TABLE_2_4 {
        let whole = bytes(&format!("{id:02X} {value}"));
        for cut in 1..whole.len() {
            let part: String = whole[..cut].iter().map(|byte| format!("{byte:02X}")).collect();
            malformed(V5, &in_place(allowed.chars().next().unwrap(), &part));
        }
    }
}

#[test]
fn a_block_is_as_long_as_its_length_says() {
    malformed(V5, "30 .. 't' 05 01 01");
    malformed(V5, "30 .. 't' 01 01 01");
    malformed(V5, "30 .. 't'"); // [MQTT5-2.2.2-1]
    malformed(V5, "20 .. 00 00"); // [MQTT5-2.2.2-1]
    malformed(V5, "82 .. 0001"); // [MQTT5-2.2.2-1]
    malformed(V5, "10 .. 'MQTT' 05 02 003C"); // [MQTT5-2.2.2-1]
    let empty = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: TopicName::new("t").ok(),
        packet_identifier: None,
        properties: Default::default(),
        payload: b"x",
    };
    same(V5, "30 05 't' 00 \"x\"", &Packet::Publish(empty)); // [MQTT5-2.2.2-1]
}

#[test]
fn a_flag_is_0_or_1() {
    for (id, place) in [
        (0x01, 'P'),
        (0x01, 'W'),
        (0x17, 'C'),
        (0x19, 'C'),
        (0x24, 'K'),
        (0x25, 'K'),
        (0x28, 'K'),
        (0x29, 'K'),
        (0x2A, 'K'),
    ] {
        for value in 0..=255 {
            let text = in_place(place, &format!("{id:02X} {value:02X}"));
            if value <= 1 {
                assert!(decode(&bytes(&text), Version::V5).is_ok());
            } else {
                protocol_error(V5, &text);
            }
        }
    }
}

#[test]
fn numbers_that_cannot_be_zero_are_not_zero() {
    protocol_error(V5, &in_place('C', "21 0000"));
    protocol_error(V5, &in_place('K', "21 0000"));
    protocol_error(V5, &in_place('C', "27 00000000"));
    protocol_error(V5, &in_place('K', "27 00000000"));
    protocol_error(V5, &in_place('S', "0B 00"));
    protocol_error(V5, &in_place('P', "0B 00"));
    refused(V5, &in_place('P', "23 0000"), Fault::ProtocolError, ReasonCode::TopicAliasInvalid); // [MQTT5-3.3.2-8]
}

#[test]
fn numbers_that_can_be_zero_may_be() {
    for (place, block) in [
        ('C', "11 00000000"),
        ('C', "22 0000"),
        ('W', "18 00000000"),
        ('W', "02 00000000"),
        ('P', "02 00000000"),
        ('K', "13 0000"),
        ('K', "22 0000"),
        ('D', "11 00000000"),
    ] {
        let wire = bytes(&in_place(place, block));
        assert!(decode(&wire, Version::V5).is_ok(), "{block} in {place}");
    }
}

#[test]
fn texts_of_properties_are_utf8() {
    malformed(V5, &in_place('P', "08 0001 FF")); // [MQTT5-3.3.2-13]
    malformed(V5, &in_place('P', "03 0003 EDA080")); // [MQTT5-3.3.2-19]
    malformed(V5, &in_place('W', "03 0003 EDA080"));
    malformed(V5, &in_place('C', "15 0001 FF"));
    malformed(V5, &in_place('D', "1F 0001 00")); // [MQTT5-1.5.4-2]
    malformed(V5, &in_place('K', "12 0001 FF"));
}

#[test]
fn a_response_topic_holds_no_wildcard() {
    for wildcard in ["'#'", "'+'", "'a/+/b'", "'a/#'", "'a+'"] {
        protocol_error(V5, &in_place('P', &format!("08 {wildcard}"))); // [MQTT5-3.3.2-14]
        protocol_error(V5, &in_place('W', &format!("08 {wildcard}"))); // [MQTT5-3.3.2-14]
    }
}

#[test]
fn authentication_data_needs_a_method() {
    protocol_error(V5, &in_place('C', "16 0001 00"));
    protocol_error(V5, &in_place('K', "16 0001 00"));
    protocol_error(V5, &in_place('A', "16 0001 00"));
}

#[test]
fn a_block_keeps_its_properties_and_their_order() {
    let mut built = PropertyBuf::new();
    built
        .user("b", "1")
        .number(PropertyId::PayloadFormatIndicator, 1)
        .user("a", "2")
        .number(PropertyId::MessageExpiryInterval, 60)
        .text(PropertyId::ContentType, "text/plain")
        .binary(PropertyId::CorrelationData, &[0, 255])
        .user("b", "1");
    let packet = Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: true,
        topic: TopicName::new("t").ok(),
        packet_identifier: None,
        properties: built.as_properties(),
        payload: b"",
    });
    let text =
        "31 .. 't' [ 26 'b' '1' 01 01 26 'a' '2' 02 0000003C 03 'text/plain' 09 0002 00FF 26 'b' '1' ]";
    same(V5, text, &packet);
    reads(V5, text, &packet);
    let wire = bytes(text);
    let Ok(Packet::Publish(publish)) = decode(&wire, Version::V5) else { panic!("a PUBLISH") };
    let properties = publish.properties;
    let pairs: Vec<_> = properties
        .iter()
        .filter_map(
            |property| if let Value::Pair(name, value) = property.value { Some((name, value)) } else { None },
        )
        .collect();
    assert_eq!(pairs, [("b", "1"), ("a", "2"), ("b", "1")]);
    assert_eq!(properties.user_property_count(), 3);
    assert_eq!(properties.number(PropertyId::PayloadFormatIndicator), Some(1));
    assert_eq!(properties.number(PropertyId::MessageExpiryInterval), Some(60));
    assert_eq!(properties.text(PropertyId::ContentType), Some("text/plain"));
    assert_eq!(properties.bytes(PropertyId::CorrelationData), Some(&[0, 255][..]));
    assert_eq!(properties.text(PropertyId::ResponseTopic), None);
    assert_eq!(properties.number(PropertyId::ContentType), None);
    assert_eq!(properties.bytes(PropertyId::ContentType), None);
    assert_eq!(properties.text(PropertyId::CorrelationData), None);
    let pieces: Vec<u8> = properties.iter_with_bytes().flat_map(|(_, piece)| piece).copied().collect();
    assert_eq!(pieces, properties.as_bytes());
    built.clear();
    assert!(built.as_properties().is_empty());
    assert_eq!(built.as_properties(), Default::default());
}
