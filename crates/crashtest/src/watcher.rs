//! A client without a durable session that asks for the retained messages in every round. Each must be the last that was
//! acknowledged when it asked, or a later one.

use std::net::SocketAddr;

use tidegate_mqtt::{
    Acknowledgement, Connect, Packet, PacketIdentifier, Properties, Publish, QoS, ReasonCode, Subscribe,
    SubscribeFilters, SubscriptionOptions, Version,
};

use crate::connection::{Connection, Outgoing};
use crate::ledger::{Kind, Ledger};
use crate::payload::Label;

pub(crate) struct Watcher {
    pub(crate) connection: Option<Connection>,
    state: State,
}

struct State {
    /// What had been acknowledged of each stream when the subscription was made.
    expected: Vec<u64>,
    /// Whose retained message has come.
    come: Vec<bool>,
    buffer: Vec<u8>,
}

impl Watcher {
    pub(crate) const NAME: &str = "watcher-of-retained-messages";

    pub(crate) fn new() -> Self {
        let state = State { expected: Vec::new(), come: Vec::new(), buffer: Vec::new() };
        Self { connection: None, state }
    }

    /// Connects, unless it has.
    pub(crate) fn come(&mut self, address: SocketAddr, ledger: &Ledger) -> std::io::Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = Connection::open(address, Version::V311)?;
        connection.outgoing.send(&Packet::Connect(Connect {
            version: Version::V311,
            clean_start: true,
            keep_alive_secs: 0,
            properties: Properties::NONE,
            client_identifier: Self::NAME,
            will: None,
            user_name: None,
            password: None,
        }));
        self.connection = Some(connection);
        self.state.come = vec![false; ledger.streams.len()];
        self.state.expected.clear();
        Ok(())
    }

    pub(crate) fn receive(&mut self, ledger: &mut Ledger) {
        let Some(connection) = &mut self.connection else { return };
        let state = &mut self.state;
        if let Err(why) = connection.receive(|packet, out| state.on_packet(&packet, out, ledger)) {
            ledger.findings.add(format!("{}: the broker {why}", Self::NAME));
        }
    }

    pub(crate) fn disconnected(&mut self) {
        self.connection = None;
    }

    /// The topics whose retained message was acknowledged before it asked, and has not come.
    pub(crate) fn missing<'a>(&'a self, ledger: &'a Ledger) -> impl Iterator<Item = &'a str> {
        let State { expected, come, .. } = &self.state;
        let answers = ledger.streams.iter().zip(expected).zip(come);
        answers
            .filter(|((stream, expected), come)| stream.kind == Kind::Retained && **expected > 0 && !**come)
            .map(|((stream, _), _)| stream.topic.as_str())
    }

    /// It has asked.
    pub(crate) fn has_asked(&self) -> bool {
        self.connection.is_some() && !self.state.expected.is_empty()
    }
}

impl State {
    fn on_packet(&mut self, packet: &Packet<'_>, out: &mut Outgoing, ledger: &mut Ledger) {
        let wrong = match packet {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => {
                self.expected = ledger.streams.iter().map(|stream| stream.last_acknowledged).collect();
                subscribe(out);
                None
            }
            Packet::SubAck(suback) if suback.codes == [QoS::AtLeastOnce as u8] => None,
            Packet::Publish(publish) => self.on_publish(publish, out, ledger),
            other => Some(format!("sent {other:?}")),
        };
        if let Some(wrong) = wrong {
            ledger.findings.add(format!("{}: the broker {wrong}", Watcher::NAME));
        }
    }

    fn on_publish(
        &mut self,
        publish: &Publish<'_>,
        out: &mut Outgoing,
        ledger: &mut Ledger,
    ) -> Option<String> {
        if let Some(identifier) = publish.packet_identifier {
            out.send(&Packet::PubAck(Acknowledgement::success(identifier)));
        }
        // What is published from here on comes too, and is the other subscribers' business.
        if !publish.retain {
            return None;
        }
        let label = Label::read(publish.payload, &mut self.buffer);
        let stream = label.and_then(|label| ledger.streams.get(label.stream as usize));
        let (Some(label), Some(stream)) = (label, stream) else {
            return Some(format!("has retained what was not published, on {:?}", publish.topic));
        };
        if publish.topic.is_none_or(|topic| topic.as_str() != stream.topic) || stream.kind != Kind::Retained {
            return Some(format!("has retained {label:?} on {:?}", publish.topic));
        }
        let at = label.stream as usize;
        let expected = self.expected.get(at).copied().unwrap_or(0);
        if label.number < expected {
            return Some(format!(
                "has retained message {} of {}, and {expected} was acknowledged",
                label.number, stream.topic
            ));
        }
        ledger.tally.retained += 1;
        self.come[at] = true;
        None
    }
}

fn subscribe(out: &mut Outgoing) {
    let mut buffer = Vec::new();
    let wanted = [("crashtest/+/retained", SubscriptionOptions::of_qos(QoS::AtLeastOnce))];
    let filters = SubscribeFilters::build(&wanted, Version::V311, &mut buffer);
    if let Some(packet_identifier) = PacketIdentifier::new(1) {
        out.send(&Packet::Subscribe(Subscribe { packet_identifier, properties: Properties::NONE, filters }));
    }
}
