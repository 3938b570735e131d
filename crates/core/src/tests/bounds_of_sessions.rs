//! The bounds of `limits.rs` on what is kept: queues, retained messages, sessions. What is lost at a bound is
//! counted under its reason.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS};
use tidegate_observe::DropReason;

use super::bounds::{SHARDS, others_are_served, qos};
use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;

fn expiring(secs: u32) -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, secs);
    ConnectOptions { clean: false, properties, ..v5() }
}

fn retain(world: &mut World, topic: &str, payload: &[u8]) {
    world.publish_with("p", topic, payload, QoS::AtMostOnce, true, &PropertyBuf::new());
}

#[test]
fn messages_beyond_the_queue_of_a_session_are_dropped_and_counted_by_number() {
    let limits = Limits { queue_messages_max: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &expiring(100));
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.break_connection("s");
        world.connect("p", &v3());
        for payload in [b"1", b"2", b"3", b"4"] {
            world.publish("p", "t", payload, QoS::AtLeastOnce);
        }
        assert_eq!(world.counters().dropped(DropReason::QueueMessages), 2);
        assert_eq!(world.counters().queued, 2);
        world.connect("s", &expiring(100));
        // What was acknowledged first keeps its place.
        assert_eq!(world.payloads("s"), ["1", "2"]);
        others_are_served(&mut world);
    }
}

#[test]
fn messages_beyond_the_queue_of_a_session_are_dropped_and_counted_by_bytes() {
    // A topic of one byte and a payload of nine: ten bytes each.
    let limits = Limits { queue_bytes_max: 20, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &expiring(100));
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.break_connection("s");
        world.connect("p", &v3());
        for payload in ["123456789", "123456789", "1"] {
            world.publish("p", "t", payload.as_bytes(), QoS::AtLeastOnce);
        }
        assert_eq!(world.counters().dropped(DropReason::QueueBytes), 1);
        assert_eq!(world.counters().queued_bytes, 20);
        world.connect("s", &expiring(100));
        assert_eq!(world.payloads("s").len(), 2);
        assert_eq!(world.counters().queued_bytes, 0);
        others_are_served(&mut world);
    }
}

#[test]
fn a_subscriber_that_never_reads_loses_qos_0_counted_and_has_qos_1_waiting() {
    let limits = Limits { outbound_bytes_max: 4096, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for (name, at_most) in
            [("zero", QoS::AtMostOnce), ("one", QoS::AtLeastOnce), ("reads", QoS::AtMostOnce)]
        {
            world.connect(name, &v3());
            world.subscribe(name, &[("t", qos(at_most))]);
        }
        world.stall("zero", true);
        world.stall("one", true);
        world.connect("p", &v3());
        for _ in 0..100 {
            world.publish("p", "t", &[b'x'; 100], QoS::AtLeastOnce);
        }
        assert_eq!(world.payloads("reads").len(), 100);
        // 103 bytes of body and 2 of header: 40 messages reach 4,096 bytes, the rest is lost.
        assert_eq!(world.counters().dropped(DropReason::SlowReader), 60);
        assert!(world.counters().queued >= 60);
        assert!(world.outbound_bytes("zero") < 4096 + 200 && world.outbound_bytes("one") < 4096 + 200);
        for name in ["zero", "one"] {
            world.stall(name, false);
        }
        assert_eq!(world.payloads("zero").len(), 40);
        assert_eq!(world.payloads("one").len(), 100);
        others_are_served(&mut world);
    }
}

#[test]
fn nothing_is_read_from_a_client_that_does_not_read_and_nothing_it_said_is_lost() {
    let limits = Limits { outbound_bytes_max: 4096, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("c", &v3());
        world.stall("c", true);
        for _ in 0..5000 {
            world.send("c", &Packet::PingReq);
        }
        assert!(world.outbound_bytes("c") <= 4096);
        assert!(!world.wants_input("c"));
        world.stall("c", false);
        assert!(world.wants_input("c"));
        assert_eq!(world.received("c"), vec![Got::PingResp; 5000]);
    }
}

#[test]
fn retained_messages_beyond_the_bound_by_number_are_delivered_not_kept_and_counted() {
    let limits = Limits { retained_messages_max: 3, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["p", "s"] {
            world.connect(name, &v3());
        }
        world.subscribe("s", &[("r/#", qos(QoS::AtMostOnce))]);
        for topic in ["r/1", "r/2", "r/3", "r/4"] {
            retain(&mut world, topic, b"old");
        }
        assert_eq!(world.payloads("s").len(), 4);
        // A topic that has one may change it, and one that is deleted makes room.
        retain(&mut world, "r/1", b"new");
        retain(&mut world, "r/2", b"");
        retain(&mut world, "r/4", b"new");
        let counters = world.counters();
        assert_eq!((counters.dropped(DropReason::RetainedFull), counters.retained), (1, 3));
        world.connect("late", &v3());
        world.subscribe("late", &[("r/#", qos(QoS::AtMostOnce))]);
        let mut payloads = world.payloads("late");
        payloads.sort();
        assert_eq!(payloads, ["new", "new", "old"], "{shards} shards");
    }
}

#[test]
fn retained_messages_beyond_the_bound_by_bytes_are_delivered_not_kept_and_counted() {
    let limits = Limits { retained_bytes_max: 10_000, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["p", "s"] {
            world.connect(name, &v3());
        }
        world.subscribe("s", &[("r/#", qos(QoS::AtMostOnce))]);
        for number in 0..100 {
            retain(&mut world, &format!("r/{number}"), &[b'x'; 1000]);
        }
        assert_eq!(world.payloads("s").len(), 100);
        let counters = world.counters();
        assert!(counters.retained_bytes <= 10_000);
        assert_eq!(counters.dropped(DropReason::RetainedFull), 100 - counters.retained);
        assert!((7..=9).contains(&counters.retained), "{} on {shards} shards", counters.retained);
        // What is removed makes room, wherever it was.
        for number in 0..100 {
            retain(&mut world, &format!("r/{number}"), b"");
        }
        assert_eq!(world.counters().retained, 0);
        for number in 100..200 {
            retain(&mut world, &format!("r/{number}"), &[b'x'; 1000]);
        }
        assert!(world.counters().retained >= 7, "{} on {shards} shards", world.counters().retained);
        others_are_served(&mut world);
    }
}

#[test]
fn deep_topics_do_not_hide_the_memory_of_their_levels_from_the_bound_on_retained_bytes() {
    let limits = Limits { retained_bytes_max: 100_000, ..Limits::default() };
    let mut world = World::with_limits(1, limits);
    world.connect("p", &v3());
    for number in 0..1000 {
        retain(&mut world, &format!("{number}{}", "/a".repeat(199)), b"x");
    }
    // A level takes more memory than its letter and slash.
    assert!(world.retained_nodes() < 2_500, "{} nodes", world.retained_nodes());
    assert!(world.counters().dropped(DropReason::RetainedFull) > 0);
}

#[test]
fn a_session_ends_at_the_ceiling_of_its_expiry_and_not_before() {
    let limits = Limits { session_expiry_max_secs: 10, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        let Got::ConnAck { properties, .. } = world.connect("s", &expiring(u32::MAX)) else { panic!() };
        // [MQTT5-3.2.2-18] names Session Expiry Interval 0x11 with the granted value.
        assert!(properties.windows(5).any(|bytes| bytes == [0x11, 0, 0, 0, 10]), "{properties:?}");
        world.break_connection("s");
        world.advance_secs(9);
        assert_eq!(world.residue().sessions, 1);
        world.advance_secs(2);
        assert_eq!(world.residue().sessions, 0);
        assert_eq!(world.counters().sessions_expired, 1);
    }
}

#[test]
fn a_session_of_3_1_1_ends_when_the_operator_says_so() {
    let limits = Limits { session_expiry_v3_secs: 10, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &ConnectOptions { clean: false, ..v3() });
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.disconnect("s");
        world.connect("p", &v3());
        world.publish("p", "t", b"m", QoS::AtLeastOnce);
        world.advance_secs(9);
        assert_eq!(world.residue().sessions, 2);
        world.advance_secs(2);
        assert_eq!(world.residue().sessions, 1);
        assert_eq!(world.counters().dropped(DropReason::SessionEnded), 1);
        assert_eq!(world.residue().filter_nodes, 0);
    }
}

#[test]
fn a_keep_alive_above_the_ceiling_is_lowered_for_those_who_can_be_told() {
    let limits = Limits { keep_alive_max_secs: 10, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for (name, keep_alive) in [("none", 0), ("long", 1000)] {
            let connack = world.connect(name, &ConnectOptions { keep_alive, ..v5() });
            let Got::ConnAck { properties, .. } = connack else { panic!() };
            // [MQTT5-3.1.2-21]
            assert!(properties.windows(3).any(|bytes| bytes == [0x13, 0, 10]), "{properties:?}");
        }
        world.connect("old", &ConnectOptions { keep_alive: 1000, ..v3() });
        world.advance_secs(14);
        assert!(world.is_open("none") && world.is_open("long"));
        world.advance_secs(2);
        assert!(!world.is_open("none") && !world.is_open("long") && world.is_open("old"));
    }
}

#[test]
fn topics_that_never_repeat_do_not_grow_the_match_cache_beyond_its_bytes() {
    let limits = Limits { match_cache_bytes: 64 * 1024, ..Limits::default() };
    let mut world = World::with_limits(1, limits);
    world.connect("s", &v3());
    world.subscribe("s", &[("t/#", qos(QoS::AtMostOnce))]);
    world.connect("p", &v3());
    for round in 0..2 {
        for number in 0..20_000 {
            world.publish("p", &format!("t/{number}"), b"", QoS::AtMostOnce);
        }
        assert_eq!(world.payloads("s").len(), 20_000, "round {round}");
        assert!(world.match_cache_bytes() <= 70 * 1024, "{}", world.match_cache_bytes());
    }
}
