//! A black-box view of an MQTT server: bytes go in over TCP, bytes come out, nothing else is known.
//!
//! The client in here builds and parses packets on its own, so that a mistake in the codec of the broker cannot hide
//! behind the same mistake in its test. It can say everything a peer can say, malformed packets included; what it
//! receives it judges strictly, and every packet a test reads is thereby also a test of the packet format.
//!
//! A test begins with [`World::new`], which finds or starts the broker and keeps this test's names apart from all
//! others. It deliberately knows nothing of Tidegate's crates, configuration beyond a listener, or internals.

mod build;
mod client;
mod connect;
mod expect;
mod hex;
mod parse;
mod property;
mod property_wire;
mod publish;
mod target;
mod time;
mod wire;
mod world;

pub mod ledger;

pub use build::{
    Filter, Subscribe, ack, auth, disconnect, disconnect_with, frame, pingreq, puback, pubcomp, pubrec,
    pubrel, unsubscribe,
};
pub use client::RawClient;
pub use connect::{Connect, Version, Will};
pub use hex::dump;
pub use parse::{Ack, Connack, Packet, Suback, parse};
pub use property::{Properties, Property};
pub use publish::Publish;
pub use target::Target;
pub use time::Stopwatch;
pub use wire::{Wire, varint};
pub use world::World;
