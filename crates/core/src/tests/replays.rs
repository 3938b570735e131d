//! Retained messages for the filters of one SUBSCRIBE: looked for together, on all shards at once, behind their SUBACK.

use std::collections::BTreeMap;

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, RetainHandling, SubscriptionOptions};

use super::bounds::{SHARDS, others_are_served, qos};
use super::residue::Residue;
use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;
use crate::shards::{ShardMessage, WalkOrder};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn retain(world: &mut World, topic: &str, payload: &[u8]) {
    world.publish_with("p", topic, payload, QoS::AtLeastOnce, true, &PropertyBuf::new());
    world.received("p");
}

fn begins_a_walk(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Walk { walk: WalkOrder::Begin { .. }, .. })
}

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 100);
    ConnectOptions { clean: false, properties, ..v5() }
}

#[test]
fn thousands_of_filters_of_one_subscribe_are_asked_for_in_one_order_to_each_shard() {
    for shards in [2, 5] {
        for wildcard in ["/+", ""] {
            let mut world = World::new(shards);
            world.connect("p", &v3());
            retain(&mut world, "f/7", b"exact");
            retain(&mut world, "f/8/x", b"wildcard");
            world.connect("s", &v5());
            let filters: Vec<String> = (0..4000).map(|number| format!("f/{number}{wildcard}")).collect();
            let filters: Vec<_> = filters.iter().map(|f| (f.as_str(), qos(QoS::AtLeastOnce))).collect();
            world.subscribe("s", &filters);
            assert_eq!(world.payloads("s").len(), 1);
            // Once more, so that no barrier comes first.
            world.delay_shards(true);
            world.subscribe_with("s", &filters, &PropertyBuf::new());
            assert_eq!(world.mail_count(begins_a_walk), usize::from(shards) - 1, "{shards} shards");
            let mut rounds = 0;
            while world.mail_count(|_| true) > 0 {
                world.deliver_mail_once();
                rounds += 1;
            }
            // A turn's work at a time: 16,384 nodes on each shard, and the answers in between.
            assert!(rounds <= 20, "{rounds} rounds on {shards} shards");
            let got = world.received("s");
            assert!(matches!(got[..], [Got::SubAck(..), Got::Publish { .. }]), "{got:?}");
        }
    }
}

#[test]
fn a_suback_of_a_wildcard_filter_waits_for_one_round_of_mail_however_many_shards_there_are() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v5());
        world.subscribe("s", &[("nothing/+", qos(QoS::AtMostOnce))]);
        world.delay_shards(true);
        world.subscribe_with("s", &[("nothing/+", qos(QoS::AtMostOnce))], &PropertyBuf::new());
        if shards > 1 {
            // The order, and the answer.
            world.deliver_mail_once();
            assert_eq!(world.received("s"), [], "{shards} shards");
            world.deliver_mail_once();
        }
        let got = world.received("s");
        assert!(matches!(got[..], [Got::SubAck(..)]), "{got:?} on {shards} shards");
    }
}

#[test]
fn each_filter_of_a_subscribe_gets_its_own_copies_behind_the_suback() {
    for shards in SHARDS {
        for name in NAMES {
            let mut world = World::new(shards);
            world.connect("p", &v3());
            for number in 0..40 {
                retain(&mut world, &format!("r/{number}/x"), format!("{number}").as_bytes());
            }
            world.connect(name, &v5());
            let zero = qos(QoS::AtMostOnce);
            let filters = [
                ("r/+/x", zero),
                ("r/3/x", qos(QoS::AtLeastOnce)),
                ("none", zero),
                ("#", zero),
                ("r/4/+", zero),
            ];
            world.subscribe_with(name, &filters, &PropertyBuf::new());
            let got = world.received(name);
            // [MQTT5-3.8.4-1]
            assert!(matches!(&got[0], Got::SubAck(_, codes) if codes == &[0, 1, 0, 0, 0]), "{:?}", got[0]);
            let mut copies = BTreeMap::new();
            let mut acknowledged = 0;
            for got in &got[1..] {
                let Got::Publish { topic, qos, retain: true, .. } = got else { panic!("{got:?}") };
                *copies.entry(topic.clone()).or_insert(0) += 1;
                acknowledged += usize::from(*qos == QoS::AtLeastOnce);
            }
            assert_eq!(copies.len(), 40);
            // Each of a topic's filters once, and only the one that asked for it with QoS 1.
            let expected = |topic: &str| if topic == "r/3/x" || topic == "r/4/x" { 3 } else { 2 };
            assert!(copies.iter().all(|(topic, &count)| count == expected(topic)), "{copies:?}");
            assert_eq!(acknowledged, 1, "{shards} shards");
        }
    }
}

#[test]
fn subacks_keep_their_order_and_what_is_live_stays_behind_the_replays_of_several_subscribes() {
    for shards in SHARDS {
        for name in NAMES {
            let mut world = World::new(shards);
            world.connect("p", &v3());
            retain(&mut world, "r/1", b"kept");
            retain(&mut world, "r/2", b"kept");
            world.connect(name, &v5());
            world.delay_shards(true);
            for filter in ["r/1", "r/+", "none/+", "r/2"] {
                world.subscribe_with(name, &[(filter, qos(QoS::AtLeastOnce))], &PropertyBuf::new());
            }
            world.publish("p", "r/1", b"live", QoS::AtLeastOnce);
            world.delay_shards(false);
            let got = world.received(name);
            let subacks: Vec<u16> = got
                .iter()
                .filter_map(|got| if let Got::SubAck(id, _) = got { Some(*id) } else { None })
                .collect();
            assert_eq!(subacks, [1, 2, 3, 4]);
            let payloads: Vec<_> = got
                .iter()
                .filter_map(|got| match got {
                    Got::Publish { payload, .. } => Some(payload.as_slice()),
                    _ => None,
                })
                .collect();
            // [MQTT5-4.6.0-5]
            let live = payloads.iter().position(|&payload| payload == b"live").unwrap_or(payloads.len());
            assert!(payloads[..live].iter().all(|&payload| payload == b"kept"), "{got:?}");
            assert!(payloads[live..].iter().all(|&payload| payload == b"live"), "{got:?}");
            assert_eq!(live, 4, "{shards} shards: {got:?}");
            assert!(matches!(got[0], Got::SubAck(1, _)));
        }
    }
}

#[test]
fn filters_beyond_the_bound_of_replays_are_refused_until_some_are_sent() {
    let limits = Limits { replays_per_session_max: 3, outbound_bytes_max: 4096, ..Limits::default() };
    let quota = ReasonCode::QuotaExceeded.as_u8();
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("p", &v3());
        for number in 0..100 {
            retain(&mut world, &format!("r/{number}"), &[b'x'; 100]);
        }
        world.connect("s", &v5());
        world.stall("s", true);
        let one = qos(QoS::AtMostOnce);
        let mut none = one;
        none.retain_handling = RetainHandling::DoNotSend;
        world.subscribe_with("s", &[("r/+", one), ("x", one)], &PropertyBuf::new());
        world.subscribe_with("s", &[("y", one), ("z", one), ("z", none)], &PropertyBuf::new());
        // A client that does not read may ask as often as it likes.
        for _ in 0..100 {
            world.subscribe_with("s", &[("r/+", one)], &PropertyBuf::new());
        }
        world.stall("s", false);
        let got = world.received("s");
        let codes: Vec<&[u8]> = got
            .iter()
            .filter_map(|got| if let Got::SubAck(_, codes) = got { Some(codes.as_slice()) } else { None })
            .collect();
        assert_eq!(codes[..3], [&[0, 0][..], &[0, quota, 0], &[quota]], "{shards} shards");
        assert_eq!(codes.len(), 102);
        assert_eq!(got.len() - codes.len(), 100);
        assert_eq!(world.subscribe("s", &[("r/+", one), ("x", one), ("y", one)]), [0, 0, 0]);
        others_are_served(&mut world);
    }
}

#[test]
fn subacks_that_wait_for_a_search_are_bounded_by_bytes() {
    let mut world = World::new(2);
    // On the other shard than its own, so that the answer is on its way.
    for name in NAMES {
        world.connect(name, &v5());
    }
    let mut none = qos(QoS::AtMostOnce);
    none.retain_handling = RetainHandling::DoNotSend;
    let many = vec![("known", none); 1000];
    world.subscribe("a", &[("known", none), ("r/+", none)]);
    world.delay_shards(true);
    world.subscribe_with("a", &[("r/+", qos(QoS::AtMostOnce))], &PropertyBuf::new());
    for _ in 0..60 {
        world.subscribe_with("a", &many, &PropertyBuf::new());
    }
    assert_eq!(world.received("a"), []);
    for _ in 0..60 {
        world.subscribe_with("a", &many, &PropertyBuf::new());
    }
    let subacks = world.received("a");
    assert!(subacks.len() > 60, "{}", subacks.len());
    world.delay_shards(false);
    let rest = world.received("a");
    let ids = subacks.iter().chain(&rest).map(|got| match got {
        Got::SubAck(id, _) => *id,
        other => panic!("{other:?}"),
    });
    assert!(ids.eq(2..=122));
}

#[test]
fn a_replay_that_breaks_off_goes_on_with_the_filters_that_it_was_not_done_with() {
    let limits = Limits { inflight_max: 100, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("p", &v3());
        for filter in 0..20 {
            for number in 0..20 {
                retain(&mut world, &format!("{filter:02}/{number}"), b"x");
            }
        }
        world.connect("s", &durable());
        let filters: Vec<String> = (0..20).map(|filter| format!("{filter:02}/+")).collect();
        let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), qos(QoS::AtLeastOnce))).collect();
        world.subscribe("s", &filters);
        let mut topics = acknowledge_all(&mut world, "s", 95);
        assert!(topics.len() < 200);
        world.break_connection("s");
        world.connect_as("again", "s", &durable());
        let rest = acknowledge_all(&mut world, "again", usize::MAX);
        // On one shard the filters are done with in their order.
        let done = |topic: &String| topic[..2].parse().is_ok_and(|filter: u8| filter < 4);
        assert!(shards > 1 || !rest.iter().any(done), "{rest:?}");
        topics.extend(rest);
        topics.sort();
        topics.dedup();
        assert_eq!(topics.len(), 400, "{shards} shards");
        world.break_connection("again");
        world.break_connection("p");
        world.advance_secs(101);
        assert_eq!(world.residue(), Residue::default());
    }
}

/// The topics of all that arrives, of which the first `count` are acknowledged.
fn acknowledge_all(world: &mut World, name: &str, count: usize) -> Vec<String> {
    let mut topics = Vec::new();
    loop {
        let before = topics.len();
        for got in world.received(name) {
            let Got::Publish { topic, id, .. } = got else { panic!("{got:?}") };
            if topics.len() < count {
                world.ack(name, id, Packet::PubAck);
            }
            topics.push(topic);
        }
        if topics.len() == before {
            return topics;
        }
    }
}

#[test]
fn what_is_unsubscribed_is_no_longer_searched_for_or_sent() {
    let limits = Limits { outbound_bytes_max: 4096, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("p", &v3());
        for number in 0..500 {
            retain(&mut world, &format!("r/{number}"), &[b'x'; 100]);
            retain(&mut world, &format!("s/{number}"), &[b'x'; 100]);
        }
        // Somebody else's subscriptions keep the filters' nodes.
        world.connect("other", &v5());
        world.stall("other", true);
        let none = PropertyBuf::new();
        world.subscribe_with("other", &[("r/+", qos(QoS::AtMostOnce)), ("s/+", qos(QoS::AtMostOnce))], &none);
        world.connect("s", &v5());
        world.stall("s", true);
        world.subscribe_with("s", &[("r/+", qos(QoS::AtMostOnce)), ("kept", qos(QoS::AtMostOnce))], &none);
        world.subscribe_with("s", &[("s/+", qos(QoS::AtMostOnce)), ("u/+", qos(QoS::AtMostOnce))], &none);
        for filter in ["r/+", "s/+", "u/+"] {
            world.begin_unsubscribe("s", filter);
        }
        // Another filter gets the node of the one that is gone.
        retain(&mut world, "t/1", b"x");
        world.subscribe_with("s", &[("t/+", qos(QoS::AtMostOnce))], &none);
        world.stall("s", false);
        let mut topics = world.topics("s");
        assert_eq!(topics.pop().as_deref(), Some("t/1"));
        // [MQTT5-3.10.4-2] [MQTT3-3.10.4-2]
        assert!(topics.len() < 40, "{} topics on {shards} shards", topics.len());
        assert!(topics.iter().all(|topic| topic.starts_with("r/")));
        world.stall("other", false);
        assert_eq!(world.topics("other").len(), 1000);
        assert_eq!(world.residue().walks, 0);
    }
}

#[test]
fn a_suback_leaves_though_its_filters_were_unsubscribed_before_they_were_looked_for() {
    for shards in SHARDS {
        for name in NAMES {
            let mut world = World::new(shards);
            world.connect(name, &v5());
            world.delay_shards(true);
            world.subscribe_with(name, &[("x/+", qos(QoS::AtMostOnce))], &PropertyBuf::new());
            world.begin_unsubscribe(name, "x/+");
            world.delay_shards(false);
            let mut got = world.received(name);
            got.sort_by_key(|got| matches!(got, Got::UnsubAck(..)));
            assert!(
                matches!(got[..], [Got::SubAck(1, _), Got::UnsubAck(2, _)]),
                "{got:?} on {shards} shards"
            );
            world.break_connection(name);
            assert_eq!(world.residue(), Residue::default());
        }
    }
}

#[test]
fn very_many_retained_messages_for_very_many_filters_all_arrive() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("p", &v3());
        for number in 0..6_000 {
            let none = PropertyBuf::new();
            world.publish_with("p", &format!("r/{number}"), b"x", QoS::AtMostOnce, true, &none);
        }
        world.connect("s", &v3());
        let filters: Vec<String> = (0..6_000).map(|number| format!("r/{number}")).collect();
        let options = SubscriptionOptions::of_qos(QoS::AtMostOnce);
        let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), options)).collect();
        world.subscribe("s", &filters);
        let mut topics = world.topics("s");
        topics.sort();
        topics.dedup();
        assert_eq!(topics.len(), 6_000, "{shards} shards");
        world.send("s", &Packet::PingReq);
        assert_eq!(world.received("s"), [Got::PingResp]);
    }
}
