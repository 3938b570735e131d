//! PUBLISH, the one packet that travels in both directions with all of its fields.

use std::fmt;

use crate::build::frame;
use crate::connect::Version;
use crate::property::{Properties, Property};
use crate::wire::Wire;

/// A PUBLISH, to send or as received. What is not said is: QoS 0, not retained, no properties.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Publish {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: Vec<u8>,
    pub packet_id: Option<u16>,
    pub properties: Properties,
    pub payload: Vec<u8>,
}

impl Publish {
    /// A QoS 0 message.
    pub fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            dup: false,
            qos: 0,
            retain: false,
            topic: topic.as_ref().to_vec(),
            packet_id: None,
            properties: Properties::default(),
            payload: payload.as_ref().to_vec(),
        }
    }

    /// Sets the QoS. Without [`Publish::id`] the client picks a Packet Identifier where one is needed.
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the Packet Identifier; it is written whatever the QoS.
    #[must_use]
    pub fn id(mut self, packet_id: u16) -> Self {
        self.packet_id = Some(packet_id);
        self
    }

    /// Sets RETAIN to 1.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// Sets DUP to 1.
    #[must_use]
    pub fn dup(mut self) -> Self {
        self.dup = true;
        self
    }

    /// Adds a property.
    #[must_use]
    pub fn property(mut self, property: Property) -> Self {
        self.properties.0.push(property);
        self
    }

    /// The packet in the form of a version.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let flags = (u8::from(self.dup) << 3) | (self.qos << 1) | u8::from(self.retain);
        let mut body = Wire::new().data(&self.topic);
        if let Some(id) = self.packet_id {
            body = body.u16(id);
        }
        if version == Version::V5 {
            body = self.properties.write(body);
        }
        frame(0x30 | flags, &body.raw(&self.payload).bytes())
    }

    /// The Topic Name as text.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.topic).expect("a received Topic Name was checked to be UTF-8")
    }

    /// The payload as text, for comparing with what a test has sent.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("the tests that ask for text publish text")
    }

    /// The Packet Identifier of a message of QoS 1 or 2.
    pub fn packet_id(&self) -> u16 {
        self.packet_id.expect("a PUBLISH of QoS 1 or 2 has a Packet Identifier")
    }
}

/// Topic and payload as people read them: a failure message of bytes in decimal helps nobody.
impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = String::from_utf8_lossy(&self.payload);
        let shown: String = payload.chars().take(PAYLOAD_SHOWN).collect();
        write!(f, "PUBLISH {:?} {shown:?}", String::from_utf8_lossy(&self.topic))?;
        if shown.len() < payload.len() {
            write!(f, "... ({} bytes)", self.payload.len())?;
        }
        write!(f, " qos {} id {:?} dup {} retain {}", self.qos, self.packet_id, self.dup, self.retain)?;
        write!(f, " {:?}", self.properties.0)
    }
}

/// Characters of a payload in a failure message.
const PAYLOAD_SHOWN: usize = 60;
