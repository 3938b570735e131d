//! The core as a whole, in virtual time: what a client sees, whatever shard it is on.

mod attacks;
mod bounds;
mod bounds_of_organisations;
mod bounds_of_sessions;
mod crash;
mod crash_model;
mod doors;
mod expiry;
mod failing_disk;
mod maximum_packet_size;
mod random;
mod repeated_answers;
mod replays;
mod residue;
mod routing;
mod sessions;
mod shared_subscriptions;
mod spill;
mod world;
