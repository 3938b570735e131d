//! The sentences that must hold for every client program, each a function of a [`Program`](crate::client::Program).
//!
//! A sentence fails by panicking. Where it says that something does *not* arrive, it publishes a marker afterwards on
//! the same path and shows that the marker is what arrives next: that needs no waiting and cannot pass by being
//! impatient.

mod alias;
mod connect;
mod properties;
mod qos;
mod reason;
mod retained;
mod session;
mod shared;
mod will;

pub use alias::*;
pub use connect::*;
pub use properties::*;
pub use qos::*;
pub use reason::*;
pub use retained::*;
pub use session::*;
pub use shared::*;
pub use will::*;

use crate::client::{Client, Connect, Program, Subscription};
use crate::names::Names;

/// A client with a new session.
fn connected<'a>(program: &'a dyn Program, names: &Names, role: &str) -> Box<dyn Client + 'a> {
    let mut client = program.client();
    let connack = client.connect(&Connect::clean(&names.client(role)));
    assert_eq!(connack.reason, 0, "the connection of {role} is accepted");
    client
}

/// A client with a new session and one subscription.
fn subscribed<'a>(
    program: &'a dyn Program,
    names: &Names,
    role: &str,
    filter: &str,
    qos: u8,
) -> Box<dyn Client + 'a> {
    let mut client = connected(program, names, role);
    assert_eq!(client.subscribe(&Subscription::new(filter, qos)), qos, "{filter} is granted as asked");
    client
}
