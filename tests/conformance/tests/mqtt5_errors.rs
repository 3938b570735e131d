//! MQTT 5.0 chapter 4.13: what an error ends, what it leaves alone, and peers that do not behave.

use std::time::Duration;

use tidegate_conformance::{Property, Publish, Version, Wire, World, frame, pubrel, varint};

/// A message that no server may accept.
const QOS_3: [u8; 8] = [0x36, 6, 0, 1, b'a', 0, 1, 0];

#[test]
fn a_malformed_packet_ends_the_connection() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&QOS_3);
    // [MQTT5-4.13.1-1] [MQTT5-4.13.2-1]
    client.expect_disconnect(0x81);
}

#[test]
fn an_error_has_no_consequence_for_other_sessions() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 1);
    let mut culprit = world.client("culprit");
    culprit.publish(Publish::new(&topic, "before").qos(1));
    culprit.send(&QOS_3);
    culprit.expect_disconnect(0x81);
    world.client("pub").publish(Publish::new(&topic, "after").qos(1));
    subscriber.expect_message("before");
    subscriber.expect_message("after");
}

#[test]
fn what_came_before_the_error_is_served_and_what_follows_is_not() {
    let world = World::new();
    let topic = world.topic("t");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(&topic, 0);
    let mut culprit = world.client("culprit");
    let mut bytes = Publish::new(&topic, "before").bytes(Version::V5);
    bytes.extend(QOS_3);
    bytes.extend(Publish::new(&topic, "behind").bytes(Version::V5));
    culprit.send(&bytes);
    culprit.expect_disconnect(0x81);
    world.client("pub").publish(Publish::new(&topic, "end"));
    subscriber.expect_message("before");
    // [MQTT5-4.13.1-1]
    subscriber.expect_message("end");
}

#[test]
fn the_session_of_a_client_that_erred_can_be_resumed() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").session_expiry(60));
    client.subscribe(&world.topic("t"), 1);
    client.send(&QOS_3);
    client.expect_disconnect(0x81);
    // [MQTT5-3.1.2-23]
    assert!(world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn an_error_in_an_acknowledgement_has_no_consequence_for_other_packets() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&pubrel(999));
    assert_eq!(client.expect_pubcomp(999).reason, 0x92);
    client.expect_nothing_before_ping();
}

#[test]
fn a_packet_of_256_mb_is_refused_by_its_header() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&[0x30, 0xff, 0xff, 0xff, 0x7f]);
    match client.connack().properties.maximum_packet_size() {
        Some(_) => {
            client.expect_disconnect(0x95);
        }
        // Nothing was announced, so the server waits for the rest and keeps the connection.
        None => client.expect_silence(Duration::from_millis(200)),
    }
    world.client("other").expect_nothing_before_ping();
}

#[test]
fn a_first_packet_of_256_mb_is_not_waited_for() {
    let world = World::new();
    let mut client = world.attempt_bytes(&[0x10, 0xff, 0xff, 0xff, 0x7f]);
    client.expect_refusal(&[0x95, 0x81]);
}

#[test]
fn a_connection_that_never_says_connect_harms_nobody() {
    let world = World::new();
    let _silent: Vec<_> = (0..20).map(|_| world.open(Version::V5)).collect();
    let mut half = world.v5("half").bytes();
    half.truncate(5);
    let _half: Vec<_> = (0..20).map(|_| world.attempt_bytes(&half)).collect();
    world.client("other").expect_nothing_before_ping();
}

#[test]
fn bytes_of_another_protocol_are_not_served() {
    let world = World::new();
    let strangers: [(&str, &[u8]); 4] = [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("TLS", &[0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00]),
        ("ones", &[0xff; 64]),
        ("zeros", &[0; 64]),
    ];
    for (what, bytes) in strangers {
        eprintln!("sending first: {what}");
        // [MQTT5-3.1.0-1]
        world.attempt_bytes(bytes).expect_not_connected();
    }
}

#[test]
fn a_subscriber_that_never_reads_holds_nobody_up() {
    let world = World::new();
    let topic = world.topic("t");
    let mut deaf = world.client("deaf");
    deaf.subscribe(&topic, 0);
    let mut reader = world.client("reader");
    reader.subscribe(&topic, 0);
    let mut publisher = world.client("pub");
    let payload = "x".repeat(16 * 1024);
    for _ in 0..1_000 {
        publisher.publish(Publish::new(&topic, &payload));
        reader.expect_publish();
    }
    publisher.expect_nothing_before_ping();
}

#[test]
fn an_error_is_explained_where_the_client_wants_it() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&QOS_3);
    let explanation = client.expect_disconnect(0x81).reason_string();
    assert!(explanation.is_some_and(|text| !text.is_empty()), "DISCONNECT without Reason String");
}

#[test]
fn a_hundred_user_properties_are_forwarded() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    let many =
        (0..100).fold(Publish::new(&topic, "x"), |p, n| p.property(Property::user("k", &n.to_string())));
    client.send_publish(&many);
    // [MQTT5-3.3.2-17]
    assert_eq!(client.expect_message("x").properties.user_properties().len(), 100);
}

#[test]
fn a_length_that_lies_about_the_fields_is_malformed() {
    let world = World::new();
    let topic = world.topic("t");
    let short = Wire::new().byte(0x32).raw(&varint(4)).data(topic).bytes();
    // [MQTT5-4.13.1-1]
    world.violates("a QoS 1 PUBLISH that ends in its Topic Name", &short[..6], &[0x81]);
    // [MQTT5-4.13.1-1]
    world.violates("a SUBSCRIBE of two bytes", &frame(0x82, &[0, 1]), &[0x81, 0x82]);
}
