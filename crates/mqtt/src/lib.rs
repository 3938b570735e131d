//! Bytes to packets and back, for MQTT 3.1, 3.1.1 and 5.0.
//!
//! One packet model serves the three versions; only the codec and named differences look at [`Version`].
//! Decoding borrows from the caller's buffer and allocates nothing; encoding appends to a `Vec<u8>`.
//!
//! This crate does no I/O, keeps no state between packets and knows nothing of sessions, rights or routing:
//! it answers "is this packet well formed, and what does it say". Rules that need a session (a packet
//! identifier in use, a topic alias, a quota) are kept by `tidegate-core`.
//!
//! The way of the bytes: [`frame::split`] finds one packet in a stream → [`Packet::decode`] gives a borrowed
//! packet or a [`DecodeError`] that carries the Reason Code to answer with.
//!
//! Citations: `[MQTT5-x.y.z-n]` and `[MQTT3-x.y.z-n]` are the statement numbers of the specifications 5.0 and
//! 3.1.1; `[MQTT31-…]` are our own names for the rules of 3.1, which numbers none.

mod error;
pub mod frame;
mod packet;
pub mod property;
mod reader;
mod reason;
mod topic;
mod utf8;
mod version;
mod writer;

pub use error::{DecodeError, Fault};
pub use packet::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, PacketType, Publish, QoS,
    ReasonList, RetainHandling, Subscribe, SubscribeEntry, SubscribeFilters, SubscriptionOptions,
    Unsubscribe, UnsubscribeFilters, WillMessage, encode_publish_head,
};
pub use property::{Properties, Property, PropertyBuf, PropertyId};
pub use reason::ReasonCode;
pub use topic::{InvalidTopic, SharedFilter, TopicFilter, TopicName};
pub use version::Version;
pub use writer::{VARIABLE_BYTE_INTEGER_MAX, put_variable_byte_integer, variable_byte_integer_len};
