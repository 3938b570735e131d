//! The sockets that listen, and who has them when we cannot.

pub mod listen;
pub mod port_holder;
