//! PUBLISH (section 3.3): the packet everything else exists for.

use super::{PacketIdentifier, PacketType, QoS};
use crate::error::DecodeError;
use crate::property::{Place, Properties, PropertyId};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::topic::TopicName;
use crate::version::Version;
use crate::writer::{put_u16, put_variable_byte_integer, variable_byte_integer_len};

/// An application message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The sender may have sent this packet before.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// Keep as the topic's retained message; towards a client: this is one.
    pub retain: bool,
    /// `None` when the packet has only a Topic Alias (5.0). [MQTT5-3.3.2-8]
    pub topic: Option<TopicName<'a>>,
    /// There exactly when QoS is 1 or 2. [MQTT5-2.2.1-2]
    pub packet_identifier: Option<PacketIdentifier>,
    /// What travels with the message (5.0).
    pub properties: Properties<'a>,
    /// The message itself.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    #[inline]
    pub(super) fn decode(mut reader: Reader<'a>, flags: u8, version: Version) -> Result<Self, DecodeError> {
        // [MQTT5-3.3.1-4] [MQTT3-3.3.1-4]
        let qos = QoS::from_u8(flags >> 1 & 3).ok_or(DecodeError::malformed("the QoS is 3"))?;
        let dup = flags & 0b1000 != 0;
        // [MQTT5-3.3.1-2] [MQTT3-3.3.1-2]; 3.1 only says that DUP has a meaning for QoS 1 and 2.
        if dup && qos == QoS::AtMostOnce && version != Version::V31 {
            return Err(DecodeError::malformed("DUP is set on a message of QoS 0"));
        }
        let name = reader.binary()?;
        let packet_identifier = match qos {
            QoS::AtMostOnce => None,
            _ => Some(PacketIdentifier::decode(&mut reader)?),
        };
        let properties = if version.is_v5() {
            Properties::decode(&mut reader, Place::Packet(PacketType::Publish))?
        } else {
            Properties::NONE
        };
        let topic = if name.is_empty() && properties.has(PropertyId::TopicAlias) {
            None
        } else {
            Some(decode_topic(name)?)
        };
        let retain = flags & 1 != 0;
        let payload = reader.take_rest();
        Ok(Self { dup, qos, retain, topic, packet_identifier, properties, payload })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let topic = self.topic.map_or("", TopicName::as_str);
        let flags = PublishFlags { dup: self.dup, qos: self.qos, retain: self.retain };
        encode_publish_head(
            out,
            flags.first_byte(),
            topic,
            self.packet_identifier,
            version.is_v5().then_some(&[self.properties.as_bytes()]),
            self.payload.len(),
        );
        out.extend_from_slice(self.payload);
    }
}

struct PublishFlags {
    dup: bool,
    qos: QoS,
    retain: bool,
}

impl PublishFlags {
    fn first_byte(&self) -> u8 {
        (PacketType::Publish as u8) << 4
            | u8::from(self.dup) << 3
            | (self.qos as u8) << 1
            | u8::from(self.retain)
    }
}

/// Appends everything of a PUBLISH but its payload, whose length the caller promises: so a large payload can
/// stay where it is and be written from there.
///
/// `properties` is `None` before 5.0, else the encoded pieces that make up the block, in order.
#[inline]
pub fn encode_publish_head(
    out: &mut Vec<u8>,
    first_byte: u8,
    topic: &str,
    packet_identifier: Option<PacketIdentifier>,
    properties: Option<&[&[u8]]>,
    payload_len: usize,
) {
    let mut len = 2 + topic.len() + payload_len;
    if packet_identifier.is_some() {
        len += 2;
    }
    let mut properties_len = 0;
    if let Some(pieces) = properties {
        properties_len = pieces.iter().map(|piece| piece.len()).sum();
        len += variable_byte_integer_len(properties_len as u32) + properties_len;
    }
    out.reserve(5 + len - payload_len);
    out.push(first_byte);
    put_variable_byte_integer(out, len as u32);
    put_u16(out, topic.len() as u16);
    out.extend_from_slice(topic.as_bytes());
    if let Some(identifier) = packet_identifier {
        put_u16(out, identifier.get());
    }
    if let Some(pieces) = properties {
        put_variable_byte_integer(out, properties_len as u32);
        for piece in pieces {
            out.extend_from_slice(piece);
        }
    }
}

/// Wildcards and emptiness have Reason Codes of their own; what is no UTF-8 is malformed.
#[inline]
fn decode_topic(name: &[u8]) -> Result<TopicName<'_>, DecodeError> {
    TopicName::from_bytes(name).map_err(|invalid| {
        if name.is_empty() {
            // [MQTT5-4.7.3-1] [MQTT3-4.7.3-1]; without an alias 5.0 calls it a Protocol Error (3.3.2.1).
            DecodeError::protocol("the topic name is empty and there is no topic alias")
        } else if name.contains(&0) || std::str::from_utf8(name).is_err() {
            DecodeError::malformed(invalid.0)
        } else {
            DecodeError::with_reason(ReasonCode::TopicNameInvalid, invalid.0)
        }
    })
}
