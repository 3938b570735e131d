//! rumqttc's client for MQTT 3.1.1, polled by the step that waits for its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    Client as Requests, Connection, ConnectionError, Event, LastWill, MqttOptions, Outgoing, Packet, Publish,
    QoS, SubscribeReasonCode,
};
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
        Version::V3_1_1
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
        options.set_clean_session(connect.clean);
        if let Some(will) = &connect.will {
            options.set_last_will(LastWill::new(
                &will.topic,
                will.payload.0.clone(),
                qos(will.qos),
                will.retain,
            ));
        }
        self.link = Some(Requests::new(options, REQUESTS_MAX));
        self.wait_for("CONNACK", |event| match event {
            Event::Incoming(Packet::ConnAck(connack)) => Some(Connack {
                session_present: connack.session_present,
                // rumqttc reports every other code as the end of the connection.
                reason: 0,
                assigned_id: None,
                topic_alias_maximum: None,
            }),
            _ => None,
        })
    }

    fn subscribe(&mut self, subscription: &Subscription) -> u8 {
        self.requests().subscribe(&subscription.filter, qos(subscription.qos)).expect("a request");
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
        self.wait_for("UNSUBACK", |event| {
            matches!(event, Event::Incoming(Packet::UnsubAck(_))).then_some(None)
        })
    }

    fn publish(&mut self, message: &Message) -> Option<u8> {
        let Message { topic, payload, retain, .. } = message;
        let sent = self.requests().publish(topic, qos(message.qos), *retain, payload.0.clone());
        sent.expect("a request");
        self.wait_for("end of the publish exchange", |event| match (message.qos, event) {
            (0, Event::Outgoing(Outgoing::Publish(_)))
            | (1, Event::Incoming(Packet::PubAck(_)))
            | (2, Event::Incoming(Packet::PubComp(_))) => Some(None),
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
        assert!(self.end.is_some(), "the connection has ended");
        None
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

fn message(publish: &Publish) -> Message {
    Message {
        topic: publish.topic.clone(),
        payload: Payload(publish.payload.to_vec()),
        qos: publish.qos as u8,
        retain: publish.retain,
        properties: Properties::default(),
    }
}

fn qos(level: u8) -> QoS {
    [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(level)]
}

/// Requests that may wait for the next poll; a step makes one.
const REQUESTS_MAX: usize = 4;
