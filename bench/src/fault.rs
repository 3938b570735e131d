//! Why a run produced no figure.

use std::fmt;
use std::io;

/// A run that ends in a fault is void: it is reported, and no figure is taken from it.
#[derive(Debug)]
pub enum Fault {
    /// The broker sent bytes that are not MQTT 3.1.1 as a server may send it.
    Malformed(&'static str),
    /// The broker refused or ended a connection that the scenario needs.
    Refused(String),
    /// Messages were lost, arrived twice, or out of order.
    Delivery(String),
    /// Nothing moved for [`crate::traffic::STALL`] although messages were in flight.
    Stalled(String),
    /// The broker could not be found, started or observed.
    Broker(String),
    /// The generator's own system calls failed.
    Io(String, io::Error),
}

impl Fault {
    /// Wraps an I/O error with what was being attempted.
    pub fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |error| Self::Io(attempt, error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "the broker sent a malformed packet: {what}"),
            Self::Refused(what) | Self::Delivery(what) | Self::Stalled(what) | Self::Broker(what) => {
                f.write_str(what)
            }
            Self::Io(attempt, error) => write!(f, "{attempt}: {error}"),
        }
    }
}

impl std::error::Error for Fault {}
