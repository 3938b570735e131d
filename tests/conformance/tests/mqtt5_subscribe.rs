//! MQTT 5.0 chapters 3.8 and 3.9: SUBSCRIBE, its options, and SUBACK.

use tidegate_conformance::{Filter, Packet, Property, Publish, RawClient, Subscribe, Version, World, frame};

/// What a SUBACK may say of a filter.
const SUBACK_REASONS: [u8; 12] = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2];

/// A SUBSCRIBE with Packet Identifier 1 as bytes.
fn subscribe(filter: Filter) -> Vec<u8> {
    Subscribe::one(filter).bytes(1, Version::V5)
}

/// Demands that the filter is refused: by its own Reason Code, or by ending the connection.
#[track_caller]
fn refused(world: &World, filter: &str) {
    eprintln!("subscribing to {filter:?}");
    let mut client = world.client("c");
    client.send(&subscribe(Filter::new(filter, 0)));
    match client.receive() {
        Packet::Suback(suback) => assert_eq!(suback.reasons, [0x8f], "{suback:?}"),
        Packet::Disconnect { reason, .. } => {
            assert!([0x81, 0x82, 0x8f].contains(&reason), "DISCONNECT with {reason:#04x}");
            client.expect_closed();
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn the_flags_of_subscribe_are_0010() {
    let world = World::new();
    for flags in [0x80, 0x81, 0x83, 0x8a] {
        let mut bytes = subscribe(Filter::new(world.topic("t"), 0));
        bytes[0] = flags;
        // [MQTT5-3.8.1-1]
        world.violates(&format!("SUBSCRIBE as {flags:#04x}"), &bytes, &[0x81]);
    }
}

#[test]
fn the_topic_filter_is_a_string() {
    let world = World::new();
    // [MQTT5-3.8.3-1]
    world.violates("a filter that is not UTF-8", &subscribe(Filter::new(b"a/\xff", 0)), &[0x81, 0x8f]);
}

#[test]
fn a_subscribe_without_filter_is_a_protocol_error() {
    let world = World::new();
    // [MQTT5-3.8.3-2]
    world.violates("no filter", &Subscribe::default().bytes(1, Version::V5), &[0x82]);
}

#[test]
fn a_filter_without_options_is_malformed() {
    let world = World::new();
    // [MQTT5-3.8.3-2]
    world.violates("no options", &frame(0x82, &[0, 1, 0, 0, 1, b'a']), &[0x81]);
}

#[test]
fn reserved_option_bits_must_be_zero() {
    let world = World::new();
    for bits in [0x40, 0x80, 0xc0] {
        // [MQTT5-3.8.3-5]
        world.violates("reserved options", &subscribe(Filter::new("a", 0).options(bits)), &[0x81]);
    }
}

#[test]
fn a_requested_qos_of_3_is_a_protocol_error() {
    let world = World::new();
    // [MQTT5-4.13.1-1]
    world.violates("QoS 3", &subscribe(Filter::new("a", 3)), &[0x82, 0x81]);
}

#[test]
fn a_retain_handling_of_3_is_a_protocol_error() {
    let world = World::new();
    // [MQTT5-4.13.1-1]
    world.violates("Retain Handling 3", &subscribe(Filter::new("a", 0).retain_handling(3)), &[0x82]);
}

#[test]
fn a_subscription_identifier_of_zero_is_a_protocol_error() {
    let world = World::new();
    let bytes = Subscribe::one(Filter::new("a", 0)).identifier(0).bytes(1, Version::V5);
    // [MQTT5-4.13.1-1]
    world.violates("Subscription Identifier 0", &bytes, &[0x82]);
}

#[test]
fn with_no_local_own_messages_are_not_sent_back() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe_with(&Subscribe::one(Filter::new(&topic, 1).no_local()));
    client.publish(Publish::new(&topic, "own").qos(1));
    world.client("other").publish(Publish::new(&topic, "foreign").qos(1));
    // [MQTT5-3.8.3-3]
    client.expect_message("foreign");
}

#[test]
fn no_local_holds_for_the_client_identifier_across_connections() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe_with(&Subscribe::one(Filter::new(&topic, 1).no_local()));
    first.disconnect();
    let mut second = world.connect(&world.v5("c").resume());
    second.publish(Publish::new(&topic, "own").qos(1));
    world.client("other").publish(Publish::new(&topic, "foreign").qos(1));
    // [MQTT5-3.8.3-3]
    second.expect_message("foreign");
}

#[test]
fn without_no_local_own_messages_come_back() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    client.publish(Publish::new(&topic, "own"));
    client.expect_message("own");
}

#[test]
fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let world = World::new();
    let filter = format!("$share/group/{}", world.topic("t"));
    // [MQTT5-3.8.3-4]
    world.violates("No Local on $share", &subscribe(Filter::new(filter, 0).no_local()), &[0x82]);
}

#[test]
fn a_subscribe_is_answered_by_suback_with_its_packet_identifier() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&Subscribe::one(Filter::new(world.topic("t"), 0)).bytes(4_242, Version::V5));
    // [MQTT5-3.8.4-1]
    let Packet::Suback(suback) = client.receive() else { panic!("expected SUBACK") };
    // [MQTT5-3.8.4-2]
    assert_eq!(suback.packet_id, 4_242);
}

#[test]
fn the_same_filter_replaces_the_subscription() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 2);
    client.subscribe(&topic, 0);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "x").qos(1));
    publisher.publish(Publish::new(&topic, "end").qos(1));
    // [MQTT5-3.8.4-3]
    assert_eq!(client.expect_message("x").qos, 0);
    // [MQTT5-3.8.4-3] There is one subscription, so there was one copy.
    client.expect_message("end");
}

#[test]
fn the_options_of_a_replaced_subscription_are_replaced() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe_with(&Subscribe::one(Filter::new(&topic, 0).no_local()));
    client.subscribe_with(&Subscribe::one(Filter::new(&topic, 0).retain_as_published()));
    client.publish(Publish::new(&topic, "own").retained());
    // [MQTT5-3.8.4-3]
    assert!(client.expect_message("own").retain);
}

#[test]
fn replacing_a_subscription_loses_no_message() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").property(Property::ReceiveMaximum(1_000)));
    client.subscribe(&topic, 1);
    let mut publisher = world.client("pub");
    for n in 0..100u16 {
        publisher.send_publish(&Publish::new(&topic, n.to_string()).qos(1).id(n + 1));
        if n % 20 == 10 {
            client.send(&Subscribe::one(Filter::new(&topic, 1)).bytes(n, Version::V5));
            client.expect_suback(n);
        }
        publisher.expect_puback(n + 1);
    }
    let received: Vec<String> = client.expect_publishes(100).iter().map(|p| p.text().to_owned()).collect();
    let sent: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    // [MQTT5-3.8.4-4]
    assert_eq!(received, sent);
}

#[test]
fn replacing_a_subscription_sends_the_retained_messages_again() {
    let world = World::new();
    let topic = world.topic("r");
    world.client("pub").publish(Publish::new(&topic, "kept").qos(1).retained());
    let mut client = world.client("c");
    for qos in [0, 1, 1] {
        client.subscribe(&topic, qos);
        let publish = client.expect_message("kept");
        // [MQTT5-3.8.4-4]
        assert!(publish.retain);
        client.acknowledge(&publish);
    }
}

#[test]
fn several_filters_are_answered_one_by_one_in_their_order() {
    let world = World::new();
    let filters =
        [(world.topic("a"), 2), (world.topic("b"), 0), (world.topic("c"), 1), (world.topic("a"), 0)];
    let mut client = world.client("c");
    let suback = client.subscribe_with(&Subscribe::new(
        filters.iter().map(|(f, qos)| Filter::new(f, *qos)).collect::<Vec<_>>(),
    ));
    // [MQTT5-3.8.4-6]
    assert_eq!(suback.reasons.len(), 4);
    // [MQTT5-3.9.3-1]
    assert_eq!(suback.reasons, [2, 0, 1, 0]);
    let mut publisher = world.client("pub");
    for (filter, qos) in &filters[1..] {
        publisher.publish(Publish::new(filter, "x").qos(2));
        let publish = client.expect_message("x");
        // [MQTT5-3.8.4-5] The last filter replaces the first, as in four packets.
        assert_eq!((publish.topic(), publish.qos), (filter.as_str(), *qos));
        client.acknowledge(&publish);
    }
}

#[test]
fn the_granted_qos_is_the_one_that_is_kept() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    let mut publisher = world.client("pub");
    for requested in 0..=2 {
        let suback = client.subscribe_with(&Subscribe::one(Filter::new(&topic, requested)));
        // [MQTT5-3.8.4-7]
        assert!(suback.reasons[0] <= requested, "{suback:?}");
        // [MQTT5-3.9.3-2]
        assert!(SUBACK_REASONS.contains(&suback.reasons[0]), "{suback:?}");
        for published in 0..=2 {
            publisher.publish(Publish::new(&topic, "x").qos(published));
            let publish = client.expect_message("x");
            // [MQTT5-3.8.4-8]
            assert_eq!(publish.qos, published.min(suback.reasons[0]));
            client.acknowledge(&publish);
        }
    }
}

#[test]
fn misplaced_wildcards_are_refused() {
    let world = World::new();
    for filter in ["a/#/b", "a#", "#/a", "a/b#", "##"] {
        // [MQTT5-4.7.1-1]
        refused(&world, filter);
    }
    for filter in ["a+", "+a", "a/+b", "a/b+/c", "++"] {
        // [MQTT5-4.7.1-2]
        refused(&world, filter);
    }
}

#[test]
fn an_empty_filter_is_refused() {
    // [MQTT5-4.7.3-1]
    refused(&World::new(), "");
}

#[test]
fn a_shared_subscription_needs_a_name_and_a_filter() {
    let world = World::new();
    for filter in ["$share//a", "$share/"] {
        // [MQTT5-4.8.2-1]
        refused(&world, filter);
    }
    for filter in ["$share/gro+up/a", "$share/gr#oup/a", "$share/group", "$share/group/"] {
        // [MQTT5-4.8.2-2]
        refused(&world, filter);
    }
}

/// Provokes a SUBACK and an UNSUBACK that could explain themselves.
fn refused_subscriptions(client: &mut RawClient) -> Option<Property> {
    client.send(&subscribe(Filter::new("$share/group/", 0)));
    match client.receive() {
        Packet::Suback(suback) => suback.properties.0.into_iter().next(),
        Packet::Disconnect { .. } => None,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn suback_fits_the_maximum_packet_size_of_the_client() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").property(Property::MaximumPacketSize(40)));
    client.subscribe_with(&Subscribe::new([Filter::new("a", 0), Filter::new("b", 2)]));
    refused_subscriptions(&mut client);
    // [MQTT5-3.9.2-1] [MQTT5-3.9.2-2]
    assert!((1..=40).contains(&client.largest(9)), "SUBACK of {} bytes", client.largest(9));
}

#[test]
fn without_problem_information_suback_explains_nothing() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").property(Property::RequestProblemInformation(0)));
    // [MQTT5-3.1.2-29]
    assert_eq!(refused_subscriptions(&mut client), None);
}

#[test]
fn user_properties_of_subscribe_are_accepted() {
    let world = World::new();
    let mut client = world.client("c");
    let subscribe = Subscribe::one(Filter::new(world.topic("t"), 1))
        .property(Property::user("k", "v"))
        .property(Property::user("k", "v"));
    assert_eq!(client.subscribe_with(&subscribe).reasons, [1]);
}
