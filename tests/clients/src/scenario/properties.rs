//! Properties of MQTT 5.0 that travel with a message.

use std::time::Duration;

use super::{connected, subscribed};
use crate::client::{Connect, Program, Subscription};
use crate::message::{Message, Payload, Properties};
use crate::names::Names;

/// Payload Format, Content Type, Response Topic and Correlation Data, at each QoS.
pub fn message_properties_arrive_unaltered(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("request");
    let mut publisher = connected(program, &names, "p");
    let mut subscriber = subscribed(program, &names, "s", &topic, 2);
    for qos in 0..=2 {
        let message = Message::new(&topic, "21.5 °C", qos).with(every_property(&names));
        publisher.publish(&message);
        assert_eq!(subscriber.receive(), message);
    }
}

/// The replay of a retained message is the message with all of its properties.
pub fn a_retained_message_keeps_its_properties(program: &dyn Program) {
    let names = Names::new();
    let message = Message::new(&names.topic("state"), "on", 1).retained().with(every_property(&names));
    let mut publisher = connected(program, &names, "p");
    publisher.publish(&message);

    let mut subscriber = subscribed(program, &names, "s", &message.topic, 1);

    assert_eq!(subscriber.receive(), message);
}

/// Names may repeat; their order is part of the message.
pub fn user_properties_keep_their_order(program: &dyn Program) {
    user_properties_arrive(program, &[("zone", "2"), ("zone", "1"), ("area", "north"), ("mode", "")]);
}

/// Equal names with others between them. Not every library can express it.
pub fn user_properties_keep_an_interleaved_order(program: &dyn Program) {
    user_properties_arrive(program, &[("zone", "2"), ("area", "north"), ("zone", "1"), ("area", "north")]);
}

/// The interval arrives, less the seconds the message waited.
pub fn a_live_message_carries_its_remaining_expiry(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("offer");
    let mut publisher = connected(program, &names, "p");
    let mut subscriber = subscribed(program, &names, "s", &topic, 1);

    publisher.publish(&Message::new(&topic, "offer", 1).with(expiring(1000)));

    let remaining = subscriber.receive().properties.message_expiry_secs.expect("a Message Expiry Interval");
    assert!((900..=1000).contains(&remaining), "{remaining} s of 1000 s remain");
}

/// What expired in the queue of a session is gone; what did not carries the time it has left.
pub fn an_expired_message_is_not_delivered(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("offer");
    let resume = Connect::resuming(&names.client("s"));
    let mut subscriber = program.client();
    subscriber.connect(&resume);
    subscriber.subscribe(&Subscription::new(&topic, 1));
    subscriber.disconnect();
    let mut publisher = connected(program, &names, "p");
    publisher.publish(&Message::new(&topic, "too late", 1).with(expiring(1)));
    publisher.publish(&Message::new(&topic, "in time", 1).with(expiring(1000)));

    // The lifetime of a message is what is tested, so it has to pass. Nothing tells when it has.
    std::thread::sleep(Duration::from_millis(2_500));
    let mut subscriber = program.client();
    subscriber.connect(&resume);

    let arrived = subscriber.receive();
    assert_eq!(arrived.payload, "in time".into());
    let remaining = arrived.properties.message_expiry_secs.expect("a Message Expiry Interval");
    assert!((900..=998).contains(&remaining), "{remaining} s of 1000 s remain after 2.5 s in the queue");
}

/// One message for all of a client's matching subscriptions or one for each: their identifiers are all there.
pub fn subscription_identifiers_name_the_matching_subscriptions(program: &dyn Program) {
    let names = Names::new();
    let mut subscriber = connected(program, &names, "s");
    for (filter, identifier) in [("+/one", 1), ("a/+", LARGEST_IDENTIFIER), ("b/one", 77)] {
        let filter = names.topic(filter);
        subscriber.subscribe(&Subscription { identifier: Some(identifier), ..Subscription::new(&filter, 1) });
    }
    subscriber.subscribe(&Subscription::new(&names.topic("end"), 1));

    for (topic, mut expected) in [("a/one", vec![1, LARGEST_IDENTIFIER]), ("a/two", vec![LARGEST_IDENTIFIER])]
    {
        subscriber.publish(&Message::new(&names.topic(topic), "message", 1));
        subscriber.publish(&Message::new(&names.topic("end"), "marker", 1));
        let mut found = Vec::new();
        loop {
            let message = subscriber.receive();
            if message.topic == names.topic("end") {
                assert!(
                    message.properties.subscription_identifiers.is_empty(),
                    "the marker has no identifier"
                );
                break;
            }
            found.extend(message.properties.subscription_identifiers);
        }
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{topic}");
    }
}

/// The responder knows nothing but the request.
pub fn a_response_finds_its_request(program: &dyn Program) {
    let names = Names::new();
    let requests = names.topic("requests");
    let mut responder = subscribed(program, &names, "r", &requests, 1);
    let mut requester = subscribed(program, &names, "q", &names.topic("answers"), 1);
    requester.publish(&Message::new(&requests, "6 x 7", 1).with(every_property(&names)));

    let request = responder.receive().properties;
    let answer_to = request.response_topic.expect("a Response Topic");
    let correlation_data = request.correlation_data;
    let properties = Properties { correlation_data, ..Properties::default() };
    responder.publish(&Message::new(&answer_to, "42", 1).with(properties));

    let response = requester.receive();
    assert_eq!(response.payload, "42".into());
    assert_eq!(response.properties.correlation_data, every_property(&names).correlation_data);
}

fn user_properties_arrive(program: &dyn Program, pairs: &[(&str, &str)]) {
    let names = Names::new();
    let message = Message::new(&names.topic("tagged"), "21.5", 1).with(Properties::user(pairs));
    let mut publisher = connected(program, &names, "p");
    let mut subscriber = subscribed(program, &names, "s", &message.topic, 1);

    publisher.publish(&message);

    assert_eq!(subscriber.receive(), message);
}

fn every_property(names: &Names) -> Properties {
    Properties {
        payload_format: Some(1),
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        response_topic: Some(names.topic("answers")),
        correlation_data: Some(Payload(vec![0x00, 0xff, 0x10, 0x80])),
        ..Properties::user(&[("unit", "°C")])
    }
}

fn expiring(secs: u32) -> Properties {
    Properties { message_expiry_secs: Some(secs), ..Properties::default() }
}

const LARGEST_IDENTIFIER: u32 = 268_435_455;
