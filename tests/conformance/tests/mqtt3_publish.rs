//! MQTT 3.1.1 chapters 3.3 to 3.7: PUBLISH, its flags and topic, and the packets that answer it.

use std::time::Duration;

use tidegate_conformance::{
    Filter, Packet, Publish, RawClient, Subscribe, Version, World, frame, puback, pubrel,
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

fn subscriber(world: &World, filter: &str, qos: u8) -> RawClient {
    let mut subscriber = world.connect(&world.v311("subscriber"));
    subscriber.subscribe(filter, qos);
    subscriber
}

/// Proves that the client has nothing else to hear: a retained message of another subscription comes next. A PINGRESP
/// would prove less, since the messages of a subscription may follow it.
#[track_caller]
fn hears_nothing_else(world: &World, client: &mut RawClient) {
    let marker = world.topic("marker");
    world.connect(&world.v311("marker")).publish(Publish::new(&marker, "marker").qos(1).retained());
    client.subscribe(&marker, 0);
    client.expect_message("marker");
}

#[test]
fn what_is_sent_again_is_marked_as_a_duplicate() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "one").qos(1));
    publisher.publish(Publish::new(&topic, "two").qos(2));
    assert!(!client.expect_message("one").dup);
    assert!(!client.expect_message("two").dup);
    client.drop_connection();
    let mut client = world.connect(&resume);
    for payload in ["one", "two"] {
        // [MQTT3-3.3.1-1]
        assert!(client.expect_message(payload).dup, "{payload} was sent before");
    }
}

#[test]
fn a_qos_0_message_is_never_a_duplicate() {
    let world = World::new();
    let topic = world.topic("t");
    // [MQTT3-3.3.1-2]
    violates(&world, "QoS 0 with DUP", &Publish::new(&topic, "x").dup().bytes(Version::V311));
}

#[test]
fn the_duplicate_flag_of_the_publisher_is_its_own_affair() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = subscriber(&world, &topic, 2);
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2] {
        publisher.publish(Publish::new(&topic, "repeated").qos(qos).dup());
        let publish = subscriber.expect_message("repeated");
        // [MQTT3-3.3.1-3]
        assert!(!publish.dup, "this subscriber gets it for the first time: {publish:?}");
        subscriber.acknowledge(&publish);
    }
}

#[test]
fn there_is_no_qos_3() {
    let world = World::new();
    let topic = world.topic("t");
    // [MQTT3-3.3.1-4]
    violates(&world, "PUBLISH with QoS 3", &Publish::new(&topic, "x").qos(3).id(1).bytes(Version::V311));
}

#[test]
fn the_topic_name_comes_first_and_arrives_as_it_was_sent() {
    let world = World::new();
    let topic = world.topic("Straße/€/𝄞/ /x");
    let mut subscriber = subscriber(&world, &topic, 0);
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "x"));
    // [MQTT3-3.3.2-1]
    assert_eq!(subscriber.expect_message("x").topic(), topic);
    violates(&world, "PUBLISH that ends inside its Topic Name", &frame(0x30, &[0, 5, b'a']));
}

#[test]
fn a_topic_name_with_a_wildcard_ends_the_connection() {
    let world = World::new();
    for rest in ["+", "#", "a/+/b", "a/#", "a+", "#b"] {
        let publish = Publish::new(world.topic(rest), "x");
        // [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]
        violates(&world, &format!("PUBLISH to {rest}"), &publish.bytes(Version::V311));
    }
}

#[test]
fn a_subscriber_gets_what_matches_its_filter_and_nothing_else() {
    let world = World::new();
    let mut subscriber = subscriber(&world, &world.topic("a/+"), 0);
    let mut publisher = world.connect(&world.v311("publisher"));
    for rest in ["a", "b/x", "a/x/y", "a/x"] {
        publisher.publish(Publish::new(world.topic(rest), rest));
    }
    // [MQTT3-3.3.2-3]
    assert_eq!(subscriber.expect_message("a/x").topic(), world.topic("a/x"));
    subscriber.expect_nothing_before_ping();
}

#[test]
fn a_message_is_answered_by_what_its_qos_demands() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.send_publish(&Publish::new(&topic, "x"));
    // [MQTT3-3.3.4-1]
    client.expect_nothing_before_ping();
    client.send_publish(&Publish::new(&topic, "x").qos(1).id(5));
    // [MQTT3-3.3.4-1]
    client.expect_puback(5);
    client.send_publish(&Publish::new(&topic, "x").qos(2).id(6));
    // [MQTT3-3.3.4-1]
    client.expect_pubrec(6);
}

#[test]
fn overlapping_subscriptions_deliver_at_the_highest_qos_among_them() {
    let world = World::new();
    let topic = world.topic("a/b");
    let mut client = world.connect(&world.v311("c"));
    let filters = [(world.topic("a/+"), 0), (topic.clone(), 2), (world.topic("#"), 1)];
    client.subscribe_with(&Subscribe::new(filters.map(|(filter, qos)| Filter::new(filter, qos))));
    client.publish(Publish::new(&topic, "x").qos(2));
    client.publish(Publish::new(&topic, "end"));
    let mut highest = 0;
    loop {
        let publish = client.expect_publish();
        if publish.text() == "end" {
            break;
        }
        highest = highest.max(publish.qos);
    }
    // [MQTT3-3.3.5-1] A copy for each subscription would be allowed.
    assert_eq!(highest, 2);
}

#[test]
fn a_message_nobody_may_publish_is_acknowledged_or_ends_the_connection() {
    let world = World::new();
    let topic = format!("$SYS/broker/{}", world.tag());
    let mut subscriber = subscriber(&world, &topic, 1);
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.send_publish(&Publish::new(&topic, "forged").qos(1).id(9));
    match publisher.receive_within(Duration::from_secs(5)) {
        // [MQTT3-3.3.5-2]
        Some(answer) => assert!(matches!(&answer, Packet::Puback(ack) if ack.packet_id == 9), "{answer:?}"),
        None => publisher.expect_closed(),
    }
    hears_nothing_else(&world, &mut subscriber);
}

#[test]
fn a_pubrel_with_other_flags_ends_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    for flags in [0x0, 0x1, 0x3, 0x6, 0xa] {
        let mut client = world.connect(&world.v311("c"));
        client.send_publish(&Publish::new(&topic, "x").qos(2).id(1));
        client.expect_pubrec(1);
        client.send(&[0x60 | flags, 2, 0, 1]);
        // [MQTT3-3.6.1-1]
        client.expect_closed();
    }
}

#[test]
fn an_answer_to_nothing_is_no_reason_to_end_the_connection() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.send(&puback(77));
    client.send(&pubrel(78));
    // A repeated PUBREL must be answered, since the PUBCOMP may have been lost with an earlier connection.
    // [MQTT3-4.3.3-2]
    client.expect_pubcomp(78);
    client.expect_nothing_before_ping();
}
