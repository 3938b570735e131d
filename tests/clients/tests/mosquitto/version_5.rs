//! What must hold in MQTT 5.0 only.

use std::time::Duration;

use tidegate_clients::message::{Message, Properties};
use tidegate_clients::mosquitto::Mosquitto;
use tidegate_clients::names::Names;

/// Without `-i` a 5.0 client sends an empty Client Identifier and goes by the one it is assigned.
pub(crate) fn an_empty_client_identifier_gets_an_assigned_one(mosquitto: &Mosquitto) {
    let names = Names::new();
    let message = Message::new(&names.topic("t"), "x", 1);
    let assigned = [(); 2].map(|()| {
        let lines = mosquitto.publish(&message, &[]);
        assert!(lines.iter().any(|line| line == "Client (null) sending CONNECT"), "{lines:#?}");
        let connack = lines.iter().find_map(|line| line.strip_suffix(" received CONNACK (0)"));
        connack.unwrap_or_else(|| panic!("no CONNACK in {lines:#?}")).to_owned()
    });
    assert_ne!(assigned[0], "Client (null)");
    assert_ne!(assigned[0], assigned[1]);
}

/// Payload Format, Content Type, Response Topic and Correlation Data, at each QoS.
pub(crate) fn message_properties_arrive_unaltered(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (topic, answers) = (names.topic("request"), names.topic("answers"));
    let mut subscriber = mosquitto.subscribe(&topic, 2, &[]);
    let options = properties("publish", &answers);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    for qos in 0..=2 {
        let message = Message::new(&topic, "21.5 °C", qos);
        mosquitto.publish(&message, &options);
        assert_eq!(subscriber.receive(), message.with(expected_properties(&answers)));
    }
}

/// Equal names with others between them.
pub(crate) fn user_properties_keep_an_interleaved_order(mosquitto: &Mosquitto) {
    let names = Names::new();
    let message = Message::new(&names.topic("tagged"), "21.5", 1);
    let mut subscriber = mosquitto.subscribe(&message.topic, 1, &[]);
    let pairs = [("zone", "2"), ("area", "north"), ("zone", "1"), ("area", "north")];
    let options = pairs.map(|(name, value)| ["-D", "publish", "user-property", name, value]).concat();

    mosquitto.publish(&message, &options);

    assert_eq!(subscriber.receive(), message.with(Properties::user(&pairs)));
}

/// The Will Properties become the message's own.
pub(crate) fn a_will_carries_its_properties(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (gone, answers) = (names.topic("gone"), names.topic("answers"));
    let mut watcher = mosquitto.subscribe(&gone, 1, &[]);
    let mut will = vec!["--will-topic", &gone, "--will-payload", "power cut", "--will-qos", "1"];
    let options = properties("will", &answers);
    will.extend(options.iter().map(String::as_str));
    let device = mosquitto.subscribe(&names.topic("commands"), 0, &will);

    device.kill();

    assert_eq!(watcher.receive(), Message::new(&gone, "power cut", 1).with(expected_properties(&answers)));
}

/// The interval arrives, less the seconds the message waited.
pub(crate) fn a_live_message_carries_its_remaining_expiry(mosquitto: &Mosquitto) {
    let names = Names::new();
    let topic = names.topic("offer");
    let mut subscriber = mosquitto.subscribe(&topic, 1, &[]);

    mosquitto.publish(&Message::new(&topic, "offer", 1), &expiring("1000"));

    let remaining = subscriber.receive().properties.message_expiry_secs.expect("a Message Expiry Interval");
    assert!((900..=1000).contains(&remaining), "{remaining} s of 1000 s remain");
}

/// What expired in the queue of a session is gone; what did not carries the time it has left.
pub(crate) fn an_expired_message_is_not_delivered(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (topic, id) = (names.topic("offer"), names.client("s"));
    mosquitto.subscribe(&topic, 1, &["-i", &id, "-c", "-E"]).finish();
    mosquitto.publish(&Message::new(&topic, "too late", 1), &expiring("1"));
    mosquitto.publish(&Message::new(&topic, "in time", 1), &expiring("1000"));

    // The lifetime of a message is what is tested, so it has to pass. Nothing tells when it has.
    std::thread::sleep(Duration::from_millis(2_500));
    let mut subscriber = mosquitto.subscribe(&topic, 1, &["-i", &id, "-c"]);

    let arrived = subscriber.receive();
    assert_eq!(arrived.payload, "in time".into());
    let remaining = arrived.properties.message_expiry_secs.expect("a Message Expiry Interval");
    assert!((900..=998).contains(&remaining), "{remaining} s of 1000 s remain after 2.5 s in the queue");
}

/// The identifier of the subscription, up to the largest there is.
pub(crate) fn a_subscription_identifier_comes_with_the_messages_of_its_subscription(mosquitto: &Mosquitto) {
    let names = Names::new();
    let message = Message::new(&names.topic("t"), "x", 1);
    for identifier in [1, 127, 128, 268_435_455] {
        let option = ["-D", "subscribe", "subscription-identifier", &identifier.to_string()];
        let mut subscriber = mosquitto.subscribe(&message.topic, 1, &option);
        mosquitto.publish(&message, &[]);
        assert_eq!(subscriber.receive().properties.subscription_identifiers, [identifier]);
    }
}

/// With an alias and `--repeat`, mosquitto_pub leaves the topic out from the second message on.
pub(crate) fn a_topic_alias_stands_for_the_topic_it_was_set_for(mosquitto: &Mosquitto) {
    let names = Names::new();
    let message = Message::new(&names.topic("aliased"), "x", 1);
    let mut subscriber = mosquitto.subscribe(&message.topic, 1, &[]);

    let lines = mosquitto.publish(&message, &["--repeat", "3", "-D", "publish", "topic-alias", "1"]);

    let without_topic =
        lines.iter().filter(|line| line.contains("sending PUBLISH") && line.contains("'(null)'"));
    assert_eq!(without_topic.count(), 2, "two messages went out by their alias alone: {lines:#?}");
    for _ in 0..3 {
        assert_eq!(subscriber.receive(), message);
    }
}

/// Success with a subscriber. Without one the Server may say so or not.
pub(crate) fn puback_and_pubrec_carry_reason_codes(mosquitto: &Mosquitto) {
    let names = Names::new();
    let heard = Message::new(&names.topic("heard"), "x", 1);
    let _subscriber = mosquitto.subscribe(&heard.topic, 1, &[]);
    let code = |message: &Message| {
        let lines = mosquitto.publish(message, &[]);
        let code =
            lines.iter().find_map(|line| Some(line.split_once("received PUBACK (Mid: 1, RC:")?.1.to_owned()));
        code.unwrap_or_else(|| panic!("no PUBACK in {lines:#?}"))
    };
    assert_eq!(code(&heard), "0)");
    let unheard = code(&Message::new(&names.topic("unheard"), "x", 1));
    assert!(unheard == "0)" || unheard == "16)", "{unheard}");
}

/// mosquitto_rr asks; the responder knows nothing but the request.
pub(crate) fn a_response_finds_its_request(mosquitto: &Mosquitto) {
    let names = Names::new();
    let questions = names.topic("questions");
    let mut responder = mosquitto.subscribe(&questions, 1, &[]);
    let requester = mosquitto.request(&questions, &names.topic("answers"), "6 x 7");

    let request = responder.receive();
    assert_eq!(request.payload, "6 x 7".into());
    let answer_to = request.properties.response_topic.expect("a Response Topic");
    mosquitto.publish(&Message::new(&answer_to, "42", 1), &[]);

    let (lines, status) = requester.finish();
    assert!(status.success() && lines.iter().any(|line| line == "42"), "{status}: {lines:#?}");
}

fn properties(packet: &str, response_topic: &str) -> Vec<String> {
    let options = [
        ["-D", packet, "payload-format-indicator", "1"],
        ["-D", packet, "content-type", "text/plain"],
        ["-D", packet, "response-topic", response_topic],
        ["-D", packet, "correlation-data", "order 66"],
    ];
    options.concat().into_iter().map(str::to_owned).collect()
}

fn expected_properties(response_topic: &str) -> Properties {
    Properties {
        payload_format: Some(1),
        content_type: Some("text/plain".to_owned()),
        response_topic: Some(response_topic.to_owned()),
        correlation_data: Some("order 66".into()),
        ..Properties::default()
    }
}

fn expiring(secs: &str) -> [&str; 4] {
    ["-D", "publish", "message-expiry-interval", secs]
}
