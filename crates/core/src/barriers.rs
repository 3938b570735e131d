//! SUBACK leaves when every other shard knows the new filters and they are durable: shards are told with barriers, which
//! come behind the news in the same mail, and the journal with tickets. UNSUBACK leaves when it is durable.

use std::collections::VecDeque;

use tidegate_mqtt::Packet;

use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, Ticket};
use crate::replay::ReplayRequest;
use crate::shards::ShardMessage;
use crate::time::Now;

/// Barriers that this shard sent to the others, and what waits for them.
#[derive(Default)]
pub(crate) struct Barriers {
    /// Number of the last barrier sent.
    sent: u64,
    /// For each barrier that is not complete, from the oldest: how many shards have not reached it.
    open: VecDeque<u16>,
    waiting: VecDeque<Waiting>,
}

impl Barriers {
    /// The retained messages that SUBACKs of a connection wait to promise.
    pub(crate) fn replays_of(&self, connection: ConnectionId) -> impl Iterator<Item = ReplayRequest> {
        let waiting = self.waiting.iter().filter(move |waiting| waiting.connection == connection);
        waiting.flat_map(|waiting| waiting.replays.iter().copied())
    }

    /// Takes out the SUBACKs whose subscriptions cannot be made durable; whose they are.
    pub(crate) fn take_failed(&mut self, up_to: Ticket) -> Vec<ConnectionId> {
        let failed = |waiting: &Waiting| waiting.ticket.is_some_and(|ticket| ticket <= up_to);
        let connections =
            self.waiting.iter().filter(|waiting| failed(waiting)).map(|waiting| waiting.connection);
        let connections = connections.collect();
        self.waiting.retain(|waiting| !failed(waiting));
        connections
    }
}

/// A SUBACK or UNSUBACK.
struct Waiting {
    barrier: u64,
    connection: ConnectionId,
    /// What it says must be durable before.
    ticket: Option<Ticket>,
    packet: Vec<u8>,
    replays: Vec<ReplayRequest>,
}

impl Core {
    pub(crate) fn send_barrier(&mut self, effects: &mut Effects) {
        self.barriers.sent += 1;
        self.barriers.open.push_back(u16::from(self.shards) - 1);
        for shard in self.other_shards() {
            effects.to(shard).push(ShardMessage::Barrier(self.barriers.sent));
        }
    }

    /// A shard has heeded everything that was sent before this barrier.
    pub(crate) fn on_barrier_reached(&mut self, now: Now, barrier: u64, effects: &mut Effects) {
        let oldest = self.barriers.sent + 1 - self.barriers.open.len() as u64;
        if let Some(missing) = self.barriers.open.get_mut(barrier.wrapping_sub(oldest) as usize) {
            *missing = missing.saturating_sub(1);
        }
        while self.barriers.open.front() == Some(&0) {
            self.barriers.open.pop_front();
        }
        self.release_subacks(now, effects);
    }

    /// A SUBACK, encoded, leaves when all barriers sent so far are complete and its ticket is durable; then the retained
    /// messages that it promises follow.
    pub(crate) fn hold_until_known(
        &mut self,
        now: Now,
        connection: ConnectionId,
        (packet, replays): (Vec<u8>, Vec<ReplayRequest>),
        ticket: Option<Ticket>,
        effects: &mut Effects,
    ) {
        let barrier = self.barriers.sent;
        self.barriers.waiting.push_back(Waiting { barrier, connection, ticket, packet, replays });
        self.release_subacks(now, effects);
    }

    /// An UNSUBACK leaves when its ticket is durable, and not before the SUBACKs that are due.
    pub(crate) fn hold_unsuback(
        &mut self,
        now: Now,
        connection: ConnectionId,
        (unsuback, ticket): (&Packet<'_>, Ticket),
        effects: &mut Effects,
    ) {
        let Some(version) = self.connections.get(connection).map(|it| it.version) else { return };
        let mut packet = Vec::new();
        unsuback.encode(version, &mut packet);
        let (ticket, replays) = (Some(ticket), Vec::new());
        self.barriers.waiting.push_back(Waiting { barrier: 0, connection, ticket, packet, replays });
        self.release_subacks(now, effects);
    }

    /// Sends every SUBACK whose filters are known everywhere and written down, and begins to send retained messages.
    pub(crate) fn release_subacks(&mut self, now: Now, effects: &mut Effects) {
        let complete = self.barriers.sent - self.barriers.open.len() as u64;
        let persisted = self.persisted;
        while self.barriers.waiting.front().is_some_and(|waiting| {
            waiting.barrier <= complete && waiting.ticket.is_none_or(|ticket| ticket <= persisted)
        }) {
            let Some(mut waiting) = self.barriers.waiting.pop_front() else { return };
            let Some(connection) = self.connections.get(waiting.connection) else { continue };
            if !connection.is_connected() {
                continue;
            }
            let (organisation, session) = (connection.organisation, connection.session);
            let replays = waiting.replays;
            // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
            if waiting.packet.len() > connection.packet_bytes_max as usize {
                waiting.packet.clear();
            }
            let suback = self.hold_suback(organisation, session, waiting.packet, &replays);
            if let Some(suback) = suback {
                self.send_encoded(waiting.connection, &suback, effects);
            }
            if !replays.is_empty() {
                self.begin_replays(now, organisation, session, replays, effects);
            }
        }
    }
}
