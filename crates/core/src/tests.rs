//! The core as a whole, in virtual time.
