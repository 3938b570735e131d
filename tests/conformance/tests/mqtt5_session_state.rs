//! MQTT 5.0 chapters 3.1.2.11.2 and 4.1: how long a session lives and what it holds.

use std::time::Duration;

use tidegate_conformance::{
    Connect, Filter, Property, Publish, Subscribe, World, disconnect_with, pubcomp, pubrec, pubrel,
};

/// Longer than the shortest Session Expiry Interval, with a margin for the granularity of seconds.
const A_SECOND_AND_MORE: Duration = Duration::from_millis(2_200);

#[test]
fn a_session_with_expiry_outlives_its_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 1);
    first.drop_connection();
    let second = world.connect(&world.v5("c").resume().session_expiry(60));
    // [MQTT5-3.1.2-23]
    assert!(second.connack().session_present);
    second.disconnect();
    world.client("pub").publish(Publish::new(&topic, "queued").qos(1));
    let mut third = world.connect(&world.v5("c").resume());
    // [MQTT5-3.1.2-23]
    third.expect_message("queued");
}

#[test]
fn a_session_without_expiry_ends_with_its_connection() {
    let world = World::new();
    world.client("a").disconnect();
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("a").resume()).connack().session_present);
    world.connect(&world.v5("b").session_expiry(0)).disconnect();
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("b").resume()).connack().session_present);
}

#[test]
fn a_session_is_discarded_when_its_expiry_has_passed() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").session_expiry(1));
    client.subscribe(&topic, 1);
    client.disconnect();
    let mut publisher = world.client("pub");
    publisher.expect_silence(A_SECOND_AND_MORE);
    // [MQTT5-4.1.0-2] Its subscription matches no more.
    assert_eq!(publisher.publish(Publish::new(&topic, "x").qos(1)), 0x10);
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn the_session_of_a_connected_client_does_not_expire() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").session_expiry(1));
    client.subscribe(&topic, 1);
    client.expect_silence(A_SECOND_AND_MORE);
    world.client("pub").publish(Publish::new(&topic, "still here").qos(1));
    // [MQTT5-4.1.0-1]
    client.expect_message("still here");
}

#[test]
fn coming_back_restarts_the_expiry() {
    let world = World::new();
    world.connect(&world.v5("c").session_expiry(1)).disconnect();
    let mut client = world.connect(&world.v5("c").resume().session_expiry(60));
    client.expect_silence(A_SECOND_AND_MORE);
    client.disconnect();
    // [MQTT5-3.1.2-23]
    assert!(world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn the_expiry_of_the_latest_connection_counts() {
    let world = World::new();
    world.connect(&world.v5("c").session_expiry(60)).disconnect();
    world.connect(&world.v5("c").resume()).disconnect();
    // [MQTT5-4.1.0-2] Without Session Expiry Interval the session ends with the connection that said so.
    assert!(!world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn the_greatest_expiry_never_passes() {
    let world = World::new();
    world.connect(&world.v5("c").session_expiry(u32::MAX)).disconnect();
    // [MQTT5-3.1.2-23]
    assert!(world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn an_expiry_given_at_disconnect_is_kept() {
    let world = World::new();
    world
        .connect(&world.v5("c").session_expiry(60))
        .disconnect_with(&disconnect_with(0, &[Property::SessionExpiryInterval(1)]));
    world.client("clock").expect_silence(A_SECOND_AND_MORE);
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn messages_are_added_to_every_session_that_matches() {
    let world = World::new();
    let topic = world.topic("t");
    for name in ["a", "b"] {
        let mut sleeper = world.connect(&world.v5(name).session_expiry(60));
        sleeper.subscribe(&topic, 2);
        sleeper.disconnect();
    }
    let mut online = world.client("online");
    online.subscribe(&topic, 2);
    let mut publisher = world.client("pub");
    for qos in [1, 2] {
        publisher.publish(Publish::new(&topic, qos.to_string()).qos(qos));
    }
    let payloads = |messages: Vec<Publish>| messages.iter().map(|p| p.text().to_owned()).collect::<Vec<_>>();
    // [MQTT5-4.5.0-1]
    assert_eq!(payloads(online.expect_publishes(2)), ["1", "2"]);
    for name in ["a", "b"] {
        let mut client = world.connect(&world.v5(name).resume());
        // [MQTT5-4.5.0-1]
        assert_eq!(payloads(client.expect_publishes(2)), ["1", "2"]);
    }
}

#[test]
fn subscriptions_are_kept_with_all_of_their_options() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    let filter = Filter::new(&topic, 1).no_local().retain_as_published();
    first.subscribe_with(&Subscribe::one(filter).identifier(77));
    first.disconnect();
    let mut second = world.connect(&world.v5("c").resume());
    second.publish(Publish::new(&topic, "own").qos(1));
    world.client("other").publish(Publish::new(&topic, "foreign").qos(2).retained());
    let publish = second.expect_publish();
    // [MQTT5-3.1.2-5]
    assert_eq!((publish.text(), publish.qos, publish.retain), ("foreign", 1, true));
    // [MQTT5-3.1.2-5]
    assert_eq!(publish.properties.subscription_identifiers(), [77]);
}

#[test]
fn resuming_sends_no_retained_messages_again() {
    let world = World::new();
    let topic = world.topic("r");
    world.client("pub").publish(Publish::new(&topic, "kept").qos(1).retained());
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 0);
    first.expect_message("kept");
    first.disconnect();
    world.connect(&world.v5("c").resume()).expect_nothing_before_ping();
}

#[test]
fn a_half_received_qos_2_message_belongs_to_the_session() {
    let world = World::new();
    let topic = world.topic("t");
    let mut watcher = world.client("watcher");
    watcher.subscribe(&topic, 0);
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.send_publish(&Publish::new(&topic, "once").qos(2).id(9));
    first.expect_pubrec(9);
    first.drop_connection();
    let mut second = world.connect(&world.v5("c").resume());
    second.send_publish(&Publish::new(&topic, "once").qos(2).id(9).dup());
    second.expect_pubrec(9);
    second.send(&pubrel(9));
    second.expect_pubcomp(9);
    second.publish(Publish::new(&topic, "end"));
    watcher.expect_message("once");
    // [MQTT5-3.1.2-5]
    watcher.expect_message("end");
}

#[test]
fn a_half_sent_qos_2_message_belongs_to_the_session() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 2);
    world.client("pub").publish(Publish::new(&topic, "x").qos(2));
    let id = first.expect_message("x").packet_id();
    first.send(&pubrec(id));
    first.expect_pubrel(id);
    first.drop_connection();
    let mut second = world.connect(&world.v5("c").resume());
    // [MQTT5-3.1.2-5]
    second.expect_pubrel(id);
    second.send(&pubcomp(id));
    second.expect_nothing_before_ping();
}

#[test]
fn an_older_version_can_be_resumed_by_a_newer() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v311("c").resume());
    first.subscribe(&topic, 1);
    first.disconnect();
    world.client("pub").publish(Publish::new(&topic, "queued").qos(1));
    let mut second = world.connect(&Connect::v5(world.id("c")).resume());
    // [MQTT5-3.2.2-3]
    assert!(second.connack().session_present);
    second.expect_message("queued");
}
