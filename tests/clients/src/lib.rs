//! Tidegate seen through client programs that others wrote.
//!
//! What must hold is written once, as the sentences in [`scenario`]. A [`client::Program`] is one of the client
//! libraries in one protocol version: paho-mqtt and MQTT.js live in a small script each and are driven over their
//! standard input ([`agent`]), rumqttc is driven from its own test file. The command line programs mosquitto_pub
//! and mosquitto_sub cannot be driven step by step, so `tests/mosquitto.rs` tells the same stories with them.
//!
//! This crate knows nothing of the broker's code: it starts the program as a user would ([`broker`]).

pub mod agent;
pub mod broker;
pub mod client;
pub mod message;
pub mod mosquitto;
pub mod names;
pub mod process;
pub mod scenario;
pub mod tools;

mod sentences;
