//! PUBLISH from a client (section 3.3): each step takes one type and returns the next, so that none can be left
//! out or come too early.
//!
//! ```text
//! Publish ──resolve──► Resolved ──admit──► Admitted ──route──► Routed ──► acknowledged when durable
//!          topic alias           may it be        who gets it
//!                                published
//! ```

use tidegate_mqtt::{PacketIdentifier, PacketType, PropertyId, Publish, QoS, ReasonCode};
use tidegate_observe::DropReason;

use crate::connection::Connection;
use crate::core::Core;
use crate::durable::record::Record;
use crate::durable::spread::{Had, Publication};
use crate::effects::Effects;
use crate::held::Answer;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::message::{Message, forwarded};
use crate::route::{Origin, Routed};
use crate::shards::ReceiptAddress;
use crate::time::Now;
use crate::unanswered::TakenIdentifier;

/// A PUBLISH whose topic is known: named in the packet, or by an alias that was set before.
struct Resolved<'a> {
    publish: &'a Publish<'a>,
    topic: &'a str,
}

/// A message that its publisher may publish.
struct Admitted<'a> {
    publish: &'a Publish<'a>,
    topic: &'a str,
}

/// A rule that is broken; the connection ends.
type Violation = (ReasonCode, &'static str);

/// What became of a PUBLISH before it was routed.
enum Admission<'a> {
    Admitted(Admitted<'a>),
    /// Dropped, and what 5.0 publishers are told; others are told nothing, as their versions have no words.
    Refused(ReasonCode),
}

impl Core {
    #[inline]
    pub(crate) fn on_publish(
        &mut self,
        now: Now,
        id: ConnectionId,
        publish: &Publish<'_>,
        effects: &mut Effects,
    ) {
        let mut topic_scratch = std::mem::take(&mut self.topic_scratch);
        let outcome = self.publish(now, id, publish, &mut topic_scratch, effects);
        self.topic_scratch = topic_scratch;
        if let Err((reason, text)) = outcome {
            self.violate(now, id, reason, text, effects);
        }
    }

    fn publish(
        &mut self,
        now: Now,
        id: ConnectionId,
        publish: &Publish<'_>,
        topic_scratch: &mut String,
        effects: &mut Effects,
    ) -> Result<(), Violation> {
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        let (organisation, session) = (connection.organisation, connection.session);
        let own = &mut self.organisations[organisation.0 as usize];
        own.counters.publishes_received += 1;
        own.counters.publish_bytes_received += publish.payload.len() as u64;

        let resolved = resolve(connection, publish, self.limits.topic_alias_maximum, topic_scratch)?;
        if let Some(identifier) = publish.packet_identifier
            && !self.begin_receiving(id, organisation, session, publish.qos, identifier)?
        {
            // A message that was received before and not released: the answer is repeated, nothing else happens.
            // [MQTT5-4.3.3-10] [MQTT3-4.3.3-2]
            self.repeat_pubrec(id, (organisation, session), identifier, effects);
            return Ok(());
        }
        match self.admit(resolved)? {
            Admission::Admitted(admitted) => {
                let routed = self.route_admitted(now, id, organisation, session, &admitted, effects);
                self.answer_admitted(id, publish, routed, effects);
            }
            Admission::Refused(reason) => {
                let own = &mut self.organisations[organisation.0 as usize];
                own.counters.drop_one(DropReason::NotAuthorized);
                self.answer_refused(id, publish, reason, effects);
            }
        }
        Ok(())
    }

    /// What the first PUBREC waited for may have outlived its connection.
    fn repeat_pubrec(
        &mut self,
        id: ConnectionId,
        (organisation, session): (OrganisationId, SessionId),
        identifier: PacketIdentifier,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        let key = own.sessions.get_mut(session).and_then(|session| session.key);
        let ticket = key.and_then(|_| self.ticket_of_repeated(effects));
        let receipts = self.wait_for_receipts(id, (organisation, session, identifier.get()));
        let answer = Answer::to(PacketType::PubRec, identifier);
        self.acknowledge(id, answer, Routed { ticket, receipts, ..Routed::default() }, effects);
    }

    /// Keeps the rules about the identifier of a QoS 1 or 2 message. `false`: it is one that was received before.
    fn begin_receiving(
        &mut self,
        id: ConnectionId,
        organisation: OrganisationId,
        session: SessionId,
        qos: QoS,
        identifier: PacketIdentifier,
    ) -> Result<bool, Violation> {
        let Some(connection) = self.connections.get(id) else { return Ok(false) };
        let maximum = usize::from(self.limits.receive_maximum) + usize::from(connection.unreleased_before);
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return Ok(false) };
        if qos == QoS::ExactlyOnce && session.awaiting_release.contains(&identifier.get()) {
            return Ok(false);
        }
        let unfinished = session.awaiting_release.len() + usize::from(connection.unacknowledged);
        // [MQTT5-3.3.4-7] [MQTT5-3.3.4-8]: 3.x knows no Receive Maximum; its 65,535 identifiers are the bound.
        if connection.version.is_v5() && unfinished >= maximum {
            return Err((
                ReasonCode::ReceiveMaximumExceeded,
                "more messages are unacknowledged than Receive Maximum allows",
            ));
        }
        if qos == QoS::ExactlyOnce {
            session.awaiting_release.insert(identifier.get());
        }
        Ok(true)
    }

    /// Whether the topic may be published to. Rights and contracts of platforms come in here.
    fn admit<'a>(&self, resolved: Resolved<'a>) -> Result<Admission<'a>, Violation> {
        let Resolved { publish, topic } = resolved;
        if publish.properties.user_property_count() > self.limits.user_properties_max {
            return Err((
                ReasonCode::QuotaExceeded,
                "the packet has more user properties than this server takes",
            ));
        }
        // [MQTT5-3.3.2-14] [MQTT5-3.3.2-15]
        if publish.properties.text(PropertyId::ResponseTopic).is_some_and(|topic| topic.contains(['+', '#']))
        {
            return Err((ReasonCode::ProtocolError, "the response topic holds a wildcard"));
        }
        // [MQTT5-3.3.4-6]
        if publish.properties.has(PropertyId::SubscriptionIdentifier) {
            return Err((ReasonCode::ProtocolError, "a client sent a subscription identifier in PUBLISH"));
        }
        // One comparison of lengths keeps the hot path from counting: n levels need n - 1 slashes.
        if topic.len() >= self.limits.topic_levels_max
            && topic.bytes().filter(|&byte| byte == b'/').count() >= self.limits.topic_levels_max
        {
            return Err((
                ReasonCode::TopicNameInvalid,
                "the topic name has more levels than this server takes",
            ));
        }
        // Topics that begin with $ are the server's own (4.7.2): a client must not be able to forge them.
        if topic.starts_with('$') {
            return Ok(Admission::Refused(ReasonCode::NotAuthorized));
        }
        Ok(Admission::Admitted(Admitted { publish, topic }))
    }

    fn route_admitted(
        &mut self,
        now: Now,
        id: ConnectionId,
        organisation: OrganisationId,
        session: SessionId,
        admitted: &Admitted<'_>,
        effects: &mut Effects,
    ) -> Routed {
        let Admitted { publish, topic } = admitted;
        let mut scratch = std::mem::take(&mut self.property_scratch);
        let (properties, expires_at_ms) = forwarded(publish.properties, now, &mut scratch);
        let message = Message {
            topic,
            properties,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            expires_at_ms,
        };
        let publication = self.publication(organisation, session, publish);
        let receipt = publish.packet_identifier.and_then(|_| self.next_receipt(id, publication));
        let had = publication.and_then(|publication| publication.had);
        let origin = Origin { publisher: Some(session.index), receipt, had };
        let routed = self.route(now, organisation, message, origin, effects);
        self.property_scratch = scratch;
        routed
    }

    /// A QoS 2 message of a session that is written down; with who had it already, if it comes again after a crash.
    fn publication(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        publish: &Publish<'_>,
    ) -> Option<Publication> {
        let identifier = publish.packet_identifier.filter(|_| publish.qos == QoS::ExactlyOnce)?.get();
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(session)?;
        let key = session.key?;
        let had = session.half_taken.remove(&identifier).filter(|_| publish.dup);
        Some(Publication { key, identifier, had })
    }

    fn next_receipt(&mut self, id: ConnectionId, publication: Option<Publication>) -> Option<ReceiptAddress> {
        if self.shards == 1 {
            return None;
        }
        let number = self.connections.get(id)?.next_held();
        Some(ReceiptAddress { shard: self.shard, connection: id, number, publication })
    }

    fn answer_admitted(
        &mut self,
        id: ConnectionId,
        publish: &Publish<'_>,
        mut routed: Routed,
        effects: &mut Effects,
    ) {
        let Some(identifier) = publish.packet_identifier else { return };
        // Taken with the copies of this shard, or not before those of the others are durable: a crash in between must not
        // leave an identifier that makes the message known, and no message.
        let qos_2 = publish.qos == QoS::ExactlyOnce;
        if qos_2 && routed.receipts > 0 {
            self.write_offered(id, identifier, routed.had, effects);
        }
        let taken = qos_2 && routed.receipts == 0;
        if taken && self.write_taken(id, identifier, effects) {
            routed.ticket = Some(self.ticket(effects));
        }
        let packet_type = acknowledgement_of(publish.qos);
        let mut answer = Answer::to(packet_type, identifier);
        if !routed.matched {
            answer.reason = ReasonCode::NoMatchingSubscribers;
        }
        self.acknowledge(id, answer, routed, effects);
    }

    /// Says which message the records of other shards are about that follow.
    fn write_offered(
        &mut self,
        id: ConnectionId,
        identifier: PacketIdentifier,
        had: Option<Had>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let (organisation, session) = (connection.organisation, connection.session);
        let own = &mut self.organisations[organisation.0 as usize];
        let key = own.sessions.get_mut(session).and_then(|session| session.key);
        let (identifier, shards) = (identifier.get(), self.shards);
        // The copies of this shard are in the same submission. With another number of shards sessions are elsewhere.
        let before = had.filter(|had| had.shards == shards).map_or(0, |had| had.kept);
        let kept = before | 1 << self.shard.0;
        self.write_step(key, effects, |key| Record::Offered { key, identifier, shards, kept });
    }

    /// A PUBREC for an identifier that a crash makes forget would let the message in a second time.
    pub(crate) fn write_taken(
        &mut self,
        id: ConnectionId,
        identifier: PacketIdentifier,
        effects: &mut Effects,
    ) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let taken = (connection.organisation, connection.session, identifier.get());
        self.write_taken_of(taken, effects)
    }

    /// The same for a session without a connection; whether there was anything to write.
    pub(crate) fn write_taken_of(
        &mut self,
        (organisation, session, identifier): TakenIdentifier,
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(session);
        let key = session.filter(|session| session.awaiting_release.contains(&identifier));
        let key = key.and_then(|session| session.key);
        self.write_step(key, effects, |key| Record::Taken { key, identifier })
    }

    fn answer_refused(
        &mut self,
        id: ConnectionId,
        publish: &Publish<'_>,
        reason: ReasonCode,
        effects: &mut Effects,
    ) {
        let Some(identifier) = publish.packet_identifier else { return };
        let Some(connection) = self.connections.get(id) else { return };
        if publish.qos == QoS::ExactlyOnce && connection.version.is_v5() {
            // A PUBREC with a failure ends the exchange: the identifier is free. [MQTT5-4.3.3-9]
            let (organisation, session) = (connection.organisation, connection.session);
            if let Some(session) = self.organisations[organisation.0 as usize].sessions.get_mut(session) {
                session.awaiting_release.remove(&identifier.get());
            }
        }
        let mut answer = Answer::to(acknowledgement_of(publish.qos), identifier);
        answer.reason = reason;
        self.acknowledge(id, answer, Routed::default(), effects);
    }
}

fn acknowledgement_of(qos: QoS) -> PacketType {
    match qos {
        QoS::ExactlyOnce => PacketType::PubRec,
        _ => PacketType::PubAck,
    }
}

/// The topic of the message, before anything is asked about it. [MQTT5-3.3.2-8] [MQTT5-3.3.2-9]
/// [MQTT5-3.3.2-12]
#[inline]
fn resolve<'a>(
    connection: &mut Connection,
    publish: &'a Publish<'a>,
    alias_maximum: u16,
    scratch: &'a mut String,
) -> Result<Resolved<'a>, Violation> {
    let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else {
        let topic = publish.topic.map_or("", |topic| topic.as_str());
        return Ok(Resolved { publish, topic });
    };
    if alias > u32::from(alias_maximum) {
        return Err((ReasonCode::TopicAliasInvalid, "the topic alias is above Topic Alias Maximum"));
    }
    let aliases = &mut connection.extra().inbound_aliases;
    let index = alias as usize - 1;
    if let Some(topic) = publish.topic {
        if aliases.len() <= index {
            aliases.resize_with(index + 1, || None);
        }
        if aliases[index].as_deref() != Some(topic.as_str()) {
            aliases[index] = Some(topic.as_str().into());
        }
        return Ok(Resolved { publish, topic: topic.as_str() });
    }
    let known = aliases.get(index).and_then(|topic| topic.as_deref());
    let known = known.ok_or((ReasonCode::ProtocolError, "the topic alias was never set"))?;
    scratch.clear();
    scratch.push_str(known);
    Ok(Resolved { publish, topic: scratch })
}
