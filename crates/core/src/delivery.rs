//! A message's last step: encoded once per form, counted, appended to what its recipients' connections are owed.

use bytes::Bytes;
use tidegate_mqtt::{
    Acknowledgement, Packet, PacketIdentifier, PropertyBuf, PropertyId, QoS, TopicName, encode_publish_head,
    variable_byte_integer_len,
};
use tidegate_observe::{Counters, DropReason};

use crate::connection::Connection;
use crate::group::GroupKey;
use crate::identifiers::ConnectionId;
use crate::message::Message;
use crate::outbound::{BufferPool, Outbound};
use crate::time::Now;
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

/// How a PUBLISH goes out: its flags and its identifier.
#[derive(Clone, Copy)]
struct Sending {
    qos: QoS,
    dup: bool,
    identifier: Option<PacketIdentifier>,
}

impl Sending {
    fn first_byte(self, retain: bool) -> u8 {
        0x30 | u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(retain)
    }
}

/// One connection and what writing to it needs.
pub(crate) struct Post<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) pool: &'a mut BufferPool,
    pub(crate) dirty: &'a mut Vec<ConnectionId>,
    pub(crate) counters: &'a mut Counters,
    pub(crate) now: Now,
}

impl Post<'_> {
    /// Sends a PUBLISH of QoS 0.
    pub(crate) fn publish(mut self, message: &Message<'_>, manner: Manner<'_>) {
        if self.fits(message, manner, 0) {
            self.put(message, manner, Sending { qos: QoS::AtMostOnce, dup: false, identifier: None });
        } else {
            self.counters.drop_one(DropReason::PacketTooLarge);
        }
    }

    /// Sends the PUBLISH of an exchange that was just begun; the caller knows that it fits.
    pub(crate) fn publish_begun(
        mut self,
        message: &Message<'_>,
        manner: Manner<'_>,
        identifier: PacketIdentifier,
    ) {
        self.put(message, manner, Sending { qos: manner.qos, dup: false, identifier: Some(identifier) });
    }

    /// Sends what was given an identifier earlier: with DUP if it was sent before. `false` if it cannot be sent and is
    /// finished.
    /// [MQTT5-4.4.0-1] [MQTT5-3.3.1-1] [MQTT3-4.4.0-1] [MQTT3-3.3.1-1]
    pub(crate) fn send_begun(mut self, identifier: PacketIdentifier, exchange: &mut Exchange) -> bool {
        let qos = match exchange.awaiting {
            Awaiting::PubAck => QoS::AtLeastOnce,
            Awaiting::PubRec => QoS::ExactlyOnce,
            Awaiting::PubComp => {
                let version = self.connection.version;
                let pubrel = Packet::PubRel(Acknowledgement::success(identifier));
                pubrel.encode(version, self.connection.outbound.buffer(self.pool));
                self.counters.packets_sent += 1;
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
        if !self.fits(&message, manner, 0) {
            self.counters.drop_one(DropReason::PacketTooLarge);
            return false;
        }
        let dup = std::mem::replace(&mut exchange.sent_before, true);
        self.put(&message, manner, Sending { qos, dup, identifier: Some(identifier) });
        true
    }

    /// Whether the client takes a packet of this size, `more` bytes of properties included. [MQTT5-3.1.2-24]
    pub(crate) fn fits(&self, message: &Message<'_>, manner: Manner<'_>, more: usize) -> bool {
        // Nearly every client leaves its Maximum Packet Size open.
        if self.connection.packet_bytes_max == u32::MAX {
            return true;
        }
        let identifier = if manner.qos == QoS::AtMostOnce { 0 } else { 2 };
        let mut len = 2 + message.topic.len() + identifier + message.payload.len();
        if self.connection.version.is_v5() {
            let expiry = if message.expiry_left_secs(self.now).is_some() { 5 } else { 0 };
            let identifiers: usize =
                manner.identifiers.iter().map(|&identifier| 1 + variable_byte_integer_len(identifier)).sum();
            let properties = message.properties.len() + expiry + identifiers + more;
            len += variable_byte_integer_len(properties as u32) + properties;
        }
        1 + variable_byte_integer_len(len as u32) + len <= self.connection.packet_bytes_max as usize
    }

    fn put(&mut self, message: &Message<'_>, manner: Manner<'_>, sending: Sending) {
        self.counters.packets_sent += 1;
        self.counters.publishes_sent += 1;
        self.counters.publish_bytes_sent += message.payload.len() as u64;
        let aliases = self.connection.extra.as_ref().is_some_and(|extra| extra.outbound_alias_maximum > 0);
        let alias = aliases && self.fits(message, manner, ALIAS_BYTES);
        let connection = &mut *self.connection;
        if connection.version.is_v5() && (alias || !manner.identifiers.is_empty()) {
            self.put_singular(message, manner, sending, alias);
        } else {
            let first_byte = sending.first_byte(manner.retain);
            let v5 = connection.version.is_v5();
            let out = &mut connection.outbound;
            self.encoder.write(message, self.now, v5, first_byte, sending.identifier, out, self.pool);
        }
        self.mark_dirty();
    }

    /// A form that only this recipient gets: with its Subscription Identifiers or a Topic Alias.
    fn put_singular(&mut self, message: &Message<'_>, manner: Manner<'_>, sending: Sending, alias: bool) {
        let own = &mut self.encoder.own_properties;
        own.clear();
        if let Some(secs) = message.expiry_left_secs(self.now) {
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
