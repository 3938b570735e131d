//! MQTT 5.0 chapter 3.3.2.3: the properties of PUBLISH, and Topic Aliases in both directions.

use std::time::Duration;

use tidegate_conformance::{Filter, Property, Publish, RawClient, Subscribe, Version, Wire, World};

fn pair(world: &World, topic: &str) -> (RawClient, RawClient) {
    let mut subscriber = world.client("sub");
    subscriber.subscribe(topic, 2);
    (subscriber, world.client("pub"))
}

/// Sends a property through the broker and returns what arrives with the message.
fn forwarded(property: Property) -> Publish {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").property(property));
    subscriber.expect_message("x")
}

#[test]
fn the_payload_format_indicator_is_forwarded() {
    for value in 0..=1 {
        let publish = forwarded(Property::PayloadFormatIndicator(value));
        // [MQTT5-3.3.2-4] Absent means 0.
        assert_eq!(publish.properties.payload_format_indicator().unwrap_or(0), value);
    }
}

#[test]
fn the_content_type_is_forwarded() {
    let publish = forwarded(Property::ContentType("application/x; q=\u{e9}".to_owned()));
    // [MQTT5-3.3.2-20]
    assert_eq!(publish.properties.content_type().as_deref(), Some("application/x; q=\u{e9}"));
}

#[test]
fn user_properties_are_forwarded_in_their_order() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic);
    let pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("b", "0")];
    let plain = Publish::new(&topic, "x");
    // Properties that the server replaces by its own must not disturb the others.
    let aliased = plain.clone().property(Property::TopicAlias(1));
    let expiring = plain.clone().property(Property::MessageExpiryInterval(100));
    for message in [plain, aliased, expiring] {
        let before = format!("{message:?}");
        publisher.publish(pairs.iter().fold(message, |p, (k, v)| p.property(Property::user(k, v))));
        let publish = subscriber.expect_message("x");
        let mut sorted = publish.properties.user_properties();
        sorted.sort_unstable();
        let mut wanted = pairs;
        wanted.sort_unstable();
        // [MQTT5-3.3.2-17]
        assert_eq!(sorted, wanted, "{before}");
        // [MQTT5-3.3.2-18]
        assert_eq!(publish.properties.user_properties(), pairs, "{before}");
    }
}

#[test]
fn strings_among_the_properties_must_be_strings() {
    let world = World::new();
    let publish = |id: u8, bytes: &[u8]| {
        let raw = Property::Raw(Wire::new().byte(id).data(bytes).bytes());
        Publish::new(world.topic("t"), "x").property(raw).bytes(Version::V5)
    };
    // [MQTT5-3.3.2-19]
    world.violates("a Content Type with a surrogate", &publish(0x03, b"\xed\xa0\x80"), &[0x81]);
    // [MQTT5-3.3.2-13]
    world.violates("a Response Topic with a surrogate", &publish(0x08, b"\xed\xa0\x80"), &[0x81, 0x90]);
}

#[test]
fn the_response_topic_must_not_contain_wildcards() {
    let world = World::new();
    for response_topic in ["a/#", "a/+/b"] {
        let property = Property::ResponseTopic(response_topic.to_owned());
        let publish = Publish::new(world.topic("t"), "x").property(property).bytes(Version::V5);
        // [MQTT5-3.3.2-14]
        world.violates(response_topic, &publish, &[0x81, 0x82, 0x90]);
    }
}

#[test]
fn an_expired_message_is_not_delivered() {
    let world = World::new();
    let topic = world.topic("t");
    let mut sleeper = world.connect(&world.v5("c").session_expiry(60));
    sleeper.subscribe(&topic, 1);
    sleeper.disconnect();
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "brief").qos(1).property(Property::MessageExpiryInterval(1)));
    publisher.publish(Publish::new(&topic, "lasting").qos(1));
    publisher.expect_silence(Duration::from_millis(1_500));
    let mut client = world.connect(&world.v5("c").resume());
    // [MQTT5-3.3.2-5]
    client.expect_message("lasting");
}

#[test]
fn the_remaining_expiry_is_forwarded() {
    let world = World::new();
    let topic = world.topic("t");
    let mut sleeper = world.connect(&world.v5("c").session_expiry(60));
    sleeper.subscribe(&topic, 1);
    sleeper.disconnect();
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "x").qos(1).property(Property::MessageExpiryInterval(10)));
    publisher.expect_silence(Duration::from_millis(1_500));
    let mut client = world.connect(&world.v5("c").resume());
    let remaining = client.expect_message("x").properties.message_expiry_interval();
    // [MQTT5-3.3.2-6] Ten seconds less the one and a half it has waited.
    assert!(matches!(remaining, Some(8..=9)), "{remaining:?}");
}

#[test]
fn the_remaining_expiry_of_a_retained_message_is_forwarded() {
    let world = World::new();
    let topic = world.topic("r");
    let mut publisher = world.client("pub");
    publisher
        .publish(Publish::new(&topic, "x").qos(1).retained().property(Property::MessageExpiryInterval(10)));
    publisher.expect_silence(Duration::from_millis(1_500));
    let (mut subscriber, _) = pair(&world, &topic);
    let remaining = subscriber.expect_message("x").properties.message_expiry_interval();
    // [MQTT5-3.3.2-6]
    assert!(matches!(remaining, Some(8..=9)), "{remaining:?}");
}

#[test]
fn a_message_without_expiry_is_forwarded_without() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(1));
    // [MQTT5-3.3.2-6]
    assert_eq!(subscriber.expect_message("x").properties.message_expiry_interval(), None);
}

#[test]
fn every_alias_up_to_the_announced_maximum_is_accepted() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic);
    let maximum = publisher.connack().properties.topic_alias_maximum().unwrap_or(0);
    let mut some: Vec<u16> = (1..=maximum.min(50)).collect();
    some.push(maximum);
    for alias in some.into_iter().filter(|&alias| alias > 0) {
        publisher.publish(Publish::new(&topic, "set").property(Property::TopicAlias(alias)));
        subscriber.expect_message("set");
        publisher.publish(Publish::new("", "used").property(Property::TopicAlias(alias)));
        // [MQTT5-3.3.2-12]
        assert_eq!(subscriber.expect_message("used").topic(), topic);
    }
}

#[test]
fn an_alias_can_be_given_to_another_topic() {
    let world = World::new();
    let (mut subscriber, mut publisher) = pair(&world, &world.topic("+"));
    for name in ["a", "b"] {
        publisher.publish(Publish::new(world.topic(name), "set").property(Property::TopicAlias(1)));
        subscriber.expect_message("set");
        publisher.publish(Publish::new("", "used").property(Property::TopicAlias(1)));
        // [MQTT5-3.3.2-12]
        assert_eq!(subscriber.expect_message("used").topic(), world.topic(name));
    }
}

#[test]
fn aliases_end_with_their_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.publish(Publish::new(&topic, "set").property(Property::TopicAlias(1)));
    first.disconnect();
    let mut second = world.connect(&world.v5("c").resume());
    second.send_publish(&Publish::new("", "used").property(Property::TopicAlias(1)));
    // [MQTT5-3.3.2-7]
    second.expect_disconnect_of(&[0x82, 0x94]);
}

#[test]
fn alias_zero_is_invalid() {
    let world = World::new();
    let publish = Publish::new(world.topic("t"), "x").property(Property::TopicAlias(0));
    // [MQTT5-3.3.2-8]
    world.violates("Topic Alias 0", &publish.bytes(Version::V5), &[0x94]);
}

#[test]
fn an_alias_beyond_the_announced_maximum_is_invalid() {
    let world = World::new();
    let mut client = world.client("c");
    let maximum = client.connack().properties.topic_alias_maximum().unwrap_or(0);
    let beyond = maximum.checked_add(1).expect("a server that announces 65,535 aliases cannot be exceeded");
    client.send_publish(&Publish::new(world.topic("t"), "x").property(Property::TopicAlias(beyond)));
    // [MQTT5-3.3.2-9] [MQTT5-3.2.2-17]
    client.expect_disconnect(0x94);
}

#[test]
fn an_alias_that_was_never_set_is_a_protocol_error() {
    let world = World::new();
    let publish = Publish::new("", "x").property(Property::TopicAlias(1));
    // [MQTT5-4.13.1-1]
    world.violates("an alias without mapping", &publish.bytes(Version::V5), &[0x82, 0x94]);
}

/// Publishes each topic three times and returns the copies as the subscriber with this many aliases sees them.
fn received_with_aliases(world: &World, maximum: Option<u16>) -> Vec<Publish> {
    let mut connect = world.v5("sub");
    if let Some(maximum) = maximum {
        connect = connect.property(Property::TopicAliasMaximum(maximum));
    }
    let mut subscriber = world.connect(&connect);
    subscriber.subscribe(&world.topic("+"), 0);
    let mut publisher = world.client("pub");
    for n in 0..12 {
        publisher.publish(Publish::new(world.topic(&format!("t{}", n % 4)), n.to_string()));
    }
    (0..12).map(|_| subscriber.expect_publish()).collect()
}

#[test]
fn the_server_uses_no_alias_beyond_the_maximum_of_the_client() {
    let world = World::new();
    let mut names: [Vec<u8>; 3] = Default::default();
    for (n, publish) in received_with_aliases(&world, Some(2)).into_iter().enumerate() {
        let alias = publish.properties.topic_alias().unwrap_or(0);
        // [MQTT5-3.1.2-26]
        assert!(alias <= 2, "alias {alias} of a maximum of 2");
        // [MQTT5-3.3.2-11]
        assert!(alias <= 2, "alias {alias} of a maximum of 2");
        let name = &mut names[usize::from(alias)];
        if !publish.topic.is_empty() {
            *name = publish.topic;
        }
        // [MQTT5-3.3.2-3] The alias stands for the topic that was published to.
        assert_eq!(String::from_utf8_lossy(name), world.topic(&format!("t{}", n % 4)));
    }
}

#[test]
fn without_a_maximum_the_server_uses_no_alias() {
    for maximum in [None, Some(0)] {
        for publish in received_with_aliases(&World::new(), maximum) {
            // [MQTT5-3.1.2-27]
            assert_eq!(publish.properties.topic_alias(), None);
        }
    }
}

#[test]
fn an_alias_of_the_publisher_is_not_forwarded() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").property(Property::TopicAlias(1)));
    // [MQTT5-3.1.2-27]
    assert_eq!(subscriber.expect_message("x").properties.topic_alias(), None);
}

#[test]
fn a_message_too_large_for_a_client_is_left_out_for_it_alone() {
    let world = World::new();
    let topic = world.topic("t");
    let mut small = world.connect(&world.v5("small").property(Property::MaximumPacketSize(100)));
    small.subscribe(&topic, 1);
    let (mut large, mut publisher) = pair(&world, &topic);
    for payload in ["x".repeat(500), "fits".to_owned()] {
        publisher.publish(Publish::new(&topic, &payload).qos(1));
        let publish = large.expect_message(&payload);
        large.acknowledge(&publish);
    }
    // [MQTT5-3.1.2-25] It is as if the large one had been sent and acknowledged.
    let publish = small.expect_message("fits");
    small.acknowledge(&publish);
    // [MQTT5-3.1.2-24]
    assert!(small.largest_packet() <= 100, "a packet of {} bytes", small.largest_packet());
}

#[test]
fn messages_too_large_do_not_use_up_the_receive_maximum() {
    let world = World::new();
    let topic = world.topic("t");
    let connect =
        world.v5("c").property(Property::MaximumPacketSize(100)).property(Property::ReceiveMaximum(1));
    let mut small = world.connect(&connect);
    small.subscribe_with(&Subscribe::one(Filter::new(&topic, 2)));
    let mut publisher = world.client("pub");
    for qos in [1, 2, 1] {
        publisher.publish(Publish::new(&topic, "x".repeat(500)).qos(qos));
    }
    publisher.publish(Publish::new(&topic, "fits").qos(1));
    // [MQTT5-3.1.2-25]
    small.expect_message("fits");
}
