//! The bounds that the operating system sets for the process.

pub mod descriptors;
