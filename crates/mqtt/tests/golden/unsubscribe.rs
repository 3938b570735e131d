//! Section 3.10: UNSUBSCRIBE.

use tidegate_mqtt::{
    Packet, PacketIdentifier, Properties, PropertyBuf, Unsubscribe, UnsubscribeFilters, Version,
};

use crate::assertions::{BEFORE_5, V5, V31, V311, decode, malformed, protocol_error, same};
use crate::notation::bytes;

fn unsubscribe<'a>(properties: Properties<'a>, filters: UnsubscribeFilters<'a>) -> Packet<'a> {
    Packet::Unsubscribe(Unsubscribe {
        packet_identifier: PacketIdentifier::new(10).unwrap(),
        properties,
        filters,
    })
}

#[test]
fn filters_stand_in_their_order() {
    let mut buffer = Vec::new();
    let packet = unsubscribe(Properties::NONE, UnsubscribeFilters::build(&["a/b", "c/#"], &mut buffer));
    same(BEFORE_5, "A2 .. 000A 'a/b' 'c/#'", &packet);
    same(V5, "A2 .. 000A [ ] 'a/b' 'c/#'", &packet);
    for (version, text) in
        [(Version::V311, "A2 .. 000A 'a/b' 'c/#'"), (Version::V5, "A2 .. 000A [ ] 'a/b' 'c/#'")]
    {
        let wire = bytes(text);
        let Ok(Packet::Unsubscribe(read)) = decode(&wire, version) else { panic!("an UNSUBSCRIBE") };
        assert_eq!(read.filters.iter().collect::<Vec<_>>(), ["a/b", "c/#"]);
    }
}

#[test]
fn an_unsubscribe_holds_at_least_one_filter() {
    protocol_error(V31, "A2 02 000A");
    protocol_error(V311, "A2 02 000A"); // [MQTT3-3.10.3-2]
    protocol_error(V5, "A2 03 000A [ ]"); // [MQTT5-3.10.3-2]
    protocol_error(V5, "A2 .. 000A [ 26 'k' 'v' ]"); // [MQTT5-3.10.3-2]
}

#[test]
fn filters_are_utf8() {
    malformed(BEFORE_5, "A2 .. 000A 0001 FF"); // [MQTT3-3.10.3-1]
    malformed(V5, "A2 .. 000A [ ] 0001 FF"); // [MQTT5-3.10.3-1]
    malformed(V5, "A2 .. 000A [ ] 'a' 0002 C328"); // [MQTT5-3.10.3-1]
    malformed(BEFORE_5, "A2 .. 000A 'a' 0004 \"xyz\"");
}

#[test]
fn user_properties_are_carried() {
    let mut properties = PropertyBuf::new();
    properties.user("k", "v").user("k", "v");
    let mut buffer = Vec::new();
    let packet = unsubscribe(properties.as_properties(), UnsubscribeFilters::build(&["a"], &mut buffer));
    same(V5, "A2 .. 000A [ 26 'k' 'v' 26 'k' 'v' ] 'a'", &packet);
}
