//! MQTT 3.1.1 chapters 4.4 and 4.6: what is sent again after a reconnect, and in which order everything is sent.

use tidegate_conformance::{Packet, Publish, RawClient, World, pubcomp, pubrec, pubrel};

/// Publishes one message after the other, with the numbers from 0 as payloads.
fn publish_numbers(publisher: &mut RawClient, topic: &str, qos: u8, count: usize) {
    for number in 0..count {
        publisher.publish(Publish::new(topic, number.to_string()).qos(qos));
    }
}

#[test]
fn unacknowledged_messages_are_sent_again_under_their_identifiers() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2, 1] {
        publisher.publish(Publish::new(&topic, format!("qos {qos}")).qos(qos));
    }
    let seen = |client: &mut RawClient| -> Vec<(u16, u8, String)> {
        (0..3)
            .map(|_| client.expect_publish())
            .map(|publish| (publish.packet_id(), publish.qos, publish.text().to_owned()))
            .collect()
    };
    let first = seen(&mut client);
    for _ in 0..2 {
        client.drop_connection();
        client = world.connect(&resume);
        // [MQTT3-4.4.0-1] [MQTT3-2.3.1-4]
        assert_eq!(seen(&mut client), first);
    }
}

#[test]
fn a_pubrel_without_pubcomp_is_sent_again() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "x").qos(2));
    let id = client.expect_message("x").packet_id();
    client.send(&pubrec(id));
    client.expect_pubrel(id);
    for _ in 0..2 {
        client.drop_connection();
        client = world.connect(&resume);
        // [MQTT3-4.4.0-1]
        client.expect_pubrel(id);
    }
    client.send(&pubcomp(id));
    client.expect_nothing_before_ping();
}

#[test]
fn messages_are_sent_again_in_the_order_of_the_first_time() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    let mut publisher = world.connect(&world.v311("publisher"));
    for number in 0..15 {
        publisher.publish(Publish::new(&topic, number.to_string()).qos(1 + number % 2));
    }
    for number in 0..15 {
        client.expect_message(&number.to_string());
    }
    client.drop_connection();
    let mut client = world.connect(&resume);
    for number in 0..15 {
        // [MQTT3-4.6.0-1]
        client.expect_message(&number.to_string());
    }
}

#[test]
fn pubacks_come_in_the_order_of_the_messages() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    for id in (1..=50).rev() {
        client.send_publish(&Publish::new(&topic, "x").qos(1).id(id));
    }
    for id in (1..=50).rev() {
        // [MQTT3-4.6.0-2]
        client.expect_puback(id);
    }
}

#[test]
fn pubrecs_come_in_the_order_of_the_messages() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    for id in (1..=20).rev() {
        client.send_publish(&Publish::new(&topic, "x").qos(2).id(id));
    }
    for id in (1..=20).rev() {
        // [MQTT3-4.6.0-3]
        client.expect_pubrec(id);
    }
    for id in 1..=20 {
        client.send(&pubrel(id));
    }
    for id in 1..=20 {
        client.expect_pubcomp(id);
    }
}

#[test]
fn pubrels_come_in_the_order_of_the_pubrecs() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 2);
    publish_numbers(&mut world.connect(&world.v311("publisher")), &topic, 2, 15);
    let mut ids: Vec<u16> = (0..15).map(|_| client.expect_publish().packet_id()).collect();
    // Another order than that of the messages, so that the server cannot be right by going by its own.
    ids.reverse();
    ids.swap(3, 11);
    for &id in &ids {
        client.send(&pubrec(id));
    }
    let pubrels: Vec<u16> = ids
        .iter()
        .map(|_| match client.receive() {
            Packet::Pubrel(pubrel) => pubrel.packet_id,
            other => panic!("expected PUBREL, got {other:?}"),
        })
        .collect();
    // [MQTT3-4.6.0-4]
    assert_eq!(pubrels, ids);
}

#[test]
fn every_topic_keeps_the_order_of_its_publisher() {
    let world = World::new();
    for qos in 0..=2 {
        let topic = world.topic(&format!("qos{qos}"));
        let mut client = world.connect(&world.v311("c"));
        client.subscribe(&topic, qos);
        let mut publisher = world.connect(&world.v311("publisher"));
        publish_numbers(&mut publisher, &topic, qos, 200);
        for number in 0..200 {
            // [MQTT3-4.6.0-5] [MQTT3-4.6.0-6]
            let publish = client.expect_message(&number.to_string());
            client.acknowledge(&publish);
        }
    }
}

#[test]
fn messages_that_waited_keep_the_order_of_their_publisher() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    client.disconnect();
    publish_numbers(&mut world.connect(&world.v311("publisher")), &topic, 1, 100);
    let mut client = world.connect(&resume);
    for number in 0..100 {
        // [MQTT3-4.6.0-6]
        let publish = client.expect_message(&number.to_string());
        client.acknowledge(&publish);
    }
}
