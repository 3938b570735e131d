//! MQTT 3.1: what differs from 3.1.1, and the flows on which its clients rest. The ids are our own.

use std::time::Duration;

use tidegate_conformance::{
    Connect, Filter, Publish, RawClient, Subscribe, Version, Will, Wire, World, frame, pingreq, pubcomp,
    pubrec,
};

/// A CONNECT of 3.1 with these flags and this payload.
fn connect_of(level: u8, flags: u8, payload: Wire) -> Vec<u8> {
    frame(0x10, &Wire::new().data("MQIsdp").byte(level).byte(flags).u16(60).raw(&payload.bytes()).bytes())
}

/// A Network Connection of 3.1 on which these bytes were sent and nothing read.
fn attempt(world: &World, bytes: &[u8]) -> RawClient {
    let mut client = world.open(Version::V31);
    client.send(bytes);
    client
}

/// A subscriber and a publisher of 3.1.
fn pair(world: &World, topic: &str, qos: u8) -> (RawClient, RawClient) {
    let mut subscriber = world.connect(&world.v31("sub"));
    subscriber.subscribe(topic, qos);
    (subscriber, world.connect(&world.v31("pub")))
}

/// Proves that the client has nothing else to hear: a retained message of another subscription comes next. A PINGRESP
/// would prove less, since the messages of a subscription may follow it.
#[track_caller]
fn hears_nothing_else(world: &World, client: &mut RawClient) {
    let marker = world.topic("marker");
    world.connect(&world.v31("marker")).publish(Publish::new(&marker, "marker").qos(1).retained());
    client.subscribe(&marker, 0);
    client.expect_message("marker");
}

#[test]
fn mqisdp_with_level_3_is_served() {
    let world = World::new();
    let mut client = world.attempt(&world.v31("c"));
    // [MQTT31-connect-protocol-name]
    assert_eq!(client.expect_connack().reason, 0);
    client.expect_nothing_before_ping();
}

#[test]
fn mqisdp_with_another_level_is_refused_with_return_code_one() {
    let world = World::new();
    for level in [0, 2, 4] {
        let mut client = attempt(&world, &connect_of(level, 2, Wire::new().data(world.id("c"))));
        // [MQTT31-connect-version]
        client.expect_refused(&[1]);
    }
}

#[test]
fn an_empty_client_identifier_is_refused_with_return_code_two() {
    let world = World::new();
    for connect in [Connect::v31(""), Connect::v31("").resume()] {
        // [MQTT31-connect-client-id]
        world.attempt(&connect).expect_refused(&[2]);
    }
}

#[test]
fn a_client_identifier_of_more_than_23_characters_is_refused_with_return_code_two() {
    let world = World::new();
    let longest = format!("{:x<23}", world.tag());
    // [MQTT31-connect-client-id]
    assert_eq!(world.attempt(&Connect::v31(&longest)).expect_connack().reason, 0);
    // [MQTT31-connect-client-id]
    world.attempt(&Connect::v31(format!("{longest}x"))).expect_refused(&[2]);
}

#[test]
fn a_client_that_connects_again_ends_its_earlier_connection() {
    let world = World::new();
    let mut earlier = world.connect(&world.v31("c"));
    let mut later = world.connect(&world.v31("c"));
    // [MQTT31-connect-takeover]
    earlier.expect_closed();
    // [MQTT31-connect-takeover]
    later.expect_nothing_before_ping();
}

#[test]
fn user_name_and_password_may_be_missing_where_the_packet_ends() {
    let world = World::new();
    let id = Wire::new().data(world.id("c"));
    let connects = [
        ("no User Name", connect_of(3, 0x82, id.clone())),
        ("neither User Name nor Password", connect_of(3, 0xc2, id.clone())),
        ("no Password", connect_of(3, 0xc2, id.data("user"))),
    ];
    for (what, bytes) in connects {
        // [MQTT31-connect-length]
        assert_eq!(attempt(&world, &bytes).expect_connack().reason, 0, "{what}");
    }
}

#[test]
fn a_session_waits_for_its_client() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v31("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    client.disconnect();
    let mut publisher = world.connect(&world.v31("pub"));
    publisher.publish(Publish::new(&topic, "one").qos(1));
    publisher.publish(Publish::new(&topic, "two").qos(2));
    let mut client = world.connect(&resume);
    // [MQTT31-connack-reserved]
    assert!(!client.connack().session_present, "3.1 has no Session Present");
    for payload in ["one", "two"] {
        // [MQTT31-connect-session]
        let publish = client.expect_message(payload);
        client.acknowledge(&publish);
    }
}

#[test]
fn clean_session_forgets_what_was_stored() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v31("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    client.disconnect();
    let mut publisher = world.connect(&world.v31("pub"));
    publisher.publish(Publish::new(&topic, "missed").qos(1));
    let mut client = world.connect(&world.v31("c"));
    publisher.publish(Publish::new(&topic, "not subscribed").qos(1));
    // [MQTT31-connect-clean-session]
    hears_nothing_else(&world, &mut client);
}

#[test]
fn a_silent_client_is_disconnected_and_its_will_published() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v31("watcher"));
    watcher.subscribe(&topic, 0);
    let mut silent = world.connect(&world.v31("c").keep_alive(1).will(Will::new(&topic, "gone")));
    silent.expect_silence(Duration::from_millis(900));
    // [MQTT31-connect-keep-alive]
    silent.expect_closed();
    // [MQTT31-connect-keep-alive]
    watcher.expect_message("gone");
}

#[test]
fn the_first_packet_must_be_connect() {
    let world = World::new();
    // [MQTT31-connect-first]
    attempt(&world, &pingreq()).expect_closed();
    // [MQTT31-connect-first]
    attempt(&world, &Publish::new(world.topic("t"), "x").bytes(Version::V31)).expect_closed();
}

#[test]
fn the_will_is_published_with_its_qos_and_retain_flag() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v31("watcher"));
    watcher.subscribe(&topic, 2);
    world.connect(&world.v31("c").will(Will::new(&topic, "gone").qos(2).retained())).drop_connection();
    // [MQTT31-will-published]
    assert_eq!(watcher.expect_message("gone").qos, 2);
    let mut late = world.connect(&world.v31("late"));
    late.subscribe(&topic, 2);
    // [MQTT31-will-published]
    assert!(late.expect_message("gone").retain);
}

#[test]
fn a_disconnect_revokes_the_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v31("watcher"));
    watcher.subscribe(&topic, 0);
    world.connect(&world.v31("c").will(Will::new(&topic, "gone"))).disconnect();
    world.connect(&world.v31("ender")).publish(Publish::new(&topic, "end"));
    // [MQTT31-will-revoked]
    watcher.expect_message("end");
}

#[test]
fn a_topic_name_with_a_wildcard_ends_the_connection() {
    let world = World::new();
    let mut watcher = world.connect(&world.v31("watcher"));
    watcher.subscribe(&world.topic("#"), 0);
    for rest in ["a/+", "#"] {
        let mut client = world.connect(&world.v31("c"));
        client.send_publish(&Publish::new(world.topic(rest), "x"));
        // [MQTT31-publish-wildcard]
        client.expect_closed();
    }
    world.connect(&world.v31("ender")).publish(Publish::new(world.topic("t"), "end"));
    // [MQTT31-publish-wildcard]
    watcher.expect_message("end");
}

#[test]
fn a_retained_message_is_kept_until_an_empty_one_comes() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 1);
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    // [MQTT31-publish-retain]
    assert!(!subscriber.expect_message("kept").retain);
    let mut late = world.connect(&world.v31("late"));
    late.subscribe(&topic, 1);
    // [MQTT31-publish-retain]
    assert!(late.expect_message("kept").retain);
    publisher.publish(Publish::new(&topic, "").qos(1).retained());
    let mut later = world.connect(&world.v31("later"));
    later.subscribe(&topic, 1);
    // [MQTT31-publish-retain-empty]
    hears_nothing_else(&world, &mut later);
}

#[test]
fn at_qos_1_a_message_is_acknowledged_under_its_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 1);
    publisher.send_publish(&Publish::new(&topic, "x").qos(1).id(0x1234));
    // [MQTT31-qos-1]
    publisher.expect_puback(0x1234);
    let publish = subscriber.expect_message("x");
    // [MQTT31-qos-1]
    assert_eq!((publish.qos, publish.dup), (1, false));
}

#[test]
fn at_qos_2_a_repeated_message_is_delivered_once() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 2);
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7));
    // [MQTT31-qos-2]
    publisher.expect_pubrec(7);
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(7).dup());
    // [MQTT31-qos-2]
    publisher.expect_pubrec(7);
    // A PUBREL that is sent again carries DUP.
    publisher.send(&[0x6a, 2, 0, 7]);
    // [MQTT31-qos-2] [MQTT31-fixed-header]
    publisher.expect_pubcomp(7);
    let id = subscriber.expect_message("x").packet_id();
    subscriber.send(&pubrec(id));
    // [MQTT31-qos-2]
    subscriber.expect_pubrel(id);
    subscriber.send(&pubcomp(id));
    // [MQTT31-qos-2]
    subscriber.expect_nothing_before_ping();
}

#[test]
fn subscribe_and_unsubscribe_may_carry_dup() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v31("c"));
    let mut subscribe = Subscribe::one(Filter::new(&topic, 1)).bytes(1, Version::V31);
    subscribe[0] = 0x8a;
    client.send(&subscribe);
    // [MQTT31-fixed-header]
    client.expect_suback(1);
    let mut unsubscribe = tidegate_conformance::unsubscribe(2, &[&topic], Version::V31);
    unsubscribe[0] = 0xaa;
    client.send(&unsubscribe);
    // [MQTT31-fixed-header]
    client.expect_unsuback(2);
}

#[test]
fn what_is_unacknowledged_is_sent_again_when_the_session_continues() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v31("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 2);
    let mut publisher = world.connect(&world.v31("pub"));
    publisher.publish(Publish::new(&topic, "one").qos(1));
    publisher.publish(Publish::new(&topic, "two").qos(2));
    let first = ["one", "two"].map(|payload| client.expect_message(payload).packet_id());
    client.drop_connection();
    let mut client = world.connect(&resume);
    for (payload, id) in ["one", "two"].into_iter().zip(first) {
        let publish = client.expect_message(payload);
        // [MQTT31-redelivery]
        assert_eq!((publish.dup, publish.packet_id()), (true, id));
    }
}

#[test]
fn suback_grants_in_the_order_of_the_filters() {
    let world = World::new();
    let mut client = world.connect(&world.v31("c"));
    let filters = ["a", "b", "c"].map(|rest| world.topic(rest));
    let subscribe: Vec<Filter> =
        filters.iter().zip([1, 2, 0]).map(|(filter, qos)| Filter::new(filter, qos)).collect();
    // [MQTT31-suback-granted]
    assert_eq!(client.subscribe_with(&Subscribe::new(subscribe)).reasons, [1, 2, 0]);
}

#[test]
fn a_message_is_delivered_at_the_lower_of_both_qos() {
    let world = World::new();
    let (low, high) = (world.topic("low"), world.topic("high"));
    let (mut subscriber, mut publisher) = pair(&world, &low, 0);
    subscriber.subscribe(&high, 2);
    publisher.publish(Publish::new(&low, "x").qos(2));
    // [MQTT31-subscribe-qos]
    assert_eq!(subscriber.expect_message("x").qos, 0);
    publisher.publish(Publish::new(&high, "x").qos(1));
    // [MQTT31-subscribe-qos]
    assert_eq!(subscriber.expect_message("x").qos, 1);
}

#[test]
fn wildcards_match_as_in_the_later_versions() {
    let world = World::new();
    let mut publisher = world.connect(&world.v31("pub"));
    let cases = [("p/+", "p/a", true), ("m/#", "m/a/b", true), ("m/#", "m", true), ("p/+", "p/a/b", false)];
    for (filter, name, matches) in cases {
        let mut client = world.connect(&world.v31("c"));
        client.subscribe(&world.topic(filter), 0);
        publisher.publish(Publish::new(world.topic(name), "x").qos(1));
        publisher.publish(Publish::new(world.topic(filter).replace(['+', '#'], "end"), "end").qos(1));
        // [MQTT31-subscribe-wildcards]
        client.expect_message(if matches { "x" } else { "end" });
    }
}

#[test]
fn an_unsubscribe_ends_the_subscription_and_is_answered() {
    let world = World::new();
    let topic = world.topic("t");
    let (mut subscriber, mut publisher) = pair(&world, &topic, 1);
    subscriber.send(&tidegate_conformance::unsubscribe(0x4321, &[&topic], Version::V31));
    // [MQTT31-unsubscribe]
    subscriber.expect_unsuback(0x4321);
    publisher.publish(Publish::new(&topic, "x").qos(1));
    // [MQTT31-unsubscribe]
    hears_nothing_else(&world, &mut subscriber);
}

#[test]
fn a_pingreq_is_answered() {
    let world = World::new();
    let mut client = world.connect(&world.v31("c"));
    client.send(&pingreq());
    // [MQTT31-pingreq]
    client.expect_pingresp();
}

#[test]
fn clients_of_all_versions_exchange_messages() {
    let world = World::new();
    let topic = world.topic("t");
    let connects = [world.v31("a"), world.v311("b"), world.v5("c")];
    let mut clients = connects.map(|connect| {
        let mut client = world.connect(&connect);
        client.subscribe(&topic, 2);
        client
    });
    for from in 0..clients.len() {
        let payload = format!("{:?}", clients[from].version());
        clients[from].publish(Publish::new(&topic, &payload).qos(2));
        for client in &mut clients {
            // [MQTT31-versions]
            let publish = client.expect_message(&payload);
            client.acknowledge(&publish);
        }
    }
}
