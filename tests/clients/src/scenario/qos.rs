//! Publishing and receiving at each QoS.

use super::{connected, subscribed};
use crate::client::{Program, Subscription};
use crate::message::{Message, Payload};
use crate::names::Names;

/// All nine pairs of published and granted QoS, in the order they were published.
pub fn each_qos_arrives_at_the_lower_of_published_and_granted(program: &dyn Program) {
    let names = Names::new();
    let mut publisher = connected(program, &names, "p");
    for granted in 0..=2 {
        let topic = names.topic(&format!("granted/{granted}"));
        let mut subscriber = subscribed(program, &names, &format!("s{granted}"), &topic, granted);
        for published in 0..=2 {
            publisher.publish(&Message::new(&topic, &format!("published {published}"), published));
            let expected = Message::new(&topic, &format!("published {published}"), published.min(granted));
            assert_eq!(subscriber.receive(), expected, "published {published}, granted {granted}");
        }
    }
}

/// No payload, every byte value, and several kilobytes, ten times over at each QoS.
pub fn payloads_arrive_unchanged_and_in_order(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("payloads");
    let mut publisher = connected(program, &names, "p");
    let mut subscriber = subscribed(program, &names, "s", &topic, 2);
    for qos in 0..=2 {
        let payloads = (0..10_u8).flat_map(|round| {
            let every_byte = (0..=255).map(|byte: u8| byte.wrapping_add(round)).collect::<Vec<u8>>();
            [Vec::new(), every_byte.repeat(30), every_byte]
        });
        let messages: Vec<_> =
            payloads.map(|p| Message { payload: Payload(p), ..Message::new(&topic, "", qos) }).collect();
        for message in &messages {
            publisher.publish(message);
        }
        for message in &messages {
            assert_eq!(subscriber.receive(), *message);
        }
    }
}

/// After UNSUBACK the filter is gone; the others stay.
pub fn an_unsubscribed_filter_receives_nothing_more(program: &dyn Program) {
    let names = Names::new();
    let (gone, kept) = (names.topic("gone"), names.topic("kept"));
    let mut subscriber = subscribed(program, &names, "s", &gone, 1);
    subscriber.subscribe(&Subscription::new(&kept, 1));
    subscriber.unsubscribe(&gone);

    let mut publisher = connected(program, &names, "p");
    publisher.publish(&Message::new(&gone, "not for anybody", 1));
    publisher.publish(&Message::new(&kept, "marker", 1));

    assert_eq!(subscriber.receive(), Message::new(&kept, "marker", 1));
}
