//! MQTT 3.1.1 chapters 3.1.2.4 to 3.1.2.7, 3.3.1.3 and 4.1: what the server keeps, for whom, and for how long.

use tidegate_conformance::{Publish, RawClient, Will, World, puback};

/// A client of Clean Session 1 that has subscribed to the topic.
fn watcher(world: &World, topic: &str, qos: u8) -> RawClient {
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(topic, qos);
    watcher
}

/// Publishes an end marker, so that a test can tell what came before it.
fn end(world: &World, topic: &str) {
    world.connect(&world.v311("ender")).publish(Publish::new(topic, "end").qos(1));
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
fn a_session_outlives_its_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    client.disconnect();
    let mut client = world.connect(&resume);
    end(&world, &topic);
    // [MQTT3-3.1.2-4] [MQTT3-3.1.4-3] [MQTT3-4.1.0-1] The subscription is there without another SUBSCRIBE.
    client.expect_message("end");
    client.drop_connection();
    let mut client = world.connect(&resume);
    // [MQTT3-3.1.2-4] Its loss ends a session as little as DISCONNECT does: the message was not acknowledged.
    client.expect_message("end");
}

#[test]
fn messages_wait_for_an_absent_client() {
    let world = World::new();
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&world.topic("a/+"), 2);
    client.disconnect();
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2] {
        publisher.publish(Publish::new(world.topic("a/b"), format!("qos {qos}")).qos(qos));
    }
    publisher.publish(Publish::new(world.topic("elsewhere"), "unasked").qos(1));
    publisher.disconnect();
    let mut client = world.connect(&resume);
    for qos in [1, 2] {
        // [MQTT3-3.1.2-5]
        let publish = client.expect_message(&format!("qos {qos}"));
        assert_eq!(publish.qos, qos);
        client.acknowledge(&publish);
    }
    hears_nothing_else(&world, &mut client);
}

#[test]
fn clean_session_discards_what_was_stored() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    client.disconnect();
    end(&world, &topic);
    let mut client = world.connect(&world.v311("c"));
    // [MQTT3-3.1.2-6] [MQTT3-3.1.4-3] The message that waited is gone.
    hears_nothing_else(&world, &mut client);
    client.subscribe(&topic, 1);
    client.disconnect();
    end(&world, &topic);
    let mut client = world.connect(&resume);
    // [MQTT3-3.1.2-6] The clean session has left nothing either.
    assert!(!client.connack().session_present);
    end(&world, &topic);
    // [MQTT3-3.1.2-6] The subscription has gone with its session, and what waited for it.
    hears_nothing_else(&world, &mut client);
}

#[test]
fn a_clean_session_lasts_as_long_as_its_connection() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&topic, 1);
    let mut publisher = world.connect(&world.v311("publisher"));
    for number in 0..50 {
        publisher.publish(Publish::new(&topic, number.to_string()).qos(1));
        // [MQTT3-4.1.0-2]
        let publish = client.expect_message(&number.to_string());
        client.send(&puback(publish.packet_id()));
    }
}

#[test]
fn a_retained_message_outlives_the_session_of_its_publisher() {
    let world = World::new();
    let topic = world.topic("t");
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    publisher.disconnect();
    // Another session of the same Client Identifier, so that the first is over for certain.
    world.connect(&world.v311("publisher")).disconnect();
    // [MQTT3-3.1.2-7]
    watcher(&world, &topic, 1).expect_message("kept");
}

#[test]
fn the_will_is_published_when_the_connection_is_lost() {
    let world = World::new();
    for qos in 0..=2 {
        let topic = world.topic(&format!("w{qos}"));
        let mut watcher = watcher(&world, &topic, 2);
        world.connect(&world.v311("c").will(Will::new(&topic, "gone").qos(qos))).drop_connection();
        // [MQTT3-3.1.2-8]
        let publish = watcher.expect_message("gone");
        // [MQTT3-3.1.2-9]
        assert_eq!((publish.qos, publish.retain), (qos, false));
    }
}

#[test]
fn the_will_is_published_when_the_server_ends_the_connection() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic, 0);
    let with_will = world.v311("c").will(Will::new(&topic, "gone"));
    let mut client = world.connect(&with_will);
    client.send(&with_will.bytes());
    client.expect_closed();
    // [MQTT3-3.1.2-8] After a violation.
    watcher.expect_message("gone");
    let mut earlier = world.connect(&with_will);
    let _later = world.connect(&world.v311("c"));
    earlier.expect_closed();
    // [MQTT3-3.1.2-8] After another connection of the same client.
    watcher.expect_message("gone");
}

#[test]
fn a_will_that_was_published_is_gone() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic, 0);
    let resume = world.v311("c").resume();
    world.connect(&resume.clone().will(Will::new(&topic, "gone"))).drop_connection();
    watcher.expect_message("gone");
    // The session continues without a Will. The third connection ends the second for certain.
    world.connect(&resume).drop_connection();
    world.connect(&resume).disconnect();
    end(&world, &topic);
    // [MQTT3-3.1.2-10]
    watcher.expect_message("end");
}

#[test]
fn a_will_that_disconnect_has_revoked_is_gone() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = watcher(&world, &topic, 0);
    let resume = world.v311("c").resume();
    world.connect(&resume.clone().will(Will::new(&topic, "gone"))).disconnect();
    world.connect(&resume).drop_connection();
    world.connect(&resume).disconnect();
    end(&world, &topic);
    // [MQTT3-3.1.2-10]
    watcher.expect_message("end");
}

#[test]
fn without_a_will_nothing_is_published() {
    let world = World::new();
    let everything = world.topic("#");
    let mut watcher = watcher(&world, &everything, 0);
    world.connect(&world.v311("c")).drop_connection();
    world.connect(&world.v311("c")).disconnect();
    end(&world, &world.topic("t"));
    // [MQTT3-3.1.2-12]
    watcher.expect_message("end");
}

#[test]
fn will_retain_decides_whether_the_will_is_retained() {
    let world = World::new();
    let (plain, retained) = (world.topic("plain"), world.topic("retained"));
    let mut watcher = watcher(&world, &world.topic("+"), 0);
    world.connect(&world.v311("c").will(Will::new(&plain, "gone"))).drop_connection();
    watcher.expect_message("gone");
    world.connect(&world.v311("c").will(Will::new(&retained, "gone").retained())).drop_connection();
    watcher.expect_message("gone");
    let mut late = world.connect(&world.v311("late"));
    late.subscribe(&plain, 0);
    // [MQTT3-3.1.2-16]
    hears_nothing_else(&world, &mut late);
    late.subscribe(&retained, 0);
    // [MQTT3-3.1.2-17]
    assert!(late.expect_message("gone").retain);
}

#[test]
fn a_retained_message_is_kept_with_its_qos() {
    let world = World::new();
    let mut publisher = world.connect(&world.v311("publisher"));
    for qos in [1, 2] {
        let topic = world.topic(&format!("qos{qos}"));
        publisher.publish(Publish::new(&topic, "kept").qos(qos).retained());
        // [MQTT3-3.3.1-5]
        assert_eq!(watcher(&world, &topic, 2).expect_message("kept").qos, qos);
    }
}

#[test]
fn a_new_subscription_brings_the_last_retained_message_of_each_topic() {
    let world = World::new();
    let mut publisher = world.connect(&world.v311("publisher"));
    for (rest, payload) in [("r/a", "old"), ("r/b", "b"), ("r/a", "a"), ("elsewhere", "unasked")] {
        publisher.publish(Publish::new(world.topic(rest), payload).qos(1).retained());
    }
    let mut client = watcher(&world, &world.topic("r/+"), 1);
    let mut payloads: Vec<String> =
        client.expect_publishes(2).iter().map(|publish| publish.text().to_owned()).collect();
    payloads.sort();
    // [MQTT3-3.3.1-6]
    assert_eq!(payloads, ["a", "b"]);
    hears_nothing_else(&world, &mut client);
}

#[test]
fn a_retained_qos_0_message_discards_the_one_before() {
    let world = World::new();
    let topic = world.topic("t");
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "old").qos(2).retained());
    publisher.publish(Publish::new(&topic, "new").retained());
    publisher.expect_nothing_before_ping();
    // [MQTT3-3.3.1-7]
    watcher(&world, &topic, 2).expect_message("new");
}

#[test]
fn the_retain_flag_tells_a_retained_message_from_a_live_one() {
    let world = World::new();
    let topic = world.topic("t");
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    let mut client = watcher(&world, &topic, 0);
    // [MQTT3-3.3.1-8]
    assert!(client.expect_message("kept").retain);
    publisher.publish(Publish::new(&topic, "live").qos(1).retained());
    // [MQTT3-3.3.1-9]
    assert!(!client.expect_message("live").retain);
}

#[test]
fn an_empty_retained_message_is_delivered_and_removes_the_one_before() {
    let world = World::new();
    let topic = world.topic("t");
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    let mut client = watcher(&world, &topic, 0);
    client.expect_message("kept");
    publisher.publish(Publish::new(&topic, "").qos(1).retained());
    // [MQTT3-3.3.1-10]
    assert!(!client.expect_message("").retain);
    // [MQTT3-3.3.1-10] [MQTT3-3.3.1-11] Neither the old message nor the empty one is there.
    hears_nothing_else(&world, &mut watcher(&world, &topic, 0));
}

#[test]
fn an_empty_message_is_not_retained_where_nothing_was() {
    let world = World::new();
    let topic = world.topic("t");
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "").qos(1).retained());
    // [MQTT3-3.3.1-11]
    hears_nothing_else(&world, &mut watcher(&world, &topic, 0));
}

#[test]
fn a_message_that_is_not_retained_leaves_the_retained_one() {
    let world = World::new();
    let (kept, bare) = (world.topic("kept"), world.topic("bare"));
    let mut publisher = world.connect(&world.v311("publisher"));
    publisher.publish(Publish::new(&kept, "kept").qos(1).retained());
    for payload in ["live", ""] {
        publisher.publish(Publish::new(&kept, payload).qos(1));
        publisher.publish(Publish::new(&bare, payload).qos(1));
    }
    // [MQTT3-3.3.1-12] It neither replaces nor removes.
    watcher(&world, &kept, 0).expect_message("kept");
    // [MQTT3-3.3.1-12] It is not stored.
    hears_nothing_else(&world, &mut watcher(&world, &bare, 0));
}
