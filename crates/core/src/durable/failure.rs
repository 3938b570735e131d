//! When the journal cannot write: nobody is told a success. Clients of 5.0 hear a negative acknowledgement; those of 3.x,
//! which know none, are held for a while and then closed, so that they send again. What was delivered live stays delivered.

use tidegate_mqtt::{PacketType, ReasonCode};
use tidegate_observe::EndReason;

use crate::close::Ending;
use crate::connection::HeldAcknowledgement;
use crate::core::{Core, Timer};
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, Ticket};
use crate::shards::ReceiptAddress;
use crate::time::Now;

/// No record will ever make this acknowledgement true.
pub(crate) const NEVER: Ticket = Ticket(u64::MAX);

impl Core {
    /// The journal has failed up to a ticket.
    pub(crate) fn on_not_persisted(
        &mut self,
        now: Now,
        up_to: Ticket,
        reason: ReasonCode,
        effects: &mut Effects,
    ) {
        while let Some(&(ticket, id)) = self.awaiting_journal.front()
            && ticket <= up_to
        {
            self.awaiting_journal.pop_front();
            self.deny(
                now,
                id,
                |held| held.ticket.is_some_and(|waits_for| waits_for <= up_to),
                reason,
                effects,
            );
        }
        for connection in self.barriers.take_failed(up_to) {
            self.end_not_durable(now, connection, Some(reason), effects);
        }
    }

    /// Another shard cannot make its copy durable.
    pub(crate) fn on_denied(
        &mut self,
        now: Now,
        address: ReceiptAddress,
        reason: ReasonCode,
        effects: &mut Effects,
    ) {
        let connection = self.connections.get(address.connection);
        let Some(extra) = connection.and_then(|connection| connection.extra.as_mut()) else {
            if let (Some(address), _) = self.redirect_receipt(address) {
                self.on_denied(now, address, reason, effects);
            }
            return;
        };
        let at = address.number.wrapping_sub(extra.held_first) as usize;
        let Some(held) = extra.held.get_mut(at) else { return };
        held.receipts = held.receipts.saturating_sub(1);
        let (identifier, packet_type) = (held.answer.identifier, held.answer.packet_type);
        let is_it = |held: &HeldAcknowledgement| {
            held.answer.identifier == identifier && held.answer.packet_type == packet_type
        };
        self.deny(now, address.connection, is_it, reason, effects);
    }

    /// Turns held acknowledgements into failures, where the client can be told of one.
    fn deny(
        &mut self,
        now: Now,
        id: ConnectionId,
        which: impl Fn(&HeldAcknowledgement) -> bool,
        reason: ReasonCode,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let (v5, organisation, session) =
            (connection.version.is_v5(), connection.organisation, connection.session);
        let Some(extra) = connection.extra.as_mut() else { return };
        let (mut free, mut hold, mut end) = (Vec::new(), false, false);
        for held in extra.held.iter_mut().filter(|held| which(held)) {
            let answer = &mut held.answer;
            match answer.packet_type {
                PacketType::PubAck | PacketType::PubRec if v5 => {
                    // A PUBREC with a failure ends the exchange: the identifier is free. [MQTT5-4.3.3-9]
                    free.extend(
                        (answer.packet_type == PacketType::PubRec).then_some(answer.identifier.get()),
                    );
                    answer.reason = reason;
                    held.ticket = None;
                }
                // PUBREL and PUBCOMP have no reason for this.
                _ if v5 => end = true,
                _ => {
                    hold = true;
                    held.ticket = Some(NEVER);
                }
            }
        }
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(session);
        let key = session.as_ref().and_then(|session| session.key);
        if let Some(session) = session {
            free.iter().for_each(|identifier| _ = session.awaiting_release.remove(identifier));
        }
        for identifier in free {
            // The disk may have that it was taken.
            self.write_step(key, effects, |key| Record::Released { key, identifier });
        }
        if end {
            return self.end_not_durable(now, id, Some(reason), effects);
        }
        if hold {
            let deadline = now.mono_ms + self.limits.held_ms;
            self.arm(now, deadline, Timer::Held(id));
        }
        self.release_held(now, id, effects);
    }

    /// Ends a connection that is owed an acknowledgement which would be a lie.
    pub(crate) fn end_not_durable(
        &mut self,
        now: Now,
        id: ConnectionId,
        reason: Option<ReasonCode>,
        effects: &mut Effects,
    ) {
        let text = reason.map(|_| "the server's disk takes nothing at the moment");
        self.end(now, id, Ending { tell: reason, text, reason: EndReason::NotDurable }, effects);
    }
}
