//! PUBACK, PUBREC, PUBREL and PUBCOMP from a client (sections 3.4 to 3.7, 4.3).

use tidegate_mqtt::{Acknowledgement, Packet, PacketType, Properties, ReasonCode};
use tidegate_observe::DropReason;

use crate::core::Core;
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
        counters.queued -= 1;
        if ack.reason.is_failure() {
            counters.drop_one(DropReason::Rejected);
        }
        self.pump_if_waiting(now, organisation, session_id, effects);
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
            !session.queue.is_empty() || session.replay.is_some() || session.window.awaits_resending()
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
        if known && ack.reason.is_failure() {
            session.window.finish(identifier);
            counters.queued -= 1;
            counters.drop_one(DropReason::Rejected);
            return self.pump_if_waiting(now, organisation, session_id, effects);
        }
        if ack.reason.is_failure() {
            return;
        }
        let reason = if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        let properties = Properties::NONE;
        let release = Acknowledgement { packet_identifier: identifier, reason, properties };
        self.send(id, &Packet::PubRel(release), effects);
    }

    /// The client releases the identifier of a QoS 2 message: the next one with it is new. [MQTT5-4.3.3-11]
    /// [MQTT5-4.3.3-12]
    pub(crate) fn on_pubrel(&mut self, id: ConnectionId, ack: &Acknowledgement<'_>, effects: &mut Effects) {
        let Some((organisation, session)) = self.owner_of(id) else { return };
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return };
        let known = session.awaiting_release.remove(&ack.packet_identifier.get());
        let mut answer = Answer::to(PacketType::PubComp, ack.packet_identifier);
        if !known {
            answer.reason = ReasonCode::PacketIdentifierNotFound;
        }
        self.acknowledge(id, answer, Routed::default(), effects);
    }
}
