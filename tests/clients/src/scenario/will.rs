//! Will Messages.

use super::{connected, subscribed};
use crate::client::{Connect, Program};
use crate::message::{Message, Properties};
use crate::names::Names;

/// A network connection that ends without DISCONNECT publishes the Will Message.
pub fn a_will_is_published_when_the_client_vanishes(program: &dyn Program) {
    let names = Names::new();
    for qos in 0..=2 {
        let will = Message::new(&names.topic("gone"), "power cut", qos);
        let mut watcher = subscribed(program, &names, "w", &will.topic, 2);
        let mut device = program.client();
        device.connect(&Connect::clean(&names.client("d")).with_will(will.clone()));

        device.vanish();

        assert_eq!(watcher.receive(), will);
    }
}

/// Will Retain makes it the topic's retained message.
pub fn a_retained_will_is_replayed_to_later_subscribers(program: &dyn Program) {
    let names = Names::new();
    let will = Message::new(&names.topic("gone"), "power cut", 1).retained();
    let mut witness = subscribed(program, &names, "w", &will.topic, 1);
    let mut device = program.client();
    device.connect(&Connect::clean(&names.client("d")).with_will(will.clone()));

    device.vanish();
    witness.receive();

    let mut later = subscribed(program, &names, "l", &will.topic, 1);
    assert_eq!(later.receive(), will);
}

/// DISCONNECT ends the connection without the Will Message.
pub fn a_disconnect_discards_the_will(program: &dyn Program) {
    let names = Names::new();
    let will = Message::new(&names.topic("gone"), "power cut", 1);
    let mut watcher = subscribed(program, &names, "w", &will.topic, 1);
    let mut device = program.client();
    device.connect(&Connect::clean(&names.client("d")).with_will(will.clone()));

    device.disconnect();

    // A new connection of the same client is accepted only after the former has ended, will or no will.
    let mut again = connected(program, &names, "d");
    let marker = Message::new(&will.topic, "marker", 1);
    again.publish(&marker);
    assert_eq!(watcher.receive(), marker);
}

/// The Will Properties become the message's own.
pub fn a_will_carries_its_properties(program: &dyn Program) {
    let names = Names::new();
    let properties = Properties {
        payload_format: Some(1),
        content_type: Some("text/plain".to_owned()),
        response_topic: Some(names.topic("answers")),
        correlation_data: Some("order 66".into()),
        ..Properties::user(&[("site", "north"), ("site", "roof")])
    };
    let will = Message::new(&names.topic("gone"), "power cut", 1).with(properties);
    let mut watcher = subscribed(program, &names, "w", &will.topic, 1);
    let mut device = program.client();
    device.connect(&Connect::clean(&names.client("d")).with_will(will.clone()));

    device.vanish();

    assert_eq!(watcher.receive(), will);
}
