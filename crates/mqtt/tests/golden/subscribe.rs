//! Section 3.8: SUBSCRIBE.

use tidegate_mqtt::{
    Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, QoS, RetainHandling, Subscribe,
    SubscribeEntry, SubscribeFilters, SubscriptionOptions, Version,
};

use crate::assertions::{BEFORE_5, V5, V31, V311, decode, malformed, protocol_error, reads, same};
use crate::notation::bytes;

fn subscribe<'a>(properties: Properties<'a>, filters: SubscribeFilters<'a>) -> Packet<'a> {
    Packet::Subscribe(Subscribe {
        packet_identifier: PacketIdentifier::new(10).unwrap(),
        properties,
        filters,
    })
}

fn of(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::of_qos(qos)
}

#[test]
fn filters_stand_in_their_order_with_their_qos() {
    let entries =
        [("a/b", of(QoS::AtLeastOnce)), ("c/+/#", of(QoS::ExactlyOnce)), ("d", of(QoS::AtMostOnce))];
    for version in Version::ALL {
        let properties = if version.is_v5() { "[ ]" } else { "" };
        let text = format!("82 .. 000A {properties} 'a/b' 01 'c/+/#' 02 'd' 00");
        let mut buffer = Vec::new();
        let filters = SubscribeFilters::build(&entries, version, &mut buffer);
        same(&[version], &text, &subscribe(Properties::NONE, filters));
        let wire = bytes(&text);
        let Ok(Packet::Subscribe(read)) = decode(&wire, version) else { panic!("a SUBSCRIBE") };
        let read: Vec<_> = read.filters.iter().collect();
        assert_eq!(read, entries.map(|(filter, options)| SubscribeEntry { filter, options }));
    }
}

#[test]
fn every_subscription_option_of_5() {
    for byte in 0..=255u8 {
        let text = format!("82 .. 000A [ ] 'a' {byte:02X}");
        if byte & 0xC0 != 0 {
            let wire = bytes(&text);
            assert!(decode(&wire, Version::V5).is_err(), "{byte:08b}"); // [MQTT5-3.8.3-5]
            if byte & 3 != 3 {
                malformed(V5, &text); // [MQTT5-3.8.3-5]
            }
            continue;
        }
        if byte & 3 == 3 || byte & 0x30 == 0x30 {
            protocol_error(V5, &text); // 3.8.3.1: no QoS 3 and no Retain Handling 3
            continue;
        }
        let options = SubscriptionOptions {
            qos: [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(byte & 3)],
            no_local: byte & 4 != 0,
            retain_as_published: byte & 8 != 0,
            retain_handling: [
                RetainHandling::SendAtSubscribe,
                RetainHandling::SendIfNew,
                RetainHandling::DoNotSend,
            ][usize::from(byte >> 4)],
        };
        assert_eq!(options.as_u8(), byte);
        let mut buffer = Vec::new();
        let filters = SubscribeFilters::build(&[("a", options)], Version::V5, &mut buffer);
        same(V5, &text, &subscribe(Properties::NONE, filters));
        let wire = bytes(&text);
        let Ok(Packet::Subscribe(read)) = decode(&wire, Version::V5) else { panic!("a SUBSCRIBE") };
        assert_eq!(read.filters.iter().next(), Some(SubscribeEntry { filter: "a", options }));
    }
}

#[test]
fn no_local_is_not_set_on_a_shared_subscription() {
    protocol_error(V5, "82 .. 000A [ ] '$share/g/a' 04"); // [MQTT5-3.8.3-4]
    protocol_error(V5, "82 .. 000A [ ] 'a' 00 '$share/g/a' 2E"); // [MQTT5-3.8.3-4]
    for text in
        ["82 .. 000A [ ] '$share/g/a' 2A", "82 .. 000A [ ] '$shared/g/a' 04", "82 .. 000A [ ] '$share' 04"]
    {
        let wire = bytes(text);
        assert!(decode(&wire, Version::V5).is_ok(), "{text}");
    }
}

#[test]
fn a_requested_qos_before_5_has_no_other_bits() {
    for byte in 3..=255u8 {
        malformed(V311, &format!("82 .. 000A 'a' {byte:02X}")); // [MQTT3-3.8.3-4]
    }
    for byte in (0..=255u8).filter(|byte| byte & 3 == 3) {
        malformed(V31, &format!("82 .. 000A 'a' {byte:02X}"));
    }
    // 3.1 calls the upper bits unused: whatever they are, the QoS is what was asked for.
    for byte in (0..=255u8).filter(|byte| byte & 3 == 1) {
        let wire = bytes(&format!("82 .. 000A 'a' {byte:02X}"));
        let Ok(Packet::Subscribe(read)) = decode(&wire, Version::V31) else { panic!("{byte}") };
        assert_eq!(read.filters.iter().next().unwrap().options, of(QoS::AtLeastOnce));
    }
}

#[test]
fn a_subscribe_holds_at_least_one_filter() {
    protocol_error(V31, "82 02 000A");
    protocol_error(V311, "82 02 000A"); // [MQTT3-3.8.3-3]
    protocol_error(V5, "82 03 000A [ ]"); // [MQTT5-3.8.3-2]
    protocol_error(V5, "82 .. 000A [ 0B 01 ]"); // [MQTT5-3.8.3-2]
}

#[test]
fn a_filter_is_utf8_and_has_its_options() {
    malformed(BEFORE_5, "82 .. 000A 0001 FF 00"); // [MQTT3-3.8.3-1]
    malformed(V5, "82 .. 000A [ ] 0001 FF 00"); // [MQTT5-3.8.3-1]
    malformed(V5, "82 .. 000A [ ] 'a' 00 0003 EDA080 00"); // [MQTT5-3.8.3-1]
    malformed(BEFORE_5, "82 .. 000A 'a'"); // [MQTT3-3.8.3-3]
    malformed(V5, "82 .. 000A [ ] 'a'"); // [MQTT5-3.8.3-2]
    malformed(V5, "82 .. 000A [ ] 'a' 00 'b'"); // [MQTT5-3.8.3-2]
}

#[test]
fn a_subscription_identifier_and_user_properties_are_carried() {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SubscriptionIdentifier, 268_435_455).user("k", "v").user("k", "v");
    let mut buffer = Vec::new();
    let filters = SubscribeFilters::build(&[("a", of(QoS::AtMostOnce))], Version::V5, &mut buffer);
    let packet = subscribe(properties.as_properties(), filters);
    same(V5, "82 .. 000A [ 0B FFFFFF7F 26 'k' 'v' 26 'k' 'v' ] 'a' 00", &packet);
    protocol_error(V5, "82 .. 000A [ 0B 00 ] 'a' 00"); // 3.8.2.1.2
    protocol_error(V5, "82 .. 000A [ 0B 01 0B 02 ] 'a' 00"); // 3.8.2.1.2
}

#[test]
fn filters_are_kept_as_they_were_written() {
    for filter in ["$share/g/a/#", "a/#/b", "#x", "a+", "", "$share//a"] {
        let mut buffer = Vec::new();
        let filters = SubscribeFilters::build(&[(filter, of(QoS::AtMostOnce))], Version::V311, &mut buffer);
        reads(V311, &format!("82 .. 000A '{filter}' 00"), &subscribe(Properties::NONE, filters));
    }
}
