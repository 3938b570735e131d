//! SUBSCRIBE (section 3.8).

use super::{PacketIdentifier, PacketType, QoS};
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::version::Version;
use crate::writer::{put_string, put_u16};

/// A request for subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Answered with the same in SUBACK.
    pub packet_identifier: PacketIdentifier,
    /// Subscription Identifier and User Properties (5.0).
    pub properties: Properties<'a>,
    /// At least one. [MQTT5-3.8.3-2] [MQTT3-3.8.3-3]
    pub filters: SubscribeFilters<'a>,
}

/// The payload of a SUBSCRIBE, checked and kept as its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFilters<'a> {
    bytes: &'a [u8],
    count: usize,
    version: Version,
}

/// One filter of a SUBSCRIBE with its options. The filter is UTF-8; whether its wildcards stand right is
/// asked when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeEntry<'a> {
    /// As the client wrote it, `$share/…` included.
    pub filter: &'a str,
    /// How messages are wanted.
    pub options: SubscriptionOptions,
}

/// Subscription Options (section 3.8.3.1). 3.1 and 3.1.1 have the QoS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest QoS that messages are sent with.
    pub qos: QoS,
    /// Messages of the client's own are not sent back to it. [MQTT5-3.8.3-3]
    pub no_local: bool,
    /// Forwarded messages keep their RETAIN flag. [MQTT5-3.3.1-13]
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent for a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// Whenever a client subscribes. [MQTT5-3.3.1-9]
    SendAtSubscribe = 0,
    /// Only if the subscription is new. [MQTT5-3.3.1-10]
    SendIfNew = 1,
    /// Never. [MQTT5-3.3.1-11]
    DoNotSend = 2,
}

impl SubscriptionOptions {
    /// What 3.1 and 3.1.1 mean by a requested QoS.
    #[must_use]
    pub fn of_qos(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }

    /// Reads the byte of the wire.
    ///
    /// # Errors
    /// A QoS or Retain Handling of 3, or reserved bits that are set.
    pub fn from_u8(byte: u8, version: Version) -> Result<Self, DecodeError> {
        let qos = QoS::from_u8(byte & 3).ok_or(match version {
            Version::V5 => DecodeError::protocol("a requested QoS is 3"),
            _ => DecodeError::malformed("a requested QoS is 3"),
        })?;
        if !version.is_v5() {
            // [MQTT3-3.8.3-4]; 3.1 gives the upper bits no value.
            if byte & !3 != 0 && version == Version::V311 {
                return Err(DecodeError::malformed("reserved bits of a requested QoS are set"));
            }
            return Ok(Self::of_qos(qos));
        }
        // [MQTT5-3.8.3-5]
        if byte & 0b1100_0000 != 0 {
            return Err(DecodeError::malformed("reserved bits of the subscription options are set"));
        }
        let retain_handling = match byte >> 4 & 3 {
            0 => RetainHandling::SendAtSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(DecodeError::protocol("a retain handling is 3")),
        };
        Ok(Self {
            qos,
            no_local: byte & 0b0100 != 0,
            retain_as_published: byte & 0b1000 != 0,
            retain_handling,
        })
    }

    /// The byte on the wire, in the form of 5.0; for 3.x only the QoS is set.
    #[must_use]
    pub fn as_u8(self) -> u8 {
        self.qos as u8
            | u8::from(self.no_local) << 2
            | u8::from(self.retain_as_published) << 3
            | (self.retain_handling as u8) << 4
    }
}

impl<'a> SubscribeFilters<'a> {
    /// How many filters there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Each filter with its options, in the order of the packet.
    pub fn iter(self) -> impl Iterator<Item = SubscribeEntry<'a>> {
        let mut reader = Reader::new(self.bytes);
        // Invariant: the payload was checked when it was decoded, so this ends only at its end.
        std::iter::from_fn(
            move || {
                if reader.is_empty() { None } else { read_entry(&mut reader, self.version).ok() }
            },
        )
    }

    /// Writes a payload into `buffer` and borrows it from there: for clients and tests.
    #[must_use]
    pub fn build(entries: &[(&str, SubscriptionOptions)], version: Version, buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for (filter, options) in entries {
            put_string(buffer, filter);
            buffer.push(if version.is_v5() { options.as_u8() } else { options.qos as u8 });
        }
        Self { bytes: buffer, count: entries.len(), version }
    }
}

impl<'a> Subscribe<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: Version) -> Result<Self, DecodeError> {
        let packet_identifier = PacketIdentifier::decode(reader)?;
        let properties = if version.is_v5() {
            Properties::decode(reader, Place::Packet(PacketType::Subscribe))?
        } else {
            Properties::NONE
        };
        let bytes = reader.take_rest();
        let mut entries = Reader::new(bytes);
        let mut count = 0;
        while !entries.is_empty() {
            let entry = read_entry(&mut entries, version)?;
            // [MQTT5-3.8.3-4]
            if entry.options.no_local && entry.filter.starts_with("$share/") {
                return Err(DecodeError::protocol("no local is set on a shared subscription"));
            }
            count += 1;
        }
        if count == 0 {
            return Err(DecodeError::protocol("SUBSCRIBE holds no topic filter"));
        }
        Ok(Self { packet_identifier, properties, filters: SubscribeFilters { bytes, count, version } })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::Subscribe as u8) << 4 | 0b0010, |out| {
            put_u16(out, self.packet_identifier.get());
            if version.is_v5() {
                self.properties.encode(out);
            }
            out.extend_from_slice(self.filters.bytes);
        });
    }
}

fn read_entry<'a>(reader: &mut Reader<'a>, version: Version) -> Result<SubscribeEntry<'a>, DecodeError> {
    let filter = reader.string()?;
    Ok(SubscribeEntry { filter, options: SubscriptionOptions::from_u8(reader.u8()?, version)? })
}
