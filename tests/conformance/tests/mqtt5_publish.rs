//! MQTT 5.0 chapters 3.3.1, 3.3.2 and 3.3.4: PUBLISH, its flags, its topic, and which copies are sent.

use tidegate_conformance::{
    Filter, Packet, Property, Publish, RawClient, Subscribe, Version, Wire, World, frame, varint,
};

/// A subscriber and a publisher.
fn pair(world: &World, filter: &str, qos: u8) -> (RawClient, RawClient) {
    let mut subscriber = world.client("sub");
    subscriber.subscribe(filter, qos);
    (subscriber, world.client("pub"))
}

#[test]
fn a_qos_0_message_has_dup_0() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 0);
    publisher.publish(Publish::new(&topic, "x").qos(1).dup());
    // [MQTT5-3.3.1-2]
    assert!(!subscriber.expect_message("x").dup);
}

#[test]
fn dup_with_qos_0_is_malformed() {
    let world = World::new();
    let publish = Publish::new(world.topic("t"), "x").dup().bytes(Version::V5);
    // [MQTT5-3.3.1-2]
    world.violates("DUP with QoS 0", &publish, &[0x81, 0x82]);
}

#[test]
fn dup_of_the_publisher_is_not_propagated() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 2);
    for qos in [1, 2] {
        publisher.publish(Publish::new(&topic, "x").qos(qos).dup());
        let publish = subscriber.expect_message("x");
        // [MQTT5-3.3.1-3]
        assert!(!publish.dup, "QoS {qos}");
        subscriber.acknowledge(&publish);
    }
}

#[test]
fn qos_3_is_malformed() {
    let world = World::new();
    let topic = world.topic("t");
    for id in [0, 1] {
        let publish = Publish::new(&topic, "x").qos(3).id(id).bytes(Version::V5);
        // [MQTT5-3.3.1-4]
        world.violates("PUBLISH with QoS 3", &publish, &[0x81]);
    }
}

#[test]
fn the_topic_name_is_the_first_field() {
    let world = World::new();
    // [MQTT5-3.3.2-1]
    world.violates("a PUBLISH without Topic Name", &frame(0x30, &[]), &[0x81]);
    // [MQTT5-3.3.2-1]
    world.violates(
        "a Topic Name that is not UTF-8",
        &Publish::new(b"\xff", "x").bytes(Version::V5),
        &[0x81, 0x90],
    );
}

#[test]
fn wildcards_are_not_allowed_in_a_topic_name() {
    let world = World::new();
    for topic in ["a/#", "+/a", "#", "a+", "a#b"] {
        for qos in 0..=2 {
            let mut publish = Publish::new(topic, "x").qos(qos);
            publish.packet_id = (qos > 0).then_some(1);
            // [MQTT5-3.3.2-2]
            world.violates(topic, &publish.bytes(Version::V5), &[0x81, 0x82, 0x90]);
        }
    }
}

#[test]
fn an_empty_topic_name_without_alias_is_a_protocol_error() {
    let world = World::new();
    // [MQTT5-4.7.3-1]
    world.violates("an empty Topic Name", &Publish::new("", "x").bytes(Version::V5), &[0x82]);
}

#[test]
fn a_message_arrives_under_the_topic_name_it_was_published_to() {
    let world = World::new();
    let filter = world.topic("+/x/#");
    let (mut subscriber, mut publisher) = pair(&world, &filter, 0);
    publisher.publish(Publish::new(world.topic("a/y/c"), "no match"));
    publisher.publish(Publish::new(world.topic("a/x/c"), "match"));
    // [MQTT5-3.3.2-3]
    assert_eq!(subscriber.expect_message("match").topic(), world.topic("a/x/c"));
}

#[test]
fn a_subscription_identifier_in_a_publish_of_a_client_is_a_protocol_error() {
    let world = World::new();
    let publish = Publish::new(world.topic("t"), "x").property(Property::SubscriptionIdentifier(1));
    // [MQTT5-3.3.4-6]
    world.violates("a Subscription Identifier", &publish.bytes(Version::V5), &[0x82]);
}

#[test]
fn each_qos_is_answered_as_it_asks() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.send_publish(&Publish::new(&topic, "x"));
    // [MQTT5-3.3.4-1]
    client.expect_nothing_before_ping();
    client.send_publish(&Publish::new(&topic, "x").qos(1).id(1));
    // [MQTT5-3.3.4-1]
    assert!(matches!(client.receive(), Packet::Puback(ack) if ack.packet_id == 1));
    client.send_publish(&Publish::new(&topic, "x").qos(2).id(2));
    // [MQTT5-3.3.4-1]
    assert!(matches!(client.receive(), Packet::Pubrec(ack) if ack.packet_id == 2));
}

#[test]
fn overlapping_subscriptions_deliver_with_the_highest_qos_of_them() {
    let world = World::new();
    let topic = world.topic("a/b");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&world.topic("a/#"), 2);
    subscriber.subscribe(&world.topic("a/+"), 1);
    subscriber.subscribe(&topic, 0);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "x").qos(2));
    publisher.publish(Publish::new(world.topic("a/b/end"), "end"));
    let mut highest = 0;
    let copies = loop_until_end(&mut subscriber, |publish| highest = highest.max(publish.qos));
    // [MQTT5-3.3.4-2]
    assert_eq!(highest, 2);
    assert!((1..=3).contains(&copies), "{copies} copies for three subscriptions");
}

/// Reads until the message `end`, and counts the others.
fn loop_until_end(subscriber: &mut RawClient, mut seen: impl FnMut(&Publish)) -> usize {
    for count in 0..20 {
        let publish = subscriber.expect_publish();
        if publish.payload == b"end" {
            return count;
        }
        seen(&publish);
        subscriber.acknowledge(&publish);
    }
    panic!("20 messages and no end");
}

#[test]
fn every_matching_subscription_identifier_is_sent() {
    let world = World::new();
    let topic = world.topic("a/b");
    let mut subscriber = world.client("sub");
    for (filter, identifier) in
        [(world.topic("a/+"), 1), (world.topic("a/#"), 268_435_455), (topic.clone(), 7)]
    {
        subscriber.subscribe_with(&Subscribe::one(Filter::new(filter, 1)).identifier(identifier));
    }
    subscriber.subscribe(&world.topic("+/b"), 1);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "x").qos(1));
    publisher.publish(Publish::new(world.topic("a/b/end"), "end"));
    let (mut identifiers, mut plain) = (Vec::new(), 0);
    let copies = loop_until_end(&mut subscriber, |publish| {
        let found = publish.properties.subscription_identifiers();
        plain += usize::from(found.is_empty());
        identifiers.extend(found);
    });
    identifiers.sort_unstable();
    // [MQTT5-3.3.4-3]
    assert_eq!(identifiers, [1, 7, 268_435_455]);
    if copies == 1 {
        // [MQTT5-3.3.4-4]
        assert_eq!(plain, 0);
    } else {
        // One copy for each subscription, one of which has no identifier.
        assert_eq!((copies, plain), (4, 1));
    }
}

#[test]
fn subscription_identifiers_of_others_are_not_sent() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut plain, mut publisher) = pair(&world, &topic, 0);
    let mut identified = world.client("id");
    identified.subscribe_with(&Subscribe::one(Filter::new(&topic, 0)).identifier(5));
    publisher.publish(Publish::new(&topic, "x"));
    assert_eq!(plain.expect_message("x").properties.subscription_identifiers(), []);
    assert_eq!(identified.expect_message("x").properties.subscription_identifiers(), [5]);
}

#[test]
fn a_new_subscription_identifier_replaces_the_old_one() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 0);
    for identifier in [5, 6] {
        subscriber.subscribe_with(&Subscribe::one(Filter::new(&topic, 0)).identifier(identifier));
        publisher.publish(Publish::new(&topic, "x"));
        // [MQTT5-3.3.4-3]
        assert_eq!(subscriber.expect_message("x").properties.subscription_identifiers(), [identifier]);
    }
    subscriber.subscribe(&topic, 0);
    publisher.publish(Publish::new(&topic, "x"));
    assert_eq!(subscriber.expect_message("x").properties.subscription_identifiers(), []);
}

#[test]
fn a_packet_beyond_the_announced_size_is_too_large() {
    let world = World::new();
    let mut client = world.client("c");
    let Some(maximum) = client.connack().properties.maximum_packet_size() else {
        // Nothing is announced: then everything that the format can carry is accepted, and a MiB is.
        assert_eq!(client.publish(Publish::new(world.topic("t"), vec![0; 1 << 20]).qos(1)) & 0x80, 0);
        return;
    };
    // [MQTT5-3.2.2-15] Only the header is sent: the size is known before the body.
    client.send(&Wire::new().byte(0x30).varint(maximum).bytes());
    client.send(&Wire::new().data(world.topic("t")).byte(0).raw(&[0; 1000]).bytes());
    client.expect_disconnect(0x95);
}

#[test]
fn a_packet_of_exactly_the_announced_size_is_served() {
    let world = World::new();
    let mut client = world.client("c");
    let maximum = client.connack().properties.maximum_packet_size().unwrap_or(1 << 20).min(16 << 20) as usize;
    let topic = world.topic("t");
    let empty = Publish::new(&topic, "").qos(1).id(1).bytes(Version::V5).len();
    // The length field of a packet of this size has more bytes than that of an empty one.
    let length_bytes = varint(maximum as u32).len() - 1;
    let publish = Publish::new(&topic, vec![b'x'; maximum - empty - length_bytes]).qos(1).id(1);
    assert_eq!(publish.bytes(Version::V5).len(), maximum);
    client.send_publish(&publish);
    client.expect_puback(1);
}
