//! CONNECT (section 3.1): the one packet that names the version of all that follow.

use super::{PacketType, QoS};
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::topic::TopicName;
use crate::version::Version;
use crate::writer::{put_binary, put_string, put_u16};

/// What a client asks for when it opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// From protocol name and level.
    pub version: Version,
    /// Clean Start; the same bit is Clean Session in 3.1 and 3.1.1, where it also says that the session ends
    /// with the connection.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 switches it off.
    pub keep_alive_secs: u16,
    /// Session Expiry Interval, Receive Maximum and so on (5.0).
    pub properties: Properties<'a>,
    /// May be empty: what that means depends on the version. [MQTT5-3.1.3-6] [MQTT3-3.1.3-7]
    pub client_identifier: &'a str,
    /// What to publish when the connection ends badly.
    pub will: Option<WillMessage<'a>>,
    /// User Name, if its flag is set.
    pub user_name: Option<&'a str>,
    /// Password, if its flag is set.
    pub password: Option<&'a [u8]>,
}

/// The Will Message as CONNECT carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WillMessage<'a> {
    /// A legal Topic Name.
    pub topic: TopicName<'a>,
    /// QoS to publish with.
    pub qos: QoS,
    /// Whether to publish it retained.
    pub retain: bool,
    /// Will Delay Interval and the properties of the PUBLISH to come (5.0).
    pub properties: Properties<'a>,
    /// The Will Payload.
    pub payload: &'a [u8],
}

const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

impl<'a> Connect<'a> {
    /// The version in the front of a CONNECT's body, for answering one that cannot be decoded further.
    /// `None` when it cannot be read or is not one that we speak.
    #[must_use]
    pub fn peek_version(body: &[u8]) -> Option<Version> {
        decode_version(&mut Reader::new(body)).ok()
    }

    /// A CONNECT that was taken out of its frame, to be read once more.
    ///
    /// # Errors
    /// As [`crate::Packet::decode`].
    pub fn from_body(body: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(body))
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let version = decode_version(reader)?;
        let flags = reader.u8()?;
        check_flags(flags, version)?;
        let keep_alive_secs = reader.u16()?;
        let properties = if version.is_v5() {
            Properties::decode(reader, Place::Packet(PacketType::Connect))?
        } else {
            Properties::NONE
        };
        let client_identifier = reader.string()?;
        let will = if flags & WILL != 0 { Some(decode_will(reader, flags, version)?) } else { None };
        // [MQTT31-connect-length]: in 3.1 the Remaining Length takes precedence over these two flags.
        let left_out = |reader: &Reader<'_>| version == Version::V31 && reader.is_empty();
        let user_name =
            if flags & USER_NAME != 0 && !left_out(reader) { Some(reader.string()?) } else { None };
        let password = if flags & PASSWORD != 0 && !left_out(reader) { Some(reader.binary()?) } else { None };
        Ok(Self {
            version,
            clean_start: flags & CLEAN_START != 0,
            keep_alive_secs,
            properties,
            client_identifier,
            will,
            user_name,
            password,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::Connect as u8) << 4, |out| {
            put_string(out, self.version.protocol_name());
            out.push(self.version.protocol_level());
            out.push(self.flags());
            put_u16(out, self.keep_alive_secs);
            if self.version.is_v5() {
                self.properties.encode(out);
            }
            put_string(out, self.client_identifier);
            if let Some(will) = &self.will {
                if self.version.is_v5() {
                    will.properties.encode(out);
                }
                put_string(out, will.topic.as_str());
                put_binary(out, will.payload);
            }
            if let Some(user_name) = self.user_name {
                put_string(out, user_name);
            }
            if let Some(password) = self.password {
                put_binary(out, password);
            }
        });
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | (will.qos as u8) << 3 | if will.retain { WILL_RETAIN } else { 0 };
        }
        if self.user_name.is_some() {
            flags |= USER_NAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }
}

/// [MQTT5-3.1.2-1] [MQTT5-3.1.2-2] [MQTT3-3.1.2-1] [MQTT3-3.1.2-2]
fn decode_version(reader: &mut Reader<'_>) -> Result<Version, DecodeError> {
    let name = reader.string()?;
    let level = reader.u8()?;
    match (name, level) {
        ("MQIsdp", 3) => Ok(Version::V31),
        ("MQTT", 4) => Ok(Version::V311),
        ("MQTT", 5) => Ok(Version::V5),
        ("MQTT" | "MQIsdp", _) => Err(DecodeError::with_reason(
            ReasonCode::UnsupportedProtocolVersion,
            "the protocol level is not one that this server speaks",
        )),
        _ => Err(DecodeError::malformed("the protocol name is not MQTT")),
    }
}

fn check_flags(flags: u8, version: Version) -> Result<(), DecodeError> {
    // [MQTT5-3.1.2-3] [MQTT3-3.1.2-3]; 3.1 gives the bit no value.
    if flags & 1 != 0 && version != Version::V31 {
        return Err(DecodeError::malformed("the reserved bit of the connect flags is set"));
    }
    // [MQTT5-3.1.2-11] [MQTT5-3.1.2-13] [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15]; 3.1 leaves them open.
    if flags & WILL == 0 && flags & 0b0011_1000 != 0 && version != Version::V31 {
        return Err(DecodeError::malformed("will QoS or will retain is set without a will"));
    }
    // [MQTT3-3.1.2-22]; 5.0 allows a password without a user name.
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 && !version.is_v5() {
        return Err(DecodeError::malformed("there is a password without a user name"));
    }
    Ok(())
}

fn decode_will<'a>(
    reader: &mut Reader<'a>,
    flags: u8,
    version: Version,
) -> Result<WillMessage<'a>, DecodeError> {
    // [MQTT5-3.1.2-12] [MQTT3-3.1.2-14]
    let qos = QoS::from_u8(flags >> 3 & 3).ok_or(DecodeError::malformed("the will QoS is 3"))?;
    let properties =
        if version.is_v5() { Properties::decode(reader, Place::Will)? } else { Properties::NONE };
    let topic = TopicName::new(reader.string()?)
        .map_err(|invalid| DecodeError::with_reason(ReasonCode::TopicNameInvalid, invalid.0))?;
    Ok(WillMessage { topic, qos, retain: flags & WILL_RETAIN != 0, properties, payload: reader.binary()? })
}
