//! Packets as bytes: everything but CONNECT and PUBLISH.

use crate::connect::Version;
use crate::property::{Properties, Property};
use crate::wire::Wire;

/// A fixed header with the true Remaining Length, and the body.
pub fn frame(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a packet of a test stays below 256 MB");
    Wire::new().byte(first_byte).varint(length).raw(body).bytes()
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP by first byte, in the form of 5.0. A Reason Code 0 without properties is left out.
pub fn ack(first_byte: u8, packet_id: u16, reason: u8, properties: &[Property]) -> Vec<u8> {
    let mut body = Wire::new().u16(packet_id);
    if reason != 0 || !properties.is_empty() {
        body = body.byte(reason);
    }
    if !properties.is_empty() {
        body = Properties(properties.to_vec()).write(body);
    }
    frame(first_byte, &body.bytes())
}

/// A PUBACK of any version with success.
pub fn puback(packet_id: u16) -> Vec<u8> {
    ack(0x40, packet_id, 0, &[])
}

/// A PUBREC of any version with success.
pub fn pubrec(packet_id: u16) -> Vec<u8> {
    ack(0x50, packet_id, 0, &[])
}

/// A PUBREL of any version with success.
pub fn pubrel(packet_id: u16) -> Vec<u8> {
    ack(0x62, packet_id, 0, &[])
}

/// A PUBCOMP of any version with success.
pub fn pubcomp(packet_id: u16) -> Vec<u8> {
    ack(0x70, packet_id, 0, &[])
}

/// A PINGREQ.
pub fn pingreq() -> Vec<u8> {
    vec![0xc0, 0x00]
}

/// A DISCONNECT without reason: normal disconnection in every version.
pub fn disconnect() -> Vec<u8> {
    vec![0xe0, 0x00]
}

/// A DISCONNECT of 5.0 with Reason Code and properties.
pub fn disconnect_with(reason: u8, properties: &[Property]) -> Vec<u8> {
    frame(0xe0, &Properties(properties.to_vec()).write(Wire::new().byte(reason)).bytes())
}

/// An AUTH of 5.0.
pub fn auth(reason: u8, properties: &[Property]) -> Vec<u8> {
    frame(0xf0, &Properties(properties.to_vec()).write(Wire::new().byte(reason)).bytes())
}

/// A Topic Filter with its Subscription Options byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    filter: Vec<u8>,
    options: u8,
}

impl Filter {
    /// A filter with a requested QoS and no further option.
    pub fn new(filter: impl AsRef<[u8]>, qos: u8) -> Self {
        Self { filter: filter.as_ref().to_vec(), options: qos }
    }

    /// Sets No Local.
    #[must_use]
    pub fn no_local(self) -> Self {
        self.options(0x04)
    }

    /// Sets Retain As Published.
    #[must_use]
    pub fn retain_as_published(self) -> Self {
        self.options(0x08)
    }

    /// Sets Retain Handling.
    #[must_use]
    pub fn retain_handling(self, handling: u8) -> Self {
        self.options(handling << 4)
    }

    /// Sets any further bits of the options byte.
    #[must_use]
    pub fn options(mut self, bits: u8) -> Self {
        self.options |= bits;
        self
    }
}

/// A SUBSCRIBE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Subscribe {
    pub filters: Vec<Filter>,
    pub properties: Properties,
}

impl Subscribe {
    /// A SUBSCRIBE of these filters.
    pub fn new(filters: impl Into<Vec<Filter>>) -> Self {
        Self { filters: filters.into(), properties: Properties::default() }
    }

    /// A SUBSCRIBE of one filter.
    pub fn one(filter: Filter) -> Self {
        Self::new([filter])
    }

    /// Adds a property.
    #[must_use]
    pub fn property(mut self, property: Property) -> Self {
        self.properties.0.push(property);
        self
    }

    /// Adds a Subscription Identifier.
    #[must_use]
    pub fn identifier(self, identifier: u32) -> Self {
        self.property(Property::SubscriptionIdentifier(identifier))
    }

    /// The packet in the form of a version.
    pub fn bytes(&self, packet_id: u16, version: Version) -> Vec<u8> {
        let mut body = Wire::new().u16(packet_id);
        if version == Version::V5 {
            body = self.properties.write(body);
        }
        for filter in &self.filters {
            body = body.data(&filter.filter).byte(filter.options);
        }
        frame(0x82, &body.bytes())
    }
}

/// An UNSUBSCRIBE in the form of a version, without properties.
pub fn unsubscribe(packet_id: u16, filters: &[&str], version: Version) -> Vec<u8> {
    let mut body = Wire::new().u16(packet_id);
    if version == Version::V5 {
        body = body.byte(0);
    }
    frame(0xa2, &filters.iter().fold(body, |body, filter| body.data(filter)).bytes())
}
