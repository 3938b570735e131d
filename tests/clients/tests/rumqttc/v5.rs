//! rumqttc's client for MQTT 5.0, polled by the step that waits for its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectProperties, Filter, LastWill, LastWillProperties, Packet, PubAckReason, PubRecReason,
    Publish, PublishProperties, SubscribeProperties, SubscribeReasonCode, UnsubAckReason,
};
use rumqttc::v5::{Client as Requests, Connection, ConnectionError, Event, MqttOptions, StateError};
use tidegate_clients::broker::Broker;
use tidegate_clients::client::{Client, Connack, Connect, Program, Subscription, Version};
use tidegate_clients::message::{Message, Payload, Properties};
use tidegate_clients::process::{MOMENT, PATIENCE};

pub(crate) struct Rumqttc {
    broker: Arc<Broker>,
}

impl Rumqttc {
    pub(crate) fn new() -> Self {
        Self { broker: Broker::shared() }
    }
}

impl Program for Rumqttc {
    fn version(&self) -> Version {
        Version::V5
    }

    fn client(&self) -> Box<dyn Client + '_> {
        Box::new(OneClient { broker: &self.broker, link: None, messages: VecDeque::new(), end: None })
    }
}

struct OneClient<'a> {
    broker: &'a Broker,
    link: Option<(Requests, Connection)>,
    messages: VecDeque<Message>,
    end: Option<ConnectionError>,
}

impl OneClient<'_> {
    fn requests(&self) -> &Requests {
        &self.link.as_ref().expect("the client is connected").0
    }

    /// The next event, or `None` after `within` or when the connection has ended.
    fn event(&mut self, within: Duration) -> Option<Event> {
        let event = self.link.as_mut()?.1.recv_timeout(within).ok()?;
        match event {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                self.messages.push_back(message(&publish));
                Some(Event::Incoming(Packet::Publish(publish)))
            }
            Ok(event) => Some(event),
            Err(end) => {
                // Polling on would connect again.
                self.link = None;
                self.end = Some(end);
                None
            }
        }
    }

    fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let Some(event) = self.event(PATIENCE) else {
                panic!("no {what}; the connection's end: {:?}", self.end)
            };
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }
}

impl Client for OneClient<'_> {
    fn connect(&mut self, connect: &Connect) -> Connack {
        let mut options = MqttOptions::new(&connect.id, &self.broker.host, self.broker.port);
        options.set_clean_start(connect.clean);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = connect.session_expiry_secs;
        properties.topic_alias_max = connect.topic_alias_maximum;
        options.set_connect_properties(properties);
        if let Some(will) = &connect.will {
            let (topic, payload, qos) = (will.topic.clone(), will.payload.0.clone(), qos(will.qos));
            options.set_last_will(LastWill::new(
                topic,
                payload,
                qos,
                will.retain,
                Some(will_properties(will)),
            ));
        }
        self.link = Some(Requests::new(options, REQUESTS_MAX));
        self.wait_for("CONNACK", |event| match event {
            Event::Incoming(Packet::ConnAck(connack)) => Some(from_connack(&connack)),
            _ => None,
        })
    }

    fn subscribe(&mut self, subscription: &Subscription) -> u8 {
        let mut filter = Filter::new(&subscription.filter, qos(subscription.qos));
        filter.nolocal = subscription.no_local;
        let id = subscription.identifier.map(|id| id as usize);
        let properties = SubscribeProperties { id, user_properties: Vec::new() };
        self.requests().subscribe_many_with_properties([filter], properties).expect("a request");
        self.wait_for("SUBACK", |event| match event {
            Event::Incoming(Packet::SubAck(suback)) => match suback.return_codes[..] {
                [SubscribeReasonCode::Success(granted)] => Some(granted as u8),
                _ => panic!("{suback:?}"),
            },
            _ => None,
        })
    }

    fn unsubscribe(&mut self, filter: &str) -> Option<u8> {
        self.requests().unsubscribe(filter).expect("a request");
        self.wait_for("UNSUBACK", |event| match event {
            Event::Incoming(Packet::UnsubAck(unsuback)) => match unsuback.reasons[..] {
                [UnsubAckReason::Success] => Some(Some(0x00)),
                [UnsubAckReason::NoSubscriptionExisted] => Some(Some(0x11)),
                _ => panic!("{unsuback:?}"),
            },
            _ => None,
        })
    }

    fn publish(&mut self, message: &Message) -> Option<u8> {
        let Message { topic, payload, retain, .. } = message;
        let (payload, properties) = (payload.0.clone(), publish_properties(&message.properties));
        let requests = self.requests();
        let sent = requests.publish_with_properties(topic, qos(message.qos), *retain, payload, properties);
        sent.expect("a request");
        let mut received = None;
        self.wait_for("end of the publish exchange", |event| match event {
            Event::Outgoing(Outgoing::Publish(0)) if message.qos == 0 => Some(None),
            Event::Incoming(Packet::PubAck(puback)) => Some(Some(match puback.reason {
                PubAckReason::Success => 0x00,
                PubAckReason::NoMatchingSubscribers => 0x10,
                refused => panic!("{refused:?}"),
            })),
            Event::Incoming(Packet::PubRec(pubrec)) => {
                received = Some(match pubrec.reason {
                    PubRecReason::Success => 0x00,
                    PubRecReason::NoMatchingSubscribers => 0x10,
                    refused => panic!("{refused:?}"),
                });
                None
            }
            Event::Incoming(Packet::PubComp(_)) => Some(received),
            _ => None,
        })
    }

    fn receive(&mut self) -> Message {
        if self.messages.is_empty() {
            self.wait_for("PUBLISH", |event| {
                matches!(event, Event::Incoming(Packet::Publish(_))).then_some(())
            });
        }
        self.messages.pop_front().expect("the message just received")
    }

    fn arrived(&mut self) -> Option<Message> {
        while self.messages.is_empty() && self.event(MOMENT).is_some() {}
        self.messages.pop_front()
    }

    fn ended(&mut self) -> Option<u8> {
        while self.event(PATIENCE).is_some() {}
        match self.end.as_ref().expect("the end of the connection") {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
                Some(*reason_code as u8)
            }
            _ => None,
        }
    }

    fn disconnect(&mut self) {
        self.requests().disconnect().expect("a request");
        self.wait_for("DISCONNECT", |event| {
            matches!(event, Event::Outgoing(Outgoing::Disconnect)).then_some(())
        });
        self.link = None;
    }

    fn vanish(&mut self) {
        self.link = None;
    }
}

fn from_connack(connack: &ConnAck) -> Connack {
    let properties = connack.properties.clone();
    Connack {
        session_present: connack.session_present,
        // rumqttc reports every other code as the end of the connection.
        reason: 0,
        assigned_id: properties.as_ref().and_then(|p| p.assigned_client_identifier.clone()),
        topic_alias_maximum: properties.as_ref().and_then(|p| p.topic_alias_max),
    }
}

fn message(publish: &Publish) -> Message {
    let properties = publish.properties.clone().unwrap_or_default();
    Message {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        payload: Payload(publish.payload.to_vec()),
        qos: publish.qos as u8,
        retain: publish.retain,
        properties: Properties {
            payload_format: properties.payload_format_indicator,
            message_expiry_secs: properties.message_expiry_interval,
            content_type: properties.content_type,
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data.map(|data| Payload(data.to_vec())),
            user: properties.user_properties,
            subscription_identifiers: properties
                .subscription_identifiers
                .iter()
                .map(|id| *id as u32)
                .collect(),
            topic_alias: None,
        },
    }
}

fn publish_properties(properties: &Properties) -> PublishProperties {
    PublishProperties {
        payload_format_indicator: properties.payload_format,
        message_expiry_interval: properties.message_expiry_secs,
        topic_alias: properties.topic_alias,
        response_topic: properties.response_topic.clone(),
        correlation_data: properties.correlation_data.clone().map(|data| data.0.into()),
        user_properties: properties.user.clone(),
        subscription_identifiers: Vec::new(),
        content_type: properties.content_type.clone(),
    }
}

fn will_properties(will: &Message) -> LastWillProperties {
    let properties = publish_properties(&will.properties);
    LastWillProperties {
        delay_interval: None,
        payload_format_indicator: properties.payload_format_indicator,
        message_expiry_interval: properties.message_expiry_interval,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data,
        user_properties: properties.user_properties,
    }
}

fn qos(level: u8) -> QoS {
    [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(level)]
}

/// Requests that may wait for the next poll; a step makes one.
const REQUESTS_MAX: usize = 4;
