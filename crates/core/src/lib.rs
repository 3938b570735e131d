//! The broker of one shard, without I/O: sessions, routing, retained messages, wills, shared subscriptions.
//!
//! A [`Core`] is a plain state machine. Everything that may enter is an [`Input`], everything that may happen is
//! in [`Effects`]; time comes with each input. There is no socket, clock, thread, lock or random number in
//! here, so a whole broker of many shards can be run and replayed in a test in virtual time.
//!
//! A process has one core per thread. Each owns the connections and sessions of the Client Identifiers that
//! hash to it, and knows of the others only which filters they want ([`Effects::to_shards`]).
//!
//! The way of a PUBLISH: `received` (packets from bytes) → `publish` (resolve, admit) → `route` (recipients
//! from the match cache) → `delivery` (encode once, copy to each) → `held` (acknowledge when durable).

mod accept;
mod acknowledge;
mod barriers;
mod close;
mod connack;
mod connect;
mod connection;
mod core;
mod courier;
mod delivery;
mod durable;
mod effects;
mod group;
mod held;
mod identifiers;
mod input;
mod keep_alive;
mod limits;
mod message;
mod organisation;
mod outbound;
mod peers;
mod principal;
mod publish;
mod queue;
mod received;
mod replay;
mod replaying;
mod retained;
mod route;
mod routes;
mod send;
mod session;
mod shards;
mod subscribe;
mod subscribers;
mod subscription;
mod sweep;
mod sys;
mod time;
mod tree;
mod unanswered;
mod unsubscribe;
mod usage;
mod wheel;
mod will;
mod window;

pub use core::{Core, CoreConfig};
pub use durable::marks::Mark;
pub use durable::place::Place;
pub use durable::reading::{Fetch, Fetched, Unreadable};
pub use durable::recorder::{RecordBytes, Records};
pub use durable::recovery::{Recovery, Restored};
pub use durable::report::{
    InFlightReport, MessageReport, SessionReport, SubscriptionReport, WaitingReport, WillReport,
};
pub use effects::{AuthenticationRequest, Effects, Handoff};
pub use identifiers::{ConnectionId, OrganisationId, SessionId, ShardId, Ticket};
pub use input::Input;
pub use limits::Limits;
pub use outbound::Outbound;
pub use principal::Principal;
pub use shards::Batch;
pub use tidegate_mqtt::ReasonCode;
pub use time::Now;
pub use usage::SharedUsage;

#[cfg(test)]
mod tests;
