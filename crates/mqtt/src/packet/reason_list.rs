//! SUBACK and UNSUBACK (sections 3.9 and 3.11): one Reason Code for each filter, in its order.

use super::{PacketIdentifier, PacketType};
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::put_u16;

/// The answer to SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonList<'a> {
    /// That of the request. [MQTT5-2.2.1-6]
    pub packet_identifier: PacketIdentifier,
    /// Reason String and User Properties (5.0).
    pub properties: Properties<'a>,
    /// One byte a filter: Reason Codes in 5.0; 0, 1, 2 or 0x80 in a SUBACK of 3.1.1; empty in an UNSUBACK
    /// before 5.0, which has no payload.
    pub codes: &'a [u8],
}

impl<'a> ReasonList<'a> {
    pub(super) fn decode(
        reader: &mut Reader<'a>,
        packet_type: PacketType,
        version: Version,
    ) -> Result<Self, DecodeError> {
        let packet_identifier = PacketIdentifier::decode(reader)?;
        let properties = if version.is_v5() {
            Properties::decode(reader, Place::Packet(packet_type))?
        } else {
            Properties::NONE
        };
        if packet_type == PacketType::UnsubAck && !version.is_v5() {
            return Ok(Self { packet_identifier, properties, codes: &[] });
        }
        let codes = reader.take_rest();
        let legal = |&code: &u8| match version {
            Version::V5 => ReasonCode::from_u8(code).is_some_and(|reason| reason.is_valid_in(packet_type)),
            Version::V311 => matches!(code, 0..=2 | 0x80),
            Version::V31 => code <= 2,
        };
        if !codes.iter().all(legal) {
            return Err(DecodeError::protocol("an acknowledgement carries a code that it cannot have"));
        }
        Ok(Self { packet_identifier, properties, codes })
    }

    pub(super) fn encode(&self, packet_type: PacketType, version: Version, out: &mut Vec<u8>) {
        super::encode_with_header(out, (packet_type as u8) << 4, |out| {
            put_u16(out, self.packet_identifier.get());
            if version.is_v5() {
                self.properties.encode(out);
            }
            if version.is_v5() || packet_type == PacketType::SubAck {
                out.extend_from_slice(self.codes);
            }
        });
    }
}
