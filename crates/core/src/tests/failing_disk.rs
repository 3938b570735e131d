//! What clients hear when nothing can be written to the disk: never a success.

use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, QoS, ReasonCode, SubscriptionOptions};
use tidegate_observe::{EndReason, Fact};

use super::world::{ConnectOptions, Got, World, v3, v5};

fn durable() -> ConnectOptions<'static> {
    let mut properties = PropertyBuf::new();
    properties.number(PropertyId::SessionExpiryInterval, 1000);
    ConnectOptions { clean: false, properties, ..v5() }
}

/// A durable subscriber that is away, a live one, and a publisher, while nothing reaches the disk.
fn world(shards: u8, publisher: &ConnectOptions<'_>) -> World {
    let mut world = World::new(shards);
    world.connect("away", &durable());
    world.subscribe("away", &[("t", SubscriptionOptions::of_qos(QoS::ExactlyOnce))]);
    world.break_connection("away");
    world.connect("live", &v5());
    world.subscribe("live", &[("t", SubscriptionOptions::of_qos(QoS::AtLeastOnce))]);
    world.connect("p", publisher);
    world.journal_stalls();
    world
}

fn end_of(world: &World, name: &str) -> Option<EndReason> {
    world.facts.iter().find_map(|fact| match fact {
        Fact::Ended { client: Some(client), reason, .. } if **client == *name => Some(reason.clone()),
        _ => None,
    })
}

#[test]
fn publishers_of_5_0_hear_that_it_failed_and_why() {
    for shards in [1, 2, 5] {
        for reason in [ReasonCode::QuotaExceeded, ReasonCode::UnspecifiedError] {
            let mut world = world(shards, &v5());
            let first = world.publish("p", "t", b"1", QoS::AtLeastOnce);
            let second = world.publish("p", "t", b"2", QoS::ExactlyOnce);
            assert_eq!(world.received("p"), [], "{shards} shards");
            world.journal_fails(reason);
            let expected = [Got::PubAck(first, reason), Got::PubRec(second, reason)];
            assert_eq!(world.received("p"), expected, "{shards} shards");
            assert_eq!(world.payloads("live"), ["1", "2"], "live subscribers may have it");
            assert!(world.is_open("p"));
        }
    }
}

#[test]
fn a_qos_2_identifier_whose_pubrec_failed_is_free() {
    let mut world = world(1, &v5());
    world.use_identifiers_from("p", 3);
    let id = world.publish("p", "t", b"1", QoS::ExactlyOnce);
    world.journal_fails(ReasonCode::QuotaExceeded);
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::QuotaExceeded)]);
    world.journal_goes_on();
    world.use_identifiers_from("p", 3);
    // [MQTT5-4.3.3-9]: a new message, not the old one again.
    assert_eq!(world.publish("p", "t", b"2", QoS::ExactlyOnce), id);
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
    assert_eq!(world.payloads("live"), ["1", "2"]);
}

#[test]
fn publishers_of_3_1_1_are_held_and_then_closed() {
    for shards in [1, 3] {
        let mut world = world(shards, &v3());
        world.publish("p", "t", b"1", QoS::AtLeastOnce);
        world.journal_fails(ReasonCode::QuotaExceeded);
        world.journal_goes_on();
        world.publish("p", "t", b"2", QoS::AtLeastOnce);
        world.advance_secs(5);
        assert_eq!(
            world.received("p"),
            [],
            "{shards} shards: no success for the first, and none overtakes it"
        );
        assert!(world.is_open("p"));
        world.advance_secs(6);
        assert!(!world.is_open("p"));
        assert_eq!(end_of(&world, "p"), Some(EndReason::NotDurable));
    }
}

#[test]
fn qos_0_goes_on() {
    let mut world = world(2, &v5());
    world.publish("p", "t", b"durable", QoS::AtLeastOnce);
    world.journal_fails(ReasonCode::QuotaExceeded);
    world.received("live");
    world.publish("p", "t", b"light", QoS::AtMostOnce);
    assert_eq!(world.payloads("live"), ["light"]);
}

#[test]
fn a_subscription_that_cannot_be_kept_is_not_acknowledged() {
    let mut world = world(2, &v5());
    world.connect("s", &durable());
    world.send_bytes("s", &[0x82, 7, 0, 1, 0, 0, 1, b'x', 1]);
    assert_eq!(world.received("s"), []);
    world.journal_fails(ReasonCode::QuotaExceeded);
    assert_eq!(world.received("s"), [Got::Disconnect(ReasonCode::QuotaExceeded)]);
    assert_eq!(end_of(&world, "s"), Some(EndReason::NotDurable));
}

#[test]
fn a_release_that_cannot_be_written_is_not_confirmed() {
    let mut world = world(1, &durable());
    world.journal_goes_on();
    let id = world.publish("p", "t", b"1", QoS::ExactlyOnce);
    assert_eq!(world.received("p"), [Got::PubRec(id, ReasonCode::Success)]);
    world.journal_stalls();
    world.ack("p", id, Packet::PubRel);
    world.journal_fails(ReasonCode::QuotaExceeded);
    assert_eq!(world.received("p"), [Got::Disconnect(ReasonCode::QuotaExceeded)]);
}
