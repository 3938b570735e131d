//! MQTT 5.0 chapters 3.3.4 and 4.9: Receive Maximum in both directions.

use tidegate_conformance::{
    Filter, Packet, Property, Publish, RawClient, Subscribe, Version, World, ack, puback, pubcomp, pubrec,
    pubrel, unsubscribe,
};

/// A subscriber that accepts so many unacknowledged messages, and ten messages of this QoS published to it.
fn flooded(world: &World, receive_maximum: u16, qos: u8) -> RawClient {
    let topic = world.topic("t");
    let connect = world.v5("sub").session_expiry(60).property(Property::ReceiveMaximum(receive_maximum));
    let mut subscriber = world.connect(&connect);
    subscriber.subscribe(&topic, qos);
    let mut publisher = world.client("pub");
    for n in 0..10 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(qos));
    }
    subscriber
}

#[test]
fn the_server_sends_no_more_qos_1_than_the_receive_maximum() {
    let world = World::new();
    let mut subscriber = flooded(&world, 3, 1);
    let mut window: Vec<Publish> = (0..3).map(|_| subscriber.expect_publish()).collect();
    // [MQTT5-3.3.4-9]
    subscriber.expect_nothing_before_ping();
    for n in 3..10 {
        subscriber.send(&puback(window.remove(0).packet_id()));
        // [MQTT5-4.9.0-2] Each acknowledgement lets exactly one more pass.
        window.push(subscriber.expect_message(&n.to_string()));
        subscriber.expect_nothing_before_ping();
    }
}

#[test]
fn the_server_sends_no_more_qos_2_than_the_receive_maximum() {
    let world = World::new();
    let mut subscriber = flooded(&world, 2, 2);
    let first = subscriber.expect_message("0");
    subscriber.expect_message("1");
    // [MQTT5-3.3.4-9]
    subscriber.expect_nothing_before_ping();
    subscriber.send(&pubrec(first.packet_id()));
    subscriber.expect_pubrel(first.packet_id());
    // [MQTT5-3.3.4-9] Only PUBCOMP gives the place back.
    subscriber.expect_nothing_before_ping();
    subscriber.send(&pubcomp(first.packet_id()));
    // [MQTT5-4.9.0-2]
    subscriber.expect_message("2");
    subscriber.expect_nothing_before_ping();
}

#[test]
fn a_refusal_gives_the_place_back() {
    let world = World::new();
    for (qos, first_byte) in [(1, 0x40), (2, 0x50)] {
        let mut subscriber = flooded(&world, 1, qos);
        for n in 0..10 {
            // [MQTT5-4.9.0-2]
            let publish = subscriber.expect_message(&n.to_string());
            subscriber.send(&ack(first_byte, publish.packet_id(), 0x80, &[]));
        }
        subscriber.disconnect();
    }
}

#[test]
fn a_receive_maximum_of_1_still_lets_messages_pass() {
    let world = World::new();
    let mut subscriber = flooded(&world, 1, 1);
    // [MQTT5-4.9.0-1]
    subscriber.expect_message("0");
}

#[test]
fn other_packets_are_served_while_the_receive_maximum_is_used_up() {
    let world = World::new();
    let mut subscriber = flooded(&world, 1, 1);
    subscriber.expect_message("0");
    let other = world.topic("other");
    subscriber.send(&Subscribe::one(Filter::new(&other, 0)).bytes(500, Version::V5));
    // [MQTT5-3.3.4-10]
    assert!(matches!(subscriber.receive(), Packet::Suback(_)));
    subscriber.send_publish(&Publish::new(world.topic("nobody"), "x").qos(1).id(501));
    // [MQTT5-4.9.0-3]
    assert!(matches!(subscriber.receive(), Packet::Puback(_)));
    subscriber.send_publish(&Publish::new(world.topic("nobody"), "x").qos(2).id(502));
    // [MQTT5-4.9.0-3]
    assert!(matches!(subscriber.receive(), Packet::Pubrec(_)));
    subscriber.send(&pubrel(502));
    // [MQTT5-4.9.0-3]
    assert!(matches!(subscriber.receive(), Packet::Pubcomp(_)));
    subscriber.send(&unsubscribe(503, &[&other], Version::V5));
    // [MQTT5-3.3.4-10]
    assert!(matches!(subscriber.receive(), Packet::Unsuback(_)));
    // [MQTT5-4.9.0-3]
    subscriber.expect_nothing_before_ping();
}

#[test]
fn the_receive_maximum_belongs_to_the_connection() {
    let world = World::new();
    let mut first = flooded(&world, 1, 1);
    first.expect_message("0");
    first.expect_nothing_before_ping();
    first.disconnect();
    let connect = world.v5("sub").resume().session_expiry(60).property(Property::ReceiveMaximum(4));
    let mut second = world.connect(&connect);
    for n in 0..4 {
        // [MQTT5-4.9.0-1]
        second.expect_message(&n.to_string());
    }
    // [MQTT5-3.3.4-9] The message that was sent again counts.
    second.expect_nothing_before_ping();
}

#[test]
fn a_smaller_receive_maximum_holds_for_messages_sent_again() {
    let world = World::new();
    let mut first = flooded(&world, 5, 1);
    for n in 0..5 {
        first.expect_message(&n.to_string());
    }
    first.disconnect();
    let mut second = world.connect(&world.v5("sub").resume().property(Property::ReceiveMaximum(2)));
    let mut window: Vec<Publish> = (0..2).map(|_| second.expect_publish()).collect();
    assert!(window.iter().all(|publish| publish.dup), "{window:?}");
    // [MQTT5-3.3.4-9]
    second.expect_nothing_before_ping();
    for n in 2..10 {
        second.send(&puback(window.remove(0).packet_id()));
        window.push(second.expect_message(&n.to_string()));
        // [MQTT5-3.3.4-9]
        second.expect_nothing_before_ping();
    }
}

#[test]
fn qos_0_is_not_counted() {
    let world = World::new();
    let topic = world.topic("zero");
    let mut subscriber = world.connect(&world.v5("sub").property(Property::ReceiveMaximum(1)));
    subscriber.subscribe(&topic, 0);
    let mut publisher = world.client("pub");
    for n in 0..10 {
        publisher.publish(Publish::new(&topic, n.to_string()));
    }
    for n in 0..10 {
        subscriber.expect_message(&n.to_string());
    }
}

/// Publishes as many QoS 2 messages as the server takes, in strides, and leaves them without PUBREL.
fn fill(client: &mut RawClient, topic: &str, maximum: u16) {
    let ids: Vec<u16> = (1..=maximum).collect();
    for stride in ids.chunks(500) {
        let bytes: Vec<u8> =
            stride.iter().flat_map(|&id| Publish::new(topic, "").qos(2).id(id).bytes(Version::V5)).collect();
        client.send(&bytes);
        for &id in stride {
            // [MQTT5-4.3.3-8]
            client.expect_pubrec(id);
        }
    }
}

#[test]
fn as_many_messages_as_announced_may_be_unacknowledged() {
    let world = World::new();
    let mut client = world.client("c");
    let maximum = client.connack().properties.receive_maximum().unwrap_or(u16::MAX);
    fill(&mut client, &world.topic("t"), maximum);
    client.subscribe(&world.topic("other"), 0);
    // [MQTT5-3.3.4-8] At the limit a client may go on with everything but PUBLISH, so it is served.
    client.expect_nothing_before_ping();
    let Some(beyond) = maximum.checked_add(1) else {
        // Every Packet Identifier is in use: the next message can only be a repetition.
        client.send_publish(&Publish::new(world.topic("t"), "").qos(2).id(1).dup());
        client.expect_pubrec(1);
        return;
    };
    client.send_publish(&Publish::new(world.topic("t"), "").qos(2).id(beyond));
    // [MQTT5-3.3.4-7]
    client.expect_disconnect(0x93);
}

#[test]
fn a_completed_message_gives_its_place_back_to_the_publisher() {
    let world = World::new();
    let mut client = world.client("c");
    let maximum = client.connack().properties.receive_maximum().unwrap_or(u16::MAX);
    if maximum == u16::MAX {
        return as_many_messages_as_announced_may_be_unacknowledged();
    }
    fill(&mut client, &world.topic("t"), maximum);
    client.send(&pubrel(1));
    client.expect_pubcomp(1);
    client.send_publish(&Publish::new(world.topic("t"), "").qos(2).id(1));
    // [MQTT5-4.3.3-8]
    client.expect_pubrec(1);
    client.expect_nothing_before_ping();
}
