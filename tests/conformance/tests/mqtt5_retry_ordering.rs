//! MQTT 5.0 chapters 4.4 and 4.6: what is sent again and when, and in which order messages arrive.

use std::time::Duration;

use tidegate_conformance::{
    Packet, Property, Publish, RawClient, World, ack, puback, pubcomp, pubrec, pubrel,
};

fn subscribed(world: &World, topic: &str) -> (RawClient, RawClient) {
    let mut subscriber = world.connect(&world.v5("sub").session_expiry(60));
    subscriber.subscribe(topic, 2);
    (subscriber, world.client("pub"))
}

fn resumed(world: &World) -> RawClient {
    world.connect(&world.v5("sub").resume().session_expiry(60))
}

#[test]
fn unacknowledged_messages_are_sent_again_after_reconnecting() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "one").qos(1).property(Property::user("k", "v")));
    publisher.publish(Publish::new(&topic, "two").qos(2));
    let first: Vec<Publish> = (0..2).map(|_| subscriber.expect_publish()).collect();
    subscriber.drop_connection();
    let mut again = resumed(&world);
    for original in first {
        let publish = again.expect_publish();
        // [MQTT5-3.3.1-1]
        assert!(publish.dup, "{publish:?}");
        // [MQTT5-4.4.0-1]
        assert_eq!(publish, Publish { dup: true, ..original });
        again.acknowledge(&publish);
    }
    again.expect_nothing_before_ping();
}

#[test]
fn messages_that_were_never_sent_have_dup_0_after_reconnecting() {
    let world = World::new();
    let topic = world.topic("t");
    let (subscriber, mut publisher) = subscribed(&world, &topic);
    subscriber.disconnect();
    publisher.publish(Publish::new(&topic, "queued").qos(1).dup());
    // [MQTT5-3.3.1-3]
    assert!(!resumed(&world).expect_message("queued").dup);
}

#[test]
fn an_unanswered_pubrel_is_sent_again_after_reconnecting() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(2));
    let id = subscriber.expect_message("x").packet_id();
    subscriber.send(&pubrec(id));
    subscriber.expect_pubrel(id);
    subscriber.drop_connection();
    let mut again = resumed(&world);
    let Packet::Pubrel(pubrel) = again.receive() else { panic!("expected PUBREL") };
    // [MQTT5-4.4.0-1]
    assert_eq!(pubrel.packet_id, id);
    again.send(&pubcomp(id));
    again.expect_nothing_before_ping();
}

#[test]
fn nothing_is_sent_again_on_a_living_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(1));
    subscriber.expect_message("x");
    // [MQTT5-4.4.0-1]
    subscriber.expect_silence(Duration::from_millis(1_500));
    subscriber.expect_nothing_before_ping();
}

#[test]
fn a_refused_message_is_not_sent_again() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    for (qos, first_byte) in [(1, 0x40), (2, 0x50)] {
        publisher.publish(Publish::new(&topic, "x").qos(qos));
        let id = subscriber.expect_message("x").packet_id();
        subscriber.send(&ack(first_byte, id, 0x83, &[Property::ReasonString("no".to_owned())]));
    }
    subscriber.expect_nothing_before_ping();
    subscriber.disconnect();
    // [MQTT5-4.4.0-2]
    resumed(&world).expect_nothing_before_ping();
}

#[test]
fn an_acknowledged_message_is_not_sent_again() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    for qos in [1, 2] {
        publisher.publish(Publish::new(&topic, "x").qos(qos));
        let publish = subscriber.expect_message("x");
        subscriber.acknowledge(&publish);
    }
    subscriber.expect_nothing_before_ping();
    subscriber.disconnect();
    // [MQTT5-4.4.0-1]
    resumed(&world).expect_nothing_before_ping();
}

#[test]
fn messages_of_one_topic_and_qos_arrive_in_their_order() {
    let world = World::new();
    let topic = world.topic("t");
    for qos in 0..=2 {
        let mut subscriber = world.connect(&world.v5("sub").property(Property::ReceiveMaximum(10)));
        subscriber.subscribe(&topic, qos);
        let mut publisher = world.client("pub");
        for n in 0..50 {
            publisher.publish(Publish::new(&topic, n.to_string()).qos(qos));
        }
        for n in 0..50 {
            let publish = subscriber.expect_publish();
            // [MQTT5-4.6.0-5]
            assert_eq!(publish.text(), n.to_string(), "at QoS {qos}");
            subscriber.acknowledge(&publish);
        }
    }
}

#[test]
fn every_topic_is_ordered_for_every_subscriber() {
    let world = World::new();
    let (a, b) = (world.topic("a/1"), world.topic("b/1"));
    let mut subscribers: Vec<RawClient> = (0..3).map(|n| world.client(&format!("sub{n}"))).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe(&world.topic("+/1"), 1);
    }
    let mut publisher = world.client("pub");
    for n in 0..20 {
        publisher.publish(Publish::new(if n % 2 == 0 { &a } else { &b }, format!("{n:02}")).qos(1));
    }
    for mut subscriber in subscribers {
        let received = subscriber.expect_publishes(20);
        for topic in [&a, &b] {
            let of_topic: Vec<&str> =
                received.iter().filter(|p| p.topic() == topic).map(Publish::text).collect();
            // [MQTT5-4.6.0-6]
            assert!(of_topic.len() == 10 && of_topic.is_sorted(), "{topic}: {of_topic:?}");
        }
    }
}

#[test]
fn queued_messages_arrive_in_their_order_behind_those_sent_again() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    for n in 0..3 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(1));
        subscriber.expect_publish();
    }
    subscriber.disconnect();
    for n in 3..9 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(1));
    }
    let mut again = resumed(&world);
    for n in 0..9 {
        let publish = again.expect_publish();
        // [MQTT5-4.6.0-5]
        assert_eq!((publish.text(), publish.dup), (n.to_string().as_str(), n < 3));
        again.send(&puback(publish.packet_id()));
    }
}

#[test]
fn acknowledgements_of_the_server_come_in_the_order_of_the_messages() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    let ids = [9, 3, 12, 1, 7];
    for id in ids {
        client.send_publish(&Publish::new(&topic, "x").qos(1).id(id));
    }
    for id in ids {
        assert!(matches!(client.receive(), Packet::Puback(ack) if ack.packet_id == id), "PUBACK of {id}");
    }
    for id in ids {
        client.send_publish(&Publish::new(&topic, "x").qos(2).id(id));
    }
    for id in ids {
        assert!(matches!(client.receive(), Packet::Pubrec(ack) if ack.packet_id == id), "PUBREC of {id}");
        client.send(&pubrel(id));
    }
    for id in ids {
        assert!(matches!(client.receive(), Packet::Pubcomp(ack) if ack.packet_id == id), "PUBCOMP of {id}");
    }
}
