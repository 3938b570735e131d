//! Reason codes of MQTT 5.0 as the libraries report them, and No Local.

use super::connected;
use crate::client::{Program, Subscription};
use crate::message::Message;
use crate::names::Names;

/// SUBACK tells the granted QoS; UNSUBACK tells whether there was anything to end.
pub fn suback_and_unsuback_carry_reason_codes(program: &dyn Program) {
    let names = Names::new();
    let mut client = connected(program, &names, "c");
    for qos in 0..=2 {
        assert_eq!(client.subscribe(&Subscription::new(&names.topic("there"), qos)), qos);
    }
    assert_eq!(client.unsubscribe(&names.topic("there")), Some(SUCCESS));
    assert_eq!(client.unsubscribe(&names.topic("there")), Some(NO_SUBSCRIPTION_EXISTED));
}

/// Success with a subscriber. Without one the Server may say so or not.
pub fn puback_and_pubrec_carry_reason_codes(program: &dyn Program) {
    let names = Names::new();
    let mut client = connected(program, &names, "c");
    client.subscribe(&Subscription::new(&names.topic("heard"), 2));
    for qos in 1..=2 {
        assert_eq!(client.publish(&Message::new(&names.topic("heard"), "x", qos)), Some(SUCCESS));
        let unheard = client.publish(&Message::new(&names.topic("unheard"), "x", qos));
        assert!(matches!(unheard, Some(SUCCESS | NO_MATCHING_SUBSCRIBERS)), "{unheard:?}");
    }
}

/// A subscription with No Local receives what others publish.
pub fn no_local_keeps_own_messages_away(program: &dyn Program) {
    let names = Names::new();
    let topic = names.topic("chat");
    let mut client = connected(program, &names, "c");
    let mut other = connected(program, &names, "o");
    client.subscribe(&Subscription { no_local: true, ..Subscription::new(&topic, 1) });

    client.publish(&Message::new(&topic, "from myself", 1));
    other.publish(&Message::new(&topic, "from another", 1));

    assert_eq!(client.receive(), Message::new(&topic, "from another", 1));
}

const SUCCESS: u8 = 0x00;
const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;
