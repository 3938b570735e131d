//! MQTT 5.0 chapters 1.5 and 2: strings, integers, fixed header, Packet Identifiers, properties.

use tidegate_conformance::{
    Connect, Filter, Property, Publish, Subscribe, Version, Wire, World, ack, frame, pingreq, puback, pubrel,
    unsubscribe,
};

const MALFORMED: &[u8] = &[0x81];
/// A malformed topic may also be named by the code for topic names.
const MALFORMED_TOPIC: &[u8] = &[0x81, 0x90];

const ILL_FORMED: [(&str, &[u8]); 6] = [
    ("surrogate U+D800", b"a\xed\xa0\x80b"),
    ("surrogate U+DFFF", b"a\xed\xbf\xbfb"),
    ("overlong slash", b"a\xc0\xafb"),
    ("a continuation byte alone", b"a\x80b"),
    ("a sequence cut short", b"ab\xe2\x82"),
    ("beyond U+10FFFF", b"a\xf4\x90\x80\x80"),
];

#[test]
fn ill_formed_utf8_in_a_topic_name_is_a_malformed_packet() {
    let world = World::new();
    for (what, topic) in ILL_FORMED {
        // [MQTT5-1.5.4-1]
        world.violates(what, &Publish::new(topic, "x").bytes(Version::V5), MALFORMED_TOPIC);
    }
}

#[test]
fn ill_formed_utf8_in_a_topic_filter_is_a_malformed_packet() {
    let world = World::new();
    for (what, filter) in ILL_FORMED {
        let subscribe = Subscribe::one(Filter::new(filter, 0)).bytes(1, Version::V5);
        // [MQTT5-1.5.4-1]
        world.violates(what, &subscribe, &[0x81, 0x8f]);
    }
}

#[test]
fn ill_formed_utf8_in_the_client_identifier_is_refused() {
    let world = World::new();
    for (what, id) in ILL_FORMED {
        // [MQTT5-1.5.4-1]
        world.refuses(what, &Connect::v5(id).bytes(), &[0x81, 0x85]);
    }
}

#[test]
fn the_null_character_is_malformed_wherever_a_string_stands() {
    let world = World::new();
    let publish = |p: Publish| p.bytes(Version::V5);
    // [MQTT5-1.5.4-2]
    world.violates("NUL in a Topic Name", &publish(Publish::new("a\0b", "x")), MALFORMED_TOPIC);
    let subscribe = Subscribe::one(Filter::new("a\0b", 0)).bytes(1, Version::V5);
    // [MQTT5-1.5.4-2]
    world.violates("NUL in a Topic Filter", &subscribe, &[0x81, 0x8f]);
    let content_type = Publish::new(world.topic("t"), "x").property(Property::ContentType("a\0b".to_owned()));
    // [MQTT5-1.5.4-2]
    world.violates("NUL in a Content Type", &publish(content_type), MALFORMED);
    // [MQTT5-1.5.4-2]
    world.refuses("NUL in a Client Identifier", &Connect::v5("a\0b").bytes(), &[0x81, 0x85]);
}

#[test]
fn a_zero_width_no_break_space_is_part_of_the_string() {
    let world = World::new();
    let (with, without) = (world.topic("\u{feff}x"), world.topic("x"));
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&with, 0);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(without, "without"));
    publisher.publish(Publish::new(&with, "with"));
    let publish = subscriber.expect_message("with");
    // [MQTT5-1.5.4-3]
    assert_eq!(publish.topic(), with);
}

#[test]
fn both_halves_of_a_string_pair_are_strings() {
    let world = World::new();
    let topic = world.topic("t");
    let pair = |name: &[u8], value: &[u8]| {
        let raw = Property::Raw(Wire::new().byte(0x26).data(name).data(value).bytes());
        Publish::new(&topic, "x").property(raw).bytes(Version::V5)
    };
    // [MQTT5-1.5.7-1]
    world.violates("surrogate in a name", &pair(b"\xed\xa0\x80", b"v"), MALFORMED);
    // [MQTT5-1.5.7-1]
    world.violates("surrogate in a value", &pair(b"n", b"\xed\xa0\x80"), MALFORMED);
    // [MQTT5-1.5.7-1]
    world.violates("NUL in a value", &pair(b"n", b"\0"), MALFORMED);
}

#[test]
fn a_remaining_length_of_five_bytes_is_malformed() {
    let world = World::new();
    // [MQTT5-1.5.5-1]
    world.violates("five bytes of length", &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01], &[0x81]);
    // [MQTT5-1.5.5-1]
    world.refuses("CONNECT with five bytes of length", &[0x10, 0xff, 0xff, 0xff, 0xff, 0x7f], &[0x81]);
}

#[test]
fn a_property_length_of_five_bytes_is_malformed() {
    let world = World::new();
    let body = Wire::new().data(world.topic("t")).raw(&[0x80, 0x80, 0x80, 0x80, 0x01]).bytes();
    // [MQTT5-1.5.5-1]
    world.violates("five bytes of Property Length", &frame(0x30, &body), MALFORMED);
}

#[test]
fn lengths_are_sent_in_the_fewest_bytes() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    for size in [0, 90, 127, 128, 16_200, 16_384, 70_000] {
        let payload = "x".repeat(size);
        client.publish(Publish::new(&topic, &payload));
        // [MQTT5-1.5.5-1] The parser of this suite refuses a longer form.
        client.expect_message(&payload);
    }
}

#[test]
fn reserved_flags_of_the_fixed_header_are_malformed() {
    let world = World::new();
    let wrong: [(&str, Vec<u8>); 8] = [
        ("PUBACK", ack(0x41, 1, 0, &[])),
        ("PUBREC", ack(0x52, 1, 0, &[])),
        ("PUBREL", ack(0x60, 1, 0, &[])),
        ("PUBCOMP", ack(0x78, 1, 0, &[])),
        ("SUBSCRIBE", frame(0x80, &[0, 1, 0, 0, 1, b'a', 0])),
        ("UNSUBSCRIBE", frame(0xa0, &[0, 1, 0, 0, 1, b'a'])),
        ("PINGREQ", vec![0xc1, 0]),
        ("AUTH", frame(0xf1, &[0x19, 0])),
    ];
    for (what, bytes) in wrong {
        // [MQTT5-2.1.3-1]
        world.violates(what, &bytes, MALFORMED);
    }
    let mut connect = world.v5("c").bytes();
    connect[0] = 0x11;
    // [MQTT5-2.1.3-1]
    world.refuses("CONNECT", &connect, MALFORMED);
}

#[test]
fn packet_types_that_only_a_server_sends_are_not_accepted() {
    let world = World::new();
    let wrong: [(&str, Vec<u8>); 5] = [
        ("type 0", vec![0x00, 0]),
        ("CONNACK", frame(0x20, &[0, 0, 0])),
        ("SUBACK", frame(0x90, &[0, 1, 0, 0])),
        ("UNSUBACK", frame(0xb0, &[0, 1, 0, 0])),
        ("PINGRESP", vec![0xd0, 0]),
    ];
    for (what, bytes) in wrong {
        // [MQTT5-4.13.1-1]
        world.violates(what, &bytes, &[0x81, 0x82]);
    }
}

#[test]
fn a_qos_0_message_carries_no_packet_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 0);
    world.client("pub").publish(Publish::new(&topic, "payload").qos(1));
    // [MQTT5-2.2.1-2] Two more bytes in the packet would show as properties or payload.
    assert_eq!(subscriber.expect_publish(), Publish::new(&topic, "payload"));
}

#[test]
fn a_packet_identifier_of_zero_is_not_accepted() {
    let world = World::new();
    let topic = world.topic("t");
    let wrong: [(&str, Vec<u8>); 7] = [
        ("PUBLISH QoS 1", Publish::new(&topic, "x").qos(1).id(0).bytes(Version::V5)),
        ("PUBLISH QoS 2", Publish::new(&topic, "x").qos(2).id(0).bytes(Version::V5)),
        ("SUBSCRIBE", Subscribe::one(Filter::new(&topic, 0)).bytes(0, Version::V5)),
        ("UNSUBSCRIBE", unsubscribe(0, &[&topic], Version::V5)),
        ("PUBACK", puback(0)),
        ("PUBREL", pubrel(0)),
        ("PUBREC", ack(0x50, 0, 0, &[])),
    ];
    for (what, bytes) in wrong {
        // [MQTT5-2.2.1-3]
        world.violates(what, &bytes, &[0x81, 0x82]);
    }
}

#[test]
fn messages_in_flight_to_a_client_have_distinct_nonzero_packet_identifiers() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 2);
    let mut publisher = world.client("pub");
    for n in 0..10 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(1 + n % 2));
    }
    let mut ids: Vec<u16> = (0..10).map(|_| subscriber.expect_publish().packet_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    // [MQTT5-2.2.1-4]
    assert_eq!(ids.len(), 10, "identifiers in flight: {ids:?}");
    // [MQTT5-2.2.1-4]
    assert!(!ids.contains(&0));
}

#[test]
fn acknowledgements_carry_the_packet_identifier_of_the_request() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.send_publish(&Publish::new(&topic, "x").qos(1).id(65_535));
    // [MQTT5-2.2.1-5]
    client.expect_puback(65_535);
    client.send_publish(&Publish::new(&topic, "x").qos(2).id(4_660));
    // [MQTT5-2.2.1-5]
    client.expect_pubrec(4_660);
    client.send(&pubrel(4_660));
    // [MQTT5-2.2.1-5]
    client.expect_pubcomp(4_660);
    client.send(&Subscribe::one(Filter::new(&topic, 0)).bytes(777, Version::V5));
    // [MQTT5-2.2.1-6]
    client.expect_suback(777);
    client.send(&unsubscribe(778, &[&topic], Version::V5));
    // [MQTT5-2.2.1-6]
    client.expect_unsuback(778);
}

#[test]
fn the_identifiers_of_client_and_server_are_independent() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 1);
    client.publish(Publish::new(&topic, "first").qos(1));
    let inbound = client.expect_message("first");
    client.send_publish(&Publish::new(&topic, "second").qos(1).id(inbound.packet_id()));
    // [MQTT5-2.2.1-4]
    assert_ne!(client.expect_message("second").packet_id(), inbound.packet_id());
    // [MQTT5-2.2.1-5]
    client.expect_puback(inbound.packet_id());
}

#[test]
fn packets_without_properties_say_so_with_a_length_of_zero() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    client.publish(Publish::new(&topic, "\u{7f}payload"));
    // [MQTT5-2.2.2-1] Without the byte the payload's first byte would be read as the length.
    client.expect_message("\u{7f}payload");
    let without_length = frame(0x30, &Wire::new().data(&topic).bytes());
    // [MQTT5-2.2.2-1]
    world.violates("PUBLISH without Property Length", &without_length, MALFORMED);
}

#[test]
fn an_unknown_property_is_malformed() {
    let world = World::new();
    let raw = |bytes: &[u8]| Property::Raw(bytes.to_vec());
    let publish = Publish::new(world.topic("t"), "x").property(raw(&[0x7f, 0])).bytes(Version::V5);
    // [MQTT5-4.13.1-1]
    world.violates("property 0x7f in PUBLISH", &publish, MALFORMED);
    let subscribe = Subscribe::one(Filter::new("a", 0)).property(raw(&[0x00, 0])).bytes(1, Version::V5);
    // [MQTT5-4.13.1-1]
    world.violates("property 0x00 in SUBSCRIBE", &subscribe, MALFORMED);
    // [MQTT5-4.13.1-1]
    world.refuses("property 0x7f in CONNECT", &world.v5("c").property(raw(&[0x7f, 0])).bytes(), MALFORMED);
}

#[test]
fn a_property_of_another_packet_is_an_error() {
    let world = World::new();
    let publish =
        Publish::new(world.topic("t"), "x").property(Property::ReceiveMaximum(3)).bytes(Version::V5);
    // [MQTT5-4.13.1-1]
    world.violates("Receive Maximum in PUBLISH", &publish, &[0x81, 0x82]);
    let subscribe =
        Subscribe::one(Filter::new("a", 0)).property(Property::TopicAlias(1)).bytes(1, Version::V5);
    // [MQTT5-4.13.1-1]
    world.violates("Topic Alias in SUBSCRIBE", &subscribe, &[0x81, 0x82]);
    let connect = world.v5("c").property(Property::TopicAlias(1));
    // [MQTT5-4.13.1-1]
    world.refuses("Topic Alias in CONNECT", &connect.bytes(), &[0x81, 0x82]);
}

#[test]
fn a_property_that_may_appear_once_and_appears_twice_is_a_protocol_error() {
    let world = World::new();
    let publish = |property: Property| {
        Publish::new(world.topic("t"), "x").property(property.clone()).property(property).bytes(Version::V5)
    };
    let twice = [
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(9),
        Property::ContentType("a".to_owned()),
        Property::ResponseTopic("a".to_owned()),
        Property::CorrelationData(b"a".to_vec()),
        Property::TopicAlias(1),
    ];
    for property in twice {
        // [MQTT5-4.13.1-1]
        world.violates(&format!("{property:?} twice in PUBLISH"), &publish(property), &[0x82]);
    }
    let identifier = Property::SubscriptionIdentifier(1);
    let subscribe = Subscribe::one(Filter::new("a", 0)).property(identifier.clone()).property(identifier);
    // [MQTT5-4.13.1-1]
    world.violates("Subscription Identifier twice", &subscribe.bytes(1, Version::V5), &[0x82]);
}

#[test]
fn a_property_length_that_reaches_beyond_the_packet_is_malformed() {
    let world = World::new();
    let body = Wire::new().data(world.topic("t")).varint(100).byte(0x01).byte(1).bytes();
    // [MQTT5-4.13.1-1]
    world.violates("Property Length 100 with two bytes", &frame(0x30, &body), MALFORMED);
}

#[test]
fn a_string_that_reaches_beyond_the_packet_is_malformed() {
    let world = World::new();
    // [MQTT5-4.13.1-1]
    world.violates("a Topic Name longer than the packet", &frame(0x30, &[0, 200, b'a']), MALFORMED);
    // [MQTT5-4.13.1-1]
    world.violates("a PUBACK of one byte", &frame(0x40, &[0]), MALFORMED);
}

#[test]
fn packets_are_understood_whatever_pieces_they_arrive_in() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.open(Version::V5);
    for byte in world.v5("c").bytes() {
        client.send(&[byte]);
    }
    // [MQTT5-4.2.0-1]
    assert_eq!(client.expect_connack().reason, 0);
    client.subscribe(&topic, 0);
    let mut many = Publish::new(&topic, "one").bytes(Version::V5);
    many.extend(Publish::new(&topic, "two").bytes(Version::V5));
    many.extend(pingreq());
    client.send(&many);
    // [MQTT5-4.2.0-1]
    client.expect_message("one");
    // [MQTT5-4.2.0-1]
    client.expect_message("two");
    client.expect_pingresp();
}
