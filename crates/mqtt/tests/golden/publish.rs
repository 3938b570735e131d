//! Section 3.3: PUBLISH.

use tidegate_mqtt::{
    Fault, Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, Publish, QoS, ReasonCode,
    TopicName, Version, encode_publish_head,
};

use crate::assertions::{
    ALL, BEFORE_5, SINCE_311, V5, V31, V311, malformed, protocol_error, reads, refused, same,
};
use crate::notation::bytes;

fn publish<'a>(topic: &'a str, qos: QoS, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::new(topic).ok(),
        packet_identifier: if qos == QoS::AtMostOnce { None } else { PacketIdentifier::new(10) },
        properties: Properties::NONE,
        payload,
    }
}

#[test]
fn a_publish_of_each_qos_and_flag() {
    for (qos, bits) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 2), (QoS::ExactlyOnce, 4)] {
        for retain in [false, true] {
            for dup in [false, true] {
                if dup && qos == QoS::AtMostOnce {
                    continue;
                }
                let first = 0x30 | bits | u8::from(retain) | u8::from(dup) << 3;
                let identifier = if qos == QoS::AtMostOnce { "" } else { "000A" };
                let packet = Packet::Publish(Publish { dup, retain, ..publish("a/b", qos, b"hi") });
                same(BEFORE_5, &format!("{first:02X} .. 'a/b' {identifier} \"hi\""), &packet);
                same(V5, &format!("{first:02X} .. 'a/b' {identifier} [ ] \"hi\""), &packet);
            }
        }
    }
}

#[test]
fn dup_is_not_set_on_qos_0() {
    malformed(V311, "38 .. 't' \"x\""); // [MQTT3-3.3.1-2]
    malformed(V5, "38 .. 't' [ ] \"x\""); // [MQTT5-3.3.1-2]
    malformed(V311, "39 .. 't' \"x\""); // [MQTT3-3.3.1-2]
    let packet = Packet::Publish(Publish { dup: true, ..publish("t", QoS::AtMostOnce, b"x") });
    same(V31, "38 .. 't' \"x\"", &packet);
}

#[test]
fn qos_3_is_malformed() {
    for first in ["36", "37", "3E", "3F"] {
        malformed(BEFORE_5, &format!("{first} .. 't' 0001 \"x\"")); // [MQTT3-3.3.1-4]
        malformed(V5, &format!("{first} .. 't' 0001 [ ] \"x\"")); // [MQTT5-3.3.1-4]
    }
}

#[test]
fn a_topic_name_is_present_and_utf8() {
    malformed(BEFORE_5, "30 .. 0002 C328"); // [MQTT3-3.3.2-1]
    malformed(V5, "30 .. 0002 C328 [ ]"); // [MQTT5-3.3.2-1]
    malformed(BEFORE_5, "30 .. 0003 EDA080"); // [MQTT3-1.5.3-1]
    malformed(V5, "30 .. 0003 EDA080 [ ]"); // [MQTT5-1.5.4-1]
    malformed(ALL, "30 .. 00"); // [MQTT3-3.3.2-1] [MQTT5-3.3.2-1]
    malformed(ALL, "30 .. 0005 \"abc\""); // [MQTT3-3.3.2-1] [MQTT5-3.3.2-1]
}

#[test]
fn a_topic_name_has_no_wildcard() {
    for topic in ["'#'", "'+'", "'a/#'", "'a/+/b'", "'a#'", "'+a'"] {
        let invalid = |versions, text: String| {
            refused(versions, &text, Fault::ProtocolError, ReasonCode::TopicNameInvalid);
        };
        invalid(V31, format!("30 .. {topic}")); // [MQTT31-publish-wildcard]
        invalid(V311, format!("30 .. {topic}")); // [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]
        invalid(V5, format!("30 .. {topic} [ ]")); // [MQTT5-3.3.2-2] [MQTT5-4.7.0-1]
        invalid(V5, format!("32 .. {topic} 0001 [ ]")); // [MQTT5-3.3.2-2]
    }
}

#[test]
fn a_topic_name_has_a_character_and_none_is_null() {
    protocol_error(BEFORE_5, "30 .. '' \"x\""); // [MQTT3-4.7.3-1]
    protocol_error(V5, "30 .. '' [ ] \"x\""); // [MQTT5-4.7.3-1]
    malformed(BEFORE_5, "30 .. 0003 610062"); // [MQTT3-4.7.3-2]
    malformed(V5, "30 .. 0003 610062 [ ]"); // [MQTT5-4.7.3-2]
    // Both at once: what is no string is worse than what is no topic.
    malformed(ALL, "30 .. 0002 2300 00");
}

#[test]
fn an_empty_topic_name_needs_an_alias() {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::TopicAlias, 7);
    let by_alias =
        Publish { topic: None, properties: properties.as_properties(), ..publish("", QoS::AtMostOnce, b"x") };
    same(V5, "30 .. '' [ 23 0007 ] \"x\"", &Packet::Publish(by_alias));
    let sets_alias = Publish { topic: TopicName::new("t").ok(), ..by_alias };
    same(V5, "30 .. 't' [ 23 0007 ] \"x\"", &Packet::Publish(sets_alias));
    protocol_error(V5, "30 .. '' [ 01 01 ] \"x\""); // 3.3.2.1
    refused(V5, "30 .. '' [ 23 0000 ]", Fault::ProtocolError, ReasonCode::TopicAliasInvalid); // [MQTT5-3.3.2-8]
}

#[test]
fn topics_keep_their_bytes() {
    // Nothing is normalised: composed and decomposed forms stay different. [MQTT5-4.7.3-4] [MQTT3-4.7.3-4]
    for topic in ["/", "//", "a//b", "$SYS/x", "\u{e9}", "e\u{301}", "A", "a"] {
        let packet = Packet::Publish(publish(topic, QoS::AtMostOnce, b""));
        same(BEFORE_5, &format!("30 .. '{topic}'"), &packet); // [MQTT3-4.7.3-4]
        same(V5, &format!("30 .. '{topic}' [ ]"), &packet); // [MQTT5-4.7.3-4]
    }
}

#[test]
fn the_longest_topic_is_read() {
    let topic = "a/".repeat(32_767) + "b";
    let packet = Packet::Publish(publish(&topic, QoS::AtMostOnce, b""));
    reads(BEFORE_5, &format!("30 .. '{topic}'"), &packet); // [MQTT3-4.7.3-3]
    reads(V5, &format!("30 .. '{topic}' [ ]"), &packet); // [MQTT5-4.7.3-3]
}

#[test]
fn a_payload_may_be_empty_and_is_any_bytes() {
    let empty = Packet::Publish(publish("t", QoS::AtLeastOnce, b""));
    same(BEFORE_5, "32 .. 't' 000A", &empty);
    same(V5, "32 .. 't' 000A [ ]", &empty);
    let binary = Packet::Publish(publish("t", QoS::AtMostOnce, &[0, 255, 0x30]));
    same(BEFORE_5, "30 .. 't' 00FF30", &binary);
}

#[test]
fn the_remaining_length_grows_at_its_borders() {
    for (payload_len, length) in [
        (124, "7F"),
        (125, "8001"),
        (16_380, "FF7F"),
        (16_381, "808001"),
        (2_097_148, "FFFF7F"),
        (2_097_149, "80808001"),
    ] {
        let payload = vec![0x7A; payload_len];
        let packet = Packet::Publish(publish("t", QoS::AtMostOnce, &payload));
        for version in BEFORE_5 {
            let mut encoded = Vec::new();
            packet.encode(*version, &mut encoded);
            let head = bytes(&format!("30 {length} 't'"));
            assert_eq!(encoded.strip_prefix(&head[..]), Some(&payload[..]), "{payload_len}");
            let again = crate::assertions::decode(&encoded, *version);
            assert_eq!(again.as_ref(), Ok(&packet));
        }
    }
}

#[test]
fn several_subscription_identifiers_are_kept() {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SubscriptionIdentifier, 1).number(PropertyId::SubscriptionIdentifier, 300);
    let packet = Publish { properties: properties.as_properties(), ..publish("t", QoS::AtMostOnce, b"") };
    same(V5, "30 .. 't' [ 0B 01 0B AC02 ]", &Packet::Publish(packet));
}

#[test]
fn a_head_and_its_payload_are_the_whole_packet() {
    for (version, text) in [
        (Version::V311, "34 .. 't' 000A \"xyz\""),
        (Version::V5, "34 .. 't' 000A [ 01 01 26 'k' 'v' ] \"xyz\""),
    ] {
        let pieces: [&[u8]; 2] = [&bytes("01 01"), &bytes("26 'k' 'v'")];
        let properties = version.is_v5().then_some(&pieces[..]);
        let mut head = Vec::new();
        encode_publish_head(&mut head, 0x34, "t", PacketIdentifier::new(10), properties, 3);
        head.extend(b"xyz");
        assert_eq!(head, bytes(text));
    }
}

#[test]
fn properties_of_5_do_not_exist_before() {
    let packet = Packet::Publish(publish("t", QoS::AtMostOnce, &[2, 1, 1]));
    reads(BEFORE_5, "30 .. 't' [ 01 01 ]", &packet);
    malformed(SINCE_311.split_at(1).1, "32 .. 't' 0001");
}
