//! What holds for every packet and for every byte, tried on thousands of generated ones.
//!
//! [`strategy`] draws owned [`model`] packets that the specification allows; each is lent to the codec as the
//! borrowed packet it is made for.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod arbitrary_bytes;
mod every_packet;
mod large_blocks;
mod model;
mod strategy;
mod topic_filters;
