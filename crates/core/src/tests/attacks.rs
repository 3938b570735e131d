//! What somebody sends who means no good: the connection ends with the reason, the others are served, nothing is
//! left behind.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, Version};
use tidegate_observe::DropReason;

use super::bounds::{SHARDS, others_are_served, qos};
use super::residue::Residue;
use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 100);
    ConnectOptions { clean: false, properties, ..v5() }
}

/// A PUBLISH of QoS 0 or 1 by hand, so that it can be wrong.
fn publish(first_byte: u8, topic: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic);
    body.extend_from_slice(rest);
    let mut packet = vec![first_byte];
    tidegate_mqtt::put_variable_byte_integer(&mut packet, body.len() as u32);
    packet.append(&mut body);
    packet
}

#[test]
fn malformed_bytes_end_the_connection_with_their_reason_and_nobody_elses() {
    let malformed = ReasonCode::MalformedPacket;
    let cases: [(&str, Vec<u8>, ReasonCode); 12] = [
        ("packet type 0", vec![0x00, 0], malformed),
        ("a length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF], malformed),
        ("256 MB announced", vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F], ReasonCode::PacketTooLarge),
        ("QoS 3", publish(0x36, b"t", &[0, 1, 0]), malformed),
        ("packet identifier 0", publish(0x32, b"t", &[0, 0, 0]), ReasonCode::ProtocolError),
        ("NUL in a topic name", publish(0x30, b"a\0b", &[0]), ReasonCode::TopicNameInvalid),
        ("a surrogate in a topic name", publish(0x30, &[0xED, 0xA0, 0x80], &[0]), malformed),
        ("a wildcard in a topic name", publish(0x30, b"a/+", &[0]), ReasonCode::TopicNameInvalid),
        ("30,000 levels", publish(0x30, &[b'/'; 30_000], &[0]), ReasonCode::TopicNameInvalid),
        ("a second CONNECT", vec![0x10, 0], malformed),
        ("a packet of a server", vec![0x20, 3, 0, 0, 0], ReasonCode::ProtocolError),
        ("AUTH without a method", vec![0xF0, 2, 0x18, 0], ReasonCode::ProtocolError),
    ];
    for shards in SHARDS {
        let mut world = World::new(shards);
        for (what, bytes, reason) in &cases {
            world.connect(what, &v5());
            world.send_bytes(what, bytes);
            let got = world.received(what);
            let [Got::Disconnect(said)] = got[..] else { panic!("{what}: {got:?}") };
            assert!(!world.is_open(what));
            // Several codes are right for a topic name that is no UTF-8: the specification leaves the choice.
            assert!(said == *reason || said == malformed, "{what}: {said:?}");
        }
        others_are_served(&mut world);
        assert_eq!(world.residue().connections, 2);
    }
}

#[test]
fn acknowledgements_that_answer_nothing_are_survived() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("c", &v5());
        for packet in [Packet::PubAck, Packet::PubComp, Packet::PubRec, Packet::PubRel] {
            for id in [1, 2, 65_535] {
                world.ack("c", id, packet);
            }
        }
        // [MQTT5-4.3.3-11]
        let answers = world.received("c");
        let unknown = |got: &Got| {
            matches!(
                got,
                Got::PubRel(_, ReasonCode::PacketIdentifierNotFound)
                    | Got::PubComp(_, ReasonCode::PacketIdentifierNotFound)
            )
        };
        assert!(answers.len() == 6 && answers.iter().all(unknown), "{answers:?}");
        others_are_served(&mut world);
    }
}

#[test]
fn a_hundred_thousand_filters_of_one_session_are_gone_with_it() {
    for shards in [1, 2] {
        let mut world = World::new(shards);
        world.connect("c", &v5());
        let filters: Vec<String> = (0..100_000).map(|number| format!("f/{number}/+")).collect();
        for chunk in filters.chunks(10_000) {
            let chunk: Vec<_> = chunk.iter().map(|filter| (filter.as_str(), qos(QoS::AtMostOnce))).collect();
            let codes = world.subscribe("c", &chunk);
            assert!(codes.iter().all(|&code| code == 0));
        }
        assert_eq!(
            world.subscribe("c", &[("more", qos(QoS::AtMostOnce))]),
            [ReasonCode::QuotaExceeded.as_u8()]
        );
        others_are_served(&mut world);
        for name in ["c", "other-s", "other-p"] {
            world.break_connection(name);
        }
        assert_eq!(world.residue(), Residue::default(), "{shards} shards");
    }
}

#[test]
fn many_sessions_with_many_filters_are_gone_with_their_clients() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
        for name in &names {
            world.connect(name, &v5());
            let own: Vec<String> = (0..100).map(|number| format!("{name}/{number}")).collect();
            let shared: Vec<String> = (0..100).map(|number| format!("$share/g/all/{number}")).collect();
            let filters: Vec<_> =
                own.iter().chain(&shared).map(|f| (f.as_str(), qos(QoS::AtLeastOnce))).collect();
            world.subscribe(name, &filters);
        }
        assert_eq!(world.counters().subscriptions, 100 * 200);
        for name in &names {
            world.break_connection(name);
        }
        assert_eq!(world.residue(), Residue::default(), "{shards} shards");
    }
}

/// For an operator who wants them.
fn many_share_names() -> Limits {
    Limits { share_names_per_filter_max: 100_000, ..Limits::default() }
}

#[test]
fn one_filter_shared_under_a_hundred_thousand_names_serves_each_and_is_gone_in_linear_time() {
    for shards in [1, 2] {
        let mut world = World::with_limits(shards, many_share_names());
        world.connect("c", &v5());
        let filters: Vec<String> = (0..100_000).map(|number| format!("$share/{number}/t")).collect();
        for chunk in filters.chunks(10_000) {
            let chunk: Vec<_> = chunk.iter().map(|filter| (filter.as_str(), qos(QoS::AtMostOnce))).collect();
            world.subscribe("c", &chunk);
        }
        world.connect("p", &v5());
        world.publish("p", "t", b"", QoS::AtMostOnce);
        assert_eq!(
            world.payloads("c").len() as u64 + world.counters().dropped(DropReason::SlowReader),
            100_000
        );
        world.break_connection("c");
        world.break_connection("p");
        assert_eq!(world.residue(), Residue::default(), "{shards} shards");
    }
}

#[test]
fn a_publisher_is_told_once_all_of_very_many_durable_copies_are_durable() {
    let mut world = World::with_limits(2, many_share_names());
    // Subscriber and publisher on different shards, whichever those are.
    for name in ["a", "b", "c", "d"] {
        world.connect(name, &durable());
    }
    let filters: Vec<String> = (0..70_000).map(|number| format!("$share/{number}/t")).collect();
    let (subscriber, publisher) =
        ("a", ["b", "c", "d"].into_iter().find(|name| !world.share_a_shard("a", name)).unwrap());
    for chunk in filters.chunks(10_000) {
        let chunk: Vec<_> = chunk.iter().map(|filter| (filter.as_str(), qos(QoS::AtLeastOnce))).collect();
        world.subscribe(subscriber, &chunk);
    }
    let id = world.publish(publisher, "t", b"", QoS::AtLeastOnce);
    assert_eq!(world.received(publisher), [Got::PubAck(id, ReasonCode::Success)]);
}

#[test]
fn clients_that_take_a_session_from_each_other_leave_one_session_and_one_connection() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("w", &v5());
        world.subscribe("w", &[("will", qos(QoS::AtMostOnce))]);
        for round in 0..500 {
            let name = format!("c{round}");
            let will = ("will", &b"gone"[..], QoS::AtMostOnce, false, PropertyBuf::new());
            let connack = world.connect_as(
                &name,
                "same",
                &ConnectOptions { will: Some(will), keep_alive: 60_000, ..durable() },
            );
            assert!(
                matches!(connack, Got::ConnAck { session_present, .. } if session_present == (round > 0))
            );
            world.subscribe(&name, &[("t", qos(QoS::AtLeastOnce)), ("$share/g/t", qos(QoS::AtLeastOnce))]);
        }
        assert_eq!(world.payloads("w").len(), 499);
        let residue = world.residue();
        assert_eq!((residue.connections, residue.sessions), (2, 2));
        world.break_connection("c499");
        world.break_connection("w");
        world.advance_secs(101);
        assert_eq!(world.residue(), Residue::default());
    }
}

#[test]
fn timers_of_connections_and_sessions_that_are_gone_do_not_collect() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::SessionExpiryInterval, u32::MAX - 1);
        let mut delay = PropertyBuf::new();
        delay.number(PropertyId::WillDelayInterval, 1_000_000);
        let options = ConnectOptions {
            clean: false,
            keep_alive: u16::MAX,
            properties,
            will: Some(("will", b"gone", QoS::AtMostOnce, false, delay)),
            ..v5()
        };
        let mut expiry = PropertyBuf::new();
        expiry.number(PropertyId::MessageExpiryInterval, 1_000_000);
        for round in 0..200 {
            let name = format!("c{round}");
            world.connect_as(&name, "same", &options);
            world.publish_with(&name, "r", b"x", QoS::AtMostOnce, true, &expiry);
            world.publish_with(&name, "r", b"", QoS::AtMostOnce, true, &PropertyBuf::new());
            world.break_connection(&name);
        }
        world.advance_secs(200);
        assert!(world.timers() <= 4, "{} timers on {shards} shards", world.timers());
        // What still has a meaning is kept: the session outlives all of it.
        let connack = world.connect_as("back", "same", &options);
        assert!(matches!(connack, Got::ConnAck { session_present: true, .. }));
    }
}

#[test]
fn a_flood_of_wills_reaches_their_reader_and_leaves_nothing() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v3());
        world.subscribe("s", &[("will/+", qos(QoS::AtMostOnce))]);
        for round in 0..300 {
            let name = format!("c{round}");
            let topic = format!("will/{round}");
            let will = (topic.as_str(), &b"gone"[..], QoS::ExactlyOnce, false, PropertyBuf::new());
            world.connect(&name, &ConnectOptions { will: Some(will), ..v3() });
            world.break_connection(&name);
        }
        assert_eq!(world.payloads("s").len(), 300);
        world.break_connection("s");
        assert_eq!(world.residue(), Residue::default());
    }
}

#[test]
fn retained_messages_that_come_and_go_leave_no_nodes_even_while_a_replay_is_stuck() {
    let limits = Limits { outbound_bytes_max: 8192, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("p", &v3());
        let retain = |world: &mut World, topic: &str, payload: &[u8]| {
            world.publish_with("p", topic, payload, QoS::AtMostOnce, true, &PropertyBuf::new());
        };
        for number in 0..2000 {
            retain(&mut world, &format!("kept/{number}"), &[b'x'; 100]);
        }
        let nodes = world.retained_nodes();
        world.connect("stuck", &v3());
        world.stall("stuck", true);
        world.subscribe_with("stuck", &[("#", qos(QoS::AtMostOnce))], &PropertyBuf::new());
        for number in 0..20_000 {
            retain(&mut world, &format!("gone/{number}"), b"x");
            retain(&mut world, &format!("gone/{number}"), b"");
        }
        assert!(world.retained_nodes() < nodes + 10_000, "{} nodes", world.retained_nodes());
        world.stall("stuck", false);
        let mut kept = world.topics("stuck");
        kept.retain(|topic| topic.starts_with("kept/"));
        kept.sort();
        kept.dedup();
        assert_eq!(kept.len(), 2000, "{shards} shards");
        assert_eq!(world.residue().walks, 0);
        assert_eq!(world.retained_nodes(), nodes);
    }
}

#[test]
fn the_last_member_of_a_share_that_leaves_does_not_lose_its_messages_uncounted() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v5());
        world.subscribe("s", &[("$share/g/t", qos(QoS::AtLeastOnce))]);
        world.connect("p", &v5());
        for _ in 0..3 {
            world.publish("p", "t", b"m", QoS::AtLeastOnce);
        }
        world.break_connection("s");
        assert_eq!(world.counters().dropped_total(), 3, "{shards} shards");
    }
}

#[test]
fn acknowledgements_that_wait_for_the_journal_do_not_collect_without_bound() {
    for (shards, version) in [(1, Version::V311), (1, Version::V5), (2, Version::V311)] {
        let mut world = World::new(shards);
        let options = ConnectOptions { version, ..v5() };
        world.connect("s", &durable());
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.connect("p", &options);
        world.journal_stalls();
        world.publish("p", "t", b"m", QoS::ExactlyOnce);
        // The same identifiers again and again: no Receive Maximum forbids it.
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            bytes.extend_from_slice(&[0x62, 2, 0, 9]);
        }
        for piece in bytes.chunks(16_384) {
            if world.wants_input("p") {
                world.send_bytes("p", piece);
            }
        }
        assert!(world.held("p") <= 20_000, "{}", world.held("p"));
        assert!(!world.wants_input("p"));
        world.journal_goes_on();
        assert!(world.wants_input("p") && world.held("p") == 0);
        assert!(world.received("p").len() > 10_000);
        others_are_served(&mut world);
    }
}

#[test]
fn an_answer_to_a_search_that_was_given_up_is_not_taken_for_the_answer_to_the_next() {
    for shards in [2, 5] {
        let mut world = World::new(shards);
        world.connect("p", &v3());
        for number in 0..3000 {
            let none = PropertyBuf::new();
            world.publish_with("p", &format!("a/{number}"), b"x", QoS::AtLeastOnce, true, &none);
            world.publish_with("p", &format!("b/{number}"), b"x", QoS::AtLeastOnce, true, &none);
        }
        world.connect_as("first", "same", &durable());
        // QoS 0, so that nothing of a replay outlives its connection; known filters, so that no barrier comes between.
        let again = |world: &mut World, name, filter| {
            world.subscribe_with(name, &[(filter, qos(QoS::AtMostOnce))], &PropertyBuf::new());
        };
        again(&mut world, "first", "a/+");
        again(&mut world, "first", "b/+");
        assert_eq!(world.topics("first").len(), 6000);
        world.delay_shards(true);
        again(&mut world, "first", "a/+");
        world.break_connection("first");
        world.connect_as("second", "same", &durable());
        again(&mut world, "second", "b/+");
        world.delay_shards(false);
        let mut topics = world.topics("second");
        assert!(topics.iter().all(|topic| topic.starts_with("b/")), "{shards} shards");
        topics.sort();
        topics.dedup();
        assert_eq!(topics.len(), 3000, "{shards} shards");
        assert_eq!(world.residue().walks, 0);
    }
}

#[test]
fn many_filters_that_match_little_are_searched_for_in_many_turns() {
    let mut world = World::new(1);
    world.connect("p", &v3());
    for number in 0..5_000 {
        world.publish_with("p", &format!("r/{number}/x"), b"x", QoS::AtMostOnce, true, &PropertyBuf::new());
    }
    world.connect("s", &v5());
    let filters: Vec<String> = (0..50).map(|number| format!("r/+/none{number}")).collect();
    let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), qos(QoS::AtMostOnce))).collect();
    world.delay_shards(true);
    world.subscribe_with("s", &filters, &PropertyBuf::new());
    // The rest of the search waits in the shard's own mail, where everybody else comes first.
    others_are_served(&mut world);
    assert_eq!(world.residue().walks, 1);
    world.delay_shards(false);
    assert_eq!(world.residue().walks, 0);
}
