//! CONNECT with every field in reach.

use crate::build::frame;
use crate::property::{Properties, Property};
use crate::wire::Wire;

/// The protocol versions that share one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5.0, version 5.
    V5,
}

impl Version {
    fn name(self) -> &'static str {
        if self == Self::V31 { "MQIsdp" } else { "MQTT" }
    }

    fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}

/// A Will Message as CONNECT carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Will {
    pub topic: Vec<u8>,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

impl Will {
    /// A QoS 0 Will that is not retained and has no properties.
    pub fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        let (topic, payload) = (topic.as_ref().to_vec(), payload.as_ref().to_vec());
        Self { topic, payload, qos: 0, retain: false, properties: Properties::default() }
    }

    /// Sets the Will QoS.
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
        self
    }

    /// Sets Will Retain to 1.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// Adds a Will Property.
    #[must_use]
    pub fn property(mut self, property: Property) -> Self {
        self.properties.0.push(property);
        self
    }
}

/// A CONNECT. What is not said is: Clean Start, Keep Alive 60, no Will, no credentials, no properties.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Connect {
    pub version: Version,
    pub client_id: Vec<u8>,
    pub clean_start: bool,
    pub keep_alive_secs: u16,
    pub will: Option<Will>,
    pub user_name: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
    pub properties: Properties,
    /// Replaces the computed Connect Flags, for flags that contradict the payload.
    pub flags: Option<u8>,
}

impl Connect {
    fn new(version: Version, client_id: impl AsRef<[u8]>) -> Self {
        Self {
            version,
            client_id: client_id.as_ref().to_vec(),
            clean_start: true,
            keep_alive_secs: 60,
            will: None,
            user_name: None,
            password: None,
            properties: Properties::default(),
            flags: None,
        }
    }

    /// A CONNECT of MQTT 3.1.
    pub fn v31(client_id: impl AsRef<[u8]>) -> Self {
        Self::new(Version::V31, client_id)
    }

    /// A CONNECT of MQTT 3.1.1.
    pub fn v311(client_id: impl AsRef<[u8]>) -> Self {
        Self::new(Version::V311, client_id)
    }

    /// A CONNECT of MQTT 5.0.
    pub fn v5(client_id: impl AsRef<[u8]>) -> Self {
        Self::new(Version::V5, client_id)
    }

    /// Clean Start 0 (Clean Session 0 before 5.0).
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.clean_start = false;
        self
    }

    /// Sets the Keep Alive.
    #[must_use]
    pub fn keep_alive(mut self, secs: u16) -> Self {
        self.keep_alive_secs = secs;
        self
    }

    /// Sets the Will.
    #[must_use]
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// Sets the User Name.
    #[must_use]
    pub fn user_name(mut self, name: impl AsRef<[u8]>) -> Self {
        self.user_name = Some(name.as_ref().to_vec());
        self
    }

    /// Sets the Password.
    #[must_use]
    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.password = Some(password.as_ref().to_vec());
        self
    }

    /// Adds a property.
    #[must_use]
    pub fn property(mut self, property: Property) -> Self {
        self.properties.0.push(property);
        self
    }

    /// Adds a Session Expiry Interval.
    #[must_use]
    pub fn session_expiry(self, secs: u32) -> Self {
        self.property(Property::SessionExpiryInterval(secs))
    }

    /// Replaces the Connect Flags byte whatever the fields say.
    #[must_use]
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = Some(flags);
        self
    }

    fn computed_flags(&self) -> u8 {
        let mut flags = u8::from(self.clean_start) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | (will.qos << 3) | (u8::from(will.retain) << 5);
        }
        flags | (u8::from(self.password.is_some()) << 6) | (u8::from(self.user_name.is_some()) << 7)
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let v5 = self.version == Version::V5;
        let mut body = Wire::new()
            .data(self.version.name())
            .byte(self.version.level())
            .byte(self.flags.unwrap_or_else(|| self.computed_flags()))
            .u16(self.keep_alive_secs);
        if v5 {
            body = self.properties.write(body);
        }
        body = body.data(&self.client_id);
        if let Some(will) = &self.will {
            if v5 {
                body = will.properties.write(body);
            }
            body = body.data(&will.topic).data(&will.payload);
        }
        for field in [&self.user_name, &self.password].into_iter().flatten() {
            body = body.data(field);
        }
        frame(0x10, &body.bytes())
    }
}
