//! MQTT 5.0 chapters 3.1.4 and 3.2: how a CONNECT is answered, and what the CONNACK announces.

use std::time::Duration;

use tidegate_conformance::{
    Connect, Filter, Packet, Property, Publish, Subscribe, Will, World, disconnect, pingreq,
};

#[test]
fn a_connect_is_answered_by_connack_with_success() {
    let world = World::new();
    let connack = world.attempt(&world.v5("c")).expect_connack();
    // [MQTT5-3.1.4-5]
    assert_eq!(connack.reason, 0);
    // [MQTT5-3.2.2-1] The parser of this suite refuses other flags than Session Present.
    assert!(!connack.session_present);
}

#[test]
fn connack_comes_before_every_other_packet() {
    let world = World::new();
    let topic = world.topic("t");
    let mut sleeper = world.connect(&world.v5("c").session_expiry(60));
    sleeper.subscribe(&topic, 1);
    sleeper.disconnect();
    world.client("pub").publish(Publish::new(&topic, "queued").qos(1));
    let mut bytes = world.v5("c").resume().session_expiry(60).bytes();
    bytes.extend(pingreq());
    let mut client = world.attempt_bytes(&bytes);
    // [MQTT5-3.2.0-1]
    assert!(client.expect_connack().session_present);
}

#[test]
fn there_is_one_connack_in_a_connection() {
    let world = World::new();
    let mut client = world.client("c");
    // [MQTT5-3.2.0-2]
    client.expect_nothing_before_ping();
    let connect = world.v5("c").bytes();
    client.send(&connect);
    // [MQTT5-3.2.0-2]
    client.expect_disconnect(0x82);
}

#[test]
fn clean_start_discards_the_session() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 1);
    first.disconnect();
    let mut second = world.connect(&world.v5("c").session_expiry(60));
    // [MQTT5-3.2.2-2]
    assert!(!second.connack().session_present);
    let mut publisher = world.client("pub");
    // The subscription is gone. A server may say that nobody matches, and need not.
    assert!([0x00, 0x10].contains(&publisher.publish(Publish::new(&topic, "old").qos(1))));
    second.subscribe(&topic, 1);
    publisher.publish(Publish::new(&topic, "new").qos(1));
    // [MQTT5-3.1.2-4] [MQTT5-3.1.4-4]
    second.expect_message("new");
}

#[test]
fn clean_start_discards_the_queued_messages() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 1);
    first.disconnect();
    world.client("pub").publish(Publish::new(&topic, "old").qos(1));
    let mut second = world.connect(&world.v5("c").session_expiry(60));
    // [MQTT5-3.1.2-4]
    second.expect_nothing_before_ping();
    second.disconnect();
    let mut third = world.connect(&world.v5("c").resume());
    // [MQTT5-3.1.2-4]
    third.expect_nothing_before_ping();
}

#[test]
fn a_session_is_resumed_without_clean_start() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 1);
    first.disconnect();
    let mut second = world.connect(&world.v5("c").resume());
    // [MQTT5-3.2.2-3]
    assert!(second.connack().session_present);
    world.client("pub").publish(Publish::new(&topic, "hello").qos(1));
    // [MQTT5-3.1.2-5]
    second.expect_message("hello");
}

#[test]
fn without_a_session_a_new_one_is_made() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.connect(&world.v5("c").resume().session_expiry(60));
    // [MQTT5-3.2.2-3]
    assert!(!client.connack().session_present);
    client.subscribe(&topic, 0);
    client.disconnect();
    // [MQTT5-3.1.2-6]
    assert!(world.connect(&world.v5("c").resume()).connack().session_present);
}

#[test]
fn a_refusal_says_session_present_0_and_closes() {
    let world = World::new();
    world.connect(&world.v5("c").session_expiry(60)).disconnect();
    let method = Property::AuthenticationMethod("NO-SUCH-METHOD".to_owned());
    let mut client = world.attempt(&world.v5("c").resume().property(method));
    let connack = client.expect_connack();
    // [MQTT5-3.2.2-8]
    assert_eq!(connack.reason, 0x8c);
    // [MQTT5-3.2.2-6]
    assert!(!connack.session_present);
    // [MQTT5-3.2.2-7]
    client.expect_closed();
}

#[test]
fn a_refused_connect_leaves_the_existing_client_alone() {
    let world = World::new();
    let mut first = world.client("c");
    world.attempt(&world.v5("c").flags(0x03)).expect_not_connected();
    // [MQTT5-3.1.4-1]
    first.expect_nothing_before_ping();
}

#[test]
fn a_second_client_with_the_same_identifier_takes_over() {
    let world = World::new();
    let mut first = world.client("c");
    let mut second = world.client("c");
    // [MQTT5-3.1.4-3]
    first.expect_disconnect(0x8e);
    second.expect_nothing_before_ping();
}

#[test]
fn a_takeover_resumes_the_session_of_the_connected_client() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("c").session_expiry(60));
    first.subscribe(&topic, 1);
    let mut second = world.connect(&world.v5("c").resume().session_expiry(60));
    first.expect_disconnect(0x8e);
    // [MQTT5-3.2.2-3]
    assert!(second.connack().session_present);
    world.client("pub").publish(Publish::new(&topic, "hello").qos(1));
    // [MQTT5-3.1.2-5]
    second.expect_message("hello");
}

#[test]
fn an_older_version_is_taken_over_by_closing_its_connection() {
    let world = World::new();
    let mut first = world.connect(&world.v311("c"));
    let mut second = world.client("c");
    // [MQTT5-3.1.4-3]
    first.expect_closed();
    second.expect_nothing_before_ping();
}

#[test]
fn announced_capabilities_are_kept() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    let announced = client.connack().properties.clone();
    if announced.maximum_qos().is_none() {
        assert!(client.publish(Publish::new(&topic, "x").qos(2)) < 0x80);
    }
    if announced.retain_available() != Some(0) {
        let will = Will::new(&topic, "").retained();
        world.connect(&world.v5("retaining").will(will)).disconnect_with(&disconnect());
    }
    if announced.wildcard_subscription_available() != Some(0) {
        client.subscribe(&world.topic("w/#"), 0);
    }
    if announced.subscription_identifier_available() != Some(0) {
        let subscribe = Subscribe::one(Filter::new(world.topic("i"), 0)).identifier(1);
        assert_eq!(client.subscribe_with(&subscribe).reasons, [0]);
    }
    if announced.shared_subscription_available() != Some(0) {
        client.subscribe(&format!("$share/group/{topic}"), 0);
    }
    assert_ne!(announced.receive_maximum(), Some(0), "a Receive Maximum of 0 is a Protocol Error");
    assert_ne!(announced.maximum_packet_size(), Some(0), "a Maximum Packet Size of 0 is a Protocol Error");
}

#[test]
fn every_requested_qos_may_be_subscribed() {
    let world = World::new();
    let mut client = world.client("c");
    for qos in 0..=2 {
        let suback = client.subscribe_with(&Subscribe::one(Filter::new(world.topic("t"), qos)));
        assert!(suback.reasons[0] <= qos, "QoS {qos} was answered by {:#04x}", suback.reasons[0]);
    }
}

#[test]
fn a_will_of_every_announced_qos_is_accepted() {
    let world = World::new();
    for qos in 0..=2 {
        let connect = world.v5("c").will(Will::new(world.topic("w"), "gone").qos(qos));
        let mut client = world.attempt(&connect);
        let connack = client.expect_connack();
        if connack.reason == 0 {
            // Maximum QoS is absent or allows it.
            assert!(connack.properties.maximum_qos().is_none_or(|maximum| qos <= maximum));
            client.disconnect();
        } else {
            assert_eq!(connack.reason, 0x9b);
            client.expect_closed();
        }
    }
}

#[test]
fn only_a_client_without_identifier_is_assigned_one() {
    let world = World::new();
    // [MQTT5-3.2.2-16]
    assert!(world.connect(&Connect::v5("")).connack().properties.assigned_client_identifier().is_some());
    assert!(world.client("c").connack().properties.assigned_client_identifier().is_none());
}

#[test]
fn a_session_expiry_interval_in_connack_differs_from_the_requested_one() {
    let world = World::new();
    let client = world.connect(&world.v5("c").session_expiry(60));
    let answered = client.connack().properties.session_expiry_interval().unwrap_or(60);
    assert!(answered <= 60, "a session of 60 s was extended to {answered} s");
}

#[test]
fn the_keep_alive_of_the_client_stands_unless_the_server_names_another() {
    let world = World::new();
    let mut client = world.connect(&world.v5("c").keep_alive(1));
    assert!(client.connack().properties.server_keep_alive().is_none(), "one second needs no other value");
    // [MQTT5-3.2.2-22]
    client.expect_disconnect(0x8d);
}

#[test]
fn a_refusal_fits_the_maximum_packet_size_of_the_client() {
    let world = World::new();
    let connect = world
        .v5("c")
        .property(Property::MaximumPacketSize(24))
        .property(Property::AuthenticationMethod("NO-SUCH-METHOD".to_owned()));
    let mut client = world.attempt(&connect);
    client.expect_not_connected();
    // [MQTT5-3.2.2-19] [MQTT5-3.2.2-20]
    assert!(client.largest(2) <= 24, "CONNACK of {} bytes", client.largest(2));
}

#[test]
fn a_connack_that_would_not_fit_is_not_sent() {
    let world = World::new();
    for limit in [1, 4, 8, 12] {
        let mut client = world.attempt(&world.v5("c").property(Property::MaximumPacketSize(limit)));
        let answer = client.receive_within(Duration::from_secs(5));
        // [MQTT5-3.1.2-24]
        assert!(client.largest_packet() <= limit as usize, "a limit of {limit} and {answer:?}");
        if answer.is_none() {
            client.expect_closed();
        }
    }
}

#[test]
fn response_information_is_given_only_on_request() {
    let world = World::new();
    for connect in [world.v5("a"), world.v5("b").property(Property::RequestResponseInformation(0))] {
        let connack = world.connect(&connect).connack().clone();
        // [MQTT5-3.1.2-28]
        assert_eq!(connack.properties.response_information(), None);
    }
}

#[test]
fn an_unsupported_authentication_method_is_refused() {
    let world = World::new();
    let method = Property::AuthenticationMethod("NO-SUCH-METHOD".to_owned());
    let data = Property::AuthenticationData(vec![1, 2, 3]);
    let mut client = world.attempt(&world.v5("c").property(method).property(data));
    // [MQTT5-4.12.0-1]
    client.expect_refused(&[0x8c]);
}

#[test]
fn authentication_data_without_method_is_a_protocol_error() {
    let world = World::new();
    let connect = world.v5("c").property(Property::AuthenticationData(vec![1]));
    // [MQTT5-4.13.1-1]
    world.refuses("Authentication Data without Authentication Method", &connect.bytes(), &[0x82]);
}

#[test]
fn a_client_without_authentication_method_sees_none() {
    let world = World::new();
    let mut client = world.attempt(&world.v5("c"));
    let packet = client.receive();
    // [MQTT5-4.12.0-6]
    let Packet::Connack(connack) = packet else { panic!("expected CONNACK, got {packet:?}") };
    // [MQTT5-4.12.0-6]
    assert_eq!(connack.properties.authentication_method(), None);
}
