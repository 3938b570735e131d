//! An application message with its properties, the same for what a client publishes and what it is given.
//!
//! It crosses to the scripts as JSON; bytes cross as hexadecimal digits, since JSON has no bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An application message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The Topic Name; empty where a Topic Alias stands for it.
    pub topic: String,
    /// The payload.
    pub payload: Payload,
    /// The quality of service it is sent with.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
    /// Its properties; MQTT 3 has none.
    #[serde(default)]
    pub properties: Properties,
}

impl Message {
    /// A message without properties.
    pub fn new(topic: &str, payload: &str, qos: u8) -> Self {
        Self { topic: topic.to_owned(), payload: payload.into(), qos, ..Self::default() }
    }

    /// The same message with the RETAIN flag.
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// The same message with these properties.
    pub fn with(self, properties: Properties) -> Self {
        Self { properties, ..self }
    }
}

/// The properties of MQTT 5.0 that belong to a message, and for a received one what the Server added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// Payload Format Indicator.
    pub payload_format: Option<u8>,
    /// Message Expiry Interval.
    pub message_expiry_secs: Option<u32>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Payload>,
    /// User Properties, in order.
    pub user: Vec<(String, String)>,
    /// Subscription Identifiers, only in a received message.
    pub subscription_identifiers: Vec<u32>,
    /// Topic Alias, only in a published message: a library resolves it before it gives the message out.
    #[serde(skip_deserializing)]
    pub topic_alias: Option<u16>,
}

impl Properties {
    /// User Properties and nothing else.
    pub fn user(pairs: &[(&str, &str)]) -> Self {
        let user = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { user, ..Self::default() }
    }
}

/// Bytes that are shown as text where they are text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let pairs = digits.as_bytes().chunks(2);
        let bytes =
            pairs.map(|pair| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()));
        bytes
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not hexadecimal digits"))
    }
}
