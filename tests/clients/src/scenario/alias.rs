//! Topic aliases, which stand for a topic on one connection and in one direction.

use super::{connected, subscribed};
use crate::client::{Client, Connect, Program, Subscription};
use crate::message::{Message, Properties};
use crate::names::Names;

/// An alias is set with a topic, used without one, and set anew.
pub fn a_topic_alias_stands_for_the_topic_it_was_set_for(program: &dyn Program) {
    let names = Names::new();
    let (first, second) = (names.topic("first"), names.topic("second"));
    let mut subscriber = subscribed(program, &names, "s", &names.topic("#"), 2);
    let mut publisher = program.client();
    let connack = publisher.connect(&Connect::clean(&names.client("p")));
    assert!(connack.topic_alias_maximum > Some(0), "the Server accepts aliases: {connack:?}");

    for (topic, meant) in
        [(&first, &first), (&String::new(), &first), (&second, &second), (&String::new(), &second)]
    {
        for qos in 0..=2 {
            let properties = Properties { topic_alias: Some(1), ..Properties::default() };
            publisher.publish(&Message::new(topic, "aliased", qos).with(properties));
            assert_eq!(subscriber.receive(), Message::new(meant, "aliased", qos));
        }
    }
}

/// A client that allows the Server aliases sees the same topics as any other: more topics than aliases, repeated.
pub fn topics_survive_the_aliases_of_the_server(program: &dyn Program) {
    let names = Names::new();
    let mut publisher = connected(program, &names, "p");
    let mut subscriber: Box<dyn Client> = program.client();
    subscriber.connect(&Connect { topic_alias_maximum: Some(3), ..Connect::clean(&names.client("s")) });
    subscriber.subscribe(&Subscription::new(&names.topic("#"), 1));

    for round in 0..4 {
        for n in 0..5 {
            let message = Message::new(&names.topic(&format!("topic/{n}")), &format!("round {round}"), 1);
            publisher.publish(&message);
            assert_eq!(subscriber.receive(), message);
        }
    }
}
