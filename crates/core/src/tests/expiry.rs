//! Message Expiry Interval (sections 3.3.2.3.3 and 3.1.3.2.4): what is left of it travels with the message, and what is
//! expired reaches nobody.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS};

use super::bounds::{SHARDS, qos};
use super::world::{ConnectOptions, Got, World, v5};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn expires_in(secs: u32) -> PropertyBuf {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::MessageExpiryInterval, secs);
    properties
}

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 1000);
    ConnectOptions { clean: false, properties, ..v5() }
}

/// The properties of the messages that the client got.
fn properties(world: &mut World, name: &str) -> Vec<Vec<u8>> {
    let properties = |got| match got {
        Got::Publish { properties, .. } => Some(properties),
        _ => None,
    };
    world.received(name).into_iter().filter_map(properties).collect()
}

#[test]
fn what_is_left_of_the_expiry_travels_with_the_message_whatever_shard_it_goes_to() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        for name in NAMES {
            world.connect(name, &durable());
            world.subscribe(name, &[("t", qos(QoS::AtLeastOnce))]);
        }
        world.publish_with("p", "t", b"live", QoS::AtMostOnce, false, &expires_in(10));
        for name in NAMES {
            assert_eq!(properties(&mut world, name), [expires_in(10).as_properties().as_bytes()]);
            world.break_connection(name);
        }
        world.publish_with("p", "t", b"queued", QoS::AtLeastOnce, false, &expires_in(10));
        world.advance_secs(3);
        for name in NAMES {
            world.connect(name, &durable());
            // [MQTT5-3.3.2-6]
            let left = properties(&mut world, name);
            assert_eq!(left, [expires_in(7).as_properties().as_bytes()], "{name} of {shards} shards");
        }
    }
}

#[test]
fn the_expiry_of_a_will_begins_when_it_is_published() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v5());
        world.subscribe("s", &[("w", qos(QoS::AtLeastOnce))]);
        let mut delayed = expires_in(10);
        delayed.number(PropertyId::WillDelayInterval, 20);
        let will = Some(("w", &b"gone"[..], QoS::AtLeastOnce, false, delayed));
        world.connect("c", &ConnectOptions { will, ..durable() });
        world.break_connection("c");
        world.advance_secs(21);
        assert_eq!(properties(&mut world, "s"), [expires_in(10).as_properties().as_bytes()]);
    }
}

#[test]
fn a_retained_message_that_expires_while_its_reader_is_busy_is_not_sent() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        for (topic, secs) in [("r/1", 5), ("r/2", 5), ("r/3", 500)] {
            let payload = topic.as_bytes();
            world.publish_with("p", topic, payload, QoS::AtLeastOnce, true, &expires_in(secs));
        }
        let mut one = PropertyBuf::new();
        one.number(PropertyId::ReceiveMaximum, 1);
        world.connect("s", &ConnectOptions { properties: one, ..v5() });
        world.subscribe("s", &[("r/1", qos(QoS::AtLeastOnce)), ("r/+", qos(QoS::AtLeastOnce))]);
        assert_eq!(world.payloads("s"), ["r/1"]);
        world.advance_secs(6);
        let mut rest = Vec::new();
        for id in 1..=4 {
            world.ack("s", id, Packet::PubAck);
            rest.extend(world.payloads("s"));
        }
        // [MQTT5-3.3.2-5]
        assert_eq!(rest, ["r/3"], "{shards} shards");
    }
}

#[test]
fn a_retained_message_is_not_sent_once_it_is_expired_even_before_its_timer_has_fired() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        world.publish_with("p", "r", b"brief", QoS::AtLeastOnce, true, &expires_in(5));
        world.connect("s", &v5());
        world.now.mono_ms += 5000;
        world.now.unix_ms += 5000;
        world.subscribe("s", &[("r", qos(QoS::AtLeastOnce))]);
        // [MQTT5-3.3.2-5]
        assert_eq!(world.payloads("s"), [""; 0], "{shards} shards");
    }
}

#[test]
fn what_a_member_of_a_share_leaves_behind_is_not_handed_on_when_it_is_expired() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        let mut leaving = PropertyBuf::new();
        leaving.number(PropertyId::SessionExpiryInterval, 1000).number(PropertyId::ReceiveMaximum, 1);
        world.connect("leaves", &ConnectOptions { clean: false, properties: leaving, ..v5() });
        world.subscribe("leaves", &[("$share/g/t", qos(QoS::AtLeastOnce))]);
        for (payload, secs) in [(b"sent", 5), (b"wait", 5), (b"last", 500)] {
            world.publish_with("p", "t", payload, QoS::AtLeastOnce, false, &expires_in(secs));
        }
        assert_eq!(world.payloads("leaves"), ["sent"]);
        world.break_connection("leaves");
        world.connect("stays", &v5());
        world.subscribe("stays", &[("$share/g/t", qos(QoS::AtLeastOnce))]);
        world.advance_secs(6);
        world.connect("leaves", &v5());
        // [MQTT5-3.3.2-5]
        assert_eq!(world.payloads("stays"), ["last"], "{shards} shards");
    }
}
