//! UNSUBSCRIBE (section 3.10).

use super::{PacketIdentifier, PacketType};
use crate::error::DecodeError;
use crate::property::{Place, Properties};
use crate::reader::Reader;
use crate::version::Version;
use crate::writer::{put_string, put_u16};

/// A request to end subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Answered with the same in UNSUBACK.
    pub packet_identifier: PacketIdentifier,
    /// User Properties (5.0).
    pub properties: Properties<'a>,
    /// At least one. [MQTT5-3.10.3-2] [MQTT3-3.10.3-2]
    pub filters: UnsubscribeFilters<'a>,
}

/// The payload of an UNSUBSCRIBE, checked and kept as its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeFilters<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> UnsubscribeFilters<'a> {
    /// How many filters there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Each filter as the client wrote it, in the order of the packet.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut reader = Reader::new(self.bytes);
        // Invariant: the payload was checked when it was decoded, so this ends only at its end.
        std::iter::from_fn(move || if reader.is_empty() { None } else { reader.string().ok() })
    }

    /// Writes a payload into `buffer` and borrows it from there: for clients and tests.
    #[must_use]
    pub fn build(filters: &[&str], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for filter in filters {
            put_string(buffer, filter);
        }
        Self { bytes: buffer, count: filters.len() }
    }
}

impl<'a> Unsubscribe<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: Version) -> Result<Self, DecodeError> {
        let packet_identifier = PacketIdentifier::decode(reader)?;
        let properties = if version.is_v5() {
            Properties::decode(reader, Place::Packet(PacketType::Unsubscribe))?
        } else {
            Properties::NONE
        };
        let bytes = reader.take_rest();
        let mut filters = Reader::new(bytes);
        let mut count = 0;
        while !filters.is_empty() {
            filters.string()?;
            count += 1;
        }
        if count == 0 {
            return Err(DecodeError::protocol("UNSUBSCRIBE holds no topic filter"));
        }
        Ok(Self { packet_identifier, properties, filters: UnsubscribeFilters { bytes, count } })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        super::encode_with_header(out, (PacketType::Unsubscribe as u8) << 4 | 0b0010, |out| {
            put_u16(out, self.packet_identifier.get());
            if version.is_v5() {
                self.properties.encode(out);
            }
            out.extend_from_slice(self.filters.bytes);
        });
    }
}
