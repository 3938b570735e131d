//! What outlives the process: kills at any moment, and a new process with another number of shards.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, SubscriptionOptions};

use super::world::{ConnectOptions, Got, World, v3, v5};

pub(super) fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 1000);
    ConnectOptions { clean: false, properties, ..v5() }
}

pub(super) fn of(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::of_qos(qos)
}

pub(super) fn publishes(got: &[Got]) -> Vec<(String, bool, u16)> {
    got.iter()
        .filter_map(|got| match got {
            Got::Publish { payload, dup, id, .. } => {
                Some((String::from_utf8(payload.clone()).unwrap(), *dup, *id))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn what_waits_for_a_session_survives_a_kill_whatever_the_number_of_shards() {
    for (before, after) in [(1, 1), (1, 2), (2, 5), (5, 1)] {
        let mut world = World::new(before);
        for name in ["a", "b", "c"] {
            world.connect(name, &durable());
            world.subscribe(name, &[("t/+", of(QoS::AtLeastOnce)), ("x", of(QoS::ExactlyOnce))]);
            world.break_connection(name);
        }
        world.connect("p", &v5());
        for number in 0..5 {
            world.publish("p", "t/1", format!("{number}").as_bytes(), QoS::AtLeastOnce);
        }
        world.kill(after);
        world.connect("p", &v5());
        world.publish("p", "t/2", b"5", QoS::AtLeastOnce);
        for name in ["a", "b", "c"] {
            let connack = world.connect(name, &durable());
            assert!(matches!(connack, Got::ConnAck { session_present: true, .. }), "{connack:?}");
            assert_eq!(world.payloads(name), ["0", "1", "2", "3", "4", "5"], "{before} to {after} shards");
        }
    }
}

#[test]
fn what_was_acknowledged_by_the_client_does_not_come_again_and_the_rest_comes_with_its_identifier() {
    let mut world = World::new(2);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::AtLeastOnce))]);
    world.connect("p", &v5());
    for payload in ["1", "2", "3"] {
        world.publish("p", "t", payload.as_bytes(), QoS::AtLeastOnce);
    }
    let first = publishes(&world.received("s"));
    world.ack("s", first[1].2, Packet::PubAck);
    world.kill(2);
    world.connect("s", &durable());
    // [MQTT5-4.4.0-1] [MQTT5-3.3.1-1]
    let again = publishes(&world.received("s"));
    assert_eq!(again, [("1".into(), true, first[0].2), ("3".into(), true, first[2].2)]);
}

#[test]
fn a_qos_2_message_leaves_when_its_identifier_is_durable_and_comes_once() {
    let mut world = World::new(2);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    world.connect("p", &v5());
    world.journal_stalls();
    let id = world.publish("p", "t", b"once", QoS::ExactlyOnce);
    assert_eq!((world.received("s"), world.received("p")), (vec![], vec![]));
    world.journal_goes_on();
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
    let first = publishes(&world.received("s"));
    assert_eq!(first.len(), 1);
    assert!(!first[0].1, "it was never sent before");
    world.journal_stalls();
    world.ack("s", first[0].2, Packet::PubRec);
    assert_eq!(world.received("s"), [], "PUBREL waits for the record of PUBREC");
    world.journal_goes_on();
    assert_eq!(world.received("s"), [Got::PubRel(first[0].2, ReasonCode::Success)]);
    world.kill(2);
    world.connect("s", &durable());
    assert_eq!(world.received("s"), [Got::PubRel(first[0].2, ReasonCode::Success)], "not the message");
    world.ack("s", first[0].2, Packet::PubComp);
    world.kill(1);
    world.connect("s", &durable());
    assert_eq!(world.received("s"), []);
}

#[test]
fn a_qos_2_message_from_a_client_goes_in_once_and_its_identifier_is_free_after_the_release() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::AtLeastOnce))]);
    world.break_connection("s");
    world.connect("p", &durable());
    world.use_identifiers_from("p", 7);
    let id = world.publish("p", "t", b"1", QoS::ExactlyOnce);
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
    world.kill(1);
    world.connect("p", &durable());
    world.use_identifiers_from("p", 7);
    assert_eq!(world.publish("p", "t", b"1", QoS::ExactlyOnce), id);
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
    world.journal_stalls();
    world.ack("p", id, Packet::PubRel);
    assert_eq!(world.received("p"), [], "PUBCOMP waits for the record of the release");
    world.journal_goes_on();
    assert_eq!(world.received("p"), [Got::PubComp(id, ReasonCode::Success)]);
    world.kill(1);
    world.connect("p", &durable());
    world.use_identifiers_from("p", 7);
    world.publish("p", "t", b"2", QoS::ExactlyOnce);
    world.connect("s", &durable());
    assert_eq!(world.payloads("s"), ["1", "2"]);
}

#[test]
fn subscriptions_are_durable_before_suback() {
    let mut world = World::new(2);
    world.connect("s", &durable());
    world.journal_stalls();
    world.send_bytes("s", &[0x82, 7, 0, 1, 0, 0, 1, b't', 1]);
    assert_eq!(world.received("s"), [], "no SUBACK yet");
    let (_, durable_turns) = world.log_len();
    world.crash(2, durable_turns);
    world.connect("s", &durable());
    world.subscribe("s", &[("a/#", of(QoS::AtLeastOnce)), ("$share/g/b", of(QoS::AtLeastOnce))]);
    world.subscribe("s", &[("c", of(QoS::AtLeastOnce))]);
    world.unsubscribe("s", "c");
    world.break_connection("s");
    let subscriptions = world.counters().subscriptions;
    world.kill(1);
    assert_eq!((subscriptions, world.counters().subscriptions), (2, 2));
    world.connect("p", &v5());
    for topic in ["a/1", "b", "c", "t"] {
        world.publish("p", topic, topic.as_bytes(), QoS::AtLeastOnce);
    }
    world.connect("s", &durable());
    assert_eq!(world.payloads("s"), ["a/1", "b"]);
}

#[test]
fn retained_messages_stay_and_removed_ones_stay_away() {
    let mut world = World::new(2);
    world.connect("p", &v5());
    for (topic, payload) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "")] {
        world.publish_with("p", topic, payload.as_bytes(), QoS::AtLeastOnce, true, &PropertyBuf::new());
    }
    world.publish_sys();
    world.kill(3);
    world.connect("s", &v5());
    world.subscribe("s", &[("#", of(QoS::AtMostOnce))]);
    assert_eq!(world.payloads("s"), ["2"]);
    let counters = world.counters();
    assert_eq!((counters.retained, counters.sessions), (1, 1));
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_nothing() {
    let mut world = World::new(1);
    let before = world.log_bytes();
    world.connect("s", &v5());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    world.connect("p", &v5());
    world.publish("p", "t", b"1", QoS::ExactlyOnce);
    assert_eq!(world.log_bytes(), before, "nothing durable takes part, so nothing is written");
    world.kill(1);
    let connack = world.connect("s", &durable());
    assert!(matches!(connack, Got::ConnAck { session_present: false, .. }));
}

fn with_will(delay: u32, session: u32) -> ConnectOptions<'static> {
    let (mut properties, mut will) = (PropertyBuf::new(), PropertyBuf::new());
    properties.number(PropertyId::SessionExpiryInterval, session);
    will.number(PropertyId::WillDelayInterval, delay);
    let will = Some(("will", &b"gone"[..], QoS::AtLeastOnce, false, will));
    ConnectOptions { clean: false, properties, will, ..v5() }
}

#[test]
fn wills_of_clients_that_a_crash_cut_off_are_published_after_their_delay_unless_they_are_back() {
    for shards in [1, 3] {
        let mut world = World::new(shards);
        world.connect("watch", &durable());
        world.subscribe("watch", &[("will", of(QoS::AtLeastOnce))]);
        world.connect("short", &with_will(0, 0));
        world.connect("long", &with_will(10, 100));
        world.connect("back", &with_will(10, 100));
        world.connect("polite", &with_will(10, 100));
        world.disconnect("polite");
        world.kill(shards);
        world.connect("watch", &durable());
        assert_eq!(world.payloads("watch"), ["gone"], "the one without a session");
        world.connect("back", &with_will(10, 100));
        world.advance_secs(9);
        assert_eq!(world.payloads("watch"), [""; 0]);
        world.advance_secs(2);
        assert_eq!(world.payloads("watch"), ["gone"], "the one that stayed away");
        world.kill(shards);
        world.connect("watch", &durable());
        let again = world.received("watch");
        assert_eq!(
            publishes(&again).iter().filter(|(_, dup, _)| !dup).count(),
            0,
            "a Will comes once: {again:?}"
        );
    }
}

#[test]
fn sessions_expire_across_restarts_counted_from_when_their_client_left() {
    let mut world = World::new(1);
    let connect = |world: &mut World| world.connect("s", &with_will(0, 100));
    connect(&mut world);
    world.disconnect("s");
    world.advance_secs(60);
    world.kill(1);
    world.advance_secs(30);
    world.kill(1);
    assert!(matches!(connect(&mut world), Got::ConnAck { session_present: true, .. }));
    world.disconnect("s");
    world.kill(1);
    world.advance_secs(101);
    assert!(matches!(connect(&mut world), Got::ConnAck { session_present: false, .. }));
}

#[test]
fn clean_session_0_of_3_1_1_survives_too() {
    let mut world = World::new(1);
    world.connect("s", &ConnectOptions { clean: false, ..v3() });
    world.subscribe("s", &[("t", of(QoS::AtLeastOnce))]);
    world.kill(1);
    world.connect("p", &v5());
    world.publish("p", "t", b"1", QoS::AtLeastOnce);
    world.connect("s", &ConnectOptions { clean: false, ..v3() });
    assert_eq!(world.payloads("s"), ["1"]);
}

#[test]
fn a_checkpoint_makes_everything_before_it_needless_whatever_happens_meanwhile() {
    for shards in [1, 2] {
        let mut world = World::new(shards);
        world.connect("s", &durable());
        world.subscribe("s", &[("t", of(QoS::AtLeastOnce)), ("$share/g/u", of(QoS::AtLeastOnce))]);
        world.connect("p", &durable());
        world.publish_with("p", "r", b"kept", QoS::AtLeastOnce, true, &PropertyBuf::new());
        world.publish("p", "t", b"in flight", QoS::AtLeastOnce);
        let in_flight = publishes(&world.received("s"));
        world.break_connection("s");
        // Large enough for a checkpoint of several pieces.
        let mut payloads: Vec<String> = (0..3000).map(|number| format!("{number:0500}")).collect();
        for payload in &payloads {
            world.publish("p", "t", payload.as_bytes(), QoS::AtLeastOnce);
        }
        let mut between = 0;
        world.checkpoint(|world| {
            between += 1;
            if between == 2 {
                world.publish("p", "t", b"late", QoS::AtLeastOnce);
                world.connect("s", &durable());
                let got = publishes(&world.received("s"));
                world.ack("s", got[0].2, Packet::PubAck);
                world.ack("s", got[1].2, Packet::PubAck);
                world.break_connection("s");
            }
        });
        assert!(between > 2, "{shards} shards: the checkpoint has several pieces");
        payloads.push("late".into());
        world.kill(shards);
        world.connect("s", &durable());
        let mut got = Vec::new();
        loop {
            let more = publishes(&world.received("s"));
            if more.is_empty() {
                break;
            }
            for (payload, _, id) in more {
                world.ack("s", id, Packet::PubAck);
                got.push(payload);
            }
        }
        assert_eq!(in_flight.len(), 1);
        assert_eq!(got.len(), payloads[1..].len(), "{shards} shards");
        assert!(got == payloads[1..], "{shards} shards: in order");
        world.subscribe("s", &[("r", of(QoS::AtLeastOnce))]);
        assert_eq!(world.payloads("s"), ["kept"]);
    }
}

#[test]
fn a_crash_in_the_middle_of_a_checkpoint_loses_nothing_of_a_queue() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::AtLeastOnce))]);
    world.break_connection("s");
    world.connect("p", &v5());
    let payloads: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    payloads.iter().for_each(|payload| _ = world.publish("p", "t", payload.as_bytes(), QoS::AtLeastOnce));
    world.begin_checkpoint(|_| false, false);
    assert!(!world.continue_checkpoint(50));
    world.kill(1);
    world.connect("s", &durable());
    assert_eq!(world.payloads("s"), payloads);
}

#[test]
fn retained_messages_that_a_new_subscription_still_has_to_get_come_after_a_crash() {
    for checkpoint in [false, true] {
        let mut world = World::new(2);
        world.connect("p", &v5());
        for topic in ["r/1", "r/2", "r/3"] {
            world.publish_with("p", topic, topic.as_bytes(), QoS::AtLeastOnce, true, &PropertyBuf::new());
        }
        let mut one_at_a_time = durable();
        one_at_a_time.properties.number(PropertyId::ReceiveMaximum, 1);
        world.connect("s", &one_at_a_time);
        world.subscribe("s", &[("r/#", of(QoS::AtLeastOnce))]);
        assert_eq!(world.topics("s").len(), 1);
        if checkpoint {
            world.checkpoint(|_| {});
        }
        world.kill(3);
        world.connect("s", &durable());
        let mut topics = world.topics("s");
        topics.sort();
        topics.dedup();
        assert_eq!(topics, ["r/1", "r/2", "r/3"]);
        world.kill(1);
        world.connect("s", &durable());
        assert!(publishes(&world.received("s")).iter().all(|(_, dup, _)| *dup), "but no more than once");
    }
}

#[test]
fn messages_of_qos_2_wait_for_the_disk_together_and_leave_in_order() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t/#", of(QoS::ExactlyOnce))]);
    world.connect("p", &v5());
    world.journal_stalls();
    for number in 0..5 {
        world.publish("p", "t/2", format!("{number}").as_bytes(), QoS::ExactlyOnce);
    }
    world.publish("p", "t/1", b"behind", QoS::AtLeastOnce);
    assert_eq!(world.received("s"), []);
    let (turns, _) = world.log_len();
    world.journal_goes_on();
    let got = publishes(&world.received("s"));
    let payloads: Vec<_> = got.iter().map(|(payload, _, _)| payload.as_str()).collect();
    assert_eq!(payloads, ["0", "1", "2", "3", "4", "behind"]);
    assert!(got.iter().all(|(_, dup, _)| !dup), "none was sent before");
    assert_eq!(world.log_len().0, turns, "their identifiers were durable with what was written already");
}
