//! CONNACK (section 3.2).

use super::PacketType;
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;

/// The server's answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server has state of an earlier connection. 3.1 has no such flag: the byte is reserved there.
    pub session_present: bool,
    /// Success, or why not. In 3.1 and 3.1.1 one of the codes with a [`ReasonCode::connect_return_code`].
    pub reason: ReasonCode,
    /// What the server grants and announces (5.0).
    pub properties: Properties<'a>,
}

impl<'a> ConnAck<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: Version) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        // [MQTT5-3.2.2-1]; in 3.1 the whole byte is reserved and says nothing [MQTT31-connack-reserved].
        if flags & !1 != 0 && version != Version::V31 {
            return Err(DecodeError::malformed("reserved bits of the CONNACK flags are set"));
        }
        let code = reader.u8()?;
        let reason = if version.is_v5() {
            ReasonCode::from_u8(code).filter(|reason| reason.is_valid_in(PacketType::ConnAck))
        } else {
            ReasonCode::ALL.iter().copied().find(|reason| reason.connect_return_code() == Some(code))
        }
        .ok_or(DecodeError::protocol("CONNACK carries a code that it cannot have"))?;
        let properties = if version.is_v5() {
            Properties::decode(reader, Place::Packet(PacketType::ConnAck))?
        } else {
            Properties::NONE
        };
        let session_present = flags & 1 != 0 && version != Version::V31;
        Ok(Self { session_present, reason, properties })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::ConnAck as u8) << 4, |out| {
            out.push(u8::from(self.session_present && version != Version::V31));
            if version.is_v5() {
                out.push(self.reason.as_u8());
                self.properties.encode(out);
            } else {
                // A code without an equivalent is never sent (see `connect_return_code`); 3 says "unavailable".
                out.push(self.reason.connect_return_code().unwrap_or(3));
            }
        });
    }
}
