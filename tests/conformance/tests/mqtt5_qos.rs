//! MQTT 5.0 chapter 4.3: the delivery protocols of QoS 0, 1 and 2, with the server as receiver and as sender.

use std::time::Duration;

use tidegate_conformance::{Property, Publish, RawClient, World, ack, puback, pubcomp, pubrec, pubrel};

/// A watcher of everything that is delivered at QoS 0, and the client under observation.
fn observed(world: &World, topic: &str) -> (RawClient, RawClient) {
    let mut watcher = world.client("watcher");
    watcher.subscribe(topic, 0);
    (watcher, world.client("c"))
}

/// A subscriber whose session lives on, and a publisher.
fn subscribed(world: &World, topic: &str) -> (RawClient, RawClient) {
    let mut subscriber = world.connect(&world.v5("sub").session_expiry(60));
    subscriber.subscribe(topic, 2);
    (subscriber, world.client("pub"))
}

fn resumed(world: &World) -> RawClient {
    world.connect(&world.v5("sub").resume().session_expiry(60))
}

#[test]
fn qos_0_is_sent_with_qos_0_and_dup_0() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    client.publish(Publish::new(&topic, "x").qos(2));
    let publish = watcher.expect_message("x");
    // [MQTT5-4.3.1-1]
    assert_eq!((publish.qos, publish.dup), (0, false));
}

#[test]
fn a_new_message_gets_an_unused_identifier_and_dup_0() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    for qos in [1, 2] {
        for payload in ["a", "b"] {
            publisher.publish(Publish::new(&topic, payload).qos(qos));
        }
    }
    let sent: Vec<Publish> = (0..4).map(|_| subscriber.expect_publish()).collect();
    // [MQTT5-4.3.2-1]
    assert_ne!(sent[0].packet_id, sent[1].packet_id);
    // [MQTT5-4.3.2-2]
    assert!(sent[..2].iter().all(|p| p.qos == 1 && !p.dup), "{sent:?}");
    // [MQTT5-4.3.3-1]
    assert!(!sent[..3].iter().any(|p| p.packet_id == sent[3].packet_id), "{sent:?}");
    // [MQTT5-4.3.3-2]
    assert!(sent[2..].iter().all(|p| p.qos == 2 && !p.dup), "{sent:?}");
}

#[test]
fn a_qos_1_message_stays_unacknowledged_until_its_puback() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "a").qos(1));
    publisher.publish(Publish::new(&topic, "b").qos(1));
    subscriber.expect_message("a");
    let second = subscriber.expect_message("b");
    subscriber.send(&puback(second.packet_id()));
    subscriber.disconnect();
    let mut again = resumed(&world);
    // [MQTT5-4.3.2-3]
    let first = again.expect_message("a");
    again.send(&puback(first.packet_id()));
    again.expect_nothing_before_ping();
    again.disconnect();
    // [MQTT5-4.3.2-3]
    resumed(&world).expect_nothing_before_ping();
}

#[test]
fn a_qos_1_publish_is_answered_by_puback() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    client.send_publish(&Publish::new(&topic, "x").qos(1).id(1_000));
    // [MQTT5-4.3.2-4]
    assert_eq!(client.expect_puback(1_000).reason, 0);
    watcher.expect_message("x");
}

#[test]
fn after_its_puback_an_identifier_means_a_new_message() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    for (payload, dup) in [("first", false), ("second", false), ("third", true)] {
        let mut publish = Publish::new(&topic, payload).qos(1).id(7);
        publish.dup = dup;
        client.send_publish(&publish);
        client.expect_puback(7);
        // [MQTT5-4.3.2-5]
        watcher.expect_message(payload);
    }
}

#[test]
fn a_qos_2_message_stays_unacknowledged_until_its_pubrec() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(2));
    let first = subscriber.expect_message("x");
    subscriber.disconnect();
    let mut again = resumed(&world);
    let second = again.expect_message("x");
    // [MQTT5-4.3.3-3]
    assert_eq!((second.packet_id, second.dup), (first.packet_id, true));
}

#[test]
fn a_pubrec_is_answered_by_pubrel_and_the_pubrel_is_kept_until_pubcomp() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(2));
    let id = subscriber.expect_message("x").packet_id();
    subscriber.send(&pubrec(id));
    // [MQTT5-4.3.3-4]
    subscriber.expect_pubrel(id);
    subscriber.disconnect();
    let mut again = resumed(&world);
    // [MQTT5-4.3.3-6] Not PUBLISH: that would be set aside and found by the ping below.
    again.expect_pubrel(id);
    again.expect_nothing_before_ping();
    again.disconnect();
    let mut third = resumed(&world);
    // [MQTT5-4.3.3-5]
    third.expect_pubrel(id);
    third.send(&pubcomp(id));
    third.disconnect();
    // [MQTT5-4.3.3-5]
    resumed(&world).expect_nothing_before_ping();
}

#[test]
fn a_refusing_pubrec_is_not_answered_by_pubrel() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "x").qos(2));
    let id = subscriber.expect_message("x").packet_id();
    subscriber.send(&ack(0x50, id, 0x80, &[]));
    // [MQTT5-4.3.3-4]
    subscriber.expect_nothing_before_ping();
}

#[test]
fn a_message_that_was_sent_does_not_expire() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = subscribed(&world, &topic);
    publisher.publish(Publish::new(&topic, "brief").qos(2).property(Property::MessageExpiryInterval(1)));
    let first = subscriber.expect_message("brief");
    subscriber.disconnect();
    publisher.expect_silence(Duration::from_millis(1_500));
    let mut again = resumed(&world);
    let second = again.expect_message("brief");
    // [MQTT5-4.3.3-7]
    assert_eq!(second.packet_id, first.packet_id);
    again.acknowledge(&second);
}

#[test]
fn a_qos_2_publish_is_answered_by_pubrec() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    client.send_publish(&Publish::new(&topic, "x").qos(2).id(1_001));
    // [MQTT5-4.3.3-8]
    assert_eq!(client.expect_pubrec(1_001).reason, 0);
    client.send(&pubrel(1_001));
    // [MQTT5-4.3.3-11]
    client.expect_pubcomp(1_001);
    watcher.expect_message("x");
}

#[test]
fn until_its_pubrel_a_repeated_qos_2_publish_is_the_same_message() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    for n in 0..3 {
        let mut publish = Publish::new(&topic, "once").qos(2).id(5);
        publish.dup = n > 0;
        client.send_publish(&publish);
        // [MQTT5-4.3.3-10]
        client.expect_pubrec(5);
    }
    client.send(&pubrel(5));
    client.expect_pubcomp(5);
    client.publish(Publish::new(&topic, "end"));
    watcher.expect_message("once");
    // [MQTT5-4.3.3-10]
    watcher.expect_message("end");
}

#[test]
fn after_its_pubcomp_an_identifier_means_a_new_message() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    for payload in ["first", "second"] {
        client.publish(Publish::new(&topic, payload).qos(2).id(5));
        // [MQTT5-4.3.3-12]
        watcher.expect_message(payload);
    }
}

#[test]
fn a_repeated_pubrel_is_answered_again() {
    let world = World::new();
    let mut client = world.client("c");
    client.publish(Publish::new(world.topic("t"), "x").qos(2).id(5));
    client.send(&pubrel(5));
    // [MQTT5-4.3.3-11]
    client.expect_pubcomp(5);
}

#[test]
fn the_acknowledgements_of_an_expiring_qos_2_message_go_on() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.send_publish(
        &Publish::new(&topic, "brief").qos(2).id(5).property(Property::MessageExpiryInterval(1)),
    );
    client.expect_pubrec(5);
    client.expect_silence(Duration::from_millis(1_200));
    client.send(&pubrel(5));
    // [MQTT5-4.3.3-13]
    assert_eq!(client.expect_pubcomp(5).reason, 0);
}

#[test]
fn both_directions_carry_all_qos_at_once() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 2);
    for n in 0..30u8 {
        client.publish(Publish::new(&topic, n.to_string()).qos(n % 3));
    }
    let received = client.expect_publishes(30);
    let mut numbers: Vec<u8> = received.iter().map(|p| p.text().parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..30).collect::<Vec<u8>>());
    for publish in received {
        // [MQTT5-3.8.4-8]
        assert_eq!(publish.text().parse::<u8>().expect("a number") % 3, publish.qos);
    }
}

#[test]
fn behind_a_refusing_pubrec_an_identifier_means_a_new_message() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut watcher, mut client) = observed(&world, &topic);
    // A topic of the server: no client may publish to it.
    client.send_publish(&Publish::new("$SYS/broker/version", "forged").qos(2).id(5));
    let refused = client.expect_pubrec(5);
    if refused.reason < 0x80 {
        client.send(&pubrel(5));
        client.expect_pubcomp(5);
    }
    client.send_publish(&Publish::new(&topic, "new").qos(2).id(5));
    // [MQTT5-4.3.3-9]
    assert_eq!(client.expect_pubrec(5).reason, 0, "behind {refused:?}");
    client.send(&pubrel(5));
    client.expect_pubcomp(5);
    // [MQTT5-4.3.3-9]
    watcher.expect_message("new");
}
