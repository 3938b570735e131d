//! Sessions, takeover, Wills and the hold of acknowledgements.

use tidegate_mqtt::{
    Connect, Packet, PropertyBuf, PropertyId, QoS, ReasonCode, SubscriptionOptions, Version,
};

use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::{ConnectionId, Effects, Input, Limits};

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
fn no_local_keeps_a_clients_own_will_from_its_session() {
    let mut no_local = qos1();
    no_local.no_local = true;
    for (filter, expected) in [(no_local, [].as_slice()), (qos1(), &["gone"])] {
        for delay in [0, 10] {
            let mut will = PropertyBuf::new();
            will.number(PropertyId::WillDelayInterval, delay);
            let options =
                ConnectOptions { will: Some(("w", b"gone", QoS::AtLeastOnce, false, will)), ..durable_v5() };
            let mut world = World::new(2);
            world.connect("c", &options);
            world.subscribe("c", &[("w", filter)]);
            world.break_connection("c");
            world.advance_secs(11);
            world.connect("c", &options);
            // [MQTT5-3.8.3-3]
            assert_eq!(world.payloads("c"), expected, "delay {delay}");
        }
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
        // [MQTT5-4.8.2-5]
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
    world.open("c", Version::V5);
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

#[test]
fn a_delayed_will_is_cancelled_by_whoever_takes_its_session_over() {
    let mut will = PropertyBuf::new();
    will.number(PropertyId::WillDelayInterval, 10);
    let options =
        ConnectOptions { will: Some(("w", b"gone", QoS::AtLeastOnce, false, will)), ..durable_v5() };
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &v5());
        world.subscribe("s", &[("w", qos1())]);
        world.connect_as("first", "x", &options);
        world.connect_as("second", "x", &durable_v5());
        world.advance_secs(20);
        // [MQTT5-3.1.3-9]
        assert_eq!(world.payloads("s"), [""; 0], "{shards} shards");
    }
}

#[test]
fn a_will_that_a_return_has_cancelled_stays_away_when_the_session_ends() {
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
        world.connect("c", &durable_v5());
        world.disconnect("c");
        world.advance_secs(101);
        // [MQTT5-3.1.3-9]
        assert_eq!(world.payloads("s"), [""; 0], "{shards} shards");
    }
}

#[test]
fn a_message_that_waits_or_is_sent_again_keeps_what_its_subscription_asked_for() {
    let mut identifier = PropertyBuf::new();
    identifier.number(PropertyId::SubscriptionIdentifier, 7);
    let as_published = SubscriptionOptions { retain_as_published: true, ..qos1() };
    for shards in [1, 2, 5] {
        let mut world = World::new(shards);
        world.connect("s", &durable_v5());
        world.subscribe_with("s", &[("t", as_published)], &identifier);
        world.break_connection("s");
        world.connect("p", &v5());
        world.publish_with("p", "t", b"m", QoS::AtLeastOnce, true, &PropertyBuf::new());
        for again in [false, true] {
            world.connect("s", &durable_v5());
            let got = world.received("s");
            let [Got::Publish { dup, retain, properties, .. }] = &got[..] else { panic!("{got:?}") };
            assert_eq!(*dup, again);
            // [MQTT5-3.3.1-13]
            assert!(retain, "sent again: {again}");
            // [MQTT5-3.3.4-3]
            assert_eq!(properties[..], *identifier.as_properties().as_bytes(), "sent again: {again}");
            world.break_connection("s");
        }
    }
}

#[test]
fn an_exchange_of_qos_2_is_finished_by_its_own_packets_only() {
    let mut world = World::new(1);
    world.connect("s", &durable_v5());
    world.subscribe("s", &[("t", SubscriptionOptions::of_qos(QoS::ExactlyOnce))]);
    world.connect("p", &v5());
    world.publish("p", "t", b"m", QoS::ExactlyOnce);
    let got = world.received("s");
    let [Got::Publish { id, dup: false, .. }] = got[..] else { panic!("{got:?}") };
    world.ack("s", id, Packet::PubAck);
    world.ack("s", id, Packet::PubComp);
    world.break_connection("s");
    world.connect("s", &durable_v5());
    let got = world.received("s");
    // [MQTT5-4.3.3-3]
    assert!(matches!(got[..], [Got::Publish { id: again, dup: true, .. }] if again == id), "{got:?}");
    world.ack("s", id, Packet::PubRec);
    assert_eq!(world.received("s"), [Got::PubRel(id, ReasonCode::Success)]);
    world.ack("s", id, Packet::PubAck);
    world.break_connection("s");
    world.connect("s", &durable_v5());
    // [MQTT5-4.3.3-5]
    assert_eq!(world.received("s"), [Got::PubRel(id, ReasonCode::Success)]);
}

/// The Client Identifier that the server gave a client without one.
fn assigned_identifier(world: &mut World, name: &str) -> String {
    let connack = world.connect_as(name, "", &v5());
    let Got::ConnAck { properties, session_present: false, .. } = connack else { panic!("{connack:?}") };
    let text = String::from_utf8_lossy(&properties).into_owned();
    let from = text.find("auto-").expect("an assigned identifier");
    text[from..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

#[test]
fn an_assigned_identifier_is_none_that_a_client_has_chosen() {
    let mut world = World::new(1);
    let first = assigned_identifier(&mut world, "first");
    let (stem, number) = first.rsplit_once('-').unwrap();
    let next = format!("{stem}-{}", number.parse::<u64>().unwrap() + 1);
    // A client may guess what comes next; it must not get the session of a stranger for it, nor lose its own.
    world.connect_as("guesses", &next, &v5());
    // [MQTT5-3.2.2-16]
    assert_ne!(assigned_identifier(&mut world, "second"), next);
    assert!(world.is_open("guesses"));
}

#[test]
fn a_client_that_is_still_being_authenticated_is_told_no_disconnect() {
    let mut world = World::new(1);
    let (now, core) = (world.now, &mut world.cores[0]);
    let mut effects = Effects::new(1);
    let connection = ConnectionId { index: 0, generation: 0 };
    core.handle(now, Input::Opened { connection, peer: "127.0.0.1:1".parse().unwrap() }, &mut effects);
    let mut bytes = Vec::new();
    let connect = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive_secs: 0,
        properties: Default::default(),
        client_identifier: "c",
        will: None,
        user_name: None,
        password: None,
    };
    Packet::Connect(connect).encode(Version::V5, &mut bytes);
    core.handle(now, Input::Received { connection, bytes: &bytes }, &mut effects);
    assert_eq!(effects.authenticate.len(), 1);
    core.handle(now, Input::ShutDown, &mut effects);
    assert_eq!(effects.close, [connection]);
    // [MQTT5-3.14.0-1]
    assert!(core.outbound(connection).is_some_and(|outbound| outbound.is_empty()));
}

/// MQTT.js sends Clean Start 0 without a Session Expiry Interval; an operator may give such clients a backlog.
#[test]
fn a_5_0_client_that_says_nothing_of_expiry_gets_what_the_operator_chose_and_is_told() {
    for (default, clean, session_present) in [(0, false, false), (60, false, true), (60, true, false)] {
        let limits = Limits { session_expiry_v5_default_secs: default, ..Limits::default() };
        let mut world = World::with_limits(1, limits);
        let connack = world.connect("s", &ConnectOptions { clean, ..v5() });
        // [MQTT5-3.2.2.3.2]: it is told what it got if that is not what it asked for.
        let told = match connack {
            Got::ConnAck { properties, .. } => {
                properties.windows(5).any(|bytes| bytes == [0x11, 0, 0, 0, 60])
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(told, session_present);
        world.break_connection("s");
        let connack = world.connect("s", &ConnectOptions { clean: false, ..v5() });
        assert!(
            matches!(connack, Got::ConnAck { session_present: present, .. } if present == session_present)
        );
    }
}
