//! MQTT 5.0 chapter 3.3.1.3: retained messages, Retain Handling and Retain As Published.

use std::time::Duration;

use tidegate_conformance::{Filter, Property, Publish, RawClient, Subscribe, World};

/// The topic with a retained message under it.
fn retained(world: &World, payload: &str) -> String {
    let topic = world.topic("r");
    world.client("setup").publish(Publish::new(&topic, payload).qos(1).retained());
    topic
}

/// Subscribes anew and returns what is retained under the topic.
fn replay(world: &World, topic: &str) -> Option<Publish> {
    let mut reader = world.client("reader");
    reader.subscribe(topic, 2);
    world.client("ender").publish(Publish::new(topic, "end"));
    let publish = reader.expect_publish();
    (publish.payload != b"end").then_some(publish)
}

fn subscribe(client: &mut RawClient, filter: Filter) {
    let suback = client.subscribe_with(&Subscribe::one(filter));
    assert!(suback.reasons[0] < 0x80, "{suback:?}");
}

#[test]
fn a_retained_message_reaches_later_subscribers_with_retain_1() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let publish = replay(&world, &topic).expect("a retained message");
    // [MQTT5-3.3.1-5]
    assert_eq!((publish.text(), publish.retain, publish.qos), ("kept", true, 1));
    assert!(!publish.dup);
}

#[test]
fn a_newer_retained_message_replaces_the_older() {
    let world = World::new();
    let topic = retained(&world, "old");
    retained(&world, "new");
    // [MQTT5-3.3.1-5]
    assert_eq!(replay(&world, &topic).expect("a retained message").text(), "new");
}

#[test]
fn a_retained_message_of_qos_0_replaces_one_of_qos_2() {
    let world = World::new();
    let topic = world.topic("r");
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "old").qos(2).retained());
    publisher.publish(Publish::new(&topic, "new").retained());
    publisher.expect_nothing_before_ping();
    let publish = replay(&world, &topic).expect("a retained message");
    // [MQTT5-3.3.1-5]
    assert_eq!((publish.text(), publish.qos), ("new", 0));
}

#[test]
fn an_empty_payload_deletes_the_retained_message() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let mut watcher = world.client("watcher");
    watcher.subscribe(&topic, 0);
    watcher.expect_message("kept");
    retained(&world, "");
    // [MQTT5-3.3.1-6] It is processed normally: those who are subscribed receive it.
    watcher.expect_message("");
    // [MQTT5-3.3.1-6]
    assert_eq!(replay(&world, &topic), None);
}

#[test]
fn an_empty_payload_is_not_retained() {
    let world = World::new();
    let topic = retained(&world, "");
    // [MQTT5-3.3.1-7]
    assert_eq!(replay(&world, &topic), None);
}

#[test]
fn a_message_without_retain_neither_stores_nor_replaces_nor_deletes() {
    let world = World::new();
    let fresh = world.topic("fresh");
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&fresh, "passing").qos(1));
    // [MQTT5-3.3.1-8]
    assert_eq!(replay(&world, &fresh), None);
    let topic = retained(&world, "kept");
    publisher.publish(Publish::new(&topic, "passing").qos(1));
    publisher.publish(Publish::new(&topic, "").qos(1));
    // [MQTT5-3.3.1-8]
    assert_eq!(replay(&world, &topic).expect("a retained message").text(), "kept");
}

#[test]
fn all_retained_messages_under_a_filter_are_sent() {
    let world = World::new();
    let mut publisher = world.client("pub");
    for n in 0..20 {
        publisher.publish(Publish::new(world.topic(&format!("r/{n}")), n.to_string()).qos(1).retained());
    }
    let mut reader = world.client("reader");
    subscribe(&mut reader, Filter::new(world.topic("r/+"), 1).retain_handling(0));
    let mut payloads: Vec<String> = reader.expect_publishes(20).iter().map(|p| p.text().to_owned()).collect();
    payloads.sort();
    payloads.dedup();
    // [MQTT5-3.3.1-9]
    assert_eq!(payloads.len(), 20);
    reader.expect_nothing_before_ping();
}

#[test]
fn retain_handling_0_sends_them_at_every_subscribe() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let mut reader = world.client("reader");
    for _ in 0..2 {
        subscribe(&mut reader, Filter::new(&topic, 0).retain_handling(0));
        // [MQTT5-3.3.1-9]
        reader.expect_message("kept");
    }
}

#[test]
fn retain_handling_1_sends_them_only_for_a_new_subscription() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let mut reader = world.client("reader");
    subscribe(&mut reader, Filter::new(&topic, 0).retain_handling(1));
    // [MQTT5-3.3.1-10]
    reader.expect_message("kept");
    subscribe(&mut reader, Filter::new(&topic, 0).retain_handling(1));
    // [MQTT5-3.3.1-10]
    reader.expect_nothing_before_ping();
    reader.unsubscribe(&[&topic]);
    subscribe(&mut reader, Filter::new(&topic, 0).retain_handling(1));
    // [MQTT5-3.3.1-10]
    reader.expect_message("kept");
}

#[test]
fn retain_handling_2_sends_none() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let mut reader = world.client("reader");
    subscribe(&mut reader, Filter::new(&topic, 0).retain_handling(2));
    world.client("pub").publish(Publish::new(&topic, "live"));
    // [MQTT5-3.3.1-11]
    reader.expect_message("live");
}

#[test]
fn without_retain_as_published_live_messages_have_retain_0() {
    let world = World::new();
    let topic = world.topic("r");
    let mut reader = world.client("reader");
    subscribe(&mut reader, Filter::new(&topic, 0));
    retained(&world, "live");
    // [MQTT5-3.3.1-12]
    assert!(!reader.expect_message("live").retain);
}

#[test]
fn with_retain_as_published_live_messages_keep_their_retain() {
    let world = World::new();
    let topic = world.topic("r");
    let mut reader = world.client("reader");
    subscribe(&mut reader, Filter::new(&topic, 0).retain_as_published());
    retained(&world, "one");
    // [MQTT5-3.3.1-13]
    assert!(reader.expect_message("one").retain);
    world.client("pub").publish(Publish::new(&topic, "two"));
    // [MQTT5-3.3.1-13]
    assert!(!reader.expect_message("two").retain);
}

#[test]
fn a_retained_message_expires() {
    let world = World::new();
    let topic = world.topic("r");
    let expiring =
        Publish::new(&topic, "brief").qos(1).retained().property(Property::MessageExpiryInterval(1));
    world.client("pub").publish(expiring);
    let mut reader = world.client("reader");
    reader.subscribe(&topic, 0);
    reader.expect_message("brief");
    // Nothing announces the end of a retained message, so the second is waited for.
    reader.expect_silence(Duration::from_millis(1_200));
    // [MQTT5-3.3.2-5]
    assert_eq!(replay(&world, &topic), None);
}

#[test]
fn a_retained_message_keeps_its_properties() {
    let world = World::new();
    let topic = world.topic("r");
    let mut publisher = world.client("pub");
    let kept = Publish::new(&topic, "kept")
        .qos(1)
        .retained()
        .property(Property::ContentType("text/plain".to_owned()))
        .property(Property::user("b", "1"))
        .property(Property::user("a", "2"));
    publisher.publish(kept.clone());
    let publish = replay(&world, &topic).expect("a retained message");
    // [MQTT5-3.3.2-17]
    assert_eq!(publish.properties, kept.properties);
}

#[test]
fn a_retained_message_is_sent_with_the_lower_qos() {
    let world = World::new();
    let topic = world.topic("r");
    world.client("pub").publish(Publish::new(&topic, "kept").qos(2).retained());
    let mut reader = world.client("reader");
    for qos in 0..=2 {
        subscribe(&mut reader, Filter::new(&topic, qos));
        let publish = reader.expect_message("kept");
        // [MQTT5-3.8.4-8]
        assert_eq!(publish.qos, qos);
        reader.acknowledge(&publish);
    }
}

#[test]
fn retained_messages_outlive_the_session_of_their_publisher() {
    let world = World::new();
    let topic = world.topic("r");
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    publisher.disconnect();
    world.client("pub").disconnect();
    assert_eq!(replay(&world, &topic).expect("a retained message").text(), "kept");
}

#[test]
fn a_retained_message_carries_the_subscription_identifier() {
    let world = World::new();
    let topic = retained(&world, "kept");
    let mut reader = world.client("reader");
    reader.subscribe_with(&Subscribe::one(Filter::new(&topic, 0)).identifier(9));
    // [MQTT5-3.3.4-3]
    assert_eq!(reader.expect_message("kept").properties.subscription_identifiers(), [9]);
}
