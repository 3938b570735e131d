//! Messages reach those who want them: across shards, once, retained ones too.

use tidegate_mqtt::{Packet, QoS, ReasonCode, SubscriptionOptions};

use super::world::{Got, World, v3, v5};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn qos(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::of_qos(qos)
}

#[test]
fn a_message_reaches_every_subscriber_once_whatever_shard_it_is_on() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        for name in NAMES {
            world.connect(name, &v3());
            assert_eq!(world.subscribe(name, &[("t/+", qos(QoS::ExactlyOnce))]), [2]);
        }
        for publisher in NAMES {
            world.publish(publisher, "t/x", publisher.as_bytes(), QoS::AtMostOnce);
        }
        for name in NAMES {
            assert_eq!(world.payloads(name), NAMES, "{shards} shards");
        }
    }
}

#[test]
fn a_retained_message_reaches_later_subscribers_wherever_it_is_kept() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("p", &v3());
        for topic in ["r/1", "r/2", "r/3", "r/4"] {
            let none = Default::default();
            world.publish_with("p", topic, topic.as_bytes(), QoS::AtLeastOnce, true, &none);
        }
        for name in NAMES {
            world.connect(name, &v5());
            world.subscribe(name, &[("r/#", qos(QoS::AtLeastOnce))]);
            let got = world.received(name);
            // [MQTT5-3.3.1-8] [MQTT3-3.3.1-8] [MQTT5-3.3.1-9]
            assert!(got.iter().all(|got| matches!(got, Got::Publish { retain: true, .. })), "{got:?}");
            assert_eq!(got.len(), 4, "{shards} shards: {got:?}");
        }
        // [MQTT5-3.3.1-6] [MQTT3-3.3.1-10]
        world.publish_with("p", "r/1", b"", QoS::AtMostOnce, true, &Default::default());
        world.connect("late", &v5());
        world.subscribe("late", &[("r/1", qos(QoS::AtMostOnce))]);
        assert_eq!(world.payloads("late"), [""; 0]);
    }
}

#[test]
fn every_exchange_of_qos_2_runs_to_its_end_on_both_sides() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &v3());
        world.connect("p", &v3());
        world.subscribe("s", &[("t", qos(QoS::ExactlyOnce))]);
        let id = world.publish("p", "t", b"m", QoS::ExactlyOnce);
        // [MQTT3-4.3.3-2] [MQTT5-4.3.3-8]
        assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
        world.ack("p", id, Packet::PubRel);
        // [MQTT5-4.3.3-11]
        assert_eq!(world.received("p"), [Got::PubComp(id, ReasonCode::Success)]);
        let got = world.received("s");
        let [Got::Publish { id, qos: QoS::ExactlyOnce, dup: false, .. }] = got[..] else { panic!("{got:?}") };
        world.ack("s", id, Packet::PubRec);
        // [MQTT5-4.3.3-4]
        assert_eq!(world.received("s"), [Got::PubRel(id, ReasonCode::Success)]);
        world.ack("s", id, Packet::PubComp);
        assert_eq!(world.received("s"), []);
    }
}

#[test]
fn many_retained_messages_reach_a_client_that_reads_slowly() {
    for shards in [1, 3] {
        let mut world = World::new(shards);
        world.write_bytes_max = Some(777);
        world.connect("p", &v3());
        for number in 0..3000 {
            let topic = format!("r/{number}/v");
            world.publish_with("p", &topic, &[b'x'; 700], QoS::AtMostOnce, true, &Default::default());
        }
        world.connect("s", &v3());
        world.stall("s", true);
        world.subscribe_with("s", &[("r/+/v", qos(QoS::AtMostOnce))], &Default::default());
        world.stall("s", false);
        assert_eq!(world.payloads("s").len(), 3000);
    }
}

#[test]
fn a_live_message_never_overtakes_the_retained_one_of_its_topic() {
    for shards in [1, 2, 5] {
        for (number, name) in NAMES.into_iter().enumerate() {
            let mut world = World::new(shards);
            world.connect("p", &v5());
            world.connect(name, &v5());
            let topic = format!("t/{number}");
            world.publish_with("p", &topic, b"kept", QoS::AtLeastOnce, true, &Default::default());
            world.delay_shards(true);
            world.subscribe_with(name, &[("t/+", qos(QoS::AtLeastOnce))], &Default::default());
            world.publish("p", &topic, b"live", QoS::AtLeastOnce);
            world.publish("p", &topic, b"live QoS 0", QoS::AtMostOnce);
            world.delay_shards(false);
            // [MQTT5-4.6.0-5] [MQTT3-4.6.0-6]
            let got = world.payloads(name);
            assert_eq!(got.first().map(String::as_str), Some("kept"), "{shards} shards: {got:?}");
        }
    }
}
