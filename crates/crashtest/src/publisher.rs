//! A client that publishes, and remembers what was acknowledged. Every other one has a durable session and sends again what was
//! open when the connection broke; the others abandon it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tidegate_mqtt::{
    Acknowledgement, ConnAck, Connect, Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId,
    Publish, QoS, ReasonCode, TopicName, Version,
};

use crate::connection::{Connection, Outgoing};
use crate::ledger::{Kind, Ledger};
use crate::payload::Label;
use crate::random::Random;

pub(crate) struct Publisher {
    pub(crate) connection: Option<Connection>,
    state: State,
}

struct State {
    name: String,
    version: Version,
    durable: bool,
    /// Something was acknowledged to this session: from here on it must be there. A CONNACK alone promises nothing that could
    /// be lost.
    established: bool,
    /// CONNACK has come on this connection.
    connected: bool,
    /// One for QoS 1, one for QoS 2, one for retained messages.
    streams: [u32; 3],
    window: usize,
    in_flight: VecDeque<Exchange>,
    last_identifier: u16,
    payload: Vec<u8>,
    /// The publisher sends nothing new.
    pub(crate) resting: bool,
}

struct Exchange {
    identifier: PacketIdentifier,
    label: Label,
    qos: QoS,
    /// PUBREC has come.
    received: bool,
}

impl Publisher {
    pub(crate) fn new(index: u16, ledger: &mut Ledger) -> Self {
        let durable = index.is_multiple_of(2);
        let version = if index % 4 < 2 { Version::V5 } else { Version::V311 };
        let kind = if durable { "durable" } else { "clean" };
        let name = format!("{kind}-publisher-{index}");
        let mut open = |topic: &str, kind| ledger.open(format!("crashtest/{name}/{topic}"), kind);
        let streams = [
            open("qos1", Kind::Plain(QoS::AtLeastOnce)),
            open("qos2", Kind::Plain(QoS::ExactlyOnce)),
            open("retained", Kind::Retained),
        ];
        let state = State {
            name,
            version,
            durable,
            established: false,
            connected: false,
            streams,
            window: [2, 4, 12, 24][usize::from(index / 2 % 4)],
            in_flight: VecDeque::new(),
            last_identifier: 0,
            payload: Vec::new(),
            resting: false,
        };
        Self { connection: None, state }
    }

    pub(crate) fn name(&self) -> &str {
        &self.state.name
    }

    /// Nothing of this publisher waits for the broker.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.connected && self.state.in_flight.is_empty()
    }

    /// How many of its messages wait for an acknowledgement.
    pub(crate) fn in_flight(&self) -> usize {
        self.state.in_flight.len()
    }

    pub(crate) fn rest(&mut self) {
        self.state.resting = true;
    }

    pub(crate) fn connect(&mut self, address: SocketAddr) -> std::io::Result<()> {
        let mut connection = Connection::open(address, self.state.version)?;
        self.state.connect(&mut connection.outgoing);
        self.connection = Some(connection);
        Ok(())
    }

    /// Handles what the broker has sent.
    pub(crate) fn receive(&mut self, ledger: &mut Ledger) {
        let Some(connection) = &mut self.connection else { return };
        let state = &mut self.state;
        if let Err(why) = connection.receive(|packet, out| state.on_packet(&packet, out, ledger)) {
            ledger.findings.add(format!("{}: the broker {why}", self.state.name));
        }
    }

    /// Fills the window with at most so many messages; returns how many.
    pub(crate) fn publish(&mut self, at_most: u64, ledger: &mut Ledger, random: &mut Random) -> u64 {
        let Some(connection) =
            self.connection.as_mut().filter(|_| self.state.connected && !self.state.resting)
        else {
            return 0;
        };
        let mut published = 0;
        while published < at_most && self.state.in_flight.len() < self.state.window {
            let which = if random.one_in(16) { 2 } else { random.of(0..2) as usize };
            self.state.publish(self.state.streams[which], &mut connection.outgoing, ledger);
            published += 1;
        }
        published
    }

    /// The last message of each stream: when it has come, so has everything before it.
    pub(crate) fn publish_last(&mut self, ledger: &mut Ledger) {
        let Some(connection) = &mut self.connection else { return };
        for stream in self.state.streams {
            self.state.publish(stream, &mut connection.outgoing, ledger);
        }
    }

    /// The connection is gone, and what has arrived was handled.
    pub(crate) fn disconnected(&mut self, ledger: &mut Ledger) {
        self.connection = None;
        self.state.connected = false;
        if !self.state.durable {
            self.state.in_flight.drain(..).for_each(|exchange| ledger.abandon(exchange.label));
        }
    }
}

impl State {
    fn connect(&self, out: &mut Outgoing) {
        let mut properties = PropertyBuf::new();
        if self.version.is_v5() && self.durable {
            properties.number(PropertyId::SessionExpiryInterval, u32::MAX);
        }
        out.send(&Packet::Connect(Connect {
            version: self.version,
            clean_start: !self.durable,
            keep_alive_secs: 0,
            properties: properties.as_properties(),
            client_identifier: &self.name,
            will: None,
            user_name: None,
            password: None,
        }));
    }

    fn on_packet(&mut self, packet: &Packet<'_>, out: &mut Outgoing, ledger: &mut Ledger) {
        let wrong = match packet {
            Packet::ConnAck(connack) => self.on_connack(connack, out, ledger),
            Packet::PubAck(ack) => self.on_puback(ack, ledger),
            Packet::PubRec(ack) => self.on_pubrec(ack, out, ledger),
            Packet::PubComp(ack) => self.on_pubcomp(ack),
            other => Some(format!("sent {other:?}")),
        };
        if let Some(wrong) = wrong {
            ledger.findings.add(format!("{}: the broker {wrong}", self.name));
        }
    }

    fn on_connack(
        &mut self,
        connack: &ConnAck<'_>,
        out: &mut Outgoing,
        ledger: &mut Ledger,
    ) -> Option<String> {
        if connack.reason != ReasonCode::Success {
            return Some(format!("refused the connection: {:?}", connack.reason));
        }
        let present = connack.session_present;
        if present && !self.durable {
            return Some("has a session for a client that asks for a new one".into());
        }
        if !present && self.established && self.durable {
            return Some("has lost the session: session_present is false".into());
        }
        self.connected = true;
        for exchange in &self.in_flight {
            ledger.send_again(exchange.label);
            if exchange.received {
                out.send(&Packet::PubRel(Acknowledgement::success(exchange.identifier)));
            } else {
                exchange.send(true, &mut self.payload, out, ledger);
            }
        }
        None
    }

    fn publish(&mut self, stream: u32, out: &mut Outgoing, ledger: &mut Ledger) {
        let Some(identifier) = self.free_identifier() else { return };
        let qos = ledger.streams[stream as usize].kind.qos();
        let exchange = Exchange { identifier, label: ledger.send(stream), qos, received: false };
        exchange.send(false, &mut self.payload, out, ledger);
        self.in_flight.push_back(exchange);
    }

    fn free_identifier(&mut self) -> Option<PacketIdentifier> {
        loop {
            self.last_identifier = self.last_identifier.checked_add(1).unwrap_or(1);
            let identifier = PacketIdentifier::new(self.last_identifier)?;
            if self.in_flight.iter().all(|exchange| exchange.identifier != identifier) {
                return Some(identifier);
            }
        }
    }

    fn position(&self, ack: &Acknowledgement<'_>, qos: QoS) -> Option<usize> {
        let is = |exchange: &Exchange| exchange.identifier == ack.packet_identifier && exchange.qos == qos;
        self.in_flight.iter().position(is)
    }

    fn on_puback(&mut self, ack: &Acknowledgement<'_>, ledger: &mut Ledger) -> Option<String> {
        if ack.reason != ReasonCode::Success {
            return Some(format!("answered a message with {:?}", ack.reason));
        }
        let Some(at) = self.position(ack, QoS::AtLeastOnce) else {
            return Some(format!(
                "sent a PUBACK for {}, which is not in flight",
                ack.packet_identifier.get()
            ));
        };
        self.in_flight.remove(at).into_iter().for_each(|exchange| ledger.acknowledge(exchange.label));
        self.established = true;
        None
    }

    fn on_pubrec(
        &mut self,
        ack: &Acknowledgement<'_>,
        out: &mut Outgoing,
        ledger: &mut Ledger,
    ) -> Option<String> {
        if ack.reason != ReasonCode::Success {
            return Some(format!("answered a message with {:?}", ack.reason));
        }
        let Some(at) = self.position(ack, QoS::ExactlyOnce) else {
            return Some(format!(
                "sent a PUBREC for {}, which is not in flight",
                ack.packet_identifier.get()
            ));
        };
        let exchange = &mut self.in_flight[at];
        exchange.received = true;
        self.established = true;
        ledger.acknowledge(exchange.label);
        out.send(&Packet::PubRel(Acknowledgement::success(exchange.identifier)));
        None
    }

    fn on_pubcomp(&mut self, ack: &Acknowledgement<'_>) -> Option<String> {
        match self.position(ack, QoS::ExactlyOnce) {
            // Its reason may be that the identifier is unknown: the broker had finished before it died.
            Some(at) if self.in_flight[at].received => _ = self.in_flight.remove(at),
            _ => {
                return Some(format!(
                    "sent a PUBCOMP for {}, which is not released",
                    ack.packet_identifier.get()
                ));
            }
        }
        None
    }
}

impl Exchange {
    fn send(&self, dup: bool, payload: &mut Vec<u8>, out: &mut Outgoing, ledger: &Ledger) {
        self.label.write(payload);
        let stream = &ledger.streams[self.label.stream as usize];
        out.send(&Packet::Publish(Publish {
            dup,
            qos: self.qos,
            retain: stream.kind == Kind::Retained,
            topic: TopicName::new(&stream.topic).ok(),
            packet_identifier: Some(self.identifier),
            properties: Properties::NONE,
            payload,
        }));
    }
}
