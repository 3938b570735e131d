//! Sections 3.1.2.5 to 3.1.2.7 and 3.1.3.2 to 3.1.3.4: the Will of a CONNECT.

use tidegate_mqtt::{
    Connect, Fault, Packet, Properties, PropertyBuf, PropertyId, QoS, ReasonCode, TopicName, Version,
    WillMessage,
};

use crate::assertions::{V5, V31, V311, malformed, reads, refused, same};

fn with_will(version: Version, will: Option<WillMessage<'_>>) -> Packet<'_> {
    Packet::Connect(Connect {
        version,
        clean_start: true,
        keep_alive_secs: 60,
        properties: Properties::NONE,
        client_identifier: "c",
        will,
        user_name: None,
        password: None,
    })
}

fn will(qos: QoS, retain: bool) -> WillMessage<'static> {
    WillMessage {
        topic: TopicName::new("w").unwrap(),
        qos,
        retain,
        properties: Properties::NONE,
        payload: b"gone",
    }
}

#[test]
fn a_will_has_any_qos_and_any_retain() {
    for (qos, bits) in [(QoS::AtMostOnce, 0x06), (QoS::AtLeastOnce, 0x0E), (QoS::ExactlyOnce, 0x16)] {
        for (retain, bit) in [(false, 0), (true, 0x20)] {
            let flags = bits | bit;
            let text = format!("10 .. 'MQIsdp' 03 {flags:02X} 003C 'c' 'w' 'gone'");
            same(V31, &text, &with_will(Version::V31, Some(will(qos, retain))));
            let text = format!("10 .. 'MQTT' 04 {flags:02X} 003C 'c' 'w' 'gone'");
            same(V311, &text, &with_will(Version::V311, Some(will(qos, retain)))); // [MQTT3-3.1.2-9] [MQTT3-3.1.2-14]
            let text = format!("10 .. 'MQTT' 05 {flags:02X} 003C [ ] 'c' [ ] 'w' 'gone'");
            same(V5, &text, &with_will(Version::V5, Some(will(qos, retain)))); // [MQTT5-3.1.2-9] [MQTT5-3.1.2-12]
        }
    }
}

#[test]
fn a_will_qos_of_3_is_malformed() {
    malformed(V31, "10 .. 'MQIsdp' 03 1E 003C 'c' 'w' 'gone'");
    malformed(V311, "10 .. 'MQTT' 04 1E 003C 'c' 'w' 'gone'"); // [MQTT3-3.1.2-14]
    malformed(V5, "10 .. 'MQTT' 05 1E 003C [ ] 'c' [ ] 'w' 'gone'"); // [MQTT5-3.1.2-12]
}

#[test]
fn without_a_will_its_flags_are_zero() {
    malformed(V311, "10 .. 'MQTT' 04 0A 003C 'c'"); // [MQTT3-3.1.2-11] [MQTT3-3.1.2-13]
    malformed(V311, "10 .. 'MQTT' 04 12 003C 'c'"); // [MQTT3-3.1.2-13]
    malformed(V311, "10 .. 'MQTT' 04 1A 003C 'c'"); // [MQTT3-3.1.2-13]
    malformed(V311, "10 .. 'MQTT' 04 22 003C 'c'"); // [MQTT3-3.1.2-15]
    malformed(V5, "10 .. 'MQTT' 05 0A 003C [ ] 'c'"); // [MQTT5-3.1.2-11]
    malformed(V5, "10 .. 'MQTT' 05 12 003C [ ] 'c'"); // [MQTT5-3.1.2-11]
    malformed(V5, "10 .. 'MQTT' 05 22 003C [ ] 'c'"); // [MQTT5-3.1.2-13]
    // 3.1 ignores them.
    reads(V31, "10 .. 'MQIsdp' 03 3A 003C 'c'", &with_will(Version::V31, None));
}

#[test]
fn the_fields_of_a_will_are_there_exactly_when_its_flag_is_set() {
    malformed(V311, "10 .. 'MQTT' 04 06 003C 'c'"); // [MQTT3-3.1.2-9]
    malformed(V311, "10 .. 'MQTT' 04 06 003C 'c' 'w'"); // [MQTT3-3.1.2-9]
    malformed(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c'"); // [MQTT5-3.1.2-9]
    malformed(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c' [ ]"); // [MQTT5-3.1.2-9]
    malformed(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c' [ ] 'w'"); // [MQTT5-3.1.2-9]
    malformed(V31, "10 .. 'MQIsdp' 03 06 003C 'c' 'w'");
    malformed(V311, "10 .. 'MQTT' 04 02 003C 'c' 'w' 'gone'"); // [MQTT3-3.1.2-11]
}

#[test]
fn a_will_topic_is_a_topic_name() {
    malformed(V31, "10 .. 'MQIsdp' 03 06 003C 'c' 0001 FF 'gone'");
    malformed(V311, "10 .. 'MQTT' 04 06 003C 'c' 0001 FF 'gone'"); // [MQTT3-3.1.3-10]
    malformed(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c' [ ] 0001 FF 'gone'"); // [MQTT5-3.1.3-11]
    malformed(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c' [ ] 0001 00 'gone'"); // [MQTT5-4.7.3-2]
    for topic in ["''", "'#'", "'a/+'", "'a+'"] {
        let invalid = |versions, text: String| {
            refused(versions, &text, Fault::ProtocolError, ReasonCode::TopicNameInvalid);
        };
        invalid(V31, format!("10 .. 'MQIsdp' 03 06 003C 'c' {topic} 'gone'"));
        invalid(V311, format!("10 .. 'MQTT' 04 06 003C 'c' {topic} 'gone'")); // [MQTT3-4.7.1-1] [MQTT3-4.7.3-1]
        invalid(V5, format!("10 .. 'MQTT' 05 06 003C [ ] 'c' [ ] {topic} 'gone'")); // [MQTT5-4.7.0-1] [MQTT5-4.7.3-1]
    }
}

#[test]
fn a_will_of_5_has_properties_of_its_own() {
    let mut properties = PropertyBuf::new();
    properties
        .number(PropertyId::WillDelayInterval, 5)
        .number(PropertyId::PayloadFormatIndicator, 1)
        .number(PropertyId::MessageExpiryInterval, 60)
        .text(PropertyId::ContentType, "text/plain")
        .text(PropertyId::ResponseTopic, "r")
        .binary(PropertyId::CorrelationData, &[1, 2])
        .user("k", "v");
    let will = WillMessage { properties: properties.as_properties(), ..will(QoS::AtLeastOnce, true) };
    let text = "10 .. 'MQTT' 05 2E 003C [ ] 'c' [ 18 00000005 01 01 02 0000003C 03 'text/plain' 08 'r' \
                09 0002 0102 26 'k' 'v' ] 'w' 'gone'";
    same(V5, text, &with_will(Version::V5, Some(will))); // [MQTT5-3.1.3-1]
}

#[test]
fn a_will_payload_may_be_empty_and_is_any_bytes() {
    let empty = WillMessage { payload: b"", ..will(QoS::AtMostOnce, false) };
    same(V311, "10 .. 'MQTT' 04 06 003C 'c' 'w' 0000", &with_will(Version::V311, Some(empty)));
    let bytes = WillMessage { payload: &[0, 255, 192], ..will(QoS::AtMostOnce, false) };
    same(V5, "10 .. 'MQTT' 05 06 003C [ ] 'c' [ ] 'w' 0003 00FFC0", &with_will(Version::V5, Some(bytes)));
}
