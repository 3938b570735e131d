//! Queues that are longer than memory: what waits stays in the log, and comes back in its turn.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, SubscriptionOptions};
use tidegate_observe::DropReason;

use super::world::{ConnectOptions, Got, World, v5};
use crate::Limits;

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 1000);
    ConnectOptions { clean: false, properties, ..v5() }
}

/// A world with hardly any cache, in which some clients want "t" and are away.
fn world(shards: u8, away: &[&str]) -> World {
    let mut world = World::with_limits(shards, Limits { queue_cache_bytes: 500, ..Limits::default() });
    for name in away {
        world.connect(name, &durable());
        world.subscribe(name, &[("t", SubscriptionOptions::of_qos(QoS::ExactlyOnce))]);
        world.disconnect(name);
    }
    world.connect("p", &v5());
    world
}

fn publish(world: &mut World, payloads: std::ops::Range<usize>) {
    for payload in payloads {
        world.publish("p", "t", payload.to_string().as_bytes(), QoS::AtLeastOnce);
    }
    world.received("p");
}

/// Takes everything, and acknowledges it.
fn drain(world: &mut World, name: &str) -> Vec<usize> {
    let mut payloads = Vec::new();
    loop {
        let got = world.received(name);
        if got.is_empty() {
            return payloads;
        }
        for got in got {
            let Got::Publish { payload, id, .. } = got else { continue };
            payloads.push(String::from_utf8(payload).unwrap().parse().unwrap());
            world.ack(name, id, Packet::PubAck);
        }
    }
}

#[test]
fn a_queue_leaves_memory_but_for_its_beginning_and_comes_back_in_order() {
    for shards in [1, 3] {
        let mut world = world(shards, &["a", "b"]);
        publish(&mut world, 0..2000);
        assert!(world.counters().queued_in_log > 3900, "{:?}", world.counters());
        assert!(world.residue().queue_cache < 1000 * u64::from(shards));
        world.check_gauges();
        for name in ["a", "b"] {
            world.connect(name, &durable());
            assert_eq!(drain(&mut world, name), (0..2000).collect::<Vec<_>>());
        }
        world.check_gauges();
        assert_eq!((world.counters().queued, world.residue().queue_cache), (0, 0));
    }
}

#[test]
fn a_queue_is_there_after_a_restart_wherever_its_contents_were_moved() {
    let mut world = world(2, &["a", "b"]);
    publish(&mut world, 0..500);
    world.kill(3);
    assert_eq!(world.counters().queued_in_log, 1000, "a start reads nothing that waits");
    world.connect("p", &v5());
    publish(&mut world, 500..600);
    world.checkpoint_that_evacuates();
    world.checkpoint(|_| {});
    world.kill(1);
    world.checkpoint_that_evacuates();
    assert!(world.contents() <= 1200, "{} contents of 600 messages on two shards", world.contents());
    for name in ["a", "b"] {
        world.connect(name, &durable());
        assert_eq!(drain(&mut world, name), (0..600).collect::<Vec<_>>());
    }
    world.checkpoint(|_| {});
    world.checkpoint(|_| {});
    assert_eq!(world.contents(), 0);
}

#[test]
fn content_that_many_sessions_wait_for_is_moved_once_for_all() {
    let mut world = world(1, &["a", "b", "c"]);
    publish(&mut world, 0..300);
    world.checkpoint_that_evacuates();
    assert_eq!(world.contents(), 300);
}

#[test]
fn an_answer_that_comes_when_the_session_is_over_does_nothing() {
    let mut world = world(1, &["a"]);
    publish(&mut world, 0..100);
    world.reads_stall(true);
    world.connect("a", &durable());
    let first = drain(&mut world, "a").len();
    assert!(first < 100 && world.reads_waiting() > 0);
    world.disconnect("a");
    world.connect("a", &v5());
    publish(&mut world, 0..10);
    world.reads_stall(false);
    assert_eq!(drain(&mut world, "a"), []);
    world.check_gauges();
}

#[test]
fn answers_in_any_order_change_nothing_about_the_order_of_messages() {
    let mut world = world(1, &["a"]);
    publish(&mut world, 0..400);
    world.reads_stall(true);
    world.connect("a", &durable());
    let mut got = drain(&mut world, "a");
    while world.reads_waiting() > 0 {
        world.read_one((got.len() * 7919) % world.reads_waiting(), false);
        got.extend(drain(&mut world, "a"));
    }
    assert_eq!(got, (0..400).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    let mut world = world(1, &["a"]);
    publish(&mut world, 0..100);
    world.reads_stall(true);
    world.connect("a", &durable());
    while world.reads_waiting() > 0 {
        world.read_one(0, true);
    }
    let mut got = drain(&mut world, "a");
    world.reads_stall(false);
    world.advance_ms(1500);
    got.extend(drain(&mut world, "a"));
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_is_damaged_is_dropped_and_counted_and_the_rest_is_delivered() {
    let mut world = world(1, &["a"]);
    publish(&mut world, 0..100);
    let in_log = world.counters().queued_in_log;
    world.damage_contents();
    publish(&mut world, 100..110);
    world.connect("a", &durable());
    let got = drain(&mut world, "a");
    assert_eq!(got.last(), Some(&109));
    assert_eq!(world.counters().dropped(DropReason::Unreadable), in_log);
    assert_eq!(got.len() as u64, 110 - in_log);
    world.check_gauges();
}

#[test]
fn what_is_expired_is_dropped_without_being_read() {
    let mut world = world(1, &["a"]);
    let mut expiry = PropertyBuf::new();
    expiry.number(PropertyId::MessageExpiryInterval, 5);
    for _ in 0..50 {
        world.publish_with("p", "t", b"old", QoS::AtLeastOnce, false, &expiry);
    }
    publish(&mut world, 0..50);
    world.skip_secs(10);
    world.connect("a", &durable());
    assert_eq!(drain(&mut world, "a"), (0..50).collect::<Vec<_>>());
    assert_eq!(world.counters().dropped(DropReason::Expired), 50);
    assert!(world.counters().read_back <= 50);
}

#[test]
fn content_that_did_not_arrive_stays_in_memory_until_it_is_written_again() {
    let mut world = world(1, &["a"]);
    world.journal_stalls();
    for payload in 0..50 {
        world.publish("p", "t", payload.to_string().as_bytes(), QoS::AtLeastOnce);
    }
    world.journal_fails(ReasonCode::QuotaExceeded);
    world.journal_goes_on();
    assert_eq!(world.counters().queued_in_log, 0);
    world.checkpoint(|_| {});
    assert!(world.counters().queued_in_log > 40, "{}", world.counters().queued_in_log);
    world.kill(2);
    world.connect("a", &durable());
    assert_eq!(drain(&mut world, "a"), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_session_that_will_end_with_its_connection_still_gets_what_waits_in_the_log() {
    let mut world = world(1, &["a"]);
    publish(&mut world, 0..100);
    let mut one = PropertyBuf::new();
    one.number(PropertyId::ReceiveMaximum, 1);
    world.connect("a", &ConnectOptions { clean: false, properties: one, ..v5() });
    publish(&mut world, 100..110);
    world.checkpoint_that_evacuates();
    world.checkpoint(|_| {});
    assert_eq!(drain(&mut world, "a"), (0..110).collect::<Vec<_>>());
}
