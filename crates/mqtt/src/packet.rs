//! The fifteen MQTT Control Packets: one file per packet, one model for the three versions.

mod acknowledgement;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod reason_list;
mod subscribe;
mod unsubscribe;

use std::num::NonZeroU16;

pub use acknowledgement::Acknowledgement;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, WillMessage};
pub use disconnect::Disconnect;
pub use publish::{Publish, encode_publish_head};
pub use reason_list::ReasonList;
pub use subscribe::{RetainHandling, Subscribe, SubscribeEntry, SubscribeFilters, SubscriptionOptions};
pub use unsubscribe::{Unsubscribe, UnsubscribeFilters};

use crate::error::DecodeError;
use crate::frame::Frame;
use crate::reader::Reader;
use crate::version::Version;
use crate::writer::{VARIABLE_BYTE_INTEGER_MAX, variable_byte_integer_len};

/// Non-zero number of an exchange that needs one. [MQTT5-2.2.1-3] [MQTT5-2.2.1-4] [MQTT3-2.3.1-1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketIdentifier(pub NonZeroU16);

impl PacketIdentifier {
    /// The identifier with this number; `None` for 0.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// The number on the wire.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.u16()?).ok_or(DecodeError::protocol("the packet identifier is 0"))
    }
}

/// Quality of Service (section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// At most once.
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// QoS 3 does not exist. [MQTT5-3.3.1-4] [MQTT3-3.3.1-4]
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }
}

/// MQTT Control Packet type (section 2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the specification's packet names")]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type with this number, 1 to 15.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        use PacketType::*;
        const TYPES: [PacketType; 15] = [
            Connect,
            ConnAck,
            Publish,
            PubAck,
            PubRec,
            PubRel,
            PubComp,
            Subscribe,
            SubAck,
            Unsubscribe,
            UnsubAck,
            PingReq,
            PingResp,
            Disconnect,
            Auth,
        ];
        TYPES.get(usize::from(number).wrapping_sub(1)).copied()
    }

    /// The packet's name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 15] = [
            "CONNECT",
            "CONNACK",
            "PUBLISH",
            "PUBACK",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "SUBSCRIBE",
            "SUBACK",
            "UNSUBSCRIBE",
            "UNSUBACK",
            "PINGREQ",
            "PINGRESP",
            "DISCONNECT",
            "AUTH",
        ];
        NAMES[self as usize - 1]
    }
}

/// A whole packet, borrowed from the buffer that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's packet names")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    ConnAck(ConnAck<'a>),
    Publish(Publish<'a>),
    PubAck(Acknowledgement<'a>),
    PubRec(Acknowledgement<'a>),
    PubRel(Acknowledgement<'a>),
    PubComp(Acknowledgement<'a>),
    Subscribe(Subscribe<'a>),
    SubAck(ReasonList<'a>),
    Unsubscribe(Unsubscribe<'a>),
    UnsubAck(ReasonList<'a>),
    PingReq,
    PingResp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Reads one packet. `version` is that of the connection; a CONNECT names its own.
    ///
    /// # Errors
    /// Whatever makes the packet malformed or forbidden, with the Reason Code to answer with.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Packet<'a>, DecodeError> {
        // A CONNECT is judged by the version it names: before it the connection has none.
        let version = match frame.packet_type {
            PacketType::Connect => Connect::peek_version(frame.body).unwrap_or(version),
            _ => version,
        };
        check_flags(frame, version)?;
        check_length(frame, version)?;
        let mut reader = Reader::new(frame.body);
        let ack = |reader| Acknowledgement::decode(reader, frame.packet_type, version);
        let packet = match frame.packet_type {
            PacketType::Publish => return Publish::decode(reader, frame.flags, version).map(Packet::Publish),
            PacketType::PubAck => Packet::PubAck(ack(&mut reader)?),
            PacketType::PubRec => Packet::PubRec(ack(&mut reader)?),
            PacketType::PubRel => Packet::PubRel(ack(&mut reader)?),
            PacketType::PubComp => Packet::PubComp(ack(&mut reader)?),
            PacketType::Connect => Packet::Connect(Connect::decode(&mut reader)?),
            PacketType::ConnAck => Packet::ConnAck(ConnAck::decode(&mut reader, version)?),
            PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(&mut reader, version)?),
            PacketType::SubAck => {
                Packet::SubAck(ReasonList::decode(&mut reader, PacketType::SubAck, version)?)
            }
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(&mut reader, version)?),
            PacketType::UnsubAck => {
                Packet::UnsubAck(ReasonList::decode(&mut reader, PacketType::UnsubAck, version)?)
            }
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(&mut reader, version)?),
            PacketType::Auth => Packet::Auth(Auth::decode(&mut reader, version)?),
        };
        reader.finish()?;
        Ok(packet)
    }

    /// Appends the packet in the form of `version`.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Packet::Connect(connect) => connect.encode(out),
            Packet::ConnAck(connack) => connack.encode(version, out),
            Packet::Publish(publish) => publish.encode(version, out),
            Packet::PubAck(ack) => ack.encode(PacketType::PubAck, version, out),
            Packet::PubRec(ack) => ack.encode(PacketType::PubRec, version, out),
            Packet::PubRel(ack) => ack.encode(PacketType::PubRel, version, out),
            Packet::PubComp(ack) => ack.encode(PacketType::PubComp, version, out),
            Packet::Subscribe(subscribe) => subscribe.encode(version, out),
            Packet::SubAck(list) => list.encode(PacketType::SubAck, version, out),
            Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Packet::UnsubAck(list) => list.encode(PacketType::UnsubAck, version, out),
            Packet::PingReq => out.extend_from_slice(&[0xC0, 0]),
            Packet::PingResp => out.extend_from_slice(&[0xD0, 0]),
            Packet::Disconnect(disconnect) => disconnect.encode(version, out),
            Packet::Auth(auth) => auth.encode(out),
        }
    }

    /// The type of the packet.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        match self {
            Packet::Connect(_) => PacketType::Connect,
            Packet::ConnAck(_) => PacketType::ConnAck,
            Packet::Publish(_) => PacketType::Publish,
            Packet::PubAck(_) => PacketType::PubAck,
            Packet::PubRec(_) => PacketType::PubRec,
            Packet::PubRel(_) => PacketType::PubRel,
            Packet::PubComp(_) => PacketType::PubComp,
            Packet::Subscribe(_) => PacketType::Subscribe,
            Packet::SubAck(_) => PacketType::SubAck,
            Packet::Unsubscribe(_) => PacketType::Unsubscribe,
            Packet::UnsubAck(_) => PacketType::UnsubAck,
            Packet::PingReq => PacketType::PingReq,
            Packet::PingResp => PacketType::PingResp,
            Packet::Disconnect(_) => PacketType::Disconnect,
            Packet::Auth(_) => PacketType::Auth,
        }
    }
}

/// The reserved flag bits of the fixed header. [MQTT5-2.1.3-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]
fn check_flags(frame: Frame<'_>, version: Version) -> Result<(), DecodeError> {
    let want = match frame.packet_type {
        PacketType::Publish => return Ok(()),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    };
    // [MQTT31-fixed-header]: 3.1 lets a sender set DUP when it repeats these packets, and gives the other
    // unused bits no value.
    if frame.flags == want || version == Version::V31 {
        return Ok(());
    }
    Err(DecodeError::malformed("reserved bits of the fixed header are set"))
}

/// In 5.0 the Remaining Length is a Variable Byte Integer, and so has the shortest form [MQTT5-1.5.5-1]; the
/// older versions only bound it to four bytes.
fn check_length(frame: Frame<'_>, version: Version) -> Result<(), DecodeError> {
    let shortest = 1 + variable_byte_integer_len(frame.body.len() as u32) + frame.body.len();
    if version.is_v5() && frame.len != shortest {
        return Err(DecodeError::malformed("the remaining length is longer than it needs to be"));
    }
    Ok(())
}

/// Writes the fixed header and then what `body` writes. The body goes in place behind one byte of length and
/// is moved only when it needs more (128 bytes and up), which no packet on the hot path does.
fn encode_with_header(out: &mut Vec<u8>, first_byte: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(first_byte);
    let length_at = out.len();
    out.push(0);
    body(out);
    let len = u32::try_from(out.len() - length_at - 1).unwrap_or(u32::MAX).min(VARIABLE_BYTE_INTEGER_MAX);
    let mut bytes = [0u8; 4];
    let count = variable_byte_integer_len(len);
    let mut rest = len;
    for (index, byte) in bytes.iter_mut().enumerate().take(count) {
        *byte = (rest & 0x7F) as u8 | if index + 1 < count { 0x80 } else { 0 };
        rest >>= 7;
    }
    out.splice(length_at..=length_at, bytes[..count].iter().copied());
}
