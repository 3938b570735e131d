//! MQTT 5.0 chapters 3.1.2.5 to 3.1.2.7 and 3.1.3.2: the Will Message, when it is published and when it is not.

use std::time::Duration;

use tidegate_conformance::{
    Property, Publish, RawClient, Stopwatch, Will, World, disconnect, disconnect_with, frame,
};

/// A subscriber to the topic, connected before the Will is made.
fn watcher(world: &World, topic: &str) -> RawClient {
    let mut watcher = world.client("watcher");
    watcher.subscribe(topic, 2);
    watcher
}

/// Proves that nothing else was published to the topic before now.
#[track_caller]
fn nothing_but_the_end(world: &World, topic: &str, watcher: &mut RawClient) {
    world.client("ender").publish(Publish::new(topic, "end"));
    watcher.expect_message("end");
}

#[test]
fn the_will_is_published_when_the_connection_is_lost() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let client = world.connect(&world.v5("c").will(Will::new(&topic, "gone").qos(1)));
    client.drop_connection();
    let publish = watcher.expect_publish();
    // [MQTT5-3.1.2-7]
    assert_eq!(publish.text(), "gone");
    // [MQTT5-3.1.2-8]
    assert_eq!((publish.topic(), publish.qos), (topic.as_str(), 1));
}

#[test]
fn the_will_is_published_when_the_client_breaks_the_protocol() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let mut client = world.connect(&world.v5("c").will(Will::new(&topic, "gone")));
    client.send(&frame(0x36, &[0, 1, b'a', 0, 1, 0]));
    // [MQTT5-3.1.2-8]
    watcher.expect_message("gone");
}

#[test]
fn the_will_is_published_when_the_keep_alive_passes() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let _silent = world.connect(&world.v5("c").keep_alive(1).will(Will::new(&topic, "gone")));
    // [MQTT5-3.1.2-8]
    watcher.expect_message("gone");
}

#[test]
fn the_will_is_published_when_the_session_is_taken_over() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let _first = world.connect(&world.v5("c").will(Will::new(&topic, "gone")));
    let _second = world.client("c");
    // [MQTT5-3.1.2-8]
    watcher.expect_message("gone");
}

#[test]
fn a_disconnect_with_reason_4_publishes_the_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let client = world.connect(&world.v5("c").will(Will::new(&topic, "on purpose")));
    client.disconnect_with(&disconnect_with(0x04, &[]));
    // [MQTT5-3.1.2-8]
    watcher.expect_message("on purpose");
}

#[test]
fn a_normal_disconnect_deletes_the_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    world.connect(&world.v5("c").will(Will::new(&topic, "gone"))).disconnect_with(&disconnect());
    world.client("ender").publish(Publish::new(&topic, "end"));
    // [MQTT5-3.14.4-3]
    watcher.expect_message("end");
}

#[test]
fn a_normal_disconnect_deletes_a_delayed_will_of_a_session_that_lives_on() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let will = Will::new(&topic, "gone").property(Property::WillDelayInterval(1));
    world.connect(&world.v5("c").session_expiry(60).will(will)).disconnect();
    // [MQTT5-3.1.2-10]
    watcher.expect_silence(Duration::from_millis(1_600));
}

#[test]
fn a_will_is_published_once() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    world.connect(&world.v5("c").session_expiry(60).will(Will::new(&topic, "gone"))).drop_connection();
    watcher.expect_message("gone");
    world.connect(&world.v5("c").resume()).drop_connection();
    world.client("c").disconnect();
    world.client("ender").publish(Publish::new(&topic, "end"));
    // [MQTT5-3.1.2-10]
    watcher.expect_message("end");
}

#[test]
fn a_client_without_will_leaves_none() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    world.connect(&world.v5("c").will(Will::new(&topic, "gone"))).disconnect();
    world.client("c").drop_connection();
    world.client("c").disconnect();
    world.client("ender").publish(Publish::new(&topic, "end"));
    watcher.expect_message("end");
}

#[test]
fn a_will_without_will_retain_is_not_retained() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    world.connect(&world.v5("c").will(Will::new(&topic, "gone"))).drop_connection();
    watcher.expect_message("gone");
    let mut late = world.client("late");
    late.subscribe(&topic, 0);
    // [MQTT5-3.1.2-14]
    nothing_but_the_end(&world, &topic, &mut late);
}

#[test]
fn a_will_with_will_retain_is_retained() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    world.connect(&world.v5("c").will(Will::new(&topic, "gone").retained())).drop_connection();
    watcher.expect_message("gone");
    let mut late = world.client("late");
    late.subscribe(&topic, 0);
    // [MQTT5-3.1.2-15]
    assert!(late.expect_message("gone").retain);
}

#[test]
fn wills_of_every_qos_are_accepted_and_published_with_it() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    for qos in 0..=2 {
        world.connect(&world.v5("c").will(Will::new(&topic, "gone").qos(qos))).drop_connection();
        let publish = watcher.expect_message("gone");
        // [MQTT5-3.1.2-12]
        assert_eq!(publish.qos, qos);
        watcher.acknowledge(&publish);
    }
}

#[test]
fn the_will_waits_for_its_delay() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let will = Will::new(&topic, "gone").property(Property::WillDelayInterval(1));
    let client = world.connect(&world.v5("c").session_expiry(60).will(will));
    let since = Stopwatch::new();
    client.drop_connection();
    watcher.expect_message("gone");
    // [MQTT5-3.1.2-8]
    assert!(since.elapsed() >= Duration::from_millis(900), "after {:?}", since.elapsed());
}

#[test]
fn the_end_of_the_session_ends_the_will_delay() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let will = Will::new(&topic, "gone").property(Property::WillDelayInterval(60));
    world.connect(&world.v5("c").session_expiry(1).will(will.clone())).drop_connection();
    // [MQTT5-3.1.2-8]
    watcher.expect_message("gone");
    world.connect(&world.v5("c").will(will)).drop_connection();
    // [MQTT5-3.1.2-8] Without Session Expiry Interval the session ends with the connection.
    watcher.expect_message("gone");
}

#[test]
fn a_new_session_of_the_same_client_publishes_the_delayed_will_of_the_old_one() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let will = Will::new(&topic, "gone").property(Property::WillDelayInterval(60));
    world.connect(&world.v5("c").session_expiry(60).will(will)).drop_connection();
    let _again = world.client("c");
    // [MQTT5-3.1.2-8] Clean Start ends the old session, and with it the delay.
    watcher.expect_message("gone");
}

#[test]
fn a_client_that_comes_back_in_time_cancels_its_delayed_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let will = Will::new(&topic, "gone").property(Property::WillDelayInterval(1));
    world.connect(&world.v5("c").session_expiry(60).will(will)).drop_connection();
    let _again = world.connect(&world.v5("c").resume().session_expiry(60));
    // [MQTT5-3.1.3-9]
    watcher.expect_silence(Duration::from_millis(1_800));
}

#[test]
fn the_will_carries_its_properties() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic);
    let mut will = Will::new(&topic, "gone")
        .property(Property::PayloadFormatIndicator(1))
        .property(Property::MessageExpiryInterval(100))
        .property(Property::ContentType("text/plain".to_owned()))
        .property(Property::ResponseTopic("answer/here".to_owned()))
        .property(Property::CorrelationData(vec![0, 255, 1]));
    let pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("b", "1")];
    for (name, value) in pairs {
        will = will.property(Property::user(name, value));
    }
    world.connect(&world.v5("c").will(will)).drop_connection();
    let publish = watcher.expect_message("gone");
    // [MQTT5-3.3.2-4]
    assert_eq!(publish.properties.payload_format_indicator(), Some(1));
    // [MQTT5-3.3.2-20]
    assert_eq!(publish.properties.content_type().as_deref(), Some("text/plain"));
    // [MQTT5-3.3.2-15]
    assert_eq!(publish.properties.response_topic().as_deref(), Some("answer/here"));
    // [MQTT5-3.3.2-16]
    assert_eq!(publish.properties.correlation_data(), Some(vec![0, 255, 1]));
    let expiry = publish.properties.message_expiry_interval();
    assert!(expiry.is_some_and(|secs| (98..=100).contains(&secs)), "Message Expiry Interval {expiry:?}");
    // [MQTT5-3.1.3-10]
    assert_eq!(publish.properties.user_properties(), pairs);
}
