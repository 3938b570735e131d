//! Shared subscriptions (section 4.8.2): each member gets its messages as its own subscription asks, wherever it is.

use tidegate_mqtt::{PropertyBuf, PropertyId, QoS, SubscriptionOptions};

use super::bounds::SHARDS;
use super::world::{ConnectOptions, Got, World, v5};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn identified(number: usize) -> PropertyBuf {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SubscriptionIdentifier, number as u32 + 1);
    properties
}

#[test]
fn each_member_gets_its_own_identifier_qos_and_retain_flag_on_every_shard() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        for (number, name) in NAMES.into_iter().enumerate() {
            world.connect(name, &v5());
            let mut options = SubscriptionOptions::of_qos(levels[number % 3]);
            options.retain_as_published = number % 2 == 0;
            world.subscribe_with(name, &[("$share/g/t", options)], &identified(number));
            world.received(name);
        }
        for _ in NAMES {
            world.publish_with("p", "t", b"m", QoS::AtLeastOnce, true, &PropertyBuf::new());
        }
        for (number, name) in NAMES.into_iter().enumerate() {
            let got = world.received(name);
            let [Got::Publish { qos, retain, properties, .. }] = &got[..] else { panic!("{name}: {got:?}") };
            // [MQTT5-4.8.2-3]
            assert_eq!(*qos, levels[number % 3].min(QoS::AtLeastOnce), "{name} of {shards} shards");
            // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
            assert_eq!(*retain, number % 2 == 0, "{name} of {shards} shards");
            // [MQTT5-3.3.4-3]
            assert_eq!(properties[..], *identified(number).as_properties().as_bytes(), "{name}");
        }
    }
}

#[test]
fn a_member_that_subscribes_again_gets_what_it_asked_for_last() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        for name in NAMES {
            world.connect(name, &v5());
            let options = SubscriptionOptions::of_qos(QoS::ExactlyOnce);
            world.subscribe_with(name, &[("$share/g/t", options)], &identified(1));
            let options = SubscriptionOptions::of_qos(QoS::AtLeastOnce);
            world.subscribe_with(name, &[("$share/g/t", options)], &identified(2));
            world.received(name);
        }
        for _ in NAMES {
            world.publish("p", "t", b"m", QoS::ExactlyOnce);
        }
        for name in NAMES {
            let got = world.received(name);
            // [MQTT5-3.8.4-3]
            let [Got::Publish { qos: QoS::AtLeastOnce, properties, .. }] = &got[..] else {
                panic!("{name} of {shards} shards: {got:?}")
            };
            assert_eq!(properties[..], *identified(2).as_properties().as_bytes(), "{name}");
        }
    }
}

#[test]
fn members_that_are_away_are_passed_over_and_have_their_turn_when_they_are_back() {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 100);
    let durable = ConnectOptions { clean: false, properties, ..v5() };
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        for name in NAMES {
            world.connect(name, &durable);
            world.subscribe(name, &[("$share/g/t", SubscriptionOptions::of_qos(QoS::AtLeastOnce))]);
        }
        let (stays, leave) = NAMES.split_first().unwrap();
        leave.iter().for_each(|name| world.break_connection(name));
        for _ in 0..12 {
            world.publish("p", "t", b"m", QoS::AtLeastOnce);
        }
        assert_eq!(world.payloads(stays).len(), 12, "{shards} shards");
        for name in leave {
            world.connect(name, &durable);
            assert_eq!(world.received(name), []);
        }
        // Nobody keeps QoS 0 for those who are away: whoever is taken for one gets nothing.
        for _ in NAMES {
            world.publish("p", "t", b"m", QoS::AtMostOnce);
        }
        for name in NAMES {
            assert_eq!(world.payloads(name), ["m"], "{name} of {shards} shards");
        }
    }
}
