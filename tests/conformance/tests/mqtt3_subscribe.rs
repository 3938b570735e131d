//! MQTT 3.1.1 chapters 3.8 and 3.9: SUBSCRIBE and what SUBACK answers.

use std::time::Duration;

use tidegate_conformance::{Filter, Packet, Publish, RawClient, Subscribe, Version, Wire, World, frame};

/// Lets a connected 3.1.1 client send these bytes, and demands that the server closes without a word.
#[track_caller]
fn violates(world: &World, what: &str, bytes: &[u8]) {
    // Shown by the test harness when the expectation below fails.
    eprintln!("sending: {what}");
    let mut client = world.connect(&world.v311("violator"));
    client.send(bytes);
    client.expect_closed();
}

fn subscribe_to(topic: &str, options: u8) -> Vec<u8> {
    Subscribe::one(Filter::new(topic, options)).bytes(1, Version::V311)
}

#[test]
fn a_subscribe_with_other_flags_ends_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    for flags in [0x0, 0x1, 0x3, 0x6, 0xa] {
        let mut bytes = subscribe_to(&topic, 0);
        bytes[0] = 0x80 | flags;
        // [MQTT3-3.8.1-1]
        violates(&world, &format!("SUBSCRIBE with flags {flags:04b}"), &bytes);
    }
}

#[test]
fn a_filter_that_is_not_utf8_ends_the_connection() {
    let world = World::new();
    let subscribe = Subscribe::new([Filter::new(world.topic("t"), 0), Filter::new([0xc3, 0x28], 0)]);
    // [MQTT3-3.8.3-1]
    violates(&world, "SUBSCRIBE to C3 28", &subscribe.bytes(1, Version::V311));
}

#[test]
fn a_subscribe_without_filters_ends_the_connection() {
    let world = World::new();
    // [MQTT3-3.8.3-3]
    violates(&world, "SUBSCRIBE without payload", &frame(0x82, &[0, 1]));
}

#[test]
fn a_filter_without_its_qos_ends_the_connection() {
    let world = World::new();
    let body = Wire::new().u16(1).data(world.topic("t")).bytes();
    // [MQTT3-3.8.3-3]
    violates(&world, "SUBSCRIBE that ends before the QoS", &frame(0x82, &body));
}

#[test]
fn reserved_bits_and_qos_3_in_the_options_end_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    for options in [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
        // [MQTT3-3.8.3-4]
        violates(&world, &format!("SUBSCRIBE with options {options:08b}"), &subscribe_to(&topic, options));
    }
}

#[test]
fn a_subscribe_is_answered_under_its_identifier() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.send(&Subscribe::one(Filter::new(world.topic("t"), 1)).bytes(0xabcd, Version::V311));
    // [MQTT3-3.8.4-1] [MQTT3-3.8.4-2]
    let suback = client.expect_suback(0xabcd);
    // [MQTT3-3.8.4-5]
    assert_eq!(suback.reasons, [1]);
}

#[test]
fn a_repeated_subscription_replaces_the_first() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 0);
    client.subscribe(&topic, 2);
    client.publish(Publish::new(&topic, "once").qos(2));
    client.publish(Publish::new(&topic, "end").qos(2));
    // [MQTT3-3.8.4-3] The new QoS is in force.
    assert_eq!(client.expect_message("once").qos, 2);
    // [MQTT3-3.8.4-3] The old subscription has no copy of its own.
    client.expect_message("end");
}

#[test]
fn a_repeated_subscription_brings_the_retained_messages_again() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.publish(Publish::new(&topic, "kept").retained());
    for _ in 0..2 {
        client.subscribe(&topic, 0);
        // [MQTT3-3.8.4-3]
        assert!(client.expect_message("kept").retain);
    }
}

#[test]
fn a_repeated_subscription_interrupts_no_flow() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 1);
    let mut publisher = world.connect(&world.v311("publisher"));
    let payloads: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for (number, payload) in payloads.iter().enumerate() {
        if number % 20 == 10 {
            let id = client.fresh_id();
            client.send(&Subscribe::one(Filter::new(&topic, 1)).bytes(id, Version::V311));
        }
        publisher.publish(Publish::new(&topic, payload).qos(1));
    }
    for id in 2..12 {
        client.expect_suback(id);
    }
    let received: Vec<String> =
        client.expect_publishes(200).iter().map(|publish| publish.text().to_owned()).collect();
    // [MQTT3-3.8.4-3]
    assert_eq!(received, payloads);
}

#[test]
fn several_filters_in_one_packet_are_several_subscriptions() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    let filters: Vec<String> = ["a", "b", "c", "d"].map(|rest| world.topic(rest)).into();
    let subscribe: Vec<Filter> =
        filters.iter().zip([2, 0, 1, 2]).map(|(filter, qos)| Filter::new(filter, qos)).collect();
    let suback = client.subscribe_with(&Subscribe::new(subscribe));
    // [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1]
    assert_eq!(suback.reasons, [2, 0, 1, 2]);
    for filter in &filters {
        client.publish(Publish::new(filter, "x"));
        // [MQTT3-3.8.4-4]
        assert_eq!(client.expect_message("x").topic(), filter);
    }
    client.expect_nothing_before_ping();
}

#[test]
fn a_message_is_delivered_at_the_lower_of_both_qos() {
    let world = World::new();
    let mut publisher = world.connect(&world.v311("publisher"));
    for granted in 0..=2 {
        let topic = world.topic(&format!("granted{granted}"));
        let mut client = world.connect(&world.v311("c"));
        client.subscribe(&topic, granted);
        for published in 0..=2 {
            publisher.publish(Publish::new(&topic, "x").qos(published));
            let publish = client.expect_message("x");
            // [MQTT3-3.8.4-6]
            assert_eq!(publish.qos, granted.min(published), "published at {published}, granted {granted}");
            client.acknowledge(&publish);
        }
    }
}

#[test]
fn a_retained_message_is_delivered_at_the_lower_of_both_qos() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    for published in 0..=2 {
        let topic = world.topic(&format!("published{published}"));
        client.publish(Publish::new(&topic, "kept").qos(published).retained());
        for granted in 0..=2 {
            client.subscribe(&topic, granted);
            let publish = client.expect_message("kept");
            // [MQTT3-3.8.4-6]
            assert_eq!(publish.qos, granted.min(published), "published at {published}, granted {granted}");
            client.acknowledge(&publish);
        }
    }
}

/// What the server says to this SUBSCRIBE: the return codes, or nothing when it closes instead.
fn return_codes(client: &mut RawClient, filter: &str) -> Option<Vec<u8>> {
    let id = client.fresh_id();
    client.send(&Subscribe::one(Filter::new(filter, 1)).bytes(id, Version::V311));
    match client.receive_within(Duration::from_secs(5)) {
        Some(Packet::Suback(suback)) => Some(suback.reasons),
        Some(other) => panic!("expected SUBACK, got {other:?}"),
        None => {
            client.expect_closed();
            None
        }
    }
}

#[test]
fn a_suback_has_no_return_codes_but_those_of_its_version() {
    let world = World::new();
    // Each of these may be granted or refused, and the version of a client has one word for a refusal.
    let filters =
        ["a/".repeat(190), "a/".repeat(300), "a/".repeat(30_000), "x".repeat(60_000), "$SYS/#".to_owned()];
    for filter in filters {
        let mut client = world.connect(&world.v311("c"));
        if let Some(codes) = return_codes(&mut client, &filter) {
            // [MQTT3-3.9.3-2]
            assert!(matches!(codes.as_slice(), [0 | 1 | 2 | 0x80]), "{codes:02x?} for {filter:.20}");
        }
    }
}
