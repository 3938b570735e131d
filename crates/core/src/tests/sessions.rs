//! Sessions, takeover, Wills and the hold of acknowledgements.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, SubscriptionOptions};

use super::world::{ConnectOptions, Got, World, v3, v5};

fn durable_v5() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 100);
    ConnectOptions { clean: false, properties, ..v5() }
}

fn qos1() -> SubscriptionOptions {
    SubscriptionOptions::of_qos(QoS::AtLeastOnce)
}

#[test]
fn puback_waits_until_the_journal_has_the_record() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &durable_v5());
        world.subscribe("s", &[("t", qos1())]);
        world.break_connection("s");
        world.connect("p", &v5());
        world.journal_stalls();
        let first = world.publish("p", "t", b"1", QoS::AtLeastOnce);
        let second = world.publish("p", "nobody/wants/this", b"2", QoS::AtLeastOnce);
        // The second is not durable anywhere, and still must not overtake the first. [MQTT5-4.6.0-2]
        assert_eq!(world.received("p"), [], "{shards} shards");
        world.journal_goes_on();
        let expected =
            [Got::PubAck(first, ReasonCode::Success), Got::PubAck(second, ReasonCode::NoMatchingSubscribers)];
        assert_eq!(world.received("p"), expected, "{shards} shards");
    }
}

#[test]
fn what_was_queued_for_a_session_arrives_in_order_when_its_client_is_back() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &durable_v5());
        world.subscribe("s", &[("t", qos1())]);
        world.connect("p", &v5());
        world.publish("p", "t", b"sent", QoS::AtLeastOnce);
        world.break_connection("s");
        for payload in [b"1", b"2", b"3"] {
            world.publish("p", "t", payload, QoS::AtLeastOnce);
        }
        // [MQTT5-3.2.2-3]
        let connack = world.connect("s", &durable_v5());
        assert!(matches!(connack, Got::ConnAck { session_present: true, .. }), "{connack:?}");
        let got = world.received("s");
        // [MQTT5-4.4.0-1]
        assert!(matches!(&got[0], Got::Publish { dup: true, payload, .. } if payload == b"sent"), "{got:?}");
        assert_eq!(got.len(), 4);
        world.break_connection("s");
        world.advance_secs(101);
        // [MQTT5-3.1.2-23]
        let connack = world.connect("s", &durable_v5());
        assert!(matches!(connack, Got::ConnAck { session_present: false, .. }), "{connack:?}");
        assert_eq!(world.received("s"), []);
    }
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let mut world = World::new(2);
    world.connect_as("first", "x", &v5());
    world.connect_as("second", "x", &v5());
    // [MQTT5-3.1.4-3]
    assert_eq!(world.received("first"), [Got::Disconnect(ReasonCode::SessionTakenOver)]);
    assert!(!world.is_open("first") && world.is_open("second"));
}

#[test]
fn a_will_waits_for_its_delay_and_is_cancelled_by_a_return() {
    let mut will = PropertyBuf::new();
    will.number(PropertyId::WillDelayInterval, 10);
    let options =
        ConnectOptions { will: Some(("w", b"gone", QoS::AtLeastOnce, false, will)), ..durable_v5() };
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &v5());
        world.subscribe("s", &[("w", qos1())]);
        world.connect("c", &options);
        world.break_connection("c");
        world.advance_secs(5);
        world.connect("c", &options);
        world.advance_secs(20);
        // [MQTT5-3.1.3-9]
        assert_eq!(world.payloads("s"), [""; 0]);
        world.break_connection("c");
        world.advance_secs(9);
        assert_eq!(world.payloads("s"), [""; 0]);
        world.advance_secs(2);
        // [MQTT5-3.1.2-8]
        assert_eq!(world.payloads("s"), ["gone"]);
        world.connect("c", &options);
        world.disconnect("c");
        world.advance_secs(20);
        // [MQTT5-3.14.4-3]
        assert_eq!(world.payloads("s"), [""; 0]);
    }
}

#[test]
fn an_unacknowledged_message_of_a_share_member_goes_to_another_when_its_session_ends() {
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("p", &v5());
        for name in ["m1", "m2"] {
            world.connect(name, &v5());
            let options = SubscriptionOptions::of_qos(QoS::ExactlyOnce);
            world.subscribe(name, &[("$share/g/t", options)]);
        }
        world.publish("p", "t", b"one", QoS::AtLeastOnce);
        world.publish("p", "t", b"two", QoS::ExactlyOnce);
        let (first, second) = (world.payloads("m1"), world.payloads("m2"));
        assert_eq!(first.len() + second.len(), 2);
        let (leaver, stays, had) =
            if first.contains(&"one".to_owned()) { ("m1", "m2", first) } else { ("m2", "m1", second) };
        world.break_connection(leaver);
        // [MQTT5-4.8.2-4] [MQTT5-4.8.2-5]
        assert_eq!(world.payloads(stays), ["one"], "{shards} shards; {leaver} had {had:?}");
    }
}

#[test]
fn a_silent_client_is_closed_after_one_and_a_half_times_its_keep_alive() {
    let mut world = World::new(1);
    world.connect("c", &ConnectOptions { keep_alive: 10, ..v5() });
    world.advance_secs(14);
    world.send("c", &Packet::PingReq);
    world.advance_secs(14);
    assert_eq!(world.received("c"), [Got::PingResp]);
    world.advance_secs(2);
    // [MQTT5-3.1.2-22] [MQTT3-3.1.2-24]
    assert_eq!(world.received("c"), [Got::Disconnect(ReasonCode::KeepAliveTimeout)]);
    assert!(!world.is_open("c"));
}

#[test]
fn nobody_may_stay_without_a_connect() {
    let mut world = World::new(1);
    world.open("c", tidegate_mqtt::Version::V5);
    world.advance_secs(9);
    assert!(world.is_open("c"));
    world.advance_secs(2);
    assert!(!world.is_open("c"));
}

#[test]
fn a_duplicate_of_qos_2_is_answered_and_not_delivered_again() {
    let mut world = World::new(1);
    world.connect("s", &v3());
    world.subscribe("s", &[("t", qos1())]);
    world.connect("p", &v3());
    let id = world.publish("p", "t", b"m", QoS::ExactlyOnce);
    let again = tidegate_mqtt::Publish {
        dup: true,
        qos: QoS::ExactlyOnce,
        retain: false,
        topic: tidegate_mqtt::TopicName::new("t").ok(),
        packet_identifier: tidegate_mqtt::PacketIdentifier::new(id),
        properties: Default::default(),
        payload: b"m",
    };
    world.send("p", &Packet::Publish(again));
    let answer = Got::PubRec(id, ReasonCode::Success);
    assert_eq!(world.received("p"), [answer.clone(), answer]);
    // [MQTT5-4.3.3-10] [MQTT3-4.3.3-2]
    assert_eq!(world.payloads("s"), ["m"]);
}

#[test]
fn puback_waits_for_the_member_that_a_busy_one_passed_the_message_on_to() {
    let mut world = World::new(2);
    world.connect("p", &v5());
    let (mut near, mut far) = (None, None);
    for number in 0..20 {
        let name = format!("m{number}");
        let mut properties = PropertyBuf::new();
        properties.number(PropertyId::SessionExpiryInterval, 100).number(PropertyId::ReceiveMaximum, 1);
        world.connect(&name, &ConnectOptions { clean: false, properties, ..v5() });
        if world.share_a_shard("p", &name) {
            near.get_or_insert(name)
        } else {
            far.get_or_insert(name)
        };
    }
    let (near, far) = (near.unwrap(), far.unwrap());
    for name in [&far, &near] {
        world.subscribe(name, &[("$share/g/t", qos1())]);
    }
    // The far one has its hands full, so what it is given comes back to the near one.
    world.subscribe(&far, &[("x", qos1())]);
    world.publish("p", "x", b"fill", QoS::AtLeastOnce);
    world.received("p");
    world.journal_stalls();
    let ids = [1, 2].map(|_| world.publish("p", "t", b"shared", QoS::AtLeastOnce));
    // [MQTT5-4.6.0-2]
    assert_eq!(world.received("p"), []);
    world.journal_goes_on();
    assert_eq!(world.received("p"), ids.map(|id| Got::PubAck(id, ReasonCode::Success)));
}
