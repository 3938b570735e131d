//! MQTT 5.0 chapters 3.12 to 3.15: PINGREQ, DISCONNECT and AUTH.

use std::time::Duration;

use tidegate_conformance::{
    Connect, Packet, Property, Publish, Stopwatch, Version, Will, World, auth, disconnect, disconnect_with,
    frame, pingreq,
};

/// What a server may say in a DISCONNECT.
const DISCONNECT_REASONS: [u8; 27] = [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1,
];

#[test]
fn pingreq_is_answered_by_pingresp() {
    let world = World::new();
    let mut client = world.client("c");
    for _ in 0..3 {
        client.send(&pingreq());
        // [MQTT5-3.12.4-1]
        client.expect_pingresp();
    }
}

#[test]
fn a_pingreq_with_a_body_is_malformed() {
    let world = World::new();
    // [MQTT5-4.13.1-1]
    world.violates("PINGREQ with one byte", &frame(0xc0, &[0]), &[0x81]);
}

#[test]
fn a_silent_client_is_disconnected_after_one_and_a_half_keep_alives() {
    let world = World::new();
    let since = Stopwatch::new();
    let mut client = world.connect(&world.v5("c").keep_alive(1));
    // [MQTT5-3.1.2-22]
    client.expect_disconnect(0x8d);
    let elapsed = since.elapsed();
    // [MQTT5-3.1.2-22]
    assert!(
        (Duration::from_millis(1_400)..Duration::from_millis(3_000)).contains(&elapsed),
        "after {elapsed:?}"
    );
}

#[test]
fn any_packet_of_the_client_keeps_it_alive() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").keep_alive(1));
    for _ in 0..3 {
        client.expect_silence(Duration::from_millis(900));
        client.publish(Publish::new(world.topic("t"), "alive"));
    }
    client.expect_nothing_before_ping();
}

#[test]
fn messages_sent_to_a_client_do_not_keep_it_alive() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").keep_alive(1));
    client.subscribe(&topic, 0);
    let mut publisher = world.client("pub");
    for n in 0..40 {
        publisher.publish(Publish::new(&topic, n.to_string()));
        match client.receive_within(Duration::from_secs(5)) {
            Some(Packet::Publish(_)) => publisher.expect_silence(Duration::from_millis(100)),
            // [MQTT5-3.1.2-22]
            Some(Packet::Disconnect { reason, .. }) => return assert_eq!(reason, 0x8d),
            other => panic!("expected PUBLISH or DISCONNECT, got {other:?}"),
        }
    }
    panic!("the client was still connected after four seconds of silence");
}

#[test]
fn a_keep_alive_of_zero_is_never_enforced() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").keep_alive(0));
    if client.connack().properties.server_keep_alive().is_none() {
        client.expect_silence(Duration::from_millis(1_800));
        client.expect_nothing_before_ping();
    }
}

#[test]
fn the_reserved_bits_of_disconnect_must_be_zero() {
    let world = World::new();
    for flags in [0xe1, 0xe2, 0xe8] {
        // [MQTT5-3.14.1-1]
        world.violates("DISCONNECT with flags", &[flags, 0], &[0x81]);
    }
}

#[test]
fn a_disconnect_ends_the_connection_without_an_answer() {
    let world = World::new();
    for bytes in [disconnect(), frame(0xe0, &[0]), disconnect_with(0, &[]), disconnect_with(0x04, &[])] {
        let mut client = world.client("c");
        client.send(&bytes);
        client.send(&pingreq());
        // [MQTT5-3.14.4-2]
        client.expect_closed();
    }
}

#[test]
fn after_its_disconnect_the_server_sends_nothing_and_closes() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    let mut bytes = frame(0x36, &[0, 1, b'a', 0, 1, 0]);
    bytes.extend(Publish::new(&topic, "behind").bytes(Version::V5));
    bytes.extend(pingreq());
    client.send(&bytes);
    let Packet::Disconnect { reason, properties } = client.receive() else { panic!("expected DISCONNECT") };
    // [MQTT5-3.14.2-1]
    assert!(DISCONNECT_REASONS.contains(&reason), "{reason:#04x}");
    // [MQTT5-3.14.2-2]
    assert_eq!(properties.session_expiry_interval(), None);
    // [MQTT5-3.14.4-1]
    client.expect_closed();
}

#[test]
fn a_disconnect_has_no_reason_that_belongs_to_connack_alone() {
    let world = World::new();
    let mut of_the_future = world.v5("c").bytes();
    // Behind the fixed header and the protocol name.
    assert_eq!(std::mem::replace(&mut of_the_future[8], 6), 5);
    for second in [of_the_future, Connect::v5("a\0b").bytes()] {
        // [MQTT5-3.14.2-1]
        world.violates("a second CONNECT that would be refused", &second, &DISCONNECT_REASONS[1..]);
    }
}

#[test]
fn a_refused_client_receives_no_disconnect() {
    let world = World::new();
    // [MQTT5-3.14.0-1] A DISCONNECT in place of the CONNACK is what this would not accept.
    world.attempt(&world.v5("c").flags(0x03)).expect_not_connected();
    // [MQTT5-3.14.0-1]
    world.attempt_bytes(&pingreq()).expect_not_connected();
}

#[test]
fn a_disconnect_of_the_server_fits_the_maximum_packet_size_of_the_client() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").property(Property::MaximumPacketSize(30)));
    client.send(&frame(0x36, &[0, 1, b'a', 0, 1, 0]));
    client.expect_disconnect(0x81);
    // [MQTT5-3.14.2-3] [MQTT5-3.14.2-4]
    assert!((1..=30).contains(&client.largest(14)), "DISCONNECT of {} bytes", client.largest(14));
}

#[test]
fn a_disconnect_with_will_keeps_the_will() {
    let world = World::new();
    let topic = world.topic("w");
    let mut watcher = world.client("watcher");
    watcher.subscribe(&topic, 0);
    for reason in [0x04, 0x80, 0x81] {
        world
            .connect(&world.v5("c").will(Will::new(&topic, "gone")))
            .disconnect_with(&disconnect_with(reason, &[]));
        // [MQTT5-3.1.2-8] Only a normal disconnection deletes the Will.
        watcher.expect_message("gone");
    }
}

#[test]
fn a_session_expiry_at_disconnect_replaces_the_one_at_connect() {
    let world = World::new();
    world
        .connect(&world.v5("c").session_expiry(60))
        .disconnect_with(&disconnect_with(0, &[Property::SessionExpiryInterval(0)]));
    // [MQTT5-4.1.0-2]
    assert!(!world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn a_session_without_expiry_cannot_get_one_at_disconnect() {
    let world = World::new();
    let bytes = disconnect_with(0, &[Property::SessionExpiryInterval(60)]);
    // [MQTT5-4.13.1-1]
    world.violates("Session Expiry Interval out of nothing", &bytes, &[0x82]);
    // [MQTT5-4.13.1-1] The session has ended with its connection.
    assert!(!world.connect(&world.v5("violator").resume()).connack().session_present);
}

#[test]
fn malformed_disconnects_are_malformed_packets() {
    let world = World::new();
    // [MQTT5-4.13.1-1]
    world.violates("a Property Length beyond the packet", &frame(0xe0, &[0, 9]), &[0x81]);
    let twice = [Property::ReasonString("a".to_owned()), Property::ReasonString("b".to_owned())];
    // [MQTT5-4.13.1-1]
    world.violates("a Reason String twice", &disconnect_with(0, &twice), &[0x82]);
}

#[test]
fn the_flags_of_auth_are_zero() {
    let world = World::new();
    let mut bytes = auth(0x19, &[Property::AuthenticationMethod("M".to_owned())]);
    for flags in [0xf1, 0xf2, 0xf8] {
        bytes[0] = flags;
        // [MQTT5-3.15.1-1]
        world.violates("AUTH with flags", &bytes, &[0x81]);
    }
}

#[test]
fn auth_from_a_client_without_method_is_a_protocol_error() {
    let world = World::new();
    let method = Property::AuthenticationMethod("M".to_owned());
    for reason in [0x18, 0x19] {
        // [MQTT5-4.12.0-7]
        world.violates("AUTH", &auth(reason, std::slice::from_ref(&method)), &[0x82, 0x8c]);
    }
}

#[test]
fn a_failed_reauthentication_ends_the_connection() {
    let world = World::new();
    let mut client = world.client("c");
    client.send(&auth(0x19, &[Property::AuthenticationMethod("M".to_owned())]));
    let Packet::Disconnect { reason, .. } = client.receive() else { panic!("expected DISCONNECT") };
    assert!([0x82, 0x87, 0x8c].contains(&reason), "{reason:#04x}");
    // [MQTT5-4.12.1-2]
    client.expect_closed();
}

#[test]
fn a_rejected_authentication_ends_the_connection() {
    let world = World::new();
    let method = Property::AuthenticationMethod("SCRAM-SHA-1".to_owned());
    let mut client = world.attempt(&world.v5("c").property(method.clone()));
    client.send(&auth(0x18, &[method]));
    // [MQTT5-4.12.0-4]
    client.expect_refused(&[0x8c, 0x87]);
}
