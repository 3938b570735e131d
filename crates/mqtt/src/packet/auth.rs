//! AUTH (section 3.15), 5.0 only.

use super::PacketType;
use crate::error::DecodeError;
use crate::property::{Place, Properties, PropertyId};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;

/// One step of an enhanced authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, Continue authentication or Re-authenticate. [MQTT5-3.15.2-1]
    pub reason: ReasonCode,
    /// Method, data, Reason String, User Properties.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: Version) -> Result<Self, DecodeError> {
        if !version.is_v5() {
            return Err(DecodeError::malformed("packet type 15 is reserved before MQTT 5.0"));
        }
        if reader.is_empty() {
            return Ok(Self { reason: ReasonCode::Success, properties: Properties::NONE });
        }
        let reason = ReasonCode::from_u8(reader.u8()?)
            .filter(|reason| reason.is_valid_in(PacketType::Auth))
            .ok_or(DecodeError::protocol("AUTH carries a reason code that it cannot have"))?;
        // Only both together may be left out (3.15.2.1), unlike in DISCONNECT and the acknowledgements.
        let properties = Properties::decode(reader, Place::Packet(PacketType::Auth))?;
        // 3.15.2.2.2 calls a missing method a Protocol Error; Success without properties is the short form spelled out.
        let short_form = reason == ReasonCode::Success && properties.is_empty();
        if !short_form && !properties.has(PropertyId::AuthenticationMethod) {
            return Err(DecodeError::protocol("AUTH names no authentication method"));
        }
        Ok(Self { reason, properties })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::Auth as u8) << 4, |out| {
            if self.reason != ReasonCode::Success || !self.properties.is_empty() {
                out.push(self.reason.as_u8());
                self.properties.encode(out);
            }
        });
    }
}
