//! What a client asks for again on another connection: the answer is not earlier than the first would have been.

use tidegate_mqtt::{Packet, PacketIdentifier, Properties, PropertyBuf, Publish, QoS, ReasonCode, TopicName};

use super::crash::{durable, of, publishes};
use super::world::{Got, World, v5};

#[test]
fn an_answer_that_is_repeated_on_another_connection_waits_for_the_journal_as_the_first_did() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    world.break_connection("s");
    let connect = |world: &mut World| {
        world.connect("p", &durable());
        world.use_identifiers_from("p", 7);
    };
    connect(&mut world);
    world.journal_stalls();
    world.publish("p", "t", b"1", QoS::ExactlyOnce);
    connect(&mut world);
    world.publish("p", "t", b"1", QoS::ExactlyOnce);
    assert_eq!(world.received("p"), [], "the message is not durable yet");
    world.journal_goes_on();
    assert_eq!(world.received("p"), [Got::PubRec(7, ReasonCode::Success)]);
    world.journal_stalls();
    world.ack("p", 7, Packet::PubRel);
    connect(&mut world);
    world.ack("p", 7, Packet::PubRel);
    assert_eq!(world.received("p"), [], "the release is not durable yet");
    world.journal_goes_on();
    assert!(matches!(world.received("p")[..], [Got::PubComp(7, _)]));
}

#[test]
fn a_pubrel_waits_for_the_record_of_pubrec_on_the_next_connection_too() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    world.connect("p", &v5());
    world.publish("p", "t", b"once", QoS::ExactlyOnce);
    let id = publishes(&world.received("s"))[0].2;
    world.journal_stalls();
    world.ack("s", id, Packet::PubRec);
    world.connect("s", &durable());
    assert_eq!(world.received("s"), [], "after a crash the message would come again");
    world.journal_goes_on();
    assert_eq!(world.received("s"), [Got::PubRel(id, ReasonCode::Success)]);
}

#[test]
fn an_unsuback_means_that_the_subscription_stays_away() {
    let mut world = World::new(1);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::AtLeastOnce))]);
    world.journal_stalls();
    world.begin_unsubscribe("s", "t");
    assert_eq!(world.received("s"), []);
    world.connect("s", &durable());
    world.begin_unsubscribe("s", "t");
    assert_eq!(world.received("s"), [], "it is gone, but a crash would bring it back");
    world.journal_goes_on();
    assert_eq!(world.received("s"), [Got::UnsubAck(1, vec![ReasonCode::NoSubscriptionExisted.as_u8()])]);
}

#[test]
fn whoever_removes_a_retained_message_that_is_just_being_removed_waits_too() {
    let mut world = World::new(1);
    for name in ["p", "q"] {
        world.connect(name, &v5());
    }
    let retained = |world: &mut World, name, payload| {
        world.publish_with(name, "t", payload, QoS::AtLeastOnce, true, &PropertyBuf::new());
    };
    retained(&mut world, "p", b"1");
    world.received("p");
    world.journal_stalls();
    retained(&mut world, "p", b"");
    retained(&mut world, "q", b"");
    assert_eq!((world.received("p"), world.received("q")), (vec![], vec![]));
    world.journal_goes_on();
    assert_eq!((world.received("p").len(), world.received("q").len()), (1, 1));
}

#[test]
fn a_pubrec_that_is_repeated_waits_for_the_copies_of_other_shards() {
    let mut world = World::new(2);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    let publishers: Vec<String> = (0..9).map(|number| format!("p{number}")).collect();
    publishers.iter().for_each(|name| _ = world.connect(name, &durable()));
    let name = &publishers.iter().find(|name| !world.share_a_shard(name, "s")).unwrap()[..];
    world.delay_shards(true);
    world.publish(name, "t", b"1", QoS::ExactlyOnce);
    for _ in 0..2 {
        world.break_connection(name);
        world.connect(name, &durable());
        world.publish(name, "t", b"1", QoS::ExactlyOnce);
        assert_eq!(world.received(name), [], "the copy of the other shard is not durable yet");
    }
    world.deliver_mail_once();
    assert_eq!(world.received(name), [], "and its receipt is on its way");
    world.delay_shards(false);
    assert_eq!(world.received(name), [Got::PubRec(1, ReasonCode::Success)]);
    assert_eq!(world.payloads("s"), ["1"]);
}

#[test]
fn a_message_that_a_crash_kept_from_another_shard_comes_when_it_is_sent_again() {
    let mut world = World::new(2);
    world.connect("s", &durable());
    world.subscribe("s", &[("t", of(QoS::ExactlyOnce))]);
    let publishers: Vec<String> = (0..9).map(|number| format!("p{number}")).collect();
    publishers.iter().for_each(|name| _ = world.connect(name, &durable()));
    let name = &publishers.iter().find(|name| !world.share_a_shard(name, "s")).unwrap()[..];
    world.delay_shards(true);
    let id = world.publish(name, "t", b"1", QoS::ExactlyOnce);
    world.kill(2);
    world.connect("s", &durable());
    world.connect(name, &durable());
    world.publish(name, "t", b"1", QoS::ExactlyOnce);
    assert_eq!(world.received(name), [Got::PubRec(id, ReasonCode::Success)]);
    assert_eq!(world.payloads("s"), ["1"]);
}

#[test]
fn a_message_that_a_crash_kept_on_one_shard_comes_once_to_everybody_when_it_is_sent_again() {
    let publishers: Vec<String> = (0..9).map(|number| format!("p{number}")).collect();
    let subscribers: Vec<String> = (0..9).map(|number| format!("s{number}")).collect();
    // A crash after each turn that the log has since.
    for turns in 0..12 {
        let mut world = World::new(3);
        for name in &subscribers {
            world.connect(name, &durable());
            world.subscribe(name, &[("t", of(QoS::ExactlyOnce))]);
            world.break_connection(name);
        }
        let name = &publishers[0][..];
        world.connect(name, &durable());
        world.journal_goes_on();
        world.journal_stalls();
        let before = world.log_len().0;
        let id = world.publish(name, "t", b"1", QoS::ExactlyOnce);
        let after = world.log_len().0;
        world.crash(3, (before + turns).min(after));
        world.connect(name, &durable());
        let again = Publish {
            dup: true,
            qos: QoS::ExactlyOnce,
            retain: false,
            topic: TopicName::new("t").ok(),
            packet_identifier: PacketIdentifier::new(id),
            properties: Properties::NONE,
            payload: b"1",
        };
        world.send(name, &Packet::Publish(again));
        assert_eq!(world.received(name), [Got::PubRec(id, ReasonCode::Success)]);
        for subscriber in &subscribers {
            world.connect(subscriber, &durable());
            assert_eq!(world.payloads(subscriber), ["1"], "{subscriber} after {turns} turns");
        }
    }
}
