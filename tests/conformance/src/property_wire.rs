//! Properties to bytes and back. Reading knows which packet may carry which property and how often.

use crate::parse::Reader;
use crate::property::{Properties, Property};
use crate::wire::Wire;

impl Property {
    fn write(&self, wire: Wire) -> Wire {
        match self {
            Self::PayloadFormatIndicator(v) => wire.byte(0x01).byte(*v),
            Self::MessageExpiryInterval(v) => wire.byte(0x02).u32(*v),
            Self::ContentType(v) => wire.byte(0x03).data(v),
            Self::ResponseTopic(v) => wire.byte(0x08).data(v),
            Self::CorrelationData(v) => wire.byte(0x09).data(v),
            Self::SubscriptionIdentifier(v) => wire.byte(0x0b).varint(*v),
            Self::SessionExpiryInterval(v) => wire.byte(0x11).u32(*v),
            Self::AssignedClientIdentifier(v) => wire.byte(0x12).data(v),
            Self::ServerKeepAlive(v) => wire.byte(0x13).u16(*v),
            Self::AuthenticationMethod(v) => wire.byte(0x15).data(v),
            Self::AuthenticationData(v) => wire.byte(0x16).data(v),
            Self::RequestProblemInformation(v) => wire.byte(0x17).byte(*v),
            Self::WillDelayInterval(v) => wire.byte(0x18).u32(*v),
            Self::RequestResponseInformation(v) => wire.byte(0x19).byte(*v),
            Self::ResponseInformation(v) => wire.byte(0x1a).data(v),
            Self::ServerReference(v) => wire.byte(0x1c).data(v),
            Self::ReasonString(v) => wire.byte(0x1f).data(v),
            Self::ReceiveMaximum(v) => wire.byte(0x21).u16(*v),
            Self::TopicAliasMaximum(v) => wire.byte(0x22).u16(*v),
            Self::TopicAlias(v) => wire.byte(0x23).u16(*v),
            Self::MaximumQos(v) => wire.byte(0x24).byte(*v),
            Self::RetainAvailable(v) => wire.byte(0x25).byte(*v),
            Self::UserProperty(name, value) => wire.byte(0x26).data(name).data(value),
            Self::MaximumPacketSize(v) => wire.byte(0x27).u32(*v),
            Self::WildcardSubscriptionAvailable(v) => wire.byte(0x28).byte(*v),
            Self::SubscriptionIdentifierAvailable(v) => wire.byte(0x29).byte(*v),
            Self::SharedSubscriptionAvailable(v) => wire.byte(0x2a).byte(*v),
            Self::Raw(bytes) => wire.raw(bytes),
        }
    }

    fn read(id: u32, reader: &mut Reader<'_>) -> Result<Self, String> {
        Ok(match id {
            0x01 => Self::PayloadFormatIndicator(reader.boolean()?),
            0x02 => Self::MessageExpiryInterval(reader.u32()?),
            0x03 => Self::ContentType(reader.string()?),
            0x08 => Self::ResponseTopic(reader.string()?),
            0x09 => Self::CorrelationData(reader.data()?.to_vec()),
            0x0b => Self::SubscriptionIdentifier(reader.varint()?),
            0x11 => Self::SessionExpiryInterval(reader.u32()?),
            0x12 => Self::AssignedClientIdentifier(reader.string()?),
            0x13 => Self::ServerKeepAlive(reader.u16()?),
            0x15 => Self::AuthenticationMethod(reader.string()?),
            0x16 => Self::AuthenticationData(reader.data()?.to_vec()),
            0x1a => Self::ResponseInformation(reader.string()?),
            0x1c => Self::ServerReference(reader.string()?),
            0x1f => Self::ReasonString(reader.string()?),
            0x21 => Self::ReceiveMaximum(reader.u16()?),
            0x22 => Self::TopicAliasMaximum(reader.u16()?),
            0x23 => Self::TopicAlias(reader.u16()?),
            0x24 => Self::MaximumQos(reader.boolean()?),
            0x25 => Self::RetainAvailable(reader.boolean()?),
            0x26 => Self::UserProperty(reader.string()?, reader.string()?),
            0x27 => Self::MaximumPacketSize(reader.u32()?),
            0x28 => Self::WildcardSubscriptionAvailable(reader.boolean()?),
            0x29 => Self::SubscriptionIdentifierAvailable(reader.boolean()?),
            0x2a => Self::SharedSubscriptionAvailable(reader.boolean()?),
            other => return Err(format!("property {other:#04x} is unknown or not one a server sends")),
        })
    }
}

impl Properties {
    /// The properties behind their length.
    pub fn write(&self, wire: Wire) -> Wire {
        let body = self.0.iter().fold(Wire::new(), |body, property| property.write(body)).bytes();
        let length = u32::try_from(body.len()).expect("properties of a test stay small");
        wire.varint(length).raw(&body)
    }

    /// Reads properties that a packet of this type, sent by a server, may carry.
    pub(crate) fn read(reader: &mut Reader<'_>, packet_type: u8) -> Result<Self, String> {
        let length = reader.varint()? as usize;
        let mut inner = Reader::new(reader.take(length)?);
        let mut properties = Vec::new();
        let mut seen = Vec::new();
        while !inner.is_empty() {
            let id = inner.varint()?;
            if !allowed(packet_type).iter().any(|&a| u32::from(a) == id) {
                return Err(format!("property {id:#04x} has no place in a packet of type {packet_type}"));
            }
            let repeatable = id == 0x26 || (packet_type == 3 && id == 0x0b);
            if seen.contains(&id) && !repeatable {
                return Err(format!("property {id:#04x} appears twice"));
            }
            seen.push(id);
            properties.push(Property::read(id, &mut inner)?);
        }
        Ok(Self(properties))
    }
}

/// Table 2-4 reduced to what a server sends. Session Expiry Interval is left out of DISCONNECT: only a client sends it there.
fn allowed(packet_type: u8) -> &'static [u8] {
    match packet_type {
        2 => &[
            0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29,
            0x2a,
        ],
        3 => &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26],
        4..=7 | 9 | 11 => &[0x1f, 0x26],
        14 => &[0x1c, 0x1f, 0x26],
        15 => &[0x15, 0x16, 0x1f, 0x26],
        _ => &[],
    }
}
