//! A client's Maximum Packet Size holds for every packet, whatever is added to it on the way. [MQTT5-3.1.2-24]

use tidegate_mqtt::{
    Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, QoS, ReasonCode, Unsubscribe,
    UnsubscribeFilters,
};
use tidegate_observe::DropReason;

use super::bounds::{SHARDS, qos};
use super::world::{ConnectOptions, Got, World, v3, v5};

fn limited(packet_bytes_max: u32, aliases: u32) -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::MaximumPacketSize, packet_bytes_max);
    properties.number(PropertyId::SessionExpiryInterval, 100);
    properties.number(PropertyId::TopicAliasMaximum, aliases);
    ConnectOptions { clean: false, properties, ..v5() }
}

#[test]
fn a_topic_alias_does_not_make_a_packet_larger_than_the_client_takes() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &limited(60, 10));
        world.subscribe("s", &[("t", qos(QoS::AtMostOnce))]);
        world.connect("p", &v3());
        // Header 2, topic 3, property length 1: 54 bytes of payload fill the packet, and an alias has no place.
        world.publish("p", "t", &[b'x'; 54], QoS::AtMostOnce);
        world.publish("p", "t", &[b'x'; 55], QoS::AtMostOnce);
        world.publish("p", "t", &[b'x'; 51], QoS::AtMostOnce);
        world.publish("p", "t", &[b'x'; 51], QoS::AtMostOnce);
        let sizes = world.packet_sizes("s");
        assert!(sizes.len() == 3 && sizes.iter().all(|&size| size <= 60), "{sizes:?}");
        assert_eq!(world.topics("s"), ["t", "t", ""]);
        // [MQTT5-3.1.2-25]
        assert_eq!(world.counters().dropped(DropReason::PacketTooLarge), 1);
    }
}

#[test]
fn a_message_that_is_sent_again_keeps_to_the_size_of_the_new_connection() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &limited(1000, 0));
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.connect("p", &v3());
        for size in [10, 500, 11] {
            world.publish("p", "t", &vec![b'x'; size], QoS::AtLeastOnce);
        }
        world.break_connection("s");
        world.connect("s", &limited(100, 0));
        let sizes: Vec<usize> = world.payloads("s").iter().map(String::len).collect();
        assert_eq!(sizes, [10, 11], "{shards} shards");
        assert_eq!(world.counters().dropped(DropReason::PacketTooLarge), 1);
        world.ack("s", 1, Packet::PubAck);
        world.ack("s", 3, Packet::PubAck);
        assert_eq!(world.counters().queued, 0);
    }
}

#[test]
fn an_answer_that_the_client_cannot_take_is_as_good_as_sent() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("c", &limited(50, 0));
        let names: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let filters: Vec<_> = names.iter().map(|name| (name.as_str(), qos(QoS::AtMostOnce))).collect();
        world.subscribe_with("c", &filters, &PropertyBuf::new());
        assert_eq!(world.received("c"), []);
        world.publish("c", "7", b"m", QoS::AtLeastOnce);
        let [Got::Publish { .. }, Got::PubAck(_, ReasonCode::Success)] = world.received("c")[..] else {
            panic!()
        };
    }
}

#[test]
fn an_unsuback_that_the_client_cannot_take_is_as_good_as_sent() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("c", &limited(50, 0));
        let names: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut buffer = Vec::new();
        let unsubscribe = Unsubscribe {
            packet_identifier: PacketIdentifier::new(9).unwrap(),
            properties: Properties::NONE,
            filters: UnsubscribeFilters::build(&names, &mut buffer),
        };
        world.send("c", &Packet::Unsubscribe(unsubscribe));
        // [MQTT5-3.1.2-24]
        assert_eq!(world.packet_sizes("c"), [0; 0]);
        assert!(world.is_open("c"));
    }
}

#[test]
fn subscription_identifier_and_expiry_count_towards_the_size() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &limited(60, 0));
        let mut identifier = PropertyBuf::new();
        identifier.number(PropertyId::SubscriptionIdentifier, 268_435_455);
        world.subscribe_with("s", &[("t", qos(QoS::AtLeastOnce))], &identifier);
        world.received("s");
        world.connect("p", &v5());
        let mut expiry = PropertyBuf::new();
        expiry.number(PropertyId::MessageExpiryInterval, 100);
        // Header 2, topic 3, Packet Identifier 2, property length 1, two properties of 5: 42 bytes of payload fill the
        // packet.
        for size in [42, 43, 47, 52] {
            let payload = vec![b'x'; size];
            world.publish_with("p", "t", &payload, QoS::AtLeastOnce, false, &expiry);
        }
        // [MQTT5-3.1.2-24]
        assert_eq!(world.packet_sizes("s"), [60], "{shards} shards");
        // [MQTT5-3.1.2-25]
        assert_eq!(world.counters().dropped(DropReason::PacketTooLarge), 3);
    }
}

#[test]
fn a_refusal_without_room_for_its_explanation_still_says_which_it_is() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::MaximumPacketSize, 24);
        properties.text(PropertyId::AuthenticationMethod, "NO-SUCH-METHOD");
        let got = world.connect("c", &ConnectOptions { properties, ..v5() });
        // [MQTT5-3.2.2-19]
        let Got::ConnAck { reason: ReasonCode::BadAuthenticationMethod, properties, .. } = got else {
            panic!("{got:?}")
        };
        assert_eq!(properties, []);
    }
}

#[test]
fn a_disconnect_without_room_for_its_explanation_still_says_which_it_is() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("c", &limited(35, 0));
        let mut alias = PropertyBuf::new();
        alias.number(PropertyId::TopicAlias, 60_000);
        world.publish_with("c", "t", b"", QoS::AtMostOnce, false, &alias);
        // [MQTT5-3.14.2-3]
        assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::TopicAliasInvalid)]);
    }
}
