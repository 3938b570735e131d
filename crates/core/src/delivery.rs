//! A message's last steps: encoded once per form, counted, handed to the connections or queues of its
//! recipients.

use bytes::Bytes;
use tidegate_mqtt::{
    Acknowledgement, Packet, PacketIdentifier, PropertyBuf, PropertyId, QoS, TopicName, encode_publish_head,
    variable_byte_integer_len,
};
use tidegate_observe::{Counters, DropReason};

use crate::connection::{Connection, Connections};
use crate::group::GroupKey;
use crate::identifiers::ConnectionId;
use crate::limits::Limits;
use crate::message::{Keepable, Message};
use crate::outbound::{BufferPool, Outbound};
use crate::queue::{Accounts, Queued};
use crate::session::{Session, Sessions};
use crate::time::Now;
use crate::usage::Allowance;
use crate::window::{Awaiting, Exchange};

/// How one recipient gets a message.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'a> {
    pub(crate) qos: QoS,
    /// The RETAIN flag that the recipient sees. [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
    pub(crate) retain: bool,
    /// Subscription Identifiers of every matching subscription. [MQTT5-3.3.4-3]
    pub(crate) identifiers: &'a [u32],
    /// The shared subscription that it came through.
    pub(crate) group: Option<GroupKey>,
}

/// What became of one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Sent, dropped, or queued for a session that ends with its connection: nothing to wait for.
    Live,
    /// A session that outlives its connection has it: it must be durable before the publisher is told.
    Durable,
}

/// Everything that handing out copies needs, borrowed from the core for the length of one step.
pub(crate) struct Courier<'a> {
    pub(crate) now: Now,
    pub(crate) connections: &'a mut Connections,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) pool: &'a mut BufferPool,
    pub(crate) limits: &'a Limits,
    /// Of the bytes that queues may take.
    pub(crate) allowance: &'a mut Allowance,
    pub(crate) counters: &'a mut Counters,
    pub(crate) dirty: &'a mut Vec<ConnectionId>,
}

impl Courier<'_> {
    /// Hands one copy to the session in slot `session`: into its connection now, or into its queue.
    #[inline]
    pub(crate) fn deliver(&mut self, session: u32, keep: &mut Keepable<'_>, manner: Manner<'_>) -> Delivered {
        let Some(session) = self.sessions.at(session) else { return Delivered::Live };
        let connection = session.connection.and_then(|id| self.connections.get(id));
        // Retained messages that a new subscription still has to get go first: one of them may be an earlier
        // message of the same topic and publisher. [MQTT5-4.6.0-5]
        let replaying = session.replay.is_some();
        if manner.qos == QoS::AtMostOnce && !replaying {
            if let Some(connection) = connection {
                if connection.outbound.len() >= self.limits.outbound_bytes_max {
                    self.counters.drop_one(DropReason::SlowReader);
                } else {
                    let post = Post { connection, encoder: self.encoder, pool: self.pool, dirty: self.dirty };
                    post.publish(
                        &keep.message,
                        manner,
                        Sending::of(QoS::AtMostOnce),
                        self.now,
                        self.counters,
                    );
                }
            }
            return Delivered::Live;
        }
        if manner.qos == QoS::AtMostOnce && connection.is_none() {
            return Delivered::Live;
        }
        let durable = session.is_durable() && manner.qos > QoS::AtMostOnce;
        let delivered = if durable { Delivered::Durable } else { Delivered::Live };
        if let Some(connection) = connection
            && !replaying
            && session.queue.is_empty()
            && connection.outbound.len() < self.limits.outbound_bytes_max
            && session.window.has_room(connection.send_maximum)
        {
            let post = Post { connection, encoder: self.encoder, pool: self.pool, dirty: self.dirty };
            post.publish_new(session, keep, manner, self.now, self.counters);
            return delivered;
        }
        let queued =
            Queued::new(keep.stored(), (manner.qos, manner.retain), manner.identifiers, manner.group);
        let (limits, allowance) = (self.limits, &mut *self.allowance);
        let accounts = Accounts { now: self.now, limits, allowance, counters: &mut *self.counters };
        session.queue.push(queued, accounts);
        delivered
    }

    /// Sends one message at once, ahead of the queue. The caller has made sure that there is room.
    pub(crate) fn send_now(&mut self, session: u32, keep: &mut Keepable<'_>, manner: Manner<'_>) {
        let Some(session) = self.sessions.at(session) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get(id)) else { return };
        self.encoder.begin(Sharing::Copy);
        let post = Post { connection, encoder: self.encoder, pool: self.pool, dirty: self.dirty };
        post.send(session, keep, manner, self.now, self.counters);
    }

    /// Sends what waits for a connected session, as far as its client and its connection have room: first what
    /// an earlier connection left unfinished, then the queue.
    pub(crate) fn pump(&mut self, session: u32) {
        let Some(session) = self.sessions.at(session) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get(id)) else { return };
        if !connection.is_connected() {
            return;
        }
        let maximum = connection.send_maximum;
        let bytes_max = self.limits.outbound_bytes_max;
        while connection.outbound.len() < bytes_max
            && let Some((identifier, exchange)) = session.window.next_to_resend(maximum)
        {
            self.encoder.begin(Sharing::Copy);
            let post = Post { connection, encoder: self.encoder, pool: self.pool, dirty: self.dirty };
            if !post.resend(identifier, exchange, self.now, self.counters) {
                session.window.finish(identifier);
                self.counters.queued -= 1;
            }
        }
        while session.replay.is_none()
            && connection.outbound.len() < bytes_max
            && session.window.has_room(maximum)
            && let Some(queued) = session.queue.pop(Accounts {
                now: self.now,
                limits: self.limits,
                allowance: &mut *self.allowance,
                counters: &mut *self.counters,
            })
        {
            let mut keep = Keepable::of(&queued.message);
            self.encoder.begin(Sharing::Copy);
            let manner = Manner {
                qos: queued.qos,
                retain: queued.retain,
                identifiers: queued.identifiers.as_deref().unwrap_or_default(),
                group: queued.group,
            };
            let post = Post { connection, encoder: self.encoder, pool: self.pool, dirty: self.dirty };
            post.send(session, &mut keep, manner, self.now, self.counters);
        }
    }
}

/// How a PUBLISH goes out: its flags and its identifier.
#[derive(Clone, Copy)]
struct Sending {
    qos: QoS,
    dup: bool,
    identifier: Option<PacketIdentifier>,
}

impl Sending {
    fn of(qos: QoS) -> Self {
        Self { qos, dup: false, identifier: None }
    }

    fn first_byte(self, retain: bool) -> u8 {
        0x30 | u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(retain)
    }
}

/// One connection and what writing to it needs.
struct Post<'a> {
    connection: &'a mut Connection,
    encoder: &'a mut Encoder,
    pool: &'a mut BufferPool,
    dirty: &'a mut Vec<ConnectionId>,
}

impl Post<'_> {
    /// Sends a PUBLISH of any QoS.
    fn send(
        self,
        session: &mut Session,
        keep: &mut Keepable<'_>,
        manner: Manner<'_>,
        now: Now,
        counters: &mut Counters,
    ) {
        match manner.qos {
            QoS::AtMostOnce => self.publish(&keep.message, manner, Sending::of(manner.qos), now, counters),
            _ => self.publish_new(session, keep, manner, now, counters),
        }
    }

    /// Begins the exchange of QoS 1 or 2 and sends its PUBLISH.
    fn publish_new(
        mut self,
        session: &mut Session,
        keep: &mut Keepable<'_>,
        manner: Manner<'_>,
        now: Now,
        counters: &mut Counters,
    ) {
        // A packet that the client cannot take is as good as delivered. [MQTT5-3.1.2-25]
        if !self.fits(&keep.message, manner, now, 0) {
            counters.drop_one(DropReason::PacketTooLarge);
            return;
        }
        let mut exchange = Exchange::new(manner.qos, manner.retain);
        exchange.group = manner.group;
        if session.is_durable() || manner.group.is_some() {
            exchange.message = Some(keep.stored());
            exchange.identifiers = (!manner.identifiers.is_empty()).then(|| manner.identifiers.into());
        }
        let identifier = session.window.begin(exchange);
        counters.queued += 1;
        let sending = Sending { qos: manner.qos, dup: false, identifier: Some(identifier) };
        self.put(&keep.message, manner, sending, now, counters);
    }

    /// Sends a PUBLISH that needs no exchange.
    fn publish(
        mut self,
        message: &Message<'_>,
        manner: Manner<'_>,
        sending: Sending,
        now: Now,
        counters: &mut Counters,
    ) {
        if self.fits(message, manner, now, 0) {
            self.put(message, manner, sending, now, counters);
        } else {
            counters.drop_one(DropReason::PacketTooLarge);
        }
    }

    /// Sends what an earlier connection left unfinished, with DUP and the identifier of the first time; `false` if it
    /// cannot be sent and is finished.
    /// [MQTT5-4.4.0-1] [MQTT5-3.3.1-1] [MQTT3-4.4.0-1] [MQTT3-3.3.1-1]
    fn resend(
        mut self,
        identifier: PacketIdentifier,
        exchange: &mut Exchange,
        now: Now,
        counters: &mut Counters,
    ) -> bool {
        let qos = match exchange.awaiting {
            Awaiting::PubAck => QoS::AtLeastOnce,
            Awaiting::PubRec => QoS::ExactlyOnce,
            Awaiting::PubComp => {
                let version = self.connection.version;
                let pubrel = Packet::PubRel(Acknowledgement::success(identifier));
                pubrel.encode(version, self.connection.outbound.buffer(self.pool));
                counters.packets_sent += 1;
                self.mark_dirty();
                return true;
            }
            Awaiting::Nothing => return true,
        };
        let Some(stored) = exchange.message.as_ref() else { return true };
        let manner = Manner {
            qos,
            retain: exchange.retain,
            identifiers: exchange.identifiers.as_deref().unwrap_or_default(),
            group: exchange.group,
        };
        let message = stored.as_message();
        // The client may take less than on the connection before; then it is as good as delivered. [MQTT5-3.1.2-25]
        if !self.fits(&message, manner, now, 0) {
            counters.drop_one(DropReason::PacketTooLarge);
            return false;
        }
        let sending = Sending { qos, dup: true, identifier: Some(identifier) };
        self.put(&message, manner, sending, now, counters);
        true
    }

    /// Whether the client takes a packet of this size, `more` bytes of properties included. [MQTT5-3.1.2-24]
    fn fits(&self, message: &Message<'_>, manner: Manner<'_>, now: Now, more: usize) -> bool {
        // Nearly every client leaves its Maximum Packet Size open.
        if self.connection.packet_bytes_max == u32::MAX {
            return true;
        }
        let identifier = if manner.qos == QoS::AtMostOnce { 0 } else { 2 };
        let mut len = 2 + message.topic.len() + identifier + message.payload.len();
        if self.connection.version.is_v5() {
            let expiry = if message.expiry_left_secs(now).is_some() { 5 } else { 0 };
            let identifiers: usize =
                manner.identifiers.iter().map(|&identifier| 1 + variable_byte_integer_len(identifier)).sum();
            let properties = message.properties.len() + expiry + identifiers + more;
            len += variable_byte_integer_len(properties as u32) + properties;
        }
        1 + variable_byte_integer_len(len as u32) + len <= self.connection.packet_bytes_max as usize
    }

    fn put(
        &mut self,
        message: &Message<'_>,
        manner: Manner<'_>,
        sending: Sending,
        now: Now,
        counters: &mut Counters,
    ) {
        counters.packets_sent += 1;
        counters.publishes_sent += 1;
        counters.publish_bytes_sent += message.payload.len() as u64;
        let aliases = self.connection.extra.as_ref().is_some_and(|extra| extra.outbound_alias_maximum > 0);
        let alias = aliases && self.fits(message, manner, now, ALIAS_BYTES);
        let connection = &mut *self.connection;
        if connection.version.is_v5() && (alias || !manner.identifiers.is_empty()) {
            self.put_singular(message, manner, sending, now, alias);
        } else {
            let first_byte = sending.first_byte(manner.retain);
            let v5 = connection.version.is_v5();
            let out = &mut connection.outbound;
            self.encoder.write(message, now, v5, first_byte, sending.identifier, out, self.pool);
        }
        self.mark_dirty();
    }

    /// A form that only this recipient gets: with its Subscription Identifiers or a Topic Alias.
    fn put_singular(
        &mut self,
        message: &Message<'_>,
        manner: Manner<'_>,
        sending: Sending,
        now: Now,
        alias: bool,
    ) {
        let own = &mut self.encoder.own_properties;
        own.clear();
        if let Some(secs) = message.expiry_left_secs(now) {
            own.number(PropertyId::MessageExpiryInterval, secs);
        }
        for &identifier in manner.identifiers {
            own.number(PropertyId::SubscriptionIdentifier, identifier);
        }
        let mut topic = message.topic;
        if alias && let Some((alias, known)) = outbound_alias(self.connection, topic) {
            own.number(PropertyId::TopicAlias, u32::from(alias));
            if known {
                topic = "";
            }
        }
        let buffer = self.connection.outbound.buffer(self.pool);
        let pieces = [message.properties, own.as_properties().as_bytes()];
        let first_byte = sending.first_byte(manner.retain);
        encode_publish_head(
            buffer,
            first_byte,
            topic,
            sending.identifier,
            Some(&pieces),
            message.payload.len(),
        );
        buffer.extend_from_slice(message.payload);
    }

    fn mark_dirty(&mut self) {
        if !self.connection.dirty {
            self.connection.dirty = true;
            self.dirty.push(self.connection.id);
        }
    }
}

/// The alias of `topic` towards this client, and whether the client knows it already. `None`: no alias is free
/// or the client allows none. First come, first served: telemetry repeats the topics it began with.
fn outbound_alias(connection: &mut Connection, topic: &str) -> Option<(u16, bool)> {
    let extra = connection.extra.as_mut()?;
    if let Some(&alias) = extra.outbound_aliases.get(topic) {
        return Some((alias, true));
    }
    let next = extra.outbound_aliases.len() as u16 + 1;
    if next > extra.outbound_alias_maximum || TopicName::new(topic).is_err() {
        return None;
    }
    extra.outbound_aliases.insert(topic.into(), next);
    Some((next, false))
}

/// Whether large payloads are worth sharing among recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// One recipient: copying into its buffer is the cheapest.
    Copy,
    /// Many: large payloads are referenced.
    Share,
}

/// Encodes a message once per form (5.0 or not, with an identifier or not) and copies the form to each
/// recipient; only the first byte and the identifier differ among those.
#[derive(Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    forms: [Option<Form>; 4],
    sharing: bool,
    shared: Option<Bytes>,
    own_properties: PropertyBuf,
}

#[derive(Clone, Copy)]
struct Form {
    from: usize,
    to: usize,
    identifier_at: usize,
}

impl Encoder {
    /// A new message begins.
    pub(crate) fn begin(&mut self, sharing: Sharing) {
        self.bytes.clear();
        self.forms = [None; 4];
        self.sharing = sharing == Sharing::Share;
        self.shared = None;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the hot path: a struct would be built and taken apart here"
    )]
    #[inline]
    fn write(
        &mut self,
        message: &Message<'_>,
        now: Now,
        v5: bool,
        first_byte: u8,
        identifier: Option<PacketIdentifier>,
        out: &mut Outbound,
        pool: &mut BufferPool,
    ) {
        let by_reference = self.sharing && message.payload.len() >= SHARED_PAYLOAD_BYTES_MIN;
        let index = usize::from(v5) | usize::from(identifier.is_some()) << 1;
        let form = match self.forms[index] {
            Some(form) => form,
            None => {
                let form = self.encode(message, now, v5, identifier, by_reference);
                *self.forms[index].insert(form)
            }
        };
        let buffer = out.buffer(pool);
        let at = buffer.len();
        buffer.extend_from_slice(&self.bytes[form.from..form.to]);
        buffer[at] = first_byte;
        if let Some(identifier) = identifier {
            let identifier_at = at + form.identifier_at - form.from;
            buffer[identifier_at..identifier_at + 2].copy_from_slice(&identifier.get().to_be_bytes());
        }
        if by_reference {
            let payload = self.shared.get_or_insert_with(|| Bytes::copy_from_slice(message.payload));
            out.push_shared(payload.clone());
        }
    }

    fn encode(
        &mut self,
        message: &Message<'_>,
        now: Now,
        v5: bool,
        identifier: Option<PacketIdentifier>,
        by_reference: bool,
    ) -> Form {
        let from = self.bytes.len();
        self.own_properties.clear();
        if let Some(secs) = message.expiry_left_secs(now) {
            self.own_properties.number(PropertyId::MessageExpiryInterval, secs);
        }
        let pieces = [message.properties, self.own_properties.as_properties().as_bytes()];
        let properties = v5.then_some(&pieces[..]);
        encode_publish_head(&mut self.bytes, 0, message.topic, identifier, properties, message.payload.len());
        let length_bytes =
            self.bytes[from + 1..].iter().position(|byte| byte & 0x80 == 0).map_or(4, |last| last + 1);
        let identifier_at = from + 1 + length_bytes + 2 + message.topic.len();
        if !by_reference {
            self.bytes.extend_from_slice(message.payload);
        }
        Form { from, to: self.bytes.len(), identifier_at }
    }
}

/// What a Topic Alias adds to the properties.
const ALIAS_BYTES: usize = 3;
/// Below this a copy is cheaper than a reference and its slot in the vectored write.
const SHARED_PAYLOAD_BYTES_MIN: usize = 2048;
/// The encoder's memory is given back after a larger message.
const KEPT_BYTES_MAX: usize = 256 * 1024;
