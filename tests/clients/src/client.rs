//! What every client library can do, in MQTT's own words.
//!
//! An implementation returns when the exchange is complete: `subscribe` after SUBACK, `publish` after PUBACK or
//! PUBCOMP. A step that the Server leaves unanswered fails the test with the name of the step.

use serde::{Deserialize, Serialize};

use crate::message::Message;

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`.
    V3_1,
    /// MQTT 3.1.1.
    V3_1_1,
    /// MQTT 5.0.
    V5,
}

/// A client library in one protocol version, connected to one broker.
pub trait Program {
    /// The version its clients speak.
    fn version(&self) -> Version;
    /// A client that is not connected yet.
    fn client(&self) -> Box<dyn Client + '_>;
}

/// One client.
pub trait Client {
    /// Connects, and returns what CONNACK said.
    fn connect(&mut self, connect: &Connect) -> Connack;
    /// Subscribes to one filter, and returns its code in SUBACK.
    fn subscribe(&mut self, subscription: &Subscription) -> u8;
    /// Unsubscribes from one filter, and returns its code in UNSUBACK; MQTT 3 has none.
    fn unsubscribe(&mut self, filter: &str) -> Option<u8>;
    /// Publishes, and returns the code of PUBACK or PUBREC; MQTT 3 and QoS 0 have none.
    fn publish(&mut self, message: &Message) -> Option<u8>;
    /// The next message the Server sent. Fails the test when none comes.
    fn receive(&mut self) -> Message;
    /// A message that is there or comes within 100 ms.
    fn arrived(&mut self) -> Option<Message>;
    /// Waits until the Server ends the connection, and returns the code of its DISCONNECT if it sent one.
    fn ended(&mut self) -> Option<u8>;
    /// Sends DISCONNECT and closes.
    fn disconnect(&mut self);
    /// Closes the network connection without DISCONNECT.
    fn vanish(&mut self);
}

/// What CONNECT carries. `session_expiry_secs` and `topic_alias_maximum` are sent in 5.0 only.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Connect {
    /// Client Identifier.
    pub id: String,
    /// Clean Session (3.1, 3.1.1) or Clean Start (5.0).
    pub clean: bool,
    /// Session Expiry Interval.
    pub session_expiry_secs: Option<u32>,
    /// Topic Alias Maximum: how many aliases the Server may use.
    pub topic_alias_maximum: Option<u16>,
    /// Will Message.
    pub will: Option<Message>,
}

impl Connect {
    /// A new session that ends with the connection.
    pub fn clean(id: &str) -> Self {
        Self { id: id.to_owned(), clean: true, ..Self::default() }
    }

    /// The session of this client identifier, kept for an hour after the connection ends.
    pub fn resuming(id: &str) -> Self {
        Self { id: id.to_owned(), session_expiry_secs: Some(3600), ..Self::default() }
    }

    /// The same with a Will Message.
    pub fn with_will(self, will: Message) -> Self {
        Self { will: Some(will), ..self }
    }
}

/// What CONNACK said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Connack {
    /// Session Present.
    pub session_present: bool,
    /// Return code (3.1, 3.1.1) or Reason Code (5.0).
    pub reason: u8,
    /// Assigned Client Identifier.
    #[serde(default)]
    pub assigned_id: Option<String>,
    /// Topic Alias Maximum: how many aliases the client may use.
    #[serde(default)]
    pub topic_alias_maximum: Option<u16>,
}

/// One entry of SUBSCRIBE. The identifier and No Local are sent in 5.0 only.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Subscription {
    /// Topic Filter.
    pub filter: String,
    /// Maximum QoS.
    pub qos: u8,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
    /// No Local.
    pub no_local: bool,
}

impl Subscription {
    /// A plain subscription.
    pub fn new(filter: &str, qos: u8) -> Self {
        Self { filter: filter.to_owned(), qos, ..Self::default() }
    }
}
