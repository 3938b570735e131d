//! DISCONNECT (section 3.14). Before 5.0 only clients send it, and it says nothing.

use super::PacketType;
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;

/// The last packet of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why; [`ReasonCode::Success`] is "normal disconnection".
    pub reason: ReasonCode,
    /// Session Expiry Interval, Reason String, User Properties, Server Reference (5.0).
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: Version) -> Result<Self, DecodeError> {
        if !version.is_v5() || reader.is_empty() {
            return Ok(Self { reason: ReasonCode::Success, properties: Properties::NONE });
        }
        // [MQTT5-3.14.2-1]
        let reason = ReasonCode::from_u8(reader.u8()?)
            .filter(|reason| reason.is_valid_in(PacketType::Disconnect))
            .ok_or(DecodeError::protocol("DISCONNECT carries a reason code that it cannot have"))?;
        let properties = if reader.is_empty() {
            Properties::NONE
        } else {
            Properties::decode(reader, Place::Packet(PacketType::Disconnect))?
        };
        Ok(Self { reason, properties })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::Disconnect as u8) << 4, |out| {
            if version.is_v5() && (self.reason != ReasonCode::Success || !self.properties.is_empty()) {
                out.push(self.reason.as_u8());
                if !self.properties.is_empty() {
                    self.properties.encode(out);
                }
            }
        });
    }
}
