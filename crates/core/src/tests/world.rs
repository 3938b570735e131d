//! A small world: one core per shard, clients that speak packets, a clock that stands still until it is moved.
//! Every effect is carried out as the shell would, until nothing more happens.

use std::collections::HashMap;
use std::io::IoSlice;

use tidegate_mqtt::frame::{Split, split};
use tidegate_mqtt::{
    Acknowledgement, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, Properties, PropertyBuf,
    Publish, QoS, ReasonCode, ReasonList, Subscribe, SubscribeFilters, SubscriptionOptions, TopicName,
    Unsubscribe, UnsubscribeFilters, Version, WillMessage,
};
use tidegate_observe::{Counters, EndReason, Fact};

use crate::shards::ShardMessage;
use crate::{
    Batch, ConnectionId, Core, CoreConfig, Effects, Input, Limits, Now, OrganisationId, Principal, ShardId,
    SharedUsage, Ticket,
};

pub(crate) struct World {
    pub(super) cores: Vec<Core>,
    effects: Vec<Effects>,
    pub(super) now: Now,
    next_index: u32,
    clients: HashMap<String, Client>,
    /// The journal answers only when it is told to.
    journal_stalled: bool,
    /// Mail between shards waits until it is let go.
    shards_delayed: bool,
    delayed: Vec<(usize, usize, Batch)>,
    unpersisted: Vec<(usize, Ticket)>,
    pub(crate) facts: Vec<Fact>,
    /// Bytes that the kernel takes from each write; `None` takes all.
    pub(crate) write_bytes_max: Option<usize>,
}

struct Client {
    shard: usize,
    connection: ConnectionId,
    version: Version,
    received: Vec<u8>,
    open: bool,
    /// The client takes nothing from its socket.
    stalled: bool,
    next_identifier: u16,
}

/// A packet that a client got, owned so that tests can compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        properties: Vec<u8>,
    },
    Publish {
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
        dup: bool,
        retain: bool,
        id: u16,
        properties: Vec<u8>,
    },
    PubAck(u16, ReasonCode),
    PubRec(u16, ReasonCode),
    PubRel(u16, ReasonCode),
    PubComp(u16, ReasonCode),
    SubAck(u16, Vec<u8>),
    UnsubAck(u16, Vec<u8>),
    PingResp,
    Disconnect(ReasonCode),
}

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
    pub(crate) fn new(shards: u8) -> Self {
        Self::with_limits(shards, Limits::default())
    }

    pub(crate) fn with_limits(shards: u8, limits: Limits) -> Self {
        let now = Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 };
        let usage = SharedUsage::default();
        let core = |shard| {
            Core::new(CoreConfig {
                shard: ShardId(shard),
                shards,
                limits: limits.clone(),
                usage: usage.clone(),
                seed: 99,
                started: now,
            })
        };
        Self {
            cores: (0..shards).map(core).collect(),
            effects: (0..shards).map(|_| Effects::new(usize::from(shards))).collect(),
            now,
            next_index: 0,
            clients: HashMap::new(),
            journal_stalled: false,
            shards_delayed: false,
            delayed: Vec::new(),
            unpersisted: Vec::new(),
            facts: Vec::new(),
            write_bytes_max: None,
        }
    }

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

    /// Time passes.
    pub(crate) fn advance_secs(&mut self, secs: u64) {
        self.advance_ms(secs * 1000);
    }

    /// Time passes, a tenth of a second at a time.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now.mono_ms += 100;
            self.now.unix_ms += 100;
            for shard in 0..self.cores.len() {
                self.input(shard, Input::Time);
            }
        }
    }

    /// Mail between shards waits, or arrives in the order in which it was sent.
    pub(crate) fn delay_shards(&mut self, delayed: bool) {
        self.shards_delayed = delayed;
        if !delayed {
            for (from, to, batch) in std::mem::take(&mut self.delayed) {
                // What this leads to is sent later, so it arrives later.
                self.handle(to, Input::FromShard { from: ShardId(from as u8), batch });
            }
            self.settle();
        }
    }

    /// Delivers the mail that waits, and lets what it leads to wait in turn.
    pub(crate) fn deliver_mail_once(&mut self) {
        for (from, to, batch) in std::mem::take(&mut self.delayed) {
            self.handle(to, Input::FromShard { from: ShardId(from as u8), batch });
        }
        self.settle();
    }

    /// How many messages of a kind wait in the mail between shards.
    pub(crate) fn mail_count(&self, kind: fn(&ShardMessage) -> bool) -> usize {
        self.delayed.iter().flat_map(|(_, _, batch)| &batch.messages).filter(|message| kind(message)).count()
    }

    pub(crate) fn journal_stalls(&mut self) {
        self.journal_stalled = true;
    }

    pub(crate) fn journal_goes_on(&mut self) {
        self.journal_stalled = false;
        for (shard, up_to) in std::mem::take(&mut self.unpersisted) {
            self.input(shard, Input::Persisted { up_to });
        }
    }

    /// The client stops taking bytes from its socket, or takes them again.
    pub(crate) fn stall(&mut self, name: &str, stalled: bool) {
        self.clients.get_mut(name).unwrap().stalled = stalled;
        if !stalled {
            self.flush(name);
        }
    }

    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.clients[name].open
    }

    /// Time jumps.
    pub(crate) fn skip_secs(&mut self, secs: u64) {
        self.now.mono_ms += secs * 1000;
        self.now.unix_ms += secs * 1000;
        self.advance_ms(100);
    }

    /// Time jumps, and nobody has noticed yet.
    pub(crate) fn jump_secs(&mut self, secs: u64) {
        self.now.mono_ms += secs * 1000;
        self.now.unix_ms += secs * 1000;
    }

    /// When one of the shards wants to be woken.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.cores.iter().filter_map(Core::next_deadline).min()
    }

    /// The client's next Packet Identifier.
    pub(crate) fn use_identifiers_from(&mut self, name: &str, next: u16) {
        self.clients.get_mut(name).unwrap().next_identifier = next - 1;
    }

    /// The `$SYS` interval is over.
    pub(crate) fn publish_sys(&mut self) {
        self.input(0, Input::PublishSys);
    }

    pub(crate) fn is_v5(&self, name: &str) -> bool {
        self.clients[name].version.is_v5()
    }

    /// Whether two connected clients are on the same shard.
    pub(crate) fn share_a_shard(&self, one: &str, other: &str) -> bool {
        self.clients[one].shard == self.clients[other].shard
    }

    /// How many acknowledgements towards the client wait for something to be durable.
    pub(crate) fn held(&mut self, name: &str) -> usize {
        let client = &self.clients[name];
        let connection = self.cores[client.shard].connections.get(client.connection);
        connection.and_then(|connection| connection.extra.as_ref()).map_or(0, |extra| extra.held.len())
    }

    /// The sizes of the packets that the client has not asked for yet.
    pub(crate) fn packet_sizes(&self, name: &str) -> Vec<usize> {
        let bytes = &self.clients[name].received;
        let (mut at, mut sizes) = (0, Vec::new());
        while let Ok(Split::Frame(frame)) = split(&bytes[at..], usize::MAX) {
            sizes.push(frame.len);
            at += frame.len;
        }
        sizes
    }

    /// The topics of every PUBLISH that the client got since it was asked last.
    pub(crate) fn topics(&mut self, name: &str) -> Vec<String> {
        let topic = |got| match got {
            Got::Publish { topic, .. } => Some(topic),
            _ => None,
        };
        self.received(name).into_iter().filter_map(topic).collect()
    }

    /// Whether the shell would read from the client.
    pub(crate) fn wants_input(&mut self, name: &str) -> bool {
        let client = &self.clients[name];
        self.cores[client.shard].wants_input(client.connection)
    }

    /// What the client is owed, in bytes.
    pub(crate) fn outbound_bytes(&mut self, name: &str) -> usize {
        let client = &self.clients[name];
        self.cores[client.shard].outbound(client.connection).map_or(0, crate::Outbound::len)
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut total = Counters::default();
        for core in &self.cores {
            total.add(&core.counters(OrganisationId::FIRST).unwrap());
        }
        total
    }

    /// Every packet that the client got since it was asked last.
    pub(crate) fn received(&mut self, name: &str) -> Vec<Got> {
        let client = self.clients.get_mut(name).unwrap();
        let bytes = std::mem::take(&mut client.received);
        let mut got = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Split::Frame(frame) = split(&bytes[at..], usize::MAX).unwrap() else { break };
            got.push(Got::from(Packet::decode(frame, client.version).unwrap()));
            at += frame.len;
        }
        client.received = bytes[at..].to_vec();
        got
    }

    /// The payloads of every PUBLISH that the client got since it was asked last, as text.
    pub(crate) fn payloads(&mut self, name: &str) -> Vec<String> {
        let got = self.received(name);
        let payload = |got| match got {
            Got::Publish { payload, .. } => Some(String::from_utf8(payload).unwrap()),
            _ => None,
        };
        got.into_iter().filter_map(payload).collect()
    }

    fn take_first(&mut self, name: &str, wanted: impl Fn(&Got) -> bool) -> Got {
        let mut got = self.received(name);
        let at = got.iter().position(wanted).unwrap_or_else(|| panic!("{name} got only {got:?}"));
        let found = got.remove(at);
        let client = self.clients.get_mut(name).unwrap();
        let mut rest = Vec::new();
        got.into_iter().for_each(|packet| packet.encode(client.version, &mut rest));
        rest.append(&mut client.received);
        client.received = rest;
        found
    }

    fn next_identifier(&mut self, name: &str) -> PacketIdentifier {
        let client = self.clients.get_mut(name).unwrap();
        client.next_identifier += 1;
        PacketIdentifier::new(client.next_identifier).unwrap()
    }

    fn input(&mut self, shard: usize, input: Input<'_>) {
        self.cores[shard].handle(self.now, input, &mut self.effects[shard]);
        self.settle();
    }

    /// Carries out effects until there are none.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for shard in 0..self.cores.len() {
                quiet &= !self.carry_out(shard);
            }
            if quiet {
                return;
            }
        }
    }

    fn carry_out(&mut self, shard: usize) -> bool {
        let shards = self.cores.len();
        let effects = std::mem::replace(&mut self.effects[shard], Effects::new(shards));
        let mut happened = false;
        self.facts.extend(effects.facts);
        for request in effects.authenticate {
            happened = true;
            let (connection, verdict) = (request.connection, Ok(Principal::anonymous(None)));
            self.handle(shard, Input::Authenticated { connection, verdict });
        }
        for (id, to, handoff) in effects.hand_over {
            happened = true;
            let client = self.clients.values_mut().find(|client| client.connection == id).unwrap();
            client.shard = usize::from(to.0);
            let peer = "127.0.0.1:1".parse().unwrap();
            self.handle(usize::from(to.0), Input::Adopted { connection: id, peer, handoff });
        }
        if let Some(up_to) = effects.persist {
            if self.journal_stalled {
                self.unpersisted.push((shard, up_to));
            } else {
                happened = true;
                self.handle(shard, Input::Persisted { up_to });
            }
        }
        for id in effects.write.into_iter().chain(effects.close.iter().copied()) {
            happened |= self.write(shard, id);
        }
        for id in effects.close {
            self.cores[shard].release(id);
            if let Some(client) = self.clients.values_mut().find(|client| client.connection == id) {
                client.open = false;
            }
        }
        for (to, batch) in effects.to_shards.into_iter().enumerate().filter(|(_, batch)| !batch.is_empty()) {
            if self.shards_delayed {
                self.delayed.push((shard, to, batch));
                continue;
            }
            happened = true;
            self.handle(to, Input::FromShard { from: ShardId(shard as u8), batch });
        }
        happened
    }

    fn handle(&mut self, shard: usize, input: Input<'_>) {
        self.cores[shard].handle(self.now, input, &mut self.effects[shard]);
    }

    fn write(&mut self, shard: usize, id: ConnectionId) -> bool {
        let core = &mut self.cores[shard];
        core.begin_write(id);
        let Some(outbound) = core.outbound(id) else { return false };
        let Some(client) = self.clients.values_mut().find(|client| client.connection == id) else {
            return false;
        };
        if client.stalled || outbound.is_empty() {
            return false;
        }
        let mut slices = [IoSlice::new(&[]); 16];
        let used = outbound.fill(&mut slices);
        let taken = self.write_bytes_max.unwrap_or(usize::MAX);
        let bytes: Vec<u8> =
            slices[..used].iter().flat_map(|slice| slice.iter().copied()).take(taken).collect();
        client.received.extend_from_slice(&bytes);
        self.handle(shard, Input::Written { connection: id, bytes: bytes.len() });
        // As the shell does: what the kernel did not take is offered again.
        self.write(shard, id);
        true
    }

    fn flush(&mut self, name: &str) {
        let client = &self.clients[name];
        let (shard, connection) = (client.shard, client.connection);
        self.write(shard, connection);
        self.settle();
    }
}

impl From<Packet<'_>> for Got {
    fn from(packet: Packet<'_>) -> Self {
        let id = |id: PacketIdentifier| id.get();
        match packet {
            Packet::ConnAck(ConnAck { session_present, reason, properties }) => {
                Got::ConnAck { session_present, reason, properties: properties.as_bytes().to_vec() }
            }
            Packet::Publish(publish) => Got::Publish {
                topic: publish.topic.map_or(String::new(), |topic| topic.as_str().to_owned()),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
                dup: publish.dup,
                retain: publish.retain,
                id: publish.packet_identifier.map_or(0, id),
                properties: publish.properties.as_bytes().to_vec(),
            },
            Packet::PubAck(ack) => Got::PubAck(id(ack.packet_identifier), ack.reason),
            Packet::PubRec(ack) => Got::PubRec(id(ack.packet_identifier), ack.reason),
            Packet::PubRel(ack) => Got::PubRel(id(ack.packet_identifier), ack.reason),
            Packet::PubComp(ack) => Got::PubComp(id(ack.packet_identifier), ack.reason),
            Packet::SubAck(list) => Got::SubAck(id(list.packet_identifier), list.codes.to_vec()),
            Packet::UnsubAck(list) => Got::UnsubAck(id(list.packet_identifier), list.codes.to_vec()),
            Packet::PingResp => Got::PingResp,
            Packet::Disconnect(disconnect) => Got::Disconnect(disconnect.reason),
            other => panic!("a server does not send {other:?}"),
        }
    }
}

impl Got {
    /// Back into bytes, for packets that a test has not asked for yet.
    fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let ack = |id: &u16, reason: &ReasonCode| Acknowledgement {
            packet_identifier: PacketIdentifier::new(*id).unwrap(),
            reason: *reason,
            properties: Properties::NONE,
        };
        let list = |id: &u16, codes| ReasonList {
            packet_identifier: PacketIdentifier::new(*id).unwrap(),
            properties: Properties::NONE,
            codes,
        };
        match self {
            Got::ConnAck { .. } => {}
            Got::Publish { topic, payload, qos, dup, retain, id, properties } => {
                let first_byte = 0x30 | u8::from(*dup) << 3 | (*qos as u8) << 1 | u8::from(*retain);
                let properties: &[&[u8]] = &[properties];
                let properties = version.is_v5().then_some(properties);
                let id = PacketIdentifier::new(*id);
                tidegate_mqtt::encode_publish_head(out, first_byte, topic, id, properties, payload.len());
                out.extend_from_slice(payload);
            }
            Got::PubAck(id, reason) => Packet::PubAck(ack(id, reason)).encode(version, out),
            Got::PubRec(id, reason) => Packet::PubRec(ack(id, reason)).encode(version, out),
            Got::PubRel(id, reason) => Packet::PubRel(ack(id, reason)).encode(version, out),
            Got::PubComp(id, reason) => Packet::PubComp(ack(id, reason)).encode(version, out),
            Got::SubAck(id, codes) => Packet::SubAck(list(id, codes)).encode(version, out),
            Got::UnsubAck(id, codes) => Packet::UnsubAck(list(id, codes)).encode(version, out),
            Got::PingResp => Packet::PingResp.encode(version, out),
            Got::Disconnect(reason) => {
                Packet::Disconnect(Disconnect { reason: *reason, properties: Properties::NONE })
                    .encode(version, out);
            }
        }
    }
}
