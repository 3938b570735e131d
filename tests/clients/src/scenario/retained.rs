//! Retained messages: set, replayed, replaced, deleted.

use super::{connected, subscribed};
use crate::client::Program;
use crate::message::Message;
use crate::names::Names;

/// RETAIN is 0 for a subscription that existed before the message and 1 for one made afterwards.
pub fn a_retained_message_is_replayed_to_later_subscribers(program: &dyn Program) {
    let names = Names::new();
    let mut publisher = connected(program, &names, "p");
    for qos in 0..=2 {
        let message = Message::new(&names.topic(&format!("{qos}/state")), "on", qos);
        let mut before = subscribed(program, &names, "b", &message.topic, 2);
        publisher.publish(&message.clone().retained());
        assert_eq!(before.receive(), message);

        let mut after = subscribed(program, &names, "a", &names.topic(&format!("{qos}/+")), 2);
        assert_eq!(after.receive(), message.retained());
    }
}

/// A topic has one retained message: the last.
pub fn the_newest_retained_message_replaces_the_former(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("state");
    let mut publisher = connected(program, &names, "p");
    publisher.publish(&Message::new(&topic, "old", 1).retained());
    publisher.publish(&Message::new(&topic, "new", 1).retained());

    let mut subscriber = subscribed(program, &names, "s", &topic, 1);
    publisher.publish(&Message::new(&topic, "marker", 1));

    assert_eq!(subscriber.receive(), Message::new(&topic, "new", 1).retained());
    assert_eq!(subscriber.receive(), Message::new(&topic, "marker", 1));
}

/// The empty message itself is passed on to those who are subscribed, and nothing is replayed afterwards.
pub fn an_empty_retained_payload_deletes_the_retained_message(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("state");
    let mut publisher = connected(program, &names, "p");
    publisher.publish(&Message::new(&topic, "on", 1).retained());
    let mut before = subscribed(program, &names, "b", &topic, 1);
    assert_eq!(before.receive(), Message::new(&topic, "on", 1).retained());

    publisher.publish(&Message::new(&topic, "", 1).retained());
    assert_eq!(before.receive(), Message::new(&topic, "", 1));

    let mut after = subscribed(program, &names, "a", &topic, 1);
    publisher.publish(&Message::new(&topic, "marker", 1));
    assert_eq!(after.receive(), Message::new(&topic, "marker", 1));
}
