//! The golden packets: for each packet and version the bytes, the packet, and what is refused and how.
//!
//! One module per chapter of the specifications. Every assertion stands on its own line under the statements that
//! it keeps. The notation of the bytes is explained in [`notation`], what an assertion checks in [`assertions`].

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod acknowledgements;
mod assertions;
mod auth;
mod connack;
mod connect;
mod connect_will;
mod data_types;
mod disconnect;
mod fixed_header;
mod notation;
mod packet_identifier;
mod properties;
mod publish;
mod reason_codes;
mod subscribe;
mod topics;
mod unsubscribe;
