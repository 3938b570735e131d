//! What clients do.

use tidegate_mqtt::{
    Acknowledgement, Connect, Disconnect, Packet, PacketIdentifier, Properties, PropertyBuf, Publish, QoS,
    ReasonCode, Subscribe, SubscribeFilters, SubscriptionOptions, TopicName, Unsubscribe, UnsubscribeFilters,
    Version, WillMessage,
};
use tidegate_observe::EndReason;

use super::{Client, Got, World};
use crate::{ConnectionId, Input};

/// What a CONNECT asks for, with the usual answers filled in.
pub(crate) struct ConnectOptions<'a> {
    pub(crate) version: Version,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    pub(crate) properties: PropertyBuf,
    pub(crate) will: Option<(&'a str, &'a [u8], QoS, bool, PropertyBuf)>,
}

pub(crate) fn v5() -> ConnectOptions<'static> {
    ConnectOptions {
        version: Version::V5,
        clean: true,
        keep_alive: 0,
        properties: PropertyBuf::new(),
        will: None,
    }
}

pub(crate) fn v3() -> ConnectOptions<'static> {
    ConnectOptions { version: Version::V311, ..v5() }
}

impl World {
    /// Opens a connection for `name` on an arbitrary shard, and sends nothing.
    pub(crate) fn open(&mut self, name: &str, version: Version) {
        let shard = self.next_index as usize % self.cores.len();
        let connection = ConnectionId { index: self.next_index, generation: 0 };
        self.next_index += 1;
        let client = Client {
            shard,
            connection,
            version,
            received: Vec::new(),
            open: true,
            stalled: false,
            next_identifier: 0,
        };
        self.clients.insert(name.to_owned(), client);
        let peer = "127.0.0.1:1".parse().unwrap();
        self.input(shard, Input::Opened { connection, peer });
    }

    /// Connects with the name as Client Identifier and returns the CONNACK.
    pub(crate) fn connect(&mut self, name: &str, options: &ConnectOptions<'_>) -> Got {
        self.connect_as(name, name, options)
    }

    pub(crate) fn connect_as(&mut self, name: &str, identifier: &str, options: &ConnectOptions<'_>) -> Got {
        self.begin_connect(name, identifier, options);
        let mut got = self.received(name);
        assert!(!got.is_empty(), "{name} got no CONNACK");
        let first = got.remove(0);
        // What a resumed session brings stays to be received.
        let client = self.clients.get_mut(name).unwrap();
        for packet in got {
            packet.encode(client.version, &mut client.received);
        }
        first
    }

    /// Sends CONNECT and leaves what comes back to be received.
    pub(crate) fn begin_connect(&mut self, name: &str, identifier: &str, options: &ConnectOptions<'_>) {
        self.open(name, options.version);
        let will = options.will.as_ref().map(|(topic, payload, qos, retain, properties)| WillMessage {
            topic: TopicName::new(topic).unwrap(),
            qos: *qos,
            retain: *retain,
            properties: properties.as_properties(),
            payload,
        });
        let connect = Connect {
            version: options.version,
            clean_start: options.clean,
            keep_alive_secs: options.keep_alive,
            properties: options.properties.as_properties(),
            client_identifier: identifier,
            will,
            user_name: None,
            password: None,
        };
        self.send(name, &Packet::Connect(connect));
    }

    pub(crate) fn send(&mut self, name: &str, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.clients[name].version, &mut bytes);
        self.send_bytes(name, &bytes);
    }

    pub(crate) fn send_bytes(&mut self, name: &str, bytes: &[u8]) {
        let client = &self.clients[name];
        let (shard, connection) = (client.shard, client.connection);
        self.input(shard, Input::Received { connection, bytes });
    }

    /// Subscribes and returns the codes of the SUBACK.
    pub(crate) fn subscribe(&mut self, name: &str, filters: &[(&str, SubscriptionOptions)]) -> Vec<u8> {
        self.subscribe_with(name, filters, &PropertyBuf::new());
        match self.take_first(name, |got| matches!(got, Got::SubAck(..))) {
            Got::SubAck(_, codes) => codes,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn subscribe_with(
        &mut self,
        name: &str,
        filters: &[(&str, SubscriptionOptions)],
        properties: &PropertyBuf,
    ) {
        let version = self.clients[name].version;
        let packet_identifier = self.next_identifier(name);
        let mut buffer = Vec::new();
        let subscribe = Subscribe {
            packet_identifier,
            properties: properties.as_properties(),
            filters: SubscribeFilters::build(filters, version, &mut buffer),
        };
        self.send(name, &Packet::Subscribe(subscribe));
    }

    pub(crate) fn unsubscribe(&mut self, name: &str, filter: &str) -> Vec<u8> {
        self.begin_unsubscribe(name, filter);
        match self.take_first(name, |got| matches!(got, Got::UnsubAck(..))) {
            Got::UnsubAck(_, codes) => codes,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn begin_unsubscribe(&mut self, name: &str, filter: &str) {
        let packet_identifier = self.next_identifier(name);
        let mut buffer = Vec::new();
        let filters = UnsubscribeFilters::build(&[filter], &mut buffer);
        let properties = Properties::NONE;
        self.send(name, &Packet::Unsubscribe(Unsubscribe { packet_identifier, properties, filters }));
    }

    pub(crate) fn publish(&mut self, name: &str, topic: &str, payload: &[u8], qos: QoS) -> u16 {
        self.publish_with(name, topic, payload, qos, false, &PropertyBuf::new())
    }

    /// Publishes and returns the packet identifier, 0 for QoS 0.
    pub(crate) fn publish_with(
        &mut self,
        name: &str,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
        properties: &PropertyBuf,
    ) -> u16 {
        let packet_identifier = (qos != QoS::AtMostOnce).then(|| self.next_identifier(name));
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic: TopicName::new(topic).ok(),
            packet_identifier,
            properties: properties.as_properties(),
            payload,
        };
        self.send(name, &Packet::Publish(publish));
        packet_identifier.map_or(0, PacketIdentifier::get)
    }

    pub(crate) fn ack(
        &mut self,
        name: &str,
        id: u16,
        packet: fn(Acknowledgement<'static>) -> Packet<'static>,
    ) {
        self.send(name, &packet(Acknowledgement::success(PacketIdentifier::new(id).unwrap())));
    }

    pub(crate) fn disconnect(&mut self, name: &str) {
        let disconnect = Disconnect { reason: ReasonCode::Success, properties: Properties::NONE };
        self.send(name, &Packet::Disconnect(disconnect));
    }

    /// The client's connection breaks.
    pub(crate) fn break_connection(&mut self, name: &str) {
        let client = self.clients.get_mut(name).unwrap();
        client.open = false;
        let (shard, connection) = (client.shard, client.connection);
        self.input(shard, Input::Closed { connection, reason: EndReason::PeerClosed });
    }

    /// The client stops taking bytes from its socket, or takes them again.
    pub(crate) fn stall(&mut self, name: &str, stalled: bool) {
        self.clients.get_mut(name).unwrap().stalled = stalled;
        if !stalled {
            self.flush(name);
        }
    }

    /// The client's next Packet Identifier.
    pub(crate) fn use_identifiers_from(&mut self, name: &str, next: u16) {
        self.clients.get_mut(name).unwrap().next_identifier = next - 1;
    }

    fn next_identifier(&mut self, name: &str) -> PacketIdentifier {
        let client = self.clients.get_mut(name).unwrap();
        client.next_identifier += 1;
        PacketIdentifier::new(client.next_identifier).unwrap()
    }
}
