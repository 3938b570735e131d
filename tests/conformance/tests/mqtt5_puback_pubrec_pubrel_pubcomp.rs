//! MQTT 5.0 chapters 3.4 to 3.7: the acknowledgements of messages, their flags, Reason Codes and properties.

use tidegate_conformance::{
    Packet, Property, Publish, RawClient, Version, World, ack, frame, puback, pubcomp, pubrec, pubrel,
};

/// What a PUBACK or a PUBREC may say.
const PUBACK_REASONS: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
/// What a PUBREL or a PUBCOMP may say.
const PUBREL_REASONS: [u8; 2] = [0x00, 0x92];

#[test]
fn puback_and_pubrec_say_when_nobody_subscribes() {
    let world = World::new();
    let topic = world.topic("nobody");
    let mut client = world.client("c");
    client.send_publish(&Publish::new(&topic, "x").qos(1).id(1));
    let puback = client.expect_puback(1);
    // [MQTT5-3.4.2-1]
    assert!(PUBACK_REASONS.contains(&puback.reason), "{puback:?}");
    assert!(matches!(puback.reason, 0x00 | 0x10), "{puback:?}");
    client.send_publish(&Publish::new(&topic, "x").qos(2).id(2));
    let pubrec = client.expect_pubrec(2);
    // [MQTT5-3.5.2-1]
    assert!(PUBACK_REASONS.contains(&pubrec.reason), "{pubrec:?}");
    assert!(matches!(pubrec.reason, 0x00 | 0x10), "{pubrec:?}");
}

#[test]
fn pubcomp_says_success_or_that_the_identifier_is_unknown() {
    let world = World::new();
    let mut client = world.client("c");
    client.send_publish(&Publish::new(world.topic("t"), "x").qos(2).id(1));
    client.expect_pubrec(1);
    client.send(&pubrel(1));
    // [MQTT5-3.7.2-1]
    assert_eq!(client.expect_pubcomp(1).reason, 0x00);
    client.send(&pubrel(2));
    // [MQTT5-3.7.2-1]
    assert_eq!(client.expect_pubcomp(2).reason, 0x92);
}

#[test]
fn pubrel_says_success_or_that_the_identifier_is_unknown() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 2);
    client.publish(Publish::new(&topic, "x").qos(2));
    let publish = client.expect_message("x");
    client.send(&pubrec(publish.packet_id()));
    // [MQTT5-3.6.2-1]
    assert_eq!(client.expect_pubrel(publish.packet_id()).reason, 0x00);
    client.send(&pubrec(4_000));
    let Packet::Pubrel(pubrel) = client.receive() else { panic!("expected PUBREL for an unknown PUBREC") };
    // [MQTT5-3.6.2-1]
    assert!(PUBREL_REASONS.contains(&pubrel.reason) && pubrel.reason != 0, "{pubrel:?}");
    assert_eq!(pubrel.packet_id, 4_000);
}

#[test]
fn a_puback_for_nothing_is_ignored_or_an_error_but_harms_no_other() {
    let world = World::new();
    let mut stranger = world.client("stranger");
    let mut other = world.client("other");
    stranger.send(&puback(3_000));
    stranger.send(&pubcomp(3_001));
    other.expect_nothing_before_ping();
}

#[test]
fn the_flags_of_pubrel_are_0010() {
    let world = World::new();
    for flags in [0x60, 0x61, 0x63, 0x6a] {
        let mut client = world.client("c");
        client.send_publish(&Publish::new(world.topic("t"), "x").qos(2).id(1));
        client.expect_pubrec(1);
        client.send(&ack(flags, 1, 0, &[]));
        // [MQTT5-3.6.1-1]
        client.expect_disconnect(0x81);
    }
}

#[test]
fn acknowledgements_are_understood_in_their_short_and_long_forms() {
    let world = World::new();
    let topic = world.topic("t");
    let connect = world.v5("c").property(Property::ReceiveMaximum(1));
    let mut client = world.connect(&connect);
    client.subscribe(&topic, 1);
    let mut publisher = world.client("pub");
    let forms: [&[u8]; 4] = [&[], &[0x00], &[0x00, 0x00], &[0x00, 0x05, 0x1f, 0, 2, b'o', b'k']];
    for form in forms {
        publisher.publish(Publish::new(&topic, "x").qos(1));
        let id = client.expect_message("x").packet_id().to_be_bytes();
        client.send(&frame(0x40, &[&id, form].concat()));
    }
    publisher.publish(Publish::new(&topic, "end").qos(1));
    // [MQTT5-4.9.0-2] With a Receive Maximum of 1 each acknowledgement must have counted.
    client.expect_message("end");
}

#[test]
fn malformed_acknowledgements_are_malformed_packets() {
    let world = World::new();
    let wrong: [(&str, Vec<u8>); 4] = [
        ("a PUBACK without Packet Identifier", frame(0x40, &[])),
        ("a PUBREC of one byte", frame(0x50, &[1])),
        ("a PUBREL with bytes behind its properties", frame(0x62, &[0, 1, 0, 0, 9])),
        ("a PUBCOMP whose properties are cut", frame(0x70, &[0, 1, 0, 5, 0x1f])),
    ];
    for (what, bytes) in wrong {
        // [MQTT5-4.13.1-1]
        world.violates(what, &bytes, &[0x81]);
    }
}

#[test]
fn a_reason_string_twice_in_an_acknowledgement_is_a_protocol_error() {
    let world = World::new();
    let text = Property::ReasonString("why".to_owned());
    for first_byte in [0x40, 0x50, 0x62, 0x70] {
        let bytes = ack(first_byte, 1, 0, &[text.clone(), text.clone()]);
        // [MQTT5-4.13.1-1]
        world.violates(&format!("packet {first_byte:#04x}"), &bytes, &[0x82]);
    }
}

/// Walks a client with this connect property through every acknowledgement that could explain itself.
fn every_acknowledgement(world: &World, property: Property) -> (RawClient, Vec<Packet>) {
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").property(property));
    client.send_publish(&Publish::new(world.topic("nobody"), "x").qos(1).id(101));
    client.send_publish(&Publish::new(world.topic("nobody"), "x").qos(2).id(102));
    client.send(&pubrel(102));
    client.send(&pubrel(103));
    client.send(&pubrec(104));
    let packets = (0..5).map(|_| client.receive()).collect();
    client.subscribe(&topic, 2);
    client.publish(Publish::new(&topic, "x").qos(2));
    let publish = client.expect_message("x");
    client.acknowledge(&publish);
    (client, packets)
}

#[test]
fn acknowledgements_fit_the_maximum_packet_size_of_the_client() {
    let world = World::new();
    let (client, packets) = every_acknowledgement(&world, Property::MaximumPacketSize(40));
    assert_eq!(packets.len(), 5);
    // [MQTT5-3.4.2-2] [MQTT5-3.4.2-3]
    assert!((1..=40).contains(&client.largest(4)), "PUBACK of {} bytes", client.largest(4));
    // [MQTT5-3.5.2-2] [MQTT5-3.5.2-3]
    assert!((1..=40).contains(&client.largest(5)), "PUBREC of {} bytes", client.largest(5));
    // [MQTT5-3.6.2-2] [MQTT5-3.6.2-3]
    assert!((1..=40).contains(&client.largest(6)), "PUBREL of {} bytes", client.largest(6));
    // [MQTT5-3.7.2-2] [MQTT5-3.7.2-3]
    assert!((1..=40).contains(&client.largest(7)), "PUBCOMP of {} bytes", client.largest(7));
}

#[test]
fn without_problem_information_acknowledgements_explain_nothing() {
    let world = World::new();
    let (_, packets) = every_acknowledgement(&world, Property::RequestProblemInformation(0));
    for packet in packets {
        let (Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack)) = packet
        else {
            panic!("expected an acknowledgement, got {packet:?}")
        };
        // [MQTT5-3.1.2-29]
        assert_eq!(ack.properties.0, [], "{ack:?}");
    }
}

#[test]
fn without_problem_information_messages_keep_their_user_properties() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").property(Property::RequestProblemInformation(0)));
    client.subscribe(&topic, 0);
    client.send(&Publish::new(&topic, "x").property(Property::user("k", "v")).bytes(Version::V5));
    // [MQTT5-3.3.2-17]
    assert_eq!(client.expect_message("x").properties.user_properties(), [("k", "v")]);
}
