//! Shared subscriptions (section 4.8.2): each member gets its messages as its own subscription asks, wherever it is.

use tidegate_mqtt::{PropertyBuf, PropertyId, QoS, SubscriptionOptions};

use super::bounds::SHARDS;
use super::world::{Got, World, v5};

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
