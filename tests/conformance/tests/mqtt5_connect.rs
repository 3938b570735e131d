//! MQTT 5.0 chapter 3.1: CONNECT, its flags, properties and payload.

use tidegate_conformance::{
    Connect, Filter, Packet, Property, Publish, Subscribe, Version, Will, Wire, World, disconnect, frame,
};

const MALFORMED: &[u8] = &[0x81];
const PROTOCOL_ERROR: &[u8] = &[0x82];
const EITHER: &[u8] = &[0x81, 0x82];

/// A CONNECT with this name, version and flags, and this payload.
fn connect_of(name: &str, version: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(0x10, &Wire::new().data(name).byte(version).byte(flags).u16(60).byte(0).raw(payload).bytes())
}

#[test]
fn the_first_packet_must_be_connect() {
    let world = World::new();
    let first: [(&str, Vec<u8>); 4] = [
        ("PINGREQ", vec![0xc0, 0]),
        ("PUBLISH", Publish::new(world.topic("t"), "x").bytes(Version::V5)),
        ("DISCONNECT", disconnect()),
        ("AUTH", frame(0xf0, &[0x18, 0])),
    ];
    for (what, bytes) in first {
        eprintln!("sending first: {what}");
        // [MQTT5-3.1.0-1]
        world.attempt_bytes(&bytes).expect_not_connected();
    }
}

#[test]
fn a_second_connect_is_a_protocol_error() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&world.v5("c").bytes());
    // [MQTT5-3.1.0-2]
    client.expect_disconnect(0x82);
}

#[test]
fn another_protocol_name_is_not_served() {
    let world = World::new();
    for name in ["MQTX", "mqtt", "HTTP", ""] {
        let bytes = connect_of(name, 5, 2, &Wire::new().data(world.id("c")).bytes());
        // [MQTT5-3.1.2-1]
        world.refuses(&format!("protocol name {name:?}"), &bytes, &[0x84, 0x81, 0x82]);
    }
}

#[test]
fn another_protocol_version_is_not_served() {
    let world = World::new();
    for version in [0, 2, 6, 255] {
        let bytes = connect_of("MQTT", version, 2, &Wire::new().data(world.id("c")).bytes());
        let mut client = world.attempt_bytes(&bytes);
        // [MQTT5-3.1.2-2] The form of the CONNACK is the server's choice, for the client speaks neither.
        client.expect_end_of_unknown_version();
    }
}

#[test]
fn the_reserved_connect_flag_must_be_zero() {
    let world = World::new();
    // [MQTT5-3.1.2-3]
    world.refuses("reserved flag 1", &world.v5("c").flags(0x03).bytes(), MALFORMED);
}

#[test]
fn without_a_will_the_will_qos_must_be_zero() {
    let world = World::new();
    for flags in [0x0a, 0x12] {
        // [MQTT5-3.1.2-11]
        world.refuses("Will QoS without Will Flag", &world.v5("c").flags(flags).bytes(), EITHER);
    }
}

#[test]
fn the_will_qos_must_not_be_three() {
    let world = World::new();
    let connect = world.v5("c").will(Will::new(world.topic("w"), "gone").qos(3));
    // [MQTT5-3.1.2-12]
    world.refuses("Will QoS 3", &connect.bytes(), MALFORMED);
}

#[test]
fn without_a_will_the_will_retain_must_be_zero() {
    let world = World::new();
    // [MQTT5-3.1.2-13]
    world.refuses("Will Retain without Will Flag", &world.v5("c").flags(0x22).bytes(), EITHER);
}

#[test]
fn a_will_flag_without_will_fields_is_malformed() {
    let world = World::new();
    // [MQTT5-3.1.2-9]
    world.refuses("Will Flag without fields", &world.v5("c").flags(0x06).bytes(), EITHER);
    let only_properties = connect_of("MQTT", 5, 0x06, &Wire::new().data("c").byte(0).bytes());
    // [MQTT5-3.1.2-9]
    world.refuses("Will Properties without Will Topic", &only_properties, EITHER);
}

#[test]
fn a_will_without_will_flag_is_malformed() {
    let world = World::new();
    let connect = world.v5("c").will(Will::new(world.topic("w"), "gone")).flags(0x02);
    // [MQTT5-3.1.4-1]
    world.refuses("Will fields without Will Flag", &connect.bytes(), EITHER);
}

#[test]
fn user_name_and_password_are_present_exactly_when_their_flags_say_so() {
    let world = World::new();
    let user = world.v5("c").user_name("user");
    // [MQTT5-3.1.2-16]
    world.refuses("a User Name without flag", &user.flags(0x02).bytes(), EITHER);
    // [MQTT5-3.1.2-17]
    world.refuses("a User Name Flag without User Name", &world.v5("c").flags(0x82).bytes(), EITHER);
    let both = world.v5("c").user_name("user").password("secret");
    // [MQTT5-3.1.2-18]
    world.refuses("a Password without flag", &both.flags(0x82).bytes(), EITHER);
    let password_missing = world.v5("c").user_name("user").flags(0xc2);
    // [MQTT5-3.1.2-19]
    world.refuses("a Password Flag without Password", &password_missing.bytes(), EITHER);
}

#[test]
fn a_password_without_user_name_is_well_formed() {
    let world = World::new();
    let client = world.connect(&world.v5("c").password("secret"));
    // [MQTT5-3.1.4-5]
    assert_eq!(client.connack().reason, 0);
}

#[test]
fn the_user_name_is_a_string() {
    let world = World::new();
    // [MQTT5-3.1.3-12]
    world.refuses(
        "a User Name with a surrogate",
        &world.v5("c").user_name(b"\xed\xa0\x80").bytes(),
        MALFORMED,
    );
}

#[test]
fn the_will_topic_is_a_string() {
    let world = World::new();
    let connect = world.v5("c").will(Will::new(b"a\xff", "gone"));
    // [MQTT5-3.1.3-11]
    world.refuses("a Will Topic that is not UTF-8", &connect.bytes(), &[0x81, 0x90]);
}

#[test]
fn the_will_topic_is_a_topic_name() {
    let world = World::new();
    for topic in ["a/#", "+/b"] {
        let connect = world.v5("c").will(Will::new(topic, "gone"));
        // [MQTT5-4.7.0-1]
        world.refuses("a Will Topic with a wildcard", &connect.bytes(), &[0x81, 0x82, 0x90]);
    }
}

#[test]
fn the_fields_of_the_payload_come_in_their_order() {
    let world = World::new();
    let topic = world.topic("w");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 0);
    let will = Will::new(&topic, "gone").property(Property::ContentType("kind".to_owned()));
    let all = world.v5("all").will(will).user_name("user").password("secret");
    world.connect(&all).drop_connection();
    let publish = subscriber.expect_message("gone");
    // [MQTT5-3.1.3-1]
    assert_eq!(publish.properties.content_type().as_deref(), Some("kind"));
}

#[test]
fn a_connect_without_client_identifier_field_is_malformed() {
    let world = World::new();
    // [MQTT5-3.1.3-3]
    world.refuses("no payload", &connect_of("MQTT", 5, 2, &[]), EITHER);
}

#[test]
fn the_client_identifier_is_a_string() {
    let world = World::new();
    // [MQTT5-3.1.3-4]
    world.refuses("an identifier that is not UTF-8", &Connect::v5(b"a\xff").bytes(), &[0x81, 0x85]);
}

#[test]
fn client_identifiers_of_1_to_23_letters_and_digits_are_allowed() {
    let world = World::new();
    let tag = world.tag().to_owned();
    let longest = format!("{tag}ABCDEFGXYZ9");
    assert_eq!(longest.len(), 23);
    for id in [format!("{tag}azAZ09"), longest] {
        // [MQTT5-3.1.3-5]
        assert_eq!(world.connect(&Connect::v5(id)).connack().reason, 0);
    }
    let mut short = world.attempt(&Connect::v5("0"));
    // [MQTT5-3.1.3-5]
    assert_eq!(short.expect_connack().reason, 0);
}

#[test]
fn the_client_identifier_names_the_session() {
    let world = World::new();
    world.connect(&world.v5("one").session_expiry(60)).disconnect();
    // [MQTT5-3.1.3-2]
    assert!(!world.connect(&world.v5("two").resume()).connack().session_present);
    // [MQTT5-3.1.3-2]
    assert!(world.connect(&world.v5("one").resume()).connack().session_present);
}

#[test]
fn a_zero_length_client_identifier_is_replaced_by_an_assigned_one() {
    let world = World::new();
    let first = world.connect(&Connect::v5("").session_expiry(60));
    let second = world.connect(&Connect::v5(""));
    let assigned = first.connack().properties.assigned_client_identifier();
    let other = second.connack().properties.assigned_client_identifier();
    // [MQTT5-3.1.3-6]
    assert_ne!(assigned, other);
    // [MQTT5-3.1.3-7]
    let assigned = assigned.expect("an Assigned Client Identifier");
    first.disconnect();
    let again = world.connect(&Connect::v5(&assigned).resume());
    // [MQTT5-3.1.3-7] The session is the one of the assigned identifier.
    assert!(again.connack().session_present);
    // [MQTT5-3.2.2-16]
    assert!(again.connack().properties.assigned_client_identifier().is_none());
}

#[test]
fn a_connect_with_bytes_behind_its_payload_is_malformed() {
    let world = World::new();
    let mut body = world.v5("c").bytes();
    body.extend([1, 2, 3]);
    body[1] += 3;
    // [MQTT5-3.1.4-1]
    world.refuses("three bytes too many", &body, EITHER);
}

#[test]
fn a_connect_cut_short_is_malformed() {
    let world = World::new();
    // [MQTT5-3.1.4-1]
    world.refuses("a header of four bytes", &frame(0x10, &[0, 4, b'M', b'Q']), EITHER);
    // [MQTT5-3.1.4-1]
    world.refuses("no Keep Alive", &frame(0x10, &Wire::new().data("MQTT").byte(5).byte(2).bytes()), EITHER);
}

#[test]
fn values_that_a_connect_property_may_not_have_are_protocol_errors() {
    let world = World::new();
    let wrong = [
        Property::ReceiveMaximum(0),
        Property::MaximumPacketSize(0),
        Property::RequestResponseInformation(2),
        Property::RequestProblemInformation(2),
    ];
    for property in wrong {
        let connect = world.v5("c").property(property.clone());
        // [MQTT5-4.13.1-1]
        world.refuses(&format!("{property:?}"), &connect.bytes(), PROTOCOL_ERROR);
    }
}

#[test]
fn connect_properties_may_appear_once() {
    let world = World::new();
    let once = [
        Property::SessionExpiryInterval(1),
        Property::ReceiveMaximum(5),
        Property::MaximumPacketSize(1000),
        Property::TopicAliasMaximum(5),
        Property::RequestResponseInformation(1),
        Property::RequestProblemInformation(1),
    ];
    for property in once {
        let connect = world.v5("c").property(property.clone()).property(property.clone());
        // [MQTT5-4.13.1-1]
        world.refuses(&format!("{property:?} twice"), &connect.bytes(), PROTOCOL_ERROR);
    }
    let will = Will::new(world.topic("w"), "").property(Property::WillDelayInterval(1));
    let connect = world.v5("c").will(will.property(Property::WillDelayInterval(1)));
    // [MQTT5-4.13.1-1]
    world.refuses("Will Delay Interval twice", &connect.bytes(), PROTOCOL_ERROR);
}

#[test]
fn user_properties_of_connect_may_repeat() {
    let world = World::new();
    let connect = world.v5("c").property(Property::user("k", "1")).property(Property::user("k", "2"));
    // [MQTT5-3.1.4-5]
    assert_eq!(world.connect(&connect).connack().reason, 0);
}

#[test]
fn a_rejected_client_has_nothing_processed_behind_its_connect() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 0);
    let mut bytes = world.v5("bad").flags(0x03).bytes();
    bytes.extend(Publish::new(&topic, "smuggled").bytes(Version::V5));
    world.attempt_bytes(&bytes).expect_not_connected();
    world.client("pub").publish(Publish::new(&topic, "end"));
    // [MQTT5-3.1.4-6]
    subscriber.expect_message("end");
}

#[test]
fn packets_sent_before_connack_are_served_after_it() {
    let world = World::new();
    let topic = world.topic("t");
    let mut bytes = world.v5("c").bytes();
    bytes.extend(Subscribe::one(Filter::new(&topic, 1)).bytes(1, Version::V5));
    bytes.extend(Publish::new(&topic, "eager").qos(1).id(2).bytes(Version::V5));
    let mut client = world.attempt_bytes(&bytes);
    // [MQTT5-3.2.0-1]
    assert_eq!(client.expect_connack().reason, 0);
    // The answers to different requests have no order among each other.
    let mut seen = [false; 3];
    for _ in 0..3 {
        match client.receive() {
            Packet::Suback(suback) => seen[0] = suback.packet_id == 1,
            Packet::Puback(puback) => seen[1] = puback.packet_id == 2,
            Packet::Publish(publish) => seen[2] = publish.text() == "eager",
            other => panic!("expected SUBACK, PUBACK or PUBLISH, got {other:?}"),
        }
    }
    assert_eq!(seen, [true; 3], "SUBACK, PUBACK and PUBLISH");
}

#[test]
fn a_rejected_client_identifier_ends_the_connection() {
    let world = World::new();
    // [MQTT5-3.1.3-8]
    world.refuses("an identifier with U+0000", &Connect::v5("a\0b").bytes(), &[0x85, 0x81]);
}

#[test]
fn a_connect_that_fails_a_further_check_ends_the_connection() {
    let world = World::new();
    let method = Property::AuthenticationMethod("NO-SUCH-METHOD".to_owned());
    // [MQTT5-3.1.4-2]
    world.refuses("an unknown method", &world.v5("c").property(method).bytes(), &[0x8c]);
}

#[test]
fn a_client_with_authentication_method_has_nothing_else_served_before_connack() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 0);
    let method = Property::AuthenticationMethod("NO-SUCH-METHOD".to_owned());
    let mut bytes = world.v5("eager").property(method).bytes();
    bytes.extend(Publish::new(&topic, "too early").bytes(Version::V5));
    world.attempt_bytes(&bytes).expect_not_connected();
    world.client("pub").publish(Publish::new(&topic, "end"));
    // [MQTT5-3.1.2-30]
    subscriber.expect_message("end");
}
