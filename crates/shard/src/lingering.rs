//! Sockets that are at an end, and how long they may still be.
//!
//! Closing a socket while the peer is still sending would make the kernel reset the connection and destroy what was just
//! written, a DISCONNECT with its reason among it. So the sending side is shut down and what still arrives is thrown
//! away until the peer closes too, for [`LINGER_MS`]. A client that said DISCONNECT sends no more and is closed at once.
//!
//! A peer that has closed its sending side and does not take what it is owed would otherwise be one for ever: nothing is
//! read from a client that does not read, so its end would never show, and without a Keep Alive nothing else ends it. It
//! has [`HALF_CLOSED_MS`].

use tidegate_core::ConnectionId;

use crate::deadlines::Deadlines;

/// See the module.
pub(crate) struct Lingering {
    /// The core is done with them.
    pub(crate) closed: Deadlines,
    /// Their clients send no more, and the core reads from them only when they have taken what they are owed.
    pub(crate) half_closed: Deadlines,
}

impl Lingering {
    pub(crate) fn new() -> Self {
        Self { closed: Deadlines::new(LINGER_MS), half_closed: Deadlines::new(HALF_CLOSED_MS) }
    }

    /// Whether another closed socket may linger: at the bound they are closed at once.
    pub(crate) fn has_room(&self) -> bool {
        self.closed.len() < LINGERING_MAX
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        [self.closed.next(), self.half_closed.next()].into_iter().flatten().min()
    }

    /// A closed connection whose time is over.
    pub(crate) fn expired_closed(&mut self, now_ms: u64) -> Option<ConnectionId> {
        self.closed.expired(now_ms)
    }

    /// A half-closed connection whose time is over.
    pub(crate) fn expired_half_closed(&mut self, now_ms: u64) -> Option<ConnectionId> {
        self.half_closed.expired(now_ms)
    }
}

/// How long a peer has to read its last packet and close.
const LINGER_MS: u64 = 1000;
/// How long a peer that sends no more may leave what it is owed untaken.
const HALF_CLOSED_MS: u64 = 5000;
/// Each holds a descriptor.
const LINGERING_MAX: usize = 1024;
