//! MQTT 3.1.1 chapters 1.5 and 2: strings, the fixed header, Packet Identifiers.

use tidegate_conformance::{
    Connect, Filter, Publish, RawClient, Subscribe, Version, Will, Wire, World, frame, puback, pubrec,
    pubrel, unsubscribe,
};

/// Lets a connected 3.1.1 client send these bytes, and demands that the server closes without a word.
#[track_caller]
fn violates(world: &World, what: &str, bytes: &[u8]) {
    // Shown by the test harness when the expectation below fails.
    eprintln!("sending: {what}");
    let mut client = world.connect(&world.v311("violator"));
    client.send(bytes);
    client.expect_closed();
}

/// The places where a client sends a string, each filled with these bytes.
#[track_caller]
fn refused_everywhere(world: &World, ill: &[u8]) {
    for connect in [
        Connect::v311(ill),
        world.v311("c").will(Will::new(ill, "gone")),
        world.v311("c").user_name(ill).password("secret"),
    ] {
        eprintln!("CONNECT with the string {ill:02x?}");
        world.attempt(&connect).expect_closed();
    }
    violates(world, &format!("PUBLISH to {ill:02x?}"), &Publish::new(ill, "x").bytes(Version::V311));
    let subscribe = Subscribe::one(Filter::new(ill, 0)).bytes(1, Version::V311);
    violates(world, &format!("SUBSCRIBE to {ill:02x?}"), &subscribe);
    let unsubscribe = frame(0xa2, &Wire::new().u16(1).data(ill).bytes());
    violates(world, &format!("UNSUBSCRIBE from {ill:02x?}"), &unsubscribe);
}

#[test]
fn a_string_that_is_not_utf8_ends_the_connection() {
    let world = World::new();
    let ill_formed: [&[u8]; 7] = [
        &[0xff],
        &[0xc3, 0x28],
        // A sequence cut short.
        &[b'a', 0xe2, 0x82],
        // Over-long.
        &[0xc0, 0xaf],
        // Beyond U+10FFFF.
        &[0xf4, 0x90, 0x80, 0x80],
        // Surrogates.
        &[0xed, 0xa0, 0x80],
        &[0xed, 0xbf, 0xbf],
    ];
    for ill in ill_formed {
        // [MQTT3-1.5.3-1]
        refused_everywhere(&world, ill);
    }
}

#[test]
fn a_string_with_the_null_character_ends_the_connection() {
    let world = World::new();
    // [MQTT3-1.5.3-2]
    refused_everywhere(&world, b"a\0b");
}

#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    let world = World::new();
    let (bare, marked) = (world.topic("t"), world.topic("\u{feff}t"));
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&bare, 0);
    client.subscribe(&marked, 0);
    client.publish(Publish::new(&marked, "marked"));
    // [MQTT3-1.5.3-3]
    assert_eq!(client.expect_message("marked").topic(), marked);
    client.expect_nothing_before_ping();
}

#[test]
fn reserved_flags_end_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let subscribe = Subscribe::one(Filter::new(&topic, 0)).bytes(1, Version::V311);
    let packets = [
        ("PUBACK", puback(1), 0x40),
        ("PUBREC", pubrec(1), 0x50),
        ("PUBREL", pubrel(1), 0x62),
        ("PUBCOMP", vec![0x70, 2, 0, 1], 0x70),
        ("SUBSCRIBE", subscribe, 0x82),
        ("UNSUBSCRIBE", unsubscribe(1, &[&topic], Version::V311), 0xa2),
        ("PINGREQ", vec![0xc0, 0], 0xc0),
    ];
    for (what, mut bytes, right) in packets {
        for bit in [1, 2, 4, 8] {
            bytes[0] = right ^ bit;
            // [MQTT3-2.2.2-2]
            violates(&world, &format!("{what} with flags {:04b}", bytes[0] & 0x0f), &bytes);
        }
    }
    let mut connect = world.v311("c").bytes();
    connect[0] = 0x11;
    let mut client = world.open(Version::V311);
    client.send(&connect);
    client.expect_closed();
}

/// Lets the server send every packet type it has in 3.1.1.
fn hears_every_packet_type(client: &mut RawClient, topic: &str) {
    client.subscribe(topic, 2);
    for qos in 0..=2 {
        client.publish(Publish::new(topic, "x").qos(qos));
        let publish = client.expect_publish();
        client.acknowledge(&publish);
    }
    client.unsubscribe(&[topic]);
    client.expect_nothing_before_ping();
}

#[test]
fn the_flags_of_the_servers_packets_are_those_of_the_table() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    // [MQTT3-2.2.2-1] The client refuses every packet that has other flags.
    hears_every_packet_type(&mut client, &world.topic("t"));
}

#[test]
fn packet_identifier_zero_ends_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let packets = [
        ("PUBLISH with QoS 1", Publish::new(&topic, "x").qos(1).id(0).bytes(Version::V311)),
        ("PUBLISH with QoS 2", Publish::new(&topic, "x").qos(2).id(0).bytes(Version::V311)),
        ("SUBSCRIBE", Subscribe::one(Filter::new(&topic, 0)).bytes(0, Version::V311)),
        ("UNSUBSCRIBE", unsubscribe(0, &[&topic], Version::V311)),
    ];
    for (what, bytes) in packets {
        // [MQTT3-2.3.1-1]
        violates(&world, &format!("{what} with Packet Identifier 0"), &bytes);
    }
}

#[test]
fn a_qos_0_message_has_no_packet_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 2);
    // What looks like an identifier is the beginning of the payload, on the way in and on the way out.
    let payload = [0, 7, b'x'];
    client.publish(Publish::new(&topic, payload));
    // [MQTT3-2.3.1-5]
    assert_eq!(client.expect_publish().payload, payload);
}

#[test]
fn each_delivery_has_an_identifier_of_its_own_while_it_is_unacknowledged() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 2);
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2, 1, 2, 1, 2, 1, 2] {
        publisher.publish(Publish::new(&topic, "x").qos(qos));
    }
    let mut ids: Vec<u16> = (0..8).map(|_| client.expect_publish().packet_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    // [MQTT3-2.3.1-4]
    assert_eq!(ids.len(), 8, "identifiers in use: {ids:?}");
}

#[test]
fn answers_carry_the_identifier_of_what_they_answer() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    for id in [1, 0x1234, 0xffff] {
        client.send_publish(&Publish::new(&topic, "x").qos(1).id(id));
        // [MQTT3-2.3.1-6]
        client.expect_puback(id);
        client.send_publish(&Publish::new(&topic, "x").qos(2).id(id));
        // [MQTT3-2.3.1-6]
        client.expect_pubrec(id);
        client.send(&pubrel(id));
        client.expect_pubcomp(id);
        client.send(&Subscribe::one(Filter::new(&topic, 0)).bytes(id, Version::V311));
        // [MQTT3-2.3.1-7]
        client.expect_suback(id);
        client.send(&unsubscribe(id, &[&topic], Version::V311));
        // [MQTT3-2.3.1-7]
        client.expect_unsuback(id);
    }
}

#[test]
fn megabytes_arrive_whole_and_in_order() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 0);
    let payload: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    client.publish(Publish::new(&topic, &payload));
    let received = client.expect_publish().payload;
    // [MQTT3-7.1.1-1]
    assert!(received == payload, "{} of {} bytes", received.len(), payload.len());
}
