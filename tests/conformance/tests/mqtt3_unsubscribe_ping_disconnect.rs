//! MQTT 3.1.1 chapters 3.10 to 3.14: UNSUBSCRIBE, PINGREQ and DISCONNECT.

use tidegate_conformance::{
    Filter, Publish, RawClient, Subscribe, Version, Will, Wire, World, disconnect, frame, puback, pubcomp,
    pubrec, unsubscribe,
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
fn an_unsubscribe_with_other_flags_ends_the_connection() {
    let world = World::new();
    let topic = world.topic("t");
    for flags in [0x0, 0x1, 0x3, 0x6, 0xa] {
        let mut bytes = unsubscribe(1, &[&topic], Version::V311);
        bytes[0] = 0xa0 | flags;
        // [MQTT3-3.10.1-1]
        violates(&world, &format!("UNSUBSCRIBE with flags {flags:04b}"), &bytes);
    }
}

#[test]
fn the_filters_of_unsubscribe_are_utf8_strings_side_by_side() {
    let world = World::new();
    let topic = world.topic("t");
    let ill_formed = frame(0xa2, &Wire::new().u16(1).data(&topic).data([0xc3, 0x28]).bytes());
    // [MQTT3-3.10.3-1]
    violates(&world, "UNSUBSCRIBE from C3 28", &ill_formed);
    let with_gap = frame(0xa2, &Wire::new().u16(1).data(&topic).byte(0).bytes());
    // [MQTT3-3.10.3-1]
    violates(&world, "UNSUBSCRIBE with a byte behind its filter", &with_gap);
}

#[test]
fn an_unsubscribe_without_filters_ends_the_connection() {
    let world = World::new();
    // [MQTT3-3.10.3-2]
    violates(&world, "UNSUBSCRIBE without payload", &frame(0xa2, &[0, 1]));
}

#[test]
fn only_the_very_same_filter_is_unsubscribed() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&world.topic("a/+"), 0);
    let others = ["a/b", "a/#", "a/+/", "/a/+", "A/+", "+/+"].map(|rest| world.topic(rest));
    client.unsubscribe(&others.each_ref().map(String::as_str));
    client.publish(Publish::new(world.topic("a/b"), "still"));
    // [MQTT3-3.10.4-1]
    client.expect_message("still");
    client.unsubscribe(&[&world.topic("a/+")]);
    client.publish(Publish::new(world.topic("a/b"), "no longer"));
    // [MQTT3-3.10.4-1] [MQTT3-3.10.4-2]
    client.expect_nothing_before_ping();
}

#[test]
fn nothing_new_is_added_for_a_client_once_it_has_unsubscribed() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    client.unsubscribe(&[&topic]);
    client.disconnect();
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "late").qos(2));
    let mut client = world.connect(&resume);
    // [MQTT3-3.10.4-2]
    hears_nothing_else(&world, &mut client);
}

#[test]
fn a_qos_2_delivery_that_had_begun_is_completed_after_unsubscribe() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 2);
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "x").qos(2));
    let id = client.expect_message("x").packet_id();
    client.unsubscribe(&[&topic]);
    client.send(&pubrec(id));
    // [MQTT3-3.10.4-3]
    client.expect_pubrel(id);
    client.send(&pubcomp(id));
    client.expect_nothing_before_ping();
}

#[test]
fn a_qos_1_delivery_that_had_begun_is_repeated_after_unsubscribe() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "x").qos(1));
    let id = client.expect_message("x").packet_id();
    client.unsubscribe(&[&topic]);
    client.drop_connection();
    let mut client = world.connect(&resume);
    // [MQTT3-3.10.4-3]
    assert_eq!(client.expect_message("x").packet_id(), id);
    client.send(&puback(id));
    client.expect_nothing_before_ping();
}

#[test]
fn an_unsubscribe_is_answered_under_its_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 0);
    client.send(&unsubscribe(0xabcd, &[&topic], Version::V311));
    // [MQTT3-3.10.4-4]
    client.expect_unsuback(0xabcd);
    client.send(&unsubscribe(0xabce, &[&topic], Version::V311));
    // [MQTT3-3.10.4-5] Nothing was left to delete.
    let unsuback = client.expect_unsuback(0xabce);
    assert!(unsuback.reasons.is_empty(), "an UNSUBACK of 3.1.1 has no payload: {unsuback:?}");
}

#[test]
fn several_filters_in_one_unsubscribe_end_several_subscriptions() {
    let world = World::new();
    let topics = ["a", "b", "c"].map(|rest| world.topic(rest));
    let mut client = world.connect(&world.v311("c"));
    client.subscribe_with(&Subscribe::new(topics.each_ref().map(|topic| Filter::new(topic, 0))));
    client.unsubscribe(&[&topics[0], &world.topic("never subscribed"), &topics[2]]);
    for topic in &topics {
        client.publish(Publish::new(topic, "x"));
    }
    // [MQTT3-3.10.4-6]
    assert_eq!(client.expect_message("x").topic(), topics[1]);
    // [MQTT3-3.10.4-6] Neither another message nor another UNSUBACK comes.
    client.expect_nothing_before_ping();
}

#[test]
fn every_pingreq_is_answered() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.send(&[0xc0, 0, 0xc0, 0, 0xc0, 0]);
    for _ in 0..3 {
        // [MQTT3-3.12.4-1]
        client.expect_pingresp();
    }
}

#[test]
fn a_disconnect_with_reserved_flags_is_no_disconnect() {
    let world = World::new();
    for flags in [1, 2, 4, 8] {
        let topic = world.topic("w");
        let mut watcher = world.connect(&world.v311("watcher"));
        watcher.subscribe(&topic, 0);
        let mut client = world.connect(&world.v311("c").will(Will::new(&topic, "gone")));
        client.send(&[0xe0 | flags, 0]);
        client.expect_closed();
        // [MQTT3-3.14.1-1] The connection ends by a violation, so the Will is published.
        watcher.expect_message("gone");
    }
}

#[test]
fn a_disconnect_discards_the_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    world.connect(&world.v311("c").will(Will::new(&topic, "gone").qos(1).retained())).disconnect();
    world.connect(&world.v311("ender")).publish(Publish::new(&topic, "end"));
    // [MQTT3-3.14.4-3]
    watcher.expect_message("end");
}

#[test]
fn what_follows_a_disconnect_has_no_effect() {
    let world = World::new();
    let topic = world.topic("t");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    let mut bytes = disconnect();
    bytes.extend(Publish::new(&topic, "behind").bytes(Version::V311));
    world.connect(&world.v311("c")).disconnect_with(&bytes);
    world.connect(&world.v311("ender")).publish(Publish::new(&topic, "end"));
    // [MQTT3-3.14.4-2]
    watcher.expect_message("end");
}
