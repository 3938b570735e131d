//! MQTT 5.0 chapters 3.10 and 3.11: UNSUBSCRIBE and UNSUBACK.

use tidegate_conformance::{
    Filter, Packet, Property, Publish, Subscribe, Version, Wire, World, frame, puback, pubcomp, pubrec,
    unsubscribe,
};

/// What an UNSUBACK may say of a filter.
const UNSUBACK_REASONS: [u8; 7] = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91];

#[test]
fn the_flags_of_unsubscribe_are_0010() {
    let world = World::new();
    for flags in [0xa0, 0xa1, 0xa3, 0xaa] {
        let mut bytes = unsubscribe(1, &["a"], Version::V5);
        bytes[0] = flags;
        // [MQTT5-3.10.1-1]
        world.violates(&format!("UNSUBSCRIBE as {flags:#04x}"), &bytes, &[0x81]);
    }
}

#[test]
fn the_topic_filter_is_a_string() {
    let world = World::new();
    let bytes = frame(0xa2, &Wire::new().u16(1).byte(0).data(b"a/\xff").bytes());
    // [MQTT5-3.10.3-1]
    world.violates("a filter that is not UTF-8", &bytes, &[0x81, 0x8f]);
}

#[test]
fn an_unsubscribe_without_filter_is_a_protocol_error() {
    let world = World::new();
    // [MQTT5-3.10.3-2]
    world.violates("no filter", &unsubscribe(1, &[], Version::V5), &[0x82]);
}

#[test]
fn the_subscription_with_exactly_this_filter_is_deleted() {
    let world = World::new();
    let (plus, hash) = (world.topic("a/+"), world.topic("a/#"));
    let mut client = world.client("c");
    client.subscribe_with(&Subscribe::one(Filter::new(&plus, 0)).identifier(1));
    client.subscribe_with(&Subscribe::one(Filter::new(&hash, 0)).identifier(2));
    for other in [world.topic("a/b"), world.topic("A/+"), world.topic("#"), world.topic("a/+/")] {
        // [MQTT5-3.10.4-1]
        assert_eq!(client.unsubscribe(&[&other]).reasons, [0x11]);
    }
    // [MQTT5-3.10.4-1]
    assert_eq!(client.unsubscribe(&[&plus]).reasons, [0x00]);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(world.topic("a/b"), "x"));
    publisher.publish(Publish::new(world.topic("a/b"), "end"));
    // [MQTT5-3.10.4-1]
    assert_eq!(client.expect_message("x").properties.subscription_identifiers(), [2]);
    client.expect_message("end");
}

#[test]
fn no_new_messages_are_added_after_unsubscribe() {
    let world = World::new();
    let (topic, marker) = (world.topic("t"), world.topic("marker"));
    let mut client = world.client("c");
    client.subscribe(&topic, 1);
    client.subscribe(&marker, 0);
    client.unsubscribe(&[&topic]);
    let mut publisher = world.client("pub");
    // A server may say that nobody matches, and need not.
    assert!([0x00, 0x10].contains(&publisher.publish(Publish::new(&topic, "late").qos(1))));
    publisher.publish(Publish::new(&marker, "end"));
    // [MQTT5-3.10.4-2]
    client.expect_message("end");
}

#[test]
fn started_deliveries_are_completed_after_unsubscribe() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").session_expiry(60));
    client.subscribe(&topic, 2);
    world.client("pub").publish(Publish::new(&topic, "two").qos(2));
    world.client("pub").publish(Publish::new(&topic, "one").qos(1));
    let two = client.expect_message("two");
    client.expect_message("one");
    client.unsubscribe(&[&topic]);
    client.send(&pubrec(two.packet_id()));
    // [MQTT5-3.10.4-3]
    client.expect_pubrel(two.packet_id());
    client.send(&pubcomp(two.packet_id()));
    client.disconnect();
    let mut again = world.connect(&world.v5("c").resume());
    let one = again.expect_message("one");
    // [MQTT5-3.10.4-3]
    assert!(one.dup);
    again.send(&puback(one.packet_id()));
    again.expect_nothing_before_ping();
}

#[test]
fn unsubscribe_is_answered_by_unsuback_with_its_packet_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    client.send(&unsubscribe(515, &[&topic], Version::V5));
    // [MQTT5-3.10.4-4]
    let Packet::Unsuback(unsuback) = client.receive() else { panic!("expected UNSUBACK") };
    // [MQTT5-3.10.4-5]
    assert_eq!(unsuback.packet_id, 515);
}

#[test]
fn unsubscribing_from_nothing_is_answered_as_well() {
    let world = World::new();
    let unsuback = world.client("c").unsubscribe(&[&world.topic("never")]);
    // [MQTT5-3.10.4-5]
    assert_eq!(unsuback.reasons, [0x11]);
}

#[test]
fn several_filters_are_answered_one_by_one_in_their_order() {
    let world = World::new();
    let (a, b, never) = (world.topic("a"), world.topic("b"), world.topic("never"));
    let mut client = world.client("c");
    client.subscribe(&a, 0);
    client.subscribe(&b, 0);
    let unsuback = client.unsubscribe(&[&a, &never, &b, &a]);
    // [MQTT5-3.10.4-6] The second time there is no such subscription any more.
    assert_eq!(unsuback.reasons.len(), 4);
    // [MQTT5-3.11.3-1]
    assert_eq!(unsuback.reasons, [0x00, 0x11, 0x00, 0x11]);
    for reason in unsuback.reasons {
        // [MQTT5-3.11.3-2]
        assert!(UNSUBACK_REASONS.contains(&reason), "{reason:#04x}");
    }
    let marker = world.topic("marker");
    client.subscribe(&marker, 0);
    let mut publisher = world.client("pub");
    for topic in [&a, &b, &marker] {
        publisher.publish(Publish::new(topic, topic).qos(1));
    }
    // [MQTT5-3.10.4-6]
    client.expect_message(&marker);
}

#[test]
fn unsuback_fits_the_maximum_packet_size_and_the_wish_for_no_explanation() {
    let world = World::new();
    let small = world.v5("small").property(Property::MaximumPacketSize(40));
    let mut client = world.connect(&small.property(Property::RequestProblemInformation(0)));
    let unsuback = client.unsubscribe(&["never/1", "never/2"]);
    // [MQTT5-3.11.2-1] [MQTT5-3.11.2-2]
    assert!((1..=40).contains(&client.largest(11)), "UNSUBACK of {} bytes", client.largest(11));
    // [MQTT5-3.1.2-29]
    assert_eq!(unsuback.properties.0, []);
}
