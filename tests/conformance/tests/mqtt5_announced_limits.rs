//! MQTT 5.0 chapter 3.2.2.3: what a server with narrow limits announces, and what it does to a client that ignores it.
//!
//! These tests start a broker of their own, configured narrowly. A target from outside cannot be configured: for it
//! the tests beside this file hold, which read the limits from CONNACK.

use std::time::Duration;

use tidegate_conformance::{Filter, Packet, Property, Publish, Stopwatch, Subscribe, Version, World};

#[test]
fn a_narrow_receive_maximum_is_announced_and_enforced() {
    let Some(world) = World::configured("[limits]\nreceive_maximum = 2") else { return };
    let mut client = world.client("c");
    assert_eq!(client.connack().properties.receive_maximum(), Some(2));
    for id in [1, 2] {
        client.send_publish(&Publish::new("t", "").qos(2).id(id));
        client.expect_pubrec(id);
    }
    client.send_publish(&Publish::new("t", "").qos(1).id(3));
    // [MQTT5-3.3.4-7]
    client.expect_disconnect(0x93);
}

#[test]
fn without_topic_alias_maximum_every_alias_is_invalid() {
    let Some(world) = World::configured("[limits]\ntopic_alias_maximum = 0") else { return };
    let mut client = world.client("c");
    assert_eq!(client.connack().properties.topic_alias_maximum().unwrap_or(0), 0);
    client.send_publish(&Publish::new("t", "x").property(Property::TopicAlias(1)));
    // [MQTT5-3.2.2-18]
    client.expect_disconnect(0x94);
}

#[test]
fn a_server_keep_alive_is_announced_and_enforced() {
    let Some(world) = World::configured("[limits]\nkeep_alive_max_secs = 1") else { return };
    for asked in [0, 60] {
        let since = Stopwatch::new();
        let mut client = world.connect(&world.v5("c").keep_alive(asked));
        assert_eq!(client.connack().properties.server_keep_alive(), Some(1), "asked for {asked}");
        // [MQTT5-3.1.2-22]
        client.expect_disconnect(0x8d);
        assert!(since.elapsed() < Duration::from_secs(3), "after {:?}", since.elapsed());
    }
}

#[test]
fn a_shortened_session_expiry_is_announced_and_enforced() {
    let Some(world) = World::configured("[limits]\nsession_expiry_max_secs = 1\nsession_expiry_v3_secs = 1")
    else {
        return;
    };
    let client = world.connect(&world.v5("c").session_expiry(60));
    assert_eq!(client.connack().properties.session_expiry_interval(), Some(1));
    client.disconnect();
    world.client("clock").expect_silence(Duration::from_millis(2_200));
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn a_narrow_maximum_packet_size_is_announced_and_enforced() {
    let Some(world) =
        World::configured("[limits]\npacket_bytes_max = 1024\npacket_bytes_before_connect_max = 1024")
    else {
        return;
    };
    let mut client = world.client("c");
    assert_eq!(client.connack().properties.maximum_packet_size(), Some(1024));
    let header = Publish::new("t", "").bytes(Version::V5).len() + 1;
    client.publish(Publish::new("t", vec![0; 1024 - header]));
    client.expect_nothing_before_ping();
    client.send_publish(&Publish::new("t", vec![0; 1025 - header]));
    // [MQTT5-3.2.2-15]
    client.expect_disconnect(0x95);
}

#[test]
fn a_connect_that_does_not_come_is_not_waited_for() {
    let Some(world) = World::configured("[limits]\nconnect_timeout_secs = 1") else { return };
    let mut silent = world.open(Version::V5);
    let mut half = world.v5("half").bytes();
    half.truncate(9);
    let mut half = world.attempt_bytes(&half);
    silent.expect_closed();
    half.expect_not_connected();
}

#[test]
fn more_user_properties_than_allowed_end_the_connection_of_their_sender() {
    let Some(world) = World::configured("[limits]\nuser_properties_max = 3") else { return };
    let topic = world.topic("t");
    let with =
        |count| (0..count).fold(Publish::new(&topic, "x"), |p, _| p.property(Property::user("k", "v")));
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    client.publish(with(3));
    client.expect_message("x");
    client.publish(with(4));
    client.expect_disconnect(0x97);
}

#[test]
fn a_queue_at_its_bound_drops_and_keeps_what_it_has() {
    let Some(world) = World::configured("[limits]\nqueue_messages_max = 5") else { return };
    let topic = world.topic("t");
    let mut sleeper = world.connect(&world.v5("c").session_expiry(60));
    sleeper.subscribe(&topic, 1);
    sleeper.disconnect();
    let mut publisher = world.client("pub");
    for n in 0..10 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(1));
    }
    let mut back = world.connect(&world.v5("c").resume());
    for n in 0..5 {
        back.expect_message(&n.to_string());
    }
    back.expect_nothing_before_ping();
}

#[test]
fn filters_beyond_the_bound_of_a_subscribe_are_refused_one_by_one() {
    let Some(world) = World::configured("[limits]\nfilters_per_subscribe_max = 2") else { return };
    let mut client = world.client("c");
    let filters: Vec<Filter> = ["a", "b", "c"].iter().map(|filter| Filter::new(filter, 1)).collect();
    // [MQTT5-3.8.4-6]
    assert_eq!(client.subscribe_with(&Subscribe::new(filters)).reasons, [0x01, 0x01, 0x97]);
}

#[test]
fn filters_beyond_the_bound_of_a_session_are_refused_until_one_is_given_up() {
    let Some(world) = World::configured("[limits]\nfilters_per_session_max = 2") else { return };
    let mut client = world.client("c");
    client.subscribe("a", 0);
    client.subscribe("b", 0);
    // [MQTT5-3.8.4-7]
    assert_eq!(client.subscribe_with(&Subscribe::one(Filter::new("c", 0))).reasons, [0x97]);
    client.subscribe("a", 1);
    client.unsubscribe(&["b"]);
    client.subscribe("c", 0);
}

#[test]
fn topics_with_too_many_levels_are_refused() {
    let Some(world) = World::configured("[limits]\ntopic_levels_max = 3") else { return };
    let mut client = world.client("c");
    client.subscribe("a/b/c", 0);
    // [MQTT5-3.8.4-7]
    assert_eq!(client.subscribe_with(&Subscribe::one(Filter::new("a/b/c/d", 0))).reasons, [0x8f]);
    client.publish(Publish::new("a/b/c", "x"));
    client.expect_message("x");
    client.send_publish(&Publish::new("a/b/c/d", "x").qos(1).id(9));
    match client.receive() {
        // [MQTT5-3.4.2-1]
        Packet::Puback(puback) => assert_eq!(puback.reason, 0x90),
        Packet::Disconnect { reason, .. } => assert_eq!(reason, 0x90),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn retained_messages_beyond_the_bound_are_delivered_and_not_kept() {
    let Some(world) = World::configured("shards = 1\n[limits]\nretained_messages_max = 200") else { return };
    let mut watcher = world.client("watcher");
    watcher.subscribe("r/+", 0);
    let mut publisher = world.client("pub");
    for n in 0..300 {
        publisher.publish(Publish::new(format!("r/{n}"), "x").qos(1).retained());
        watcher.expect_message("x");
    }
    let mut late = world.client("late");
    late.subscribe("r/+", 0);
    publisher.publish(Publish::new("r/end", "end"));
    let kept = (0..=300).take_while(|_| late.expect_publish().payload == b"x").count();
    // The messages of the server itself may take some of the places.
    assert!((100..=200).contains(&kept), "{kept} retained messages of at most 200");
}

#[test]
fn connections_beyond_the_bound_are_closed() {
    let Some(world) = World::configured("[limits]\nconnections_max = 2") else { return };
    let first = world.client("a");
    let mut second = world.client("b");
    world.attempt(&world.v5("c")).expect_not_connected();
    second.expect_nothing_before_ping();
    first.disconnect();
    second.expect_nothing_before_ping();
}

#[test]
fn without_anonymous_access_nobody_is_let_in() {
    let Some(world) = World::configured("allow_anonymous = false") else { return };
    let topic = world.topic("t");
    let mut bytes = world.v5("c").bytes();
    bytes.extend(Publish::new(&topic, "smuggled").qos(1).id(1).bytes(Version::V5));
    // [MQTT5-3.1.4-2]
    world.attempt_bytes(&bytes).expect_refusal(&[0x86, 0x87]);
    let named = world.v5("named").user_name("somebody");
    // [MQTT5-3.1.4-2] There is nobody who could know this user.
    world.attempt(&named).expect_refusal(&[0x86, 0x87]);
    let older = world.attempt(&world.v311("older")).expect_not_connected();
    assert!(matches!(older, None | Some(4 | 5)), "{older:?}");
}

#[test]
fn a_stopping_server_says_so() {
    let Some(world) = World::configured("") else { return };
    let mut client = world.client("c");
    let mut older = world.connect(&world.v311("older"));
    world.target().terminate();
    let Packet::Disconnect { reason, properties } = client.receive() else { panic!("expected DISCONNECT") };
    // [MQTT5-3.14.2-1]
    assert_eq!(reason, 0x8b);
    // [MQTT5-3.14.2-2]
    assert_eq!(properties.session_expiry_interval(), None);
    // [MQTT5-3.14.4-2]
    client.expect_closed();
    older.expect_closed();
}
