//! The three protocol versions and the names they carry on the wire.

/// The protocol version a client spoke in its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    V311,
    /// MQTT 5.0: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 3] = [Version::V31, Version::V311, Version::V5];

    /// Only 5.0 has properties, Reason Codes and a DISCONNECT from the server.
    #[must_use]
    pub fn is_v5(self) -> bool {
        self == Version::V5
    }

    /// The Protocol Name field of CONNECT. [MQTT5-3.1.2-1] [MQTT3-3.1.2-1]
    #[must_use]
    pub fn protocol_name(self) -> &'static str {
        match self {
            Version::V31 => "MQIsdp",
            Version::V311 | Version::V5 => "MQTT",
        }
    }

    /// The Protocol Level (5.0: Protocol Version) field of CONNECT.
    #[must_use]
    pub fn protocol_level(self) -> u8 {
        match self {
            Version::V31 => 3,
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }

    /// The name people use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Version::V31 => "3.1",
            Version::V311 => "3.1.1",
            Version::V5 => "5.0",
        }
    }
}
