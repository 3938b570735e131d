//! Sockets that the core has closed. Closing one while the peer is still sending would make the kernel reset the
//! connection and destroy what was just written, a DISCONNECT with its reason among it. So the sending side is
//! shut down and what still arrives is thrown away until the peer closes too, for a short time.

use std::collections::VecDeque;

use tidegate_core::ConnectionId;

/// Closed connections in the order of their deadlines.
#[derive(Default)]
pub(crate) struct Lingering {
    deadlines: VecDeque<(u64, ConnectionId)>,
}

impl Lingering {
    /// Whether another socket may linger: at the bound they are closed at once.
    pub(crate) fn has_room(&self) -> bool {
        self.deadlines.len() < LINGERING_MAX
    }

    pub(crate) fn add(&mut self, id: ConnectionId, now_ms: u64) {
        self.deadlines.push_back((now_ms + LINGER_MS, id));
    }

    /// A connection whose time is over.
    pub(crate) fn expired(&mut self, now_ms: u64) -> Option<ConnectionId> {
        self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now_ms).map(|(_, id)| id)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.front().map(|&(deadline, _)| deadline)
    }
}

/// How long a peer has to read its last packet and close.
const LINGER_MS: u64 = 1000;
/// Each holds a descriptor.
const LINGERING_MAX: usize = 1024;
