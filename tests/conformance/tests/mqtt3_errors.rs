//! MQTT 3.1.1 chapter 4.8: a violation ends the connection it came on, and no other.

use tidegate_conformance::{Publish, Version, Will, World, frame};

/// Packets that a client may not send, or that are not well formed, each with what is wrong with it.
fn violations(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let topic = world.topic("t");
    vec![
        ("packet type 0", vec![0x00, 0]),
        ("packet type 15", vec![0xf0, 0]),
        ("CONNACK from a client", vec![0x20, 2, 0, 0]),
        ("SUBACK from a client", vec![0x90, 3, 0, 1, 0]),
        ("UNSUBACK from a client", vec![0xb0, 2, 0, 1]),
        ("PINGRESP from a client", vec![0xd0, 0]),
        ("a Remaining Length of five bytes", vec![0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ("PUBACK without identifier", vec![0x40, 0]),
        ("PUBACK with half an identifier", vec![0x40, 1, 0]),
        ("PUBREL without identifier", vec![0x62, 0]),
        ("PUBLISH without Topic Name", vec![0x30, 0]),
        ("PUBLISH whose Topic Name is longer than the packet", frame(0x30, &[0xff, 0xff, b'a'])),
        (
            "QoS 1 PUBLISH without identifier",
            frame(0x32, &Publish::new(&topic, "").bytes(Version::V311)[2..]),
        ),
        ("SUBSCRIBE without identifier", vec![0x82, 0]),
        ("SUBSCRIBE that ends inside its filter", frame(0x82, &[0, 1, 0, 9, b'a'])),
        ("UNSUBSCRIBE that ends inside its filter", frame(0xa2, &[0, 1, 0, 9, b'a'])),
    ]
}

#[test]
fn a_violation_ends_the_connection_it_came_on() {
    let world = World::new();
    for (what, bytes) in violations(&world) {
        eprintln!("sending: {what}");
        let mut client = world.connect(&world.v311("violator"));
        client.send(&bytes);
        // [MQTT3-4.8.0-1]
        client.expect_closed();
    }
}

#[test]
fn a_violation_disturbs_nobody_else() {
    let world = World::new();
    let topic = world.topic("w");
    let mut bystander = world.connect(&world.v311("bystander"));
    bystander.subscribe(&topic, 1);
    for (what, bytes) in violations(&world) {
        eprintln!("sending: {what}");
        let mut client = world.connect(&world.v311("violator").will(Will::new(&topic, what)));
        client.send(&bytes);
        client.expect_closed();
        // [MQTT3-4.8.0-1] The connection was closed by the server, so the Will says it to those who are still served.
        bystander.expect_message(what);
    }
    bystander.expect_nothing_before_ping();
}

#[test]
fn nothing_behind_a_violation_is_obeyed() {
    let world = World::new();
    let topic = world.topic("t");
    let mut watcher = world.connect(&world.v311("watcher"));
    watcher.subscribe(&topic, 0);
    for (what, mut bytes) in violations(&world) {
        eprintln!("sending: {what}");
        let mut client = world.connect(&world.v311("violator"));
        bytes.extend(Publish::new(&topic, "behind").bytes(Version::V311));
        client.send(&bytes);
        client.expect_closed();
    }
    world.connect(&world.v311("ender")).publish(Publish::new(&topic, "end"));
    // [MQTT3-4.8.0-1]
    watcher.expect_message("end");
}
