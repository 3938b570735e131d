//! PUBACK, PUBREC, PUBREL and PUBCOMP from a client (sections 3.4 to 3.7, 4.3).

use tidegate_mqtt::{Acknowledgement, PacketType, ReasonCode};
use tidegate_observe::DropReason;

use crate::core::Core;
use crate::durable::record::{Record, SessionKey};
use crate::effects::Effects;
use crate::held::Answer;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::organisation::Organisation;
use crate::route::Routed;
use crate::time::Now;
use crate::window::Awaiting;

impl Core {
    fn owner_of(&mut self, id: ConnectionId) -> Option<(OrganisationId, SessionId)> {
        self.connections.get(id).map(|connection| (connection.organisation, connection.session))
    }

    /// QoS 1 is finished; a failure discards the message all the same. [MQTT5-4.3.2-3] [MQTT5-4.8.2-6]
    #[inline]
    pub(crate) fn on_puback(
        &mut self,
        now: Now,
        id: ConnectionId,
        ack: &Acknowledgement<'_>,
        effects: &mut Effects,
    ) {
        self.on_final(now, id, ack, Awaiting::PubAck, effects);
    }

    /// QoS 2 is finished. [MQTT5-4.3.3-7]
    pub(crate) fn on_pubcomp(
        &mut self,
        now: Now,
        id: ConnectionId,
        ack: &Acknowledgement<'_>,
        effects: &mut Effects,
    ) {
        self.on_final(now, id, ack, Awaiting::PubComp, effects);
    }

    /// The last packet of an exchange: its identifier is free, and there is room for another message.
    /// A packet that answers nothing is ignored: after a lost session the client cannot know better.
    fn on_final(
        &mut self,
        now: Now,
        id: ConnectionId,
        ack: &Acknowledgement<'_>,
        awaited: Awaiting,
        effects: &mut Effects,
    ) {
        let Some((organisation, session_id)) = self.owner_of(id) else { return };
        let Organisation { sessions, counters, .. } = &mut self.organisations[organisation.0 as usize];
        let Some(session) = sessions.get_mut(session_id) else { return };
        let window = &mut session.window;
        if window.get_mut(ack.packet_identifier).is_none_or(|exchange| exchange.awaiting != awaited) {
            return;
        }
        window.finish(ack.packet_identifier);
        window.shrink();
        let key = session.key;
        counters.queued -= 1;
        if ack.reason.is_failure() {
            counters.drop_one(DropReason::Rejected);
        }
        self.write_step(key, effects, |key| Record::Finished {
            key,
            identifier: ack.packet_identifier.get(),
        });
        self.pump_if_waiting(now, organisation, session_id, effects);
    }

    /// Writes down a step of an exchange, if its session is written down; whether it is.
    pub(crate) fn write_step(
        &mut self,
        key: Option<SessionKey>,
        effects: &mut Effects,
        step: impl FnOnce(SessionKey) -> Record<'static>,
    ) -> bool {
        if let Some(key) = key {
            self.recorder(effects).write(&step(key));
        }
        key.is_some()
    }

    fn pump_if_waiting(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) {
        if self.has_waiting(organisation, session) {
            self.pump(now, organisation, session.index, effects);
        }
    }

    /// Whether a session has anything to send besides what is in flight.
    pub(crate) fn has_waiting(&mut self, organisation: OrganisationId, session: SessionId) -> bool {
        let own = &mut self.organisations[organisation.0 as usize];
        own.sessions.get_mut(session).is_some_and(|session| {
            !session.queue.is_empty() || session.replay.is_some() || session.window.awaits_sending()
        })
    }

    /// The client has the QoS 2 message, or does not want it. [MQTT5-4.3.3-4] [MQTT5-4.3.3-5]
    pub(crate) fn on_pubrec(
        &mut self,
        now: Now,
        id: ConnectionId,
        ack: &Acknowledgement<'_>,
        effects: &mut Effects,
    ) {
        let Some((organisation, session_id)) = self.owner_of(id) else { return };
        let Organisation { sessions, counters, .. } = &mut self.organisations[organisation.0 as usize];
        let Some(session) = sessions.get_mut(session_id) else { return };
        let identifier = ack.packet_identifier;
        let known = session.window.received(identifier);
        let key = session.key;
        if known && ack.reason.is_failure() {
            session.window.finish(identifier);
            counters.queued -= 1;
            counters.drop_one(DropReason::Rejected);
            self.write_step(key, effects, |key| Record::Finished { key, identifier: identifier.get() });
            return self.pump_if_waiting(now, organisation, session_id, effects);
        }
        if ack.reason.is_failure() {
            return;
        }
        let mut answer = Answer::to(PacketType::PubRel, identifier);
        if !known {
            answer.reason = ReasonCode::PacketIdentifierNotFound;
        }
        // A PUBREL that a crash makes forget would let the message come again.
        let step = |key| Record::Received { key, identifier: identifier.get() };
        let waits = known && self.write_step(key, effects, step);
        let ticket = waits.then(|| self.ticket(effects));
        let own = &mut self.organisations[organisation.0 as usize];
        // On another connection it must not leave earlier either.
        if let (Some(ticket), Some(session)) = (ticket, own.sessions.get_mut(session_id)) {
            session.window.send_after(identifier, ticket);
        }
        self.acknowledge(id, answer, Routed { ticket, ..Routed::default() }, effects);
    }

    /// The client releases the identifier of a QoS 2 message: the next one with it is new. [MQTT5-4.3.3-11]
    /// [MQTT5-4.3.3-12]
    pub(crate) fn on_pubrel(&mut self, id: ConnectionId, ack: &Acknowledgement<'_>, effects: &mut Effects) {
        let Some((organisation, session)) = self.owner_of(id) else { return };
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return };
        let identifier = ack.packet_identifier.get();
        let known = session.awaiting_release.remove(&identifier);
        let key = session.key;
        let mut answer = Answer::to(PacketType::PubComp, ack.packet_identifier);
        if !known {
            answer.reason = ReasonCode::PacketIdentifierNotFound;
        }
        // A release that a crash makes forget would swallow the next message with this identifier.
        let ticket = if known {
            let waits = self.write_step(key, effects, |key| Record::Released { key, identifier });
            waits.then(|| self.ticket(effects))
        } else {
            // It may have come on an earlier connection, and be on its way to the disk.
            key.and_then(|_| self.ticket_of_repeated(effects))
        };
        self.acknowledge(id, answer, Routed { ticket, ..Routed::default() }, effects);
    }
}
