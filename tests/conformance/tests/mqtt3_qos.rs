//! MQTT 3.1.1 chapters 4.3 and 4.5: the flows of QoS 0, 1 and 2, in both directions, and who gets a message.

use tidegate_conformance::{Packet, Publish, RawClient, World, puback, pubcomp, pubrec, pubrel};

/// A subscriber of this QoS and a publisher, both of 3.1.1.
fn pair(world: &World, topic: &str, qos: u8) -> (RawClient, RawClient) {
    let mut subscriber = world.connect(&world.v311("subscriber"));
    subscriber.subscribe(topic, qos);
    (subscriber, world.connect(&world.v311("publisher")))
}

#[test]
fn at_qos_0_a_message_is_sent_once_and_plainly() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 2);
    publisher.publish(Publish::new(&topic, "x"));
    let publish = subscriber.expect_message("x");
    // [MQTT3-4.3.1-1]
    assert_eq!((publish.qos, publish.dup, publish.retain), (0, false, false));
    subscriber.expect_nothing_before_ping();
}

#[test]
fn at_qos_1_the_server_sends_under_unused_identifiers() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 1);
    publisher.publish(Publish::new(&topic, "one").qos(1));
    publisher.publish(Publish::new(&topic, "two").qos(1));
    let (one, two) = (subscriber.expect_message("one"), subscriber.expect_message("two"));
    // [MQTT3-4.3.2-1]
    assert_eq!([(one.qos, one.dup), (two.qos, two.dup)], [(1, false); 2]);
    // [MQTT3-4.3.2-1]
    assert_ne!(one.packet_id(), two.packet_id(), "both are unacknowledged");
}

#[test]
fn at_qos_1_the_server_holds_a_message_until_its_puback() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "acknowledged").qos(1));
    publisher.publish(Publish::new(&topic, "open").qos(1));
    let acknowledged = client.expect_message("acknowledged");
    client.expect_message("open");
    client.send(&puback(acknowledged.packet_id()));
    // The answer shows that the server has read the PUBACK.
    client.expect_nothing_before_ping();
    client.drop_connection();
    let mut client = world.connect(&resume);
    // [MQTT3-4.3.2-1]
    let publish = client.expect_message("open");
    client.acknowledge(&publish);
    client.expect_nothing_before_ping();
}

#[test]
fn at_qos_1_the_server_answers_puback_and_forgets_the_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 0);
    publisher.send_publish(&Publish::new(&topic, "first").qos(1).id(7));
    // [MQTT3-4.3.2-2]
    publisher.expect_puback(7);
    publisher.send_publish(&Publish::new(&topic, "second").qos(1).id(7).dup());
    publisher.expect_puback(7);
    subscriber.expect_message("first");
    // [MQTT3-4.3.2-2] The identifier was free again, so this is a message of its own, whatever DUP says.
    subscriber.expect_message("second");
}

#[test]
fn at_qos_2_the_server_sends_publish_and_pubrel_under_one_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 2);
    publisher.publish(Publish::new(&topic, "one").qos(2));
    publisher.publish(Publish::new(&topic, "two").qos(2));
    let (one, two) = (subscriber.expect_message("one"), subscriber.expect_message("two"));
    // [MQTT3-4.3.3-1]
    assert_eq!([(one.qos, one.dup), (two.qos, two.dup)], [(2, false); 2]);
    // [MQTT3-4.3.3-1]
    assert_ne!(one.packet_id(), two.packet_id(), "both are unacknowledged");
    subscriber.send(&pubrec(two.packet_id()));
    // [MQTT3-4.3.3-1]
    subscriber.expect_pubrel(two.packet_id());
    subscriber.send(&pubcomp(two.packet_id()));
    subscriber.send(&pubrec(one.packet_id()));
    // [MQTT3-4.3.3-1]
    subscriber.expect_pubrel(one.packet_id());
    subscriber.send(&pubcomp(one.packet_id()));
    subscriber.expect_nothing_before_ping();
}

#[test]
fn at_qos_2_the_server_holds_the_pubrel_until_its_pubcomp() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "x").qos(2));
    let id = client.expect_message("x").packet_id();
    client.send(&pubrec(id));
    client.expect_pubrel(id);
    client.drop_connection();
    let mut client = world.connect(&resume);
    let packet = client.receive();
    // [MQTT3-4.3.3-1] The PUBREL comes again, and the PUBLISH before it does not.
    assert!(matches!(&packet, Packet::Pubrel(pubrel) if pubrel.packet_id == id), "{packet:?}");
    client.send(&pubcomp(id));
    client.expect_nothing_before_ping();
    client.drop_connection();
    // [MQTT3-4.3.3-1]
    world.connect(&resume).expect_nothing_before_ping();
}

#[test]
fn at_qos_2_a_repeated_publish_is_answered_again_and_delivered_once() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 0);
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7));
    // [MQTT3-4.3.3-2]
    publisher.expect_pubrec(7);
    for _ in 0..3 {
        publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7).dup());
        // [MQTT3-4.3.3-2]
        publisher.expect_pubrec(7);
    }
    publisher.send(&pubrel(7));
    // [MQTT3-4.3.3-2]
    publisher.expect_pubcomp(7);
    publisher.publish(Publish::new(&topic, "end"));
    subscriber.expect_message("x");
    // [MQTT3-4.3.3-2] No second copy comes in between.
    subscriber.expect_message("end");
}

#[test]
fn at_qos_2_a_repetition_on_a_later_connection_is_delivered_once() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.connect(&world.v311("subscriber"));
    subscriber.subscribe(&topic, 0);
    let resume = world.v311("publisher").resume();
    let mut publisher = world.connect(&resume);
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7));
    publisher.expect_pubrec(7);
    publisher.drop_connection();
    let mut publisher = world.connect(&resume);
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7).dup());
    publisher.expect_pubrec(7);
    publisher.send(&pubrel(7));
    publisher.expect_pubcomp(7);
    publisher.publish(Publish::new(&topic, "end"));
    subscriber.expect_message("x");
    // [MQTT3-4.3.3-2]
    subscriber.expect_message("end");
}

#[test]
fn at_qos_2_the_identifier_is_free_after_pubcomp() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 0);
    for payload in ["first", "second"] {
        publisher.publish(Publish::new(&topic, payload).qos(2).id(7));
        // [MQTT3-4.3.3-2]
        subscriber.expect_message(payload);
    }
}

#[test]
fn a_message_goes_to_every_client_with_a_matching_subscription() {
    let world = World::new();
    let topic = world.topic("a/b");
    let resume = world.v311("absent").resume();
    let mut absent = world.connect(&resume);
    absent.subscribe(&world.topic("a/#"), 2);
    absent.disconnect();
    let mut present: Vec<RawClient> = [("p1", "a/b"), ("p2", "a/+"), ("p3", "#")]
        .map(|(name, filter)| {
            let mut client = world.connect(&world.v311(name));
            client.subscribe(&world.topic(filter), 2);
            client
        })
        .into();
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2] {
        publisher.publish(Publish::new(&topic, format!("qos {qos}")).qos(qos));
    }
    present.push(world.connect(&resume));
    for client in &mut present {
        for payload in ["qos 1", "qos 2"] {
            // [MQTT3-4.5.0-1]
            let publish = client.expect_message(payload);
            client.acknowledge(&publish);
        }
    }
}

#[test]
fn a_client_needs_nothing_beyond_the_specification() {
    let world = World::new();
    let topic = world.topic("t");
    // Plain 3.1.1 from the first byte to the last: no credentials, no further packet, no further field.
    let (mut subscriber, mut publisher) = pair(&world, &topic, 2);
    publisher.publish(Publish::new(&topic, "x").qos(2));
    // [MQTT3-7.0.0-2]
    let publish = subscriber.expect_message("x");
    subscriber.acknowledge(&publish);
    subscriber.unsubscribe(&[&topic]);
    subscriber.disconnect();
    publisher.disconnect();
}
