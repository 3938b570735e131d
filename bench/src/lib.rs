//! A load generator for MQTT brokers, and the comparison of Tidegate with mosquitto built on it.
//!
//! One thread drives thousands of connections over a small reactor; it holds the publishers and the
//! subscribers of a run alike, so it knows what is in flight and sees every message that is lost or arrives
//! twice. It deliberately shares no code with the broker it measures: [`codec`] is a second reading of the
//! specification.
//!
//! From the wire up: [`codec`] → [`reactor`] → [`fleet`] (connections that are ready to work) → [`traffic`]
//! (publishers and subscribers under a plan) → [`scenario`] (the rows of the table) → [`contest`] (rounds in
//! alternation) → [`report`].

pub mod affinity;
pub mod bare_loop;
pub mod broker;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod contest;
pub mod door;
pub mod echo;
pub mod fault;
pub mod fleet;
pub mod histogram;
pub mod measures;
pub mod mosquitto;
pub mod payload;
pub mod priority;
pub mod reactor;
pub mod report;
pub mod scenario;
pub mod statistics;
pub mod syscalls;
pub mod traffic;
pub mod usage;
pub mod window;
