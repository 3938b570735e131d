//! MQTT 3.1.1 chapters 3.1 and 3.2: CONNECT and what CONNACK answers.

use std::time::Duration;

use tidegate_conformance::{
    Connect, Filter, Publish, RawClient, Stopwatch, Subscribe, Version, Will, Wire, World, disconnect, frame,
    pingreq, puback, pubrec, pubrel, unsubscribe,
};

/// A CONNECT with this name, level and flags, and this payload.
fn connect_of(name: &str, level: u8, flags: u8, payload: Wire) -> Vec<u8> {
    frame(0x10, &Wire::new().data(name).byte(level).byte(flags).u16(60).raw(&payload.bytes()).bytes())
}

/// A Network Connection of 3.1.1 on which these bytes were sent and nothing read.
fn attempt(world: &World, bytes: &[u8]) -> RawClient {
    let mut client = world.open(Version::V311);
    client.send(bytes);
    client
}

#[test]
fn the_first_packet_must_be_connect() {
    let world = World::new();
    let topic = world.topic("t");
    let first: [(&str, Vec<u8>); 9] = [
        ("PUBLISH", Publish::new(&topic, "x").bytes(Version::V311)),
        ("PUBACK", puback(1)),
        ("PUBREC", pubrec(1)),
        ("PUBREL", pubrel(1)),
        ("SUBSCRIBE", Subscribe::one(Filter::new(&topic, 0)).bytes(1, Version::V311)),
        ("UNSUBSCRIBE", unsubscribe(1, &[&topic], Version::V311)),
        ("PINGREQ", pingreq()),
        ("DISCONNECT", disconnect()),
        ("CONNACK", vec![0x20, 2, 0, 0]),
    ];
    for (what, bytes) in first {
        eprintln!("sending first: {what}");
        // [MQTT3-3.1.0-1]
        attempt(&world, &bytes).expect_closed();
    }
}

#[test]
fn a_second_connect_ends_the_connection() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.send(&world.v311("c").bytes());
    // [MQTT3-3.1.0-2]
    client.expect_closed();
}

#[test]
fn a_connect_with_another_protocol_name_is_not_served() {
    let world = World::new();
    for name in ["MQTX", "mqtt", "HTTP", ""] {
        eprintln!("protocol name {name:?}");
        let bytes = connect_of(name, 4, 2, Wire::new().data(world.id("c")));
        // [MQTT3-3.1.2-1]
        attempt(&world, &bytes).expect_end_of_unknown_version();
    }
}

#[test]
fn an_unknown_protocol_level_is_refused_with_return_code_one() {
    let world = World::new();
    for level in [0, 1, 2, 3] {
        eprintln!("protocol level {level}");
        let mut client = attempt(&world, &connect_of("MQTT", level, 2, Wire::new().data(world.id("c"))));
        // [MQTT3-3.1.2-2]
        client.expect_refused(&[1]);
    }
}

#[test]
fn a_connect_with_the_reserved_flag_is_closed_without_connack() {
    let world = World::new();
    let mut client = world.attempt(&world.v311("c").flags(0x03));
    // [MQTT3-3.1.2-3] [MQTT3-3.1.4-1] [MQTT3-3.2.2-6]
    client.expect_closed();
}

#[test]
fn without_a_will_its_qos_must_be_zero() {
    let world = World::new();
    for flags in [0x0a, 0x12, 0x1a] {
        let mut client = world.attempt(&world.v311("c").flags(flags));
        // [MQTT3-3.1.2-13]
        client.expect_closed();
    }
}

#[test]
fn without_a_will_nothing_says_that_it_is_retained() {
    let world = World::new();
    let mut client = world.attempt(&world.v311("c").flags(0x22));
    // [MQTT3-3.1.2-15]
    client.expect_closed();
}

#[test]
fn the_will_qos_must_not_be_three() {
    let world = World::new();
    let mut client = world.attempt(&world.v311("c").will(Will::new(world.topic("w"), "gone").qos(3)));
    // [MQTT3-3.1.2-14]
    client.expect_closed();
}

#[test]
fn the_will_flag_demands_topic_and_message() {
    let world = World::new();
    let id = world.id("c");
    let payloads = [
        ("no Will", Wire::new().data(&id)),
        ("no Will Message", Wire::new().data(&id).data(world.topic("w"))),
    ];
    for (what, payload) in payloads {
        eprintln!("{what}");
        // [MQTT3-3.1.2-9]
        attempt(&world, &connect_of("MQTT", 4, 0x06, payload)).expect_closed();
    }
}

#[test]
fn without_the_will_flag_there_is_no_will_in_the_payload() {
    let world = World::new();
    let payload = Wire::new().data(world.id("c")).data(world.topic("w")).data("gone");
    let mut client = attempt(&world, &connect_of("MQTT", 4, 0x02, payload));
    // [MQTT3-3.1.2-11]
    client.expect_closed();
}

#[test]
fn the_user_name_is_there_exactly_when_its_flag_says_so() {
    let world = World::new();
    let without_flag = connect_of("MQTT", 4, 0x02, Wire::new().data(world.id("c")).data("user"));
    // [MQTT3-3.1.2-18]
    attempt(&world, &without_flag).expect_closed();
    let without_name = connect_of("MQTT", 4, 0x82, Wire::new().data(world.id("c")));
    // [MQTT3-3.1.2-19]
    attempt(&world, &without_name).expect_closed();
}

#[test]
fn the_password_is_there_exactly_when_its_flag_says_so() {
    let world = World::new();
    let user = Wire::new().data(world.id("c")).data("user");
    let without_flag = connect_of("MQTT", 4, 0x82, user.clone().data("secret"));
    // [MQTT3-3.1.2-20]
    attempt(&world, &without_flag).expect_closed();
    let without_password = connect_of("MQTT", 4, 0xc2, user);
    // [MQTT3-3.1.2-21]
    attempt(&world, &without_password).expect_closed();
}

#[test]
fn there_is_no_password_without_a_user_name() {
    let world = World::new();
    let mut client = world.attempt(&world.v311("c").password("secret"));
    // [MQTT3-3.1.2-22]
    client.expect_closed();
}

#[test]
fn the_fields_of_the_payload_are_read_in_their_order() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    let client =
        world.connect(&world.v311("c").will(Will::new(&topic, "gone")).user_name("user").password("secret"));
    client.drop_connection();
    // [MQTT3-3.1.3-1]
    assert_eq!(watcher.expect_message("gone").topic(), topic);
}

#[test]
fn a_payload_without_client_identifier_is_no_connect() {
    let world = World::new();
    // [MQTT3-3.1.3-3]
    attempt(&world, &connect_of("MQTT", 4, 0x02, Wire::new())).expect_closed();
}

#[test]
fn the_strings_of_connect_must_be_utf8() {
    let world = World::new();
    let ill = [0xc3, 0x28];
    // [MQTT3-3.1.3-4]
    world.attempt(&Connect::v311(ill)).expect_closed();
    // [MQTT3-3.1.3-10]
    world.attempt(&world.v311("c").will(Will::new(ill, "gone"))).expect_closed();
    // [MQTT3-3.1.3-11]
    world.attempt(&world.v311("c").user_name(ill)).expect_closed();
}

#[test]
fn client_identifiers_of_1_to_23_letters_and_digits_are_allowed() {
    let world = World::new();
    for id in ["q", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"] {
        let mut client = world.attempt(&Connect::v311(id));
        // [MQTT3-3.1.3-5]
        assert_eq!(client.expect_connack().reason, 0, "Client Identifier {id}");
    }
}

#[test]
fn clients_with_an_empty_client_identifier_are_kept_apart() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&Connect::v311(""));
    first.subscribe(&topic, 0);
    let mut second = world.connect(&Connect::v311(""));
    second.subscribe(&topic, 0);
    second.publish(Publish::new(&topic, "to both"));
    // [MQTT3-3.1.3-6] Were they one client, the second would have ended the first.
    first.expect_message("to both");
    second.expect_message("to both");
}

#[test]
fn an_empty_client_identifier_needs_clean_session() {
    let world = World::new();
    let mut client = world.attempt(&Connect::v311("").resume());
    let connack = client.expect_connack();
    // [MQTT3-3.1.3-7] [MQTT3-3.1.3-8] [MQTT3-3.1.3-9]
    assert_eq!(connack.reason, 2);
    // [MQTT3-3.2.2-4]
    assert!(!connack.session_present);
    // [MQTT3-3.2.2-5]
    client.expect_closed();
}

#[test]
fn what_follows_a_rejected_connect_has_no_effect() {
    let world = World::new();
    let topic = world.topic("t");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    let mut bytes = Connect::v311("").resume().bytes();
    bytes.extend(Publish::new(&topic, "behind").retained().bytes(Version::V311));
    attempt(&world, &bytes).expect_refused(&[2]);
    world.connect(&world.v311("ender")).publish(Publish::new(&topic, "end"));
    // [MQTT3-3.1.4-5]
    watcher.expect_message("end");
}

#[test]
fn a_client_that_connects_again_ends_its_earlier_connection() {
    let world = World::new();
    let mut earlier = world.connect(&world.v311("c"));
    let mut later = world.attempt(&world.v311("c"));
    // [MQTT3-3.1.4-4]
    assert_eq!(later.expect_connack().reason, 0);
    // [MQTT3-3.1.4-2]
    earlier.expect_closed();
    later.expect_nothing_before_ping();
}

#[test]
fn other_client_identifiers_are_other_clients() {
    let world = World::new();
    let topic = world.topic("t");
    let mut lower = world.connect(&world.v311("c").resume());
    lower.subscribe(&topic, 1);
    let mut upper = world.connect(&world.v311("C").resume());
    // [MQTT3-3.1.3-2]
    assert!(!upper.connack().session_present, "the session belongs to another Client Identifier");
    upper.publish(Publish::new(&topic, "to the other").qos(1));
    lower.expect_message("to the other");
    upper.expect_nothing_before_ping();
}

#[test]
fn connack_comes_before_the_messages_that_waited() {
    let world = World::new();
    let topic = world.topic("t");
    let resume = world.v311("c").resume();
    let mut client = world.connect(&resume);
    client.subscribe(&topic, 1);
    client.disconnect();
    world.connect(&world.v311("publisher")).publish(Publish::new(&topic, "waited").qos(1));
    let mut client = world.attempt(&resume);
    // [MQTT3-3.2.0-1]
    assert_eq!(client.expect_connack().reason, 0);
    client.expect_message("waited");
}

#[test]
fn connack_says_whether_a_session_was_there() {
    let world = World::new();
    let resume = world.v311("c").resume();
    let client = world.connect(&resume);
    // [MQTT3-3.2.2-3]
    assert!(!client.connack().session_present, "nothing was stored");
    client.disconnect();
    let client = world.connect(&resume);
    // [MQTT3-3.2.2-2]
    assert!(client.connack().session_present, "the session was stored");
    client.disconnect();
    let client = world.connect(&world.v311("c"));
    // [MQTT3-3.2.2-1]
    assert!(!client.connack().session_present, "Clean Session 1 continues nothing");
}

#[test]
fn a_client_that_is_silent_beyond_its_keep_alive_is_disconnected() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    let mut silent = world.connect(&world.v311("c").keep_alive(2).will(Will::new(&topic, "gone")));
    let since = Stopwatch::new();
    silent.expect_silence(Duration::from_millis(1_900));
    // [MQTT3-3.1.2-24]
    silent.expect_closed();
    let elapsed = since.elapsed();
    // One and a half times the Keep Alive, and what a busy machine may add.
    assert!(elapsed < Duration::from_millis(4_500), "closed after {elapsed:?}");
    watcher.expect_message("gone");
}

#[test]
fn any_packet_within_the_keep_alive_keeps_the_connection() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c").keep_alive(1));
    for _ in 0..3 {
        client.expect_silence(Duration::from_millis(700));
        client.expect_nothing_before_ping();
    }
}
