//! The core as a whole, in virtual time: what a client sees, whatever shard it is on.

mod routing;
mod sessions;
mod world;
