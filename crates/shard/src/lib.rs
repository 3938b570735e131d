//! The shards of a process: one thread each, with its sockets, its clock and one `tidegate_core::Core`.
//!
//! Everything that touches the operating system on the message path is in here; everything that decides is in
//! the core. A turn of a shard is: mail of other shards → what is readable → the core → one write for each
//! connection that is owed something → mail to other shards.
//!
//! [`Broker::start`] makes the threads; [`Broker::shut_down`] ends them.

mod acceptor;
mod arriving;
mod authenticate;
mod broker;
mod carrying_out;
mod clock;
mod deadlines;
mod doorkeeper;
mod journaling;
mod lingering;
mod mailbox;
mod opening;
mod reading;
mod shard;
mod sockets;

pub use authenticate::{Anonymous, Answer, Authenticate, Reply};
pub use broker::{Broker, BrokerConfig};
pub use opening::{OpenedJournal, open_journal};
pub use tidegate_journal::{Level, OpenError};
