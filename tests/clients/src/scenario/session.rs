//! Sessions that outlive their connection.

use super::connected;
use crate::client::{Client, Connack, Connect, Program, Subscription, Version};
use crate::message::Message;
use crate::names::Names;

/// What was published while the client was away arrives at its QoS and, within one QoS, in order. Between the two
/// a library may change it: it gives out QoS 1 with PUBLISH and, most of them, QoS 2 with PUBREL.
pub fn queued_qos_1_and_2_messages_arrive_when_the_session_resumes(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("queue");
    leave_a_session(program, &names, &topic);

    let mut publisher = connected(program, &names, "p");
    let messages: Vec<_> = (0..10).map(|n| Message::new(&topic, &format!("{n}"), 1 + n % 2)).collect();
    for message in &messages {
        publisher.publish(message);
    }

    let mut client = program.client();
    let connack = client.connect(&Connect::resuming(&names.client("s")));
    assert_session_present(program, &connack);
    let arrived: Vec<_> = messages.iter().map(|_| client.receive()).collect();
    for qos in 1..=2 {
        assert_eq!(of_qos(&arrived, qos), of_qos(&messages, qos));
    }
}

/// No new SUBSCRIBE is needed.
pub fn a_resumed_session_keeps_its_subscriptions(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("live");
    leave_a_session(program, &names, &topic);

    let mut client = program.client();
    let connack = client.connect(&Connect::resuming(&names.client("s")));
    assert_session_present(program, &connack);
    client.publish(&Message::new(&topic, "live", 2));

    assert_eq!(client.receive(), Message::new(&topic, "live", 2));
}

/// Clean Session (Clean Start) ends the former session with its subscriptions and its queue.
pub fn a_clean_connect_discards_the_former_session(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("queue");
    leave_a_session(program, &names, &topic);
    let mut publisher = connected(program, &names, "p");
    publisher.publish(&Message::new(&topic, "queued in vain", 1));

    let mut client = program.client();
    let connack = client.connect(&Connect::clean(&names.client("s")));
    assert!(!connack.session_present);
    publisher.publish(&Message::new(&topic, "no longer subscribed", 1));
    client.subscribe(&Subscription::new(&topic, 1));
    publisher.publish(&Message::new(&topic, "marker", 1));

    assert_eq!(client.receive(), Message::new(&topic, "marker", 1));
}

/// A Session Expiry Interval of 0 ends the session when the connection ends.
pub fn a_session_without_expiry_ends_with_its_connection(program: &dyn Program) {
    let names = Names::new();
    let connect = Connect { session_expiry_secs: Some(0), ..Connect::resuming(&names.client("s")) };
    let mut client = program.client();
    client.connect(&connect);
    client.disconnect();

    let mut again = program.client();
    assert!(!again.connect(&connect).session_present);
}

fn of_qos(messages: &[Message], qos: u8) -> Vec<&Message> {
    messages.iter().filter(|message| message.qos == qos).collect()
}

fn leave_a_session(program: &dyn Program, names: &Names, topic: &str) {
    let mut client: Box<dyn Client> = program.client();
    client.connect(&Connect::resuming(&names.client("s")));
    client.subscribe(&Subscription::new(topic, 2));
    client.disconnect();
}

/// MQTT 3.1 knows no Session Present: the messages themselves are the proof.
fn assert_session_present(program: &dyn Program, connack: &Connack) {
    assert!(connack.session_present || program.version() == Version::V3_1, "the session is resumed");
}
