//! The bounds of `limits.rs` that hold for an organisation on all shards together, and the age of what is queued.

use tidegate_mqtt::{Acknowledgement, Packet, PropertyBuf, PropertyId, QoS, ReasonCode};
use tidegate_observe::DropReason;

use super::bounds::{SHARDS, qos};
use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;

const QUOTA: u8 = ReasonCode::QuotaExceeded as u8;

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 1_000_000);
    ConnectOptions { clean: false, properties, ..v5() }
}

fn reason(connack: &Got) -> ReasonCode {
    match connack {
        Got::ConnAck { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_without_a_session_is_refused_when_the_organisation_has_as_many_as_it_may() {
    let limits = Limits { sessions_per_organisation_max: 4, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["a", "b", "c", "d"] {
            assert_eq!(reason(&world.connect(name, &durable())), ReasonCode::Success);
        }
        assert_eq!(reason(&world.connect("e", &v5())), ReasonCode::QuotaExceeded);
        assert!(!world.is_open("e"));
        // Return code 3, as packets of 3.x say it.
        world.begin_connect("old", "old", &v3());
        assert!(matches!(
            world.received("old")[..],
            [Got::ConnAck { reason: ReasonCode::ServerUnavailable, .. }]
        ));
        // Who has a session may come back to it, take it over, or begin it anew.
        world.break_connection("a");
        assert_eq!(reason(&world.connect("a", &durable())), ReasonCode::Success);
        assert_eq!(reason(&world.connect_as("b again", "b", &durable())), ReasonCode::Success);
        assert_eq!(reason(&world.connect_as("c again", "c", &v5())), ReasonCode::Success);
        // A session that ends makes room, whatever shard the next one is on.
        world.break_connection("c again");
        assert_eq!(reason(&world.connect("f", &v5())), ReasonCode::Success);
        assert_eq!(reason(&world.connect("g", &v5())), ReasonCode::QuotaExceeded);
        assert_eq!(world.counters().sessions, 4, "{shards} shards");
        world.check_gauges();
    }
}

#[test]
fn filters_are_refused_when_the_organisation_has_as_many_subscriptions_as_it_may() {
    let limits = Limits { subscriptions_per_organisation_max: 4, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["a", "b", "c"] {
            world.connect(name, &v5());
        }
        world.connect("old", &v3());
        let at_most_once = qos(QoS::AtMostOnce);
        assert_eq!(world.subscribe("a", &[("1", at_most_once), ("$share/g/1", at_most_once)]), [0, 0]);
        let codes = world.subscribe("b", &[("1", at_most_once), ("2", at_most_once), ("3", at_most_once)]);
        assert_eq!(codes, [0, 0, QUOTA]);
        assert_eq!(world.subscribe("c", &[("$share/g/1", at_most_once)]), [QUOTA]);
        // [MQTT3-3.9.3-2]
        assert_eq!(world.subscribe("old", &[("1", at_most_once)]), [0x80]);
        // What is refused is not subscribed, and leaves nothing.
        world.publish("old", "3", b"", QoS::AtMostOnce);
        assert_eq!(world.payloads("b"), [""; 0]);
        // A known filter may change.
        assert_eq!(world.subscribe("b", &[("1", qos(QoS::AtLeastOnce))]), [1]);
        world.unsubscribe("a", "1");
        assert_eq!(world.subscribe("c", &[("4", at_most_once), ("5", at_most_once)]), [0, QUOTA]);
        world.unsubscribe("a", "$share/g/1");
        assert_eq!(world.subscribe("c", &[("5", at_most_once)]), [0]);
        world.break_connection("b");
        assert_eq!(world.subscribe("a", &[("6", at_most_once), ("7", at_most_once)]), [0, 0]);
        assert_eq!(world.subscribe("a", &[("8", at_most_once)]), [QUOTA]);
        assert_eq!(world.counters().subscriptions, 4, "{shards} shards");
        world.check_gauges();
        for name in ["a", "c", "old"] {
            world.break_connection(name);
        }
        assert_eq!(world.residue(), super::residue::Residue::default());
    }
}

#[test]
fn long_and_deep_filters_count_as_often_as_the_memory_that_they_take() {
    let limits =
        Limits { filters_per_session_max: 300, subscriptions_per_organisation_max: 400, ..Limits::default() };
    let at_most_once = qos(QoS::AtMostOnce);
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("a", &v5());
        world.connect("b", &v5());
        // The longest filter that there may be counts 256 times, and one of 176 levels and 351 bytes 12 times, 13 if it is shared.
        let longest = "x".repeat(65_535);
        let deep = ["a"; 176].join("/");
        let shared = format!("$share/g/{deep}");
        let filters = [longest.as_str(), &longest[1..], &deep, &shared].map(|filter| (filter, at_most_once));
        assert_eq!(world.subscribe("a", &filters), [0, QUOTA, 0, 0], "{shards} shards");
        assert_eq!(world.counters().subscriptions, 3);
        let some: Vec<String> = (0..130).map(|number| format!("{number}")).collect();
        let some: Vec<_> = some.iter().map(|filter| (filter.as_str(), at_most_once)).collect();
        let granted = world.subscribe("b", &some).iter().filter(|&&code| code == 0).count();
        assert_eq!(granted, 400 - 256 - 12 - 13);
        // What they counted for is given back.
        world.unsubscribe("a", &longest);
        world.unsubscribe("a", &shared);
        assert_eq!(world.subscribe("b", &some), [0; 130]);
        world.check_gauges();
        world.break_connection("a");
        assert_eq!(world.subscribe("b", &[(&shared, at_most_once), (&deep, at_most_once)]), [0, 0]);
        world.break_connection("b");
        assert_eq!(world.subscription_weight(), 0);
        assert_eq!(world.residue(), super::residue::Residue::default());
    }
}

#[test]
fn messages_beyond_the_queues_of_an_organisation_are_dropped_and_counted() {
    // A hundred bytes of message and 64 for its place: 61 of them.
    let limits = Limits { queued_bytes_per_organisation_max: 10_000, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for name in names {
            world.connect(name, &durable());
            world.subscribe(name, &[("t", qos(QoS::AtLeastOnce))]);
            world.break_connection(name);
        }
        world.connect("p", &v3());
        for _ in 0..20 {
            world.publish("p", "t", &[b'x'; 99], QoS::AtLeastOnce);
        }
        let counters = world.counters();
        let reason = DropReason::OrganisationQueueBytes;
        assert_eq!(counters.dropped(reason) + counters.queued, 160);
        // Up to an eighth may lie idle on other shards.
        assert!((52..=61).contains(&counters.queued), "{} on {shards} shards", counters.queued);
        // A live subscriber is not concerned.
        world.connect("live", &v3());
        world.subscribe("live", &[("t", qos(QoS::AtLeastOnce))]);
        world.publish("p", "t", b"live", QoS::AtLeastOnce);
        assert_eq!(world.payloads("live"), ["live"]);
        // Whoever takes its messages makes room for the others.
        let mut taken = 0;
        for name in ["a", "b", "c"] {
            world.connect(name, &durable());
            taken += world.payloads(name).len() as u64;
        }
        assert!(taken > 10);
        let queued = world.counters().queued;
        for name in ["a", "b", "c"] {
            world.stall(name, true);
            world.break_connection(name);
        }
        for _ in 0..2 {
            world.publish("p", "t", &[b'x'; 99], QoS::AtLeastOnce);
        }
        assert!(world.counters().queued > queued, "{shards} shards");
        world.check_gauges();
    }
}

#[test]
fn empty_messages_count_in_the_queues_of_an_organisation() {
    let limits = Limits { queued_bytes_per_organisation_max: 6_500, ..Limits::default() };
    let mut world = World::with_limits(1, limits);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
    world.break_connection("s");
    world.connect("p", &v3());
    for _ in 0..1000 {
        world.publish("p", "t", b"", QoS::AtLeastOnce);
    }
    assert_eq!(world.counters().queued, 100);
    // When the session ends, all of it can be queued for another.
    world.connect_as("s again", "s", &v5());
    world.break_connection("s again");
    world.connect("r", &durable());
    world.subscribe("r", &[("t", qos(QoS::AtLeastOnce))]);
    world.break_connection("r");
    for _ in 0..1000 {
        world.publish("p", "t", b"", QoS::AtLeastOnce);
    }
    assert_eq!(world.counters().queued, 100);
}

#[test]
fn what_waits_for_a_client_longer_than_the_bound_is_dropped_and_counted_when_it_comes_back() {
    let limits = Limits { queued_message_age_max_secs: 1000, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["s", "t"] {
            world.connect(name, &durable());
            world.subscribe(name, &[("t", qos(QoS::AtLeastOnce))]);
            world.break_connection(name);
        }
        world.connect("p", &v3());
        world.publish("p", "t", b"1", QoS::AtLeastOnce);
        world.jump_secs(500);
        world.publish("p", "t", b"2", QoS::AtLeastOnce);
        world.jump_secs(500);
        // Exactly as old as the bound: not yet, though the sweep looks.
        world.advance_ms(100);
        assert_eq!(world.counters().queued, 4);
        world.jump_secs(1);
        world.connect("s", &durable());
        assert_eq!(world.payloads("s"), ["2"]);
        // The next message that is queued drops what is too old as well.
        world.publish("p", "t", b"3", QoS::AtLeastOnce);
        assert_eq!(world.counters().dropped(DropReason::QueueAge), 2, "{shards} shards");
        world.connect("t", &durable());
        assert_eq!(world.payloads("t"), ["2", "3"]);
        world.check_gauges();
    }
}

#[test]
fn a_message_that_waited_too_long_makes_room_for_the_next_one() {
    let limits = Limits { queued_message_age_max_secs: 1000, queue_messages_max: 2, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &durable());
        world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
        world.break_connection("s");
        world.connect("p", &v3());
        for payload in [b"1", b"2", b"3"] {
            world.publish("p", "t", payload, QoS::AtLeastOnce);
        }
        world.jump_secs(1001);
        // Before the sweep comes by.
        world.publish("p", "t", b"4", QoS::AtLeastOnce);
        let counters = world.counters();
        let dropped =
            [DropReason::QueueMessages, DropReason::QueueAge].map(|reason| counters.dropped(reason));
        assert_eq!(dropped, [1, 2], "{shards} shards");
        world.connect("s", &durable());
        assert_eq!(world.payloads("s"), ["4"]);
        world.check_gauges();
    }
}

#[test]
fn the_sweep_ends_with_one_session_before_it_looks_at_the_many_others() {
    let limits = Limits { queued_message_age_max_secs: 1000, ..Limits::default() };
    let mut world = World::with_limits(1, limits);
    for number in 0..10_000 {
        world.connect_as("other", &format!("c{number}"), &durable());
        world.break_connection("other");
    }
    world.connect("s", &durable());
    world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
    world.break_connection("s");
    world.connect("p", &v3());
    for _ in 0..20_000 {
        world.publish("p", "t", b"m", QoS::AtLeastOnce);
    }
    world.jump_secs(1001);
    // Three looks for the others and five for its messages.
    world.advance_secs(10);
    assert_eq!(world.counters().dropped(DropReason::QueueAge), 20_000);
}

#[test]
fn what_nobody_touches_is_dropped_by_the_sweep_a_bounded_part_at_a_time() {
    let limits = Limits { queued_message_age_max_secs: 1000, ..Limits::default() };
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
        for name in &names {
            world.connect(name, &durable());
            world.subscribe(name, &[("t", qos(QoS::AtLeastOnce))]);
            world.break_connection(name);
        }
        world.connect("p", &v3());
        for _ in 0..1000 {
            world.publish("p", "t", b"m", QoS::AtLeastOnce);
        }
        assert!(world.next_deadline().is_some_and(|due_ms| due_ms <= world.now.mono_ms + 1000));
        world.jump_secs(999);
        world.advance_secs(1);
        assert_eq!(world.counters().queued, 20_000);
        world.advance_ms(1100);
        let queued = world.counters().queued;
        // About four thousand looks for each shard and second.
        assert!((1..20_000).contains(&queued) || shards > 1, "{queued} on {shards} shards");
        world.advance_secs(10);
        assert_eq!(world.counters().queued, 0, "{shards} shards");
        assert_eq!(world.counters().dropped(DropReason::QueueAge), 20_000);
        // Nobody is woken for it any more.
        assert!(world.next_deadline().is_none_or(|due_ms| due_ms > world.now.mono_ms + 10_000));
        world.check_gauges();
    }
}

#[test]
fn a_client_that_never_acknowledges_keeps_a_bounded_number_of_bytes_in_flight() {
    let limits = Limits { queue_bytes_max: 8 * 1024 * 1024, ..Limits::default() };
    for (shards, level, acknowledgements) in [
        (1, QoS::AtLeastOnce, &[Packet::PubAck as Ack][..]),
        (2, QoS::ExactlyOnce, &[Packet::PubRec, Packet::PubComp]),
    ] {
        let mut world = World::with_limits(shards, limits.clone());
        world.connect("s", &durable());
        world.subscribe("s", &[("t", qos(level))]);
        world.connect("p", &v3());
        for _ in 0..100 {
            world.publish("p", "t", &[b'x'; 1024 * 1024 - 1], level);
        }
        // Sixty-four in flight, eight in the queue; the others are dropped and counted.
        assert_eq!(world.topics("s").len(), 64);
        let counters = world.counters();
        assert_eq!((counters.queued, counters.dropped(DropReason::QueueBytes)), (72, 28));
        for &acknowledge in acknowledgements {
            world.ack("s", 1, acknowledge);
        }
        assert_eq!((world.topics("s").len(), world.counters().queued), (1, 71));
        world.check_gauges();
    }
}

type Ack = fn(Acknowledgement<'static>) -> Packet<'static>;

#[test]
fn share_names_beyond_the_bound_of_a_filter_are_refused_and_known_ones_may_be_joined() {
    let limits = Limits { share_names_per_filter_max: 2, ..Limits::default() };
    let at_most_once = qos(QoS::AtMostOnce);
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["a", "b", "c", "d"] {
            world.connect(name, &v5());
        }
        assert_eq!(world.subscribe("a", &[("$share/1/t", at_most_once)]), [0]);
        assert_eq!(world.subscribe("b", &[("$share/2/t", at_most_once)]), [0]);
        let codes = world.subscribe("c", &[("$share/3/t", at_most_once), ("$share/3/u", at_most_once)]);
        assert_eq!(codes, [QUOTA, 0]);
        assert_eq!(world.subscribe("d", &[("$share/1/t", at_most_once)]), [0]);
        world.publish("a", "t", b"m", QoS::AtMostOnce);
        let copies: usize = ["a", "b", "c", "d"].map(|name| world.payloads(name).len()).iter().sum();
        assert_eq!(copies, 2, "{shards} shards");
        world.unsubscribe("b", "$share/2/t");
        assert_eq!(world.subscribe("c", &[("$share/3/t", at_most_once)]), [0]);
        world.check_gauges();
    }
}

#[test]
fn share_names_beyond_the_bound_of_an_organisation_are_refused() {
    let limits = Limits { share_names_per_organisation_max: 3, ..Limits::default() };
    let at_most_once = qos(QoS::AtMostOnce);
    for shards in SHARDS {
        let mut world = World::with_limits(shards, limits.clone());
        for name in ["a", "b", "c"] {
            world.connect(name, &v5());
        }
        assert_eq!(
            world.subscribe("a", &[("$share/1/t", at_most_once), ("$share/1/u", at_most_once)]),
            [0, 0]
        );
        assert_eq!(
            world.subscribe("b", &[("$share/2/t", at_most_once), ("$share/2/u", at_most_once)]),
            [0, QUOTA]
        );
        assert_eq!(world.subscribe("c", &[("$share/2/t", at_most_once), ("t", at_most_once)]), [0, 0]);
        world.break_connection("a");
        assert_eq!(world.subscribe("c", &[("$share/2/u", at_most_once)]), [0], "{shards} shards");
    }
}

#[test]
fn one_message_over_as_many_groups_as_there_may_be_makes_that_many_copies_and_no_more() {
    for shards in [1, 2] {
        let mut world = World::new(shards);
        world.connect("c", &v5());
        // One filter takes a thousand names, and so does each other that matches the topic.
        let mut granted = 0;
        for filter in ["t/x", "t/+", "+/x", "#"] {
            let names: Vec<String> = (0..1_500).map(|number| format!("$share/{number}/{filter}")).collect();
            let names: Vec<_> = names.iter().map(|name| (name.as_str(), qos(QoS::AtMostOnce))).collect();
            granted += world.subscribe("c", &names).iter().filter(|&&code| code == 0).count();
        }
        assert_eq!(granted, 4_000);
        world.connect("p", &v5());
        world.publish("p", "t/x", b"", QoS::AtMostOnce);
        assert_eq!(world.payloads("c").len(), 4_000);
    }
}
