//! MQTT 5.0 chapters 3.3.2.3.5, 3.3.2.3.6 and 4.10: Response Topic and Correlation Data.

use tidegate_conformance::{Property, Publish, World};

#[test]
fn a_request_arrives_with_response_topic_and_correlation_data_unaltered() {
    let world = World::new();
    let (requests, answers) = (world.topic("request"), world.topic("answer/\u{e9}/x"));
    let mut responder = world.client("responder");
    responder.subscribe(&requests, 2);
    let mut requester = world.client("requester");
    requester.subscribe(&answers, 1);
    let correlation = vec![0u8, 255, 0, 1, 0xc3];
    for qos in 0..=2 {
        let request = Publish::new(&requests, "question")
            .qos(qos)
            .property(Property::ResponseTopic(answers.clone()))
            .property(Property::CorrelationData(correlation.clone()));
        requester.publish(request);
        let question = responder.expect_message("question");
        responder.acknowledge(&question);
        let response_topic = question.properties.response_topic();
        // [MQTT5-3.3.2-15]
        assert_eq!(response_topic.as_deref(), Some(answers.as_str()));
        // [MQTT5-3.3.2-16]
        assert_eq!(question.properties.correlation_data().as_ref(), Some(&correlation));
        let reply = Publish::new(answers.as_bytes(), "reply").qos(1);
        responder.publish(reply.property(Property::CorrelationData(correlation.clone())));
        let answer = requester.expect_message("reply");
        requester.acknowledge(&answer);
        // [MQTT5-3.3.2-16]
        assert_eq!(answer.properties.correlation_data().as_ref(), Some(&correlation));
        assert_eq!(answer.properties.response_topic(), None);
    }
}

#[test]
fn every_subscriber_receives_the_same_properties() {
    let world = World::new();
    let topic = world.topic("request");
    let mut sleeper = world.connect(&world.v5("sleeper").session_expiry(60));
    sleeper.subscribe(&topic, 1);
    sleeper.disconnect();
    let mut members = [world.client("plain"), world.client("shared")];
    members[0].subscribe(&topic, 0);
    members[1].subscribe(&format!("$share/group/{topic}"), 1);
    let request = Publish::new(&topic, "question")
        .qos(1)
        .property(Property::PayloadFormatIndicator(1))
        .property(Property::ContentType("text/plain".to_owned()))
        .property(Property::ResponseTopic("somewhere".to_owned()))
        .property(Property::CorrelationData(vec![]))
        .property(Property::user("", ""));
    world.client("pub").publish(request);
    let sleeper = world.connect(&world.v5("sleeper").resume());
    for mut client in members.into_iter().chain([sleeper]) {
        let properties = client.expect_message("question").properties;
        // [MQTT5-3.3.2-15]
        assert_eq!(properties.response_topic().as_deref(), Some("somewhere"));
        // [MQTT5-3.3.2-16] Present and empty is not the same as absent.
        assert_eq!(properties.correlation_data(), Some(vec![]));
        // [MQTT5-3.3.2-4]
        assert_eq!(properties.payload_format_indicator(), Some(1));
        // [MQTT5-3.3.2-20]
        assert_eq!(properties.content_type().as_deref(), Some("text/plain"));
        // [MQTT5-3.3.2-17]
        assert_eq!(properties.user_properties(), [("", "")]);
    }
}

#[test]
fn a_request_from_version_5_reaches_an_older_client_without_properties() {
    let world = World::new();
    let topic = world.topic("request");
    let mut older = world.connect(&world.v311("older"));
    older.subscribe(&topic, 0);
    let request = Publish::new(&topic, "question").property(Property::ResponseTopic("somewhere".to_owned()));
    world.client("pub").publish(request);
    let publish = older.expect_message("question");
    assert_eq!(publish, Publish::new(&topic, "question"));
}
