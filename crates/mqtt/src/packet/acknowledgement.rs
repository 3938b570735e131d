//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): one shape, four types.

use super::{PacketIdentifier, PacketType};
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::put_u16;

/// An acknowledgement of a PUBLISH, or of a step of QoS 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement<'a> {
    /// That of the PUBLISH. [MQTT5-2.2.1-5]
    pub packet_identifier: PacketIdentifier,
    /// [`ReasonCode::Success`] in 3.1 and 3.1.1, which cannot say anything else.
    pub reason: ReasonCode,
    /// Reason String and User Properties (5.0).
    pub properties: Properties<'a>,
}

impl<'a> Acknowledgement<'a> {
    /// Success without properties: what nearly every acknowledgement is.
    #[must_use]
    pub fn success(packet_identifier: PacketIdentifier) -> Self {
        Self { packet_identifier, reason: ReasonCode::Success, properties: Properties::NONE }
    }

    #[inline]
    pub(super) fn decode(
        reader: &mut Reader<'a>,
        packet_type: PacketType,
        version: Version,
    ) -> Result<Self, DecodeError> {
        let packet_identifier = PacketIdentifier::decode(reader)?;
        if reader.is_empty() || !version.is_v5() {
            return Ok(Self::success(packet_identifier));
        }
        // [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]: only the codes of that packet.
        let reason = ReasonCode::from_u8(reader.u8()?)
            .filter(|reason| reason.is_valid_in(packet_type))
            .ok_or(DecodeError::protocol("an acknowledgement carries a reason code that it cannot have"))?;
        let properties = if reader.is_empty() {
            Properties::NONE
        } else {
            Properties::decode(reader, Place::Packet(packet_type))?
        };
        Ok(Self { packet_identifier, reason, properties })
    }

    #[inline]
    pub(super) fn encode(&self, packet_type: PacketType, version: Version, out: &mut Vec<u8>) {
        let flags = if packet_type == PacketType::PubRel { 0b0010 } else { 0 };
        let first_byte = (packet_type as u8) << 4 | flags;
        // Reason Code and properties may be left out when they say nothing (3.4.2.1): four bytes on the hot path.
        if !version.is_v5() || (self.reason == ReasonCode::Success && self.properties.is_empty()) {
            let [high, low] = self.packet_identifier.get().to_be_bytes();
            out.extend_from_slice(&[first_byte, 2, high, low]);
            return;
        }
        super::encode_with_header(out, first_byte, |out| {
            put_u16(out, self.packet_identifier.get());
            out.push(self.reason.as_u8());
            if !self.properties.is_empty() {
                self.properties.encode(out);
            }
        });
    }
}
