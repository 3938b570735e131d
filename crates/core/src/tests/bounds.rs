//! The bounds of `limits.rs` on packets and connections: what happens exactly at each, and one beyond.

use tidegate_mqtt::{
    Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, Publish, QoS, ReasonCode,
    SubscriptionOptions, TopicName, Version,
};

use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;

pub(super) const SHARDS: [u8; 3] = [1, 2, 5];

pub(super) fn qos(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::of_qos(qos)
}

/// A pair of clients that is not concerned is served.
pub(super) fn others_are_served(world: &mut World) {
    for name in ["other-s", "other-p"] {
        world.connect(name, &v5());
    }
    world.subscribe("other-s", &[("others/+", qos(QoS::AtLeastOnce))]);
    let id = world.publish("other-p", "others/x", b"served", QoS::AtLeastOnce);
    assert_eq!(world.payloads("other-s"), ["served"]);
    assert_eq!(world.received("other-p"), [Got::PubAck(id, ReasonCode::Success)]);
}

fn user_properties(count: u32) -> PropertyBuf {
    let mut properties = PropertyBuf::new();
    for _ in 0..count {
        properties.user("", "");
    }
    properties
}

fn publish_bytes(version: Version, topic: &str, payload: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let packet = Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(TopicName::new(topic).unwrap()),
        packet_identifier: None,
        properties: Properties::NONE,
        payload: &vec![b'x'; payload],
    });
    packet.encode(version, &mut bytes);
    bytes
}

#[test]
fn a_connection_without_a_whole_connect_is_closed_at_the_connect_timeout_and_not_before() {
    for shards in SHARDS {
        let mut world = World::with_limits(shards, Limits { connect_timeout_ms: 3_000, ..Limits::default() });
        world.open("silent", Version::V5);
        world.open("dribbling", Version::V5);
        // A CONNECT that arrives a byte at a time and never ends.
        for byte in [0x10, 0x20, 0, 4, b'M'] {
            world.send_bytes("dribbling", &[byte]);
            world.advance_ms(500);
        }
        assert!(world.is_open("silent") && world.is_open("dribbling"));
        world.send_bytes("dribbling", b"Q");
        world.advance_ms(600);
        assert!(!world.is_open("silent") && !world.is_open("dribbling"), "{shards} shards");
        others_are_served(&mut world);
    }
}

#[test]
fn a_packet_that_arrives_a_byte_at_a_time_is_as_good_as_one_that_arrives_whole() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v3());
        world.subscribe("s", &[("t", qos(QoS::AtMostOnce))]);
        world.connect("p", &v5());
        for byte in publish_bytes(Version::V5, "t", 1000) {
            assert_eq!(world.payloads("s"), [""; 0]);
            world.send_bytes("p", &[byte]);
        }
        assert_eq!(world.payloads("s"), ["x".repeat(1000)]);
    }
}

#[test]
fn a_connect_of_exactly_the_bound_is_taken_and_one_byte_more_is_not() {
    let mut bytes = Vec::new();
    let connect = |identifier: &str| {
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
        body.extend_from_slice(&(identifier.len() as u16).to_be_bytes());
        body.extend_from_slice(identifier.as_bytes());
        let mut packet = vec![0x10];
        tidegate_mqtt::put_variable_byte_integer(&mut packet, body.len() as u32);
        packet.append(&mut body);
        packet
    };
    bytes.extend(connect(&"c".repeat(500)));
    let limits = Limits { packet_bytes_before_connect_max: bytes.len(), ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.open("fits", Version::V311);
        world.send_bytes("fits", &bytes);
        assert!(world.is_open("fits") && world.received("fits").len() == 1);
        world.open("large", Version::V311);
        // The header alone says so: nothing of the rest is waited for.
        world.send_bytes("large", &connect(&"c".repeat(501))[..3]);
        assert!(!world.is_open("large"));
        assert_eq!(world.received("large"), []);
        others_are_served(&mut world);
    }
}

#[test]
fn a_packet_of_exactly_the_maximum_packet_size_is_taken_and_one_byte_more_ends_the_connection() {
    let fits = publish_bytes(Version::V5, "t", 1000);
    let limits = Limits { packet_bytes_max: fits.len(), ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &v3());
        world.subscribe("s", &[("t", qos(QoS::AtMostOnce))]);
        world.connect("p", &v5());
        world.send_bytes("p", &fits);
        assert_eq!(world.payloads("s").len(), 1);
        world.send_bytes("p", &publish_bytes(Version::V5, "t", 1001)[..3]);
        assert_eq!(world.received("p"), [Got::Disconnect(ReasonCode::PacketTooLarge)]);
        assert!(!world.is_open("p"));
        others_are_served(&mut world);
    }
}

#[test]
fn a_topic_with_as_many_levels_as_the_bound_is_served_and_one_more_is_refused() {
    let limits = Limits { topic_levels_max: 4, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        let codes =
            world.subscribe("c", &[("a/b/c/d", qos(QoS::AtMostOnce)), ("a/b/c/d/#", qos(QoS::AtMostOnce))]);
        assert_eq!(codes, [0, ReasonCode::TopicFilterInvalid.as_u8()]);
        let codes = world.subscribe(
            "c",
            &[("$share/g/a/b/c/d", qos(QoS::AtMostOnce)), ("$share/g/a/b/c/d/e", qos(QoS::AtMostOnce))],
        );
        assert_eq!(codes, [0, ReasonCode::TopicFilterInvalid.as_u8()]);
        world.publish("c", "a/b/c/d", b"m", QoS::AtMostOnce);
        assert_eq!(world.payloads("c"), ["m", "m"]);
        world.publish("c", "a/b/c/d/e", b"m", QoS::AtMostOnce);
        assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::TopicNameInvalid)]);
        let will = ("a/b/c/d/e", &b""[..], QoS::AtMostOnce, false, PropertyBuf::new());
        let connack = world.connect("w", &ConnectOptions { will: Some(will), ..v5() });
        assert!(matches!(connack, Got::ConnAck { reason: ReasonCode::TopicNameInvalid, .. }), "{connack:?}");
        others_are_served(&mut world);
    }
}

#[test]
fn filters_beyond_the_bound_of_one_subscribe_are_refused_one_by_one() {
    let limits = Limits { filters_per_subscribe_max: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        let filters =
            [("a", qos(QoS::AtLeastOnce)), ("b", qos(QoS::AtLeastOnce)), ("c", qos(QoS::AtLeastOnce))];
        assert_eq!(world.subscribe("c", &filters), [1, 1, ReasonCode::QuotaExceeded.as_u8()]);
        world.connect("old", &v3());
        // [MQTT3-3.9.3-2]
        assert_eq!(world.subscribe("old", &filters), [1, 1, 0x80]);
        assert_eq!(world.counters().subscriptions, 4);
        others_are_served(&mut world);
    }
}

#[test]
fn filters_beyond_the_bound_of_one_session_are_refused_and_known_ones_may_change() {
    let limits = Limits { filters_per_session_max: 2, ..Limits::default() };
    let quota = ReasonCode::QuotaExceeded.as_u8();
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        assert_eq!(
            world.subscribe("c", &[("a", qos(QoS::AtMostOnce)), ("$share/g/b", qos(QoS::AtMostOnce))]),
            [0, 0]
        );
        assert_eq!(
            world.subscribe("c", &[("d", qos(QoS::AtMostOnce)), ("$share/h/b", qos(QoS::AtMostOnce))]),
            [quota, quota]
        );
        assert_eq!(
            world.subscribe("c", &[("a", qos(QoS::AtLeastOnce)), ("$share/g/b", qos(QoS::AtLeastOnce))]),
            [1, 1]
        );
        world.unsubscribe("c", "a");
        assert_eq!(world.subscribe("c", &[("d", qos(QoS::AtMostOnce))]), [0]);
        others_are_served(&mut world);
    }
}

#[test]
fn a_5_0_client_that_exceeds_receive_maximum_is_disconnected() {
    let limits = Limits { receive_maximum: 3, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        let first = world.publish("c", "t", b"", QoS::ExactlyOnce);
        world.publish("c", "t", b"", QoS::ExactlyOnce);
        world.publish("c", "t", b"", QoS::ExactlyOnce);
        world.ack("c", first, Packet::PubRel);
        world.publish("c", "t", b"", QoS::ExactlyOnce);
        assert!(world.is_open("c"));
        world.received("c");
        world.publish("c", "t", b"", QoS::AtLeastOnce);
        // [MQTT5-3.3.4-7]
        assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::ReceiveMaximumExceeded)]);
        others_are_served(&mut world);
    }
}

#[test]
fn messages_of_qos_1_whose_puback_waits_count_against_receive_maximum() {
    let limits = Limits { receive_maximum: 3, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        world.journal_stalls();
        for topic in ["1", "2", "3"] {
            world.publish_with("c", topic, b"kept", QoS::AtLeastOnce, true, &PropertyBuf::new());
        }
        assert!(world.is_open("c") && world.held("c") == 3);
        world.publish("c", "t", b"", QoS::AtLeastOnce);
        // [MQTT5-3.3.4-7]
        assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::ReceiveMaximumExceeded)]);
        world.journal_goes_on();
        others_are_served(&mut world);
    }
}

#[test]
fn receive_maximum_counts_anew_on_each_connection() {
    let limits = Limits { receive_maximum: 2, ..Limits::default() };
    let durable = |clean| {
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::SessionExpiryInterval, 100);
        ConnectOptions { clean, properties, ..v5() }
    };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect_as("before", "c", &durable(true));
        world.publish("before", "t", b"", QoS::ExactlyOnce);
        world.publish("before", "t", b"", QoS::ExactlyOnce);
        world.break_connection("before");
        world.connect_as("after", "c", &durable(false));
        world.use_identifiers_from("after", 10);
        // Section 4.9: the quota is not preserved across Network Connections.
        world.publish("after", "t", b"", QoS::ExactlyOnce);
        world.publish("after", "t", b"", QoS::ExactlyOnce);
        assert!(world.is_open("after"), "{shards} shards");
        world.publish("after", "t", b"", QoS::ExactlyOnce);
        assert!(!world.is_open("after"));
    }
}

#[test]
fn a_3_1_1_client_may_leave_all_65535_identifiers_of_qos_2_unreleased() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("c", &v3());
        for id in 1..=u16::MAX {
            let publish = Publish {
                dup: false,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: Some(TopicName::new("t").unwrap()),
                packet_identifier: PacketIdentifier::new(id),
                properties: Properties::NONE,
                payload: b"",
            };
            world.send("c", &Packet::Publish(publish));
        }
        assert_eq!(world.received("c").len(), usize::from(u16::MAX));
        world.ack("c", 7, Packet::PubRel);
        assert_eq!(world.received("c"), [Got::PubComp(7, ReasonCode::Success)]);
        others_are_served(&mut world);
    }
}

#[test]
fn messages_beyond_inflight_max_wait_until_there_is_room() {
    let limits = Limits { inflight_max: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &v3());
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.connect("p", &v3());
        for payload in [b"1", b"2", b"3", b"4"] {
            world.publish("p", "t", payload, QoS::AtLeastOnce);
        }
        assert_eq!(world.payloads("s"), ["1", "2"]);
        world.ack("s", 1, Packet::PubAck);
        assert_eq!(world.payloads("s"), ["3"]);
        assert_eq!(world.counters().dropped_total(), 0);
        others_are_served(&mut world);
    }
}

#[test]
fn a_topic_alias_above_the_maximum_is_invalid() {
    let limits = Limits { topic_alias_maximum: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v5());
        let alias = |number| {
            let mut properties = PropertyBuf::new();
            properties.number(PropertyId::TopicAlias, number);
            properties
        };
        world.publish_with("c", "t", b"", QoS::AtMostOnce, false, &alias(2));
        assert!(world.is_open("c"));
        world.publish_with("c", "t", b"", QoS::AtMostOnce, false, &alias(3));
        // [MQTT5-3.3.2-9]
        assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::TopicAliasInvalid)]);
        others_are_served(&mut world);
    }
}

#[test]
fn topics_beyond_the_outbound_aliases_are_sent_by_name() {
    let limits = Limits { outbound_topic_aliases_max: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::TopicAliasMaximum, 100);
        world.connect("s", &ConnectOptions { properties, ..v5() });
        world.subscribe("s", &[("#", qos(QoS::AtMostOnce))]);
        world.connect("p", &v5());
        for topic in ["a", "b", "c", "a", "b", "c"] {
            world.publish("p", topic, b"", QoS::AtMostOnce);
        }
        let topics = world.received("s").into_iter().map(|got| match got {
            Got::Publish { topic, .. } => topic,
            other => panic!("{other:?}"),
        });
        assert_eq!(topics.collect::<Vec<_>>(), ["a", "b", "c", "", "", "c"]);
    }
}

#[test]
fn a_packet_with_more_user_properties_than_the_bound_ends_the_connection() {
    let limits = Limits { user_properties_max: 3, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        let connack = world.connect("many", &ConnectOptions { properties: user_properties(4), ..v5() });
        assert!(matches!(connack, Got::ConnAck { reason: ReasonCode::QuotaExceeded, .. }), "{connack:?}");
        for name in ["p", "s"] {
            world.connect(name, &ConnectOptions { properties: user_properties(3), ..v5() });
        }
        world.subscribe_with("s", &[("t", qos(QoS::AtMostOnce))], &user_properties(3));
        world.publish_with("p", "t", b"m", QoS::AtMostOnce, false, &user_properties(3));
        assert_eq!(world.payloads("s"), ["m"]);
        world.publish_with("p", "t", b"m", QoS::AtMostOnce, false, &user_properties(4));
        assert_eq!(world.received("p"), [Got::Disconnect(ReasonCode::QuotaExceeded)]);
        world.subscribe_with("s", &[("t", qos(QoS::AtMostOnce))], &user_properties(4));
        assert_eq!(world.received("s"), [Got::Disconnect(ReasonCode::QuotaExceeded)]);
        others_are_served(&mut world);
    }
}

#[test]
fn a_3_1_client_identifier_has_as_many_characters_as_the_bound_and_no_more() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        let v31 = || ConnectOptions { version: Version::V31, ..v3() };
        for (name, reason) in [("é", ReasonCode::Success), ("éé", ReasonCode::ClientIdentifierNotValid)] {
            let identifier = format!("{}{name}", "c".repeat(22));
            let connack = world.connect_as(name, &identifier, &v31());
            assert!(
                matches!(&connack, Got::ConnAck { reason: other, .. } if *other == reason),
                "{connack:?}"
            );
        }
    }
}
