//! A disk for tests: it forgets what was not synced, tears what it was writing, refuses, runs full and flips bits, all
//! from one seed. Without threads ([`Journal::open_manual`](crate::Journal::open_manual)) a whole history can be repeated.

mod disk;
mod faults;
mod inode;
mod random;

pub use disk::SimulatedDisk;
pub use faults::Faults;
pub use random::Random;
