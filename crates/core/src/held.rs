//! Acknowledgements towards clients. A success leaves when everything that must be durable is, and never
//! before one that was due earlier on the same connection.

use std::collections::VecDeque;

use tidegate_mqtt::{Acknowledgement, Packet, PacketIdentifier, PacketType, Properties, ReasonCode};

use crate::connection::{Connection, HeldAcknowledgement};
use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, Ticket};
use crate::route::Routed;
use crate::shards::ReceiptAddress;
use crate::time::Now;

/// What a publisher is to be told about one of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) packet_type: PacketType,
    pub(crate) identifier: PacketIdentifier,
    /// Only 5.0 can be told.
    pub(crate) reason: ReasonCode,
}

impl Answer {
    /// Success.
    pub(crate) fn to(packet_type: PacketType, identifier: PacketIdentifier) -> Self {
        Self { packet_type, identifier, reason: ReasonCode::Success }
    }

    fn packet(self) -> Packet<'static> {
        let ack = Acknowledgement {
            packet_identifier: self.identifier,
            reason: self.reason,
            properties: Properties::NONE,
        };
        match self.packet_type {
            PacketType::PubRec => Packet::PubRec(ack),
            PacketType::PubRel => Packet::PubRel(ack),
            PacketType::PubComp => Packet::PubComp(ack),
            _ => Packet::PubAck(ack),
        }
    }
}

impl Core {
    /// Sends the answer, or holds it until what `routed` names is durable. Acknowledgements of one connection
    /// leave in the order of what they acknowledge. [MQTT5-4.6.0-2] [MQTT5-4.6.0-3] [MQTT3-4.6.0-2]
    pub(crate) fn acknowledge(
        &mut self,
        id: ConnectionId,
        answer: Answer,
        routed: Routed,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let nothing_held = connection.extra.as_ref().is_none_or(|extra| extra.held.is_empty());
        if routed.ticket.is_none() && routed.receipts == 0 && nothing_held {
            return self.send(id, &answer.packet(), effects);
        }
        if answer.packet_type == PacketType::PubAck {
            connection.unacknowledged += 1;
        }
        connection.extra().held.push_back(HeldAcknowledgement {
            answer,
            ticket: routed.ticket,
            receipts: routed.receipts,
        });
        if let Some(ticket) = routed.ticket {
            self.awaiting_journal.push_back((ticket, id));
        }
    }

    /// The journal is durable up to a ticket.
    pub(crate) fn on_persisted(&mut self, now: Now, up_to: Ticket, effects: &mut Effects) {
        self.persisted = self.persisted.max(up_to);
        while let Some(&(ticket, organisation, session)) = self.awaiting_identifiers.front()
            && ticket <= up_to
        {
            self.awaiting_identifiers.pop_front();
            if self.organisation(organisation).sessions.get_mut(session).is_some() {
                self.pump(now, organisation, session.index, effects);
            }
        }
        self.release_subacks(now, effects);
        while let Some(&(ticket, id)) = self.awaiting_journal.front()
            && ticket <= up_to
        {
            self.awaiting_journal.pop_front();
            let Some(connection) = self.connections.get(id) else { continue };
            let Some(extra) = connection.extra.as_mut() else { continue };
            // A connection stands in the list once for each of its tickets; one look is for all of them.
            if extra.persisted < Some(up_to) {
                extra.persisted = Some(up_to);
                for held in &mut extra.held {
                    held.ticket = held.ticket.filter(|&waits_for| waits_for > up_to);
                }
                self.release_held(now, id, effects);
            }
        }
    }

    /// Another shard's copy is durable.
    pub(crate) fn on_receipt(&mut self, now: Now, address: ReceiptAddress, effects: &mut Effects) {
        let connection = self.connections.get(address.connection);
        let Some(extra) = connection.and_then(|connection| connection.extra.as_mut()) else {
            return self.on_late_receipt(now, address, effects);
        };
        let at = address.number.wrapping_sub(extra.held_first) as usize;
        let Some(held) = extra.held.get_mut(at) else { return };
        held.receipts = held.receipts.saturating_sub(1);
        let Answer { packet_type, identifier, .. } = held.answer;
        if held.receipts == 0 && packet_type == PacketType::PubRec {
            self.take_received(address, identifier, effects);
        }
        self.release_held(now, address.connection, effects);
    }

    /// All copies of a message of QoS 2 are durable: now its identifier has to be, before PUBREC leaves.
    fn take_received(
        &mut self,
        address: ReceiptAddress,
        identifier: PacketIdentifier,
        effects: &mut Effects,
    ) {
        let ReceiptAddress { connection: id, number, .. } = address;
        if !self.write_taken(id, identifier, effects) {
            return;
        }
        let ticket = self.ticket(effects);
        let connection = self.connections.get(id);
        let Some(extra) = connection.and_then(|connection| connection.extra.as_mut()) else { return };
        let held = extra.held.get_mut(number.wrapping_sub(extra.held_first) as usize);
        if let Some(held) = held.filter(|held| held.ticket.is_none_or(|earlier| earlier < ticket)) {
            held.ticket = Some(ticket);
            self.awaiting_journal.push_back((ticket, id));
        }
    }

    pub(crate) fn release_held(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        while let Some(connection) = self.connections.get(id)
            && let Some(extra) = connection.extra.as_mut()
            && let Some(held) = extra.held.front()
            && held.ticket.is_none()
            && held.receipts == 0
        {
            let answer = held.answer;
            extra.held.pop_front();
            extra.held_first += 1;
            // A few are kept room for, so that a steady stream allocates nothing; a burst gives its memory back.
            if extra.held.is_empty() && extra.held.capacity() > HELD_CAPACITY_KEPT {
                extra.held = VecDeque::new();
            }
            if answer.packet_type == PacketType::PubAck {
                connection.unacknowledged -= 1;
            }
            self.send(id, &answer.packet(), effects);
        }
        let bytes_max = self.limits.outbound_bytes_max;
        let Some(connection) = self.connections.get(id) else { return };
        if connection.paused && connection.wants_input(bytes_max) {
            self.resume_input(now, id, effects);
        }
    }
}

const HELD_CAPACITY_KEPT: usize = 64;

impl Connection {
    /// The number that the next held acknowledgement will have.
    pub(crate) fn next_held(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.held_first + extra.held.len() as u64)
    }
}
