//! SUBSCRIBE (section 3.8): filters into the tree, word to the other shards, SUBACK, retained messages.
//!
//! SUBACK leaves when every other shard knows the new filters, so that what is published anywhere after the
//! client has seen it is delivered.

use std::collections::VecDeque;

use tidegate_mqtt::{
    Packet, PropertyId, ReasonCode, ReasonList, RetainHandling, SharedFilter, Subscribe, SubscribeEntry,
    TopicFilter, Version,
};
use tidegate_observe::Counters;

use crate::core::Core;
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::group::{GroupKey, Member};
use crate::identifiers::{ConnectionId, OrganisationId, SessionId, Ticket};
use crate::limits::Limits;
use crate::organisation::Organisation;
use crate::replay::ReplayRequest;
use crate::session::Session;
use crate::shards::ShardMessage;
use crate::subscription::{Subscription, weight};
use crate::time::Now;
use crate::tree::NodeId;
use crate::usage::Usage;

/// Barriers that this shard sent to the others, and SUBACKs that wait for them.
#[derive(Default)]
pub(crate) struct Barriers {
    /// Number of the last barrier sent.
    sent: u64,
    /// For each barrier that is not complete, from the oldest: how many shards have not reached it.
    open: VecDeque<u16>,
    waiting: VecDeque<WaitingSubAck>,
}

impl Barriers {
    /// Takes out the SUBACKs whose subscriptions cannot be made durable; whose they are.
    pub(crate) fn take_failed(&mut self, up_to: Ticket) -> Vec<ConnectionId> {
        let failed = |waiting: &WaitingSubAck| waiting.ticket.is_some_and(|ticket| ticket <= up_to);
        let connections =
            self.waiting.iter().filter(|waiting| failed(waiting)).map(|waiting| waiting.connection);
        let connections = connections.collect();
        self.waiting.retain(|waiting| !failed(waiting));
        connections
    }
}

struct WaitingSubAck {
    barrier: u64,
    connection: ConnectionId,
    /// The subscriptions must be durable before.
    ticket: Option<Ticket>,
    packet: Vec<u8>,
    replays: Vec<ReplayRequest>,
}

/// What a SUBSCRIBE led to, filter by filter.
#[derive(Default)]
struct Outcome {
    codes: Vec<u8>,
    replays: Vec<ReplayRequest>,
    announced: bool,
    /// Something was written down.
    recorded: bool,
}

/// Who subscribes.
#[derive(Clone, Copy)]
struct Subscriber {
    organisation: OrganisationId,
    session: SessionId,
    version: Version,
    identifier: u32,
}

impl Core {
    pub(crate) fn on_subscribe(
        &mut self,
        now: Now,
        id: ConnectionId,
        subscribe: &Subscribe<'_>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let subscriber = Subscriber {
            organisation: connection.organisation,
            session: connection.session,
            version: connection.version,
            identifier: subscribe.properties.number(PropertyId::SubscriptionIdentifier).unwrap_or(0),
        };
        if let Err((reason, text)) = self.check_filters(subscribe) {
            return self.violate(now, id, reason, text, effects);
        }
        let mut outcome = Outcome::default();
        for (position, entry) in subscribe.filters.iter().enumerate() {
            let reason = if position < self.limits.filters_per_subscribe_max {
                self.subscribe_one(subscriber, entry, &mut outcome, effects)
            } else {
                ReasonCode::QuotaExceeded
            };
            outcome.codes.push(suback_code(reason, subscriber.version));
        }
        if outcome.announced {
            self.send_barrier(effects);
        }
        if !outcome.replays.is_empty() {
            self.expect_replays(subscriber.organisation, subscriber.session, outcome.replays.len());
        }
        let list = ReasonList {
            packet_identifier: subscribe.packet_identifier,
            properties: Default::default(),
            codes: &outcome.codes,
        };
        let mut packet = Vec::new();
        Packet::SubAck(list).encode(subscriber.version, &mut packet);
        // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]: what the client cannot take is as good as sent.
        if self.connections.get(id).is_some_and(|client| packet.len() > client.packet_bytes_max as usize) {
            packet.clear();
        }
        let (barrier, replays) = (self.barriers.sent, outcome.replays);
        let ticket = outcome.recorded.then(|| self.ticket(effects));
        let waiting = WaitingSubAck { barrier, connection: id, ticket, packet, replays };
        self.barriers.waiting.push_back(waiting);
        self.release_subacks(now, effects);
    }

    /// The whole packet is looked at before any of it is done.
    fn check_filters(&self, subscribe: &Subscribe<'_>) -> Result<(), (ReasonCode, &'static str)> {
        if subscribe.properties.user_property_count() > self.limits.user_properties_max {
            return Err((
                ReasonCode::QuotaExceeded,
                "the packet has more user properties than this server takes",
            ));
        }
        for entry in subscribe.filters.iter() {
            match SharedFilter::parse(entry.filter) {
                Some(Err(invalid)) => return Err((ReasonCode::MalformedPacket, invalid.0)),
                // [MQTT5-3.8.3-4]
                Some(Ok(_)) if entry.options.no_local => {
                    return Err((ReasonCode::ProtocolError, "No Local is set on a shared subscription"));
                }
                Some(Ok(_)) => {}
                // [MQTT5-4.7.1-1] [MQTT5-4.7.1-2] [MQTT3-4.7.1-2] [MQTT3-4.7.1-3]
                None => {
                    TopicFilter::new(entry.filter)
                        .map_err(|invalid| (ReasonCode::MalformedPacket, invalid.0))?;
                }
            }
        }
        Ok(())
    }

    fn subscribe_one(
        &mut self,
        subscriber: Subscriber,
        entry: SubscribeEntry<'_>,
        outcome: &mut Outcome,
        effects: &mut Effects,
    ) -> ReasonCode {
        let shared = SharedFilter::parse(entry.filter).and_then(Result::ok);
        let filter = shared.map_or(entry.filter, |shared| shared.filter.as_str());
        if filter.split('/').count() > self.limits.topic_levels_max {
            return ReasonCode::TopicFilterInvalid;
        }
        let granted = match entry.options.qos {
            tidegate_mqtt::QoS::AtMostOnce => ReasonCode::Success,
            tidegate_mqtt::QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            tidegate_mqtt::QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        };
        let done = match shared {
            Some(shared) => {
                self.join(subscriber, shared, entry, effects).map(|told| outcome.announced |= told)
            }
            None => self.subscribe_plain(subscriber, entry, outcome, effects),
        };
        if done.is_ok() {
            outcome.recorded |= self.write_subscribed(subscriber, entry, effects);
        }
        done.map_or_else(|refused| refused, |()| granted)
    }

    fn write_subscribed(
        &mut self,
        subscriber: Subscriber,
        entry: SubscribeEntry<'_>,
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[subscriber.organisation.0 as usize];
        let key = own.sessions.get_mut(subscriber.session).and_then(|session| session.key);
        let Some(key) = key else { return false };
        let (filter, options) = (entry.filter, entry.options.as_u8());
        let identifier = subscriber.identifier;
        self.recorder(effects).write(&Record::Subscribed { key, filter, options, identifier });
        true
    }

    fn subscribe_plain(
        &mut self,
        subscriber: Subscriber,
        entry: SubscribeEntry<'_>,
        outcome: &mut Outcome,
        effects: &mut Effects,
    ) -> Result<(), ReasonCode> {
        let limits = &self.limits;
        let Organisation { sessions, routes, usage, counters, .. } =
            &mut self.organisations[subscriber.organisation.0 as usize];
        let session = sessions.get_mut(subscriber.session).ok_or(ReasonCode::UnspecifiedError)?;
        let tree = routes.change();
        let node = tree.insert(entry.filter);
        let is_new = !session.subscriptions.contains(&node);
        let replay = match entry.options.retain_handling {
            RetainHandling::SendAtSubscribe => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        let under_way = session.replay.as_ref().map_or(0, |replay| replay.request_count());
        let may_replay = !replay || under_way + outcome.replays.len() < limits.replays_per_session_max;
        if !may_replay || (is_new && !may_subscribe(session, entry.filter, (usage, counters), limits)) {
            tree.prune(node);
            return Err(ReasonCode::QuotaExceeded);
        }
        let subscription = Subscription::new(subscriber.session.index, entry.options, subscriber.identifier);
        tree.value_mut(node).subscribe(subscription, session.is_durable());
        session.subscriptions.insert(node);
        outcome.announced |= self.announce(subscriber.organisation, node, entry.filter, effects);
        if replay {
            let filter = (entry.filter, node);
            let request = ReplayRequest::new(self.seed, filter, entry.options.qos, subscriber.identifier);
            outcome.replays.push(request);
        }
        Ok(())
    }

    /// Retained messages are not sent to shared subscriptions (4.8.2). Whether the other shards had to be told.
    fn join(
        &mut self,
        subscriber: Subscriber,
        shared: SharedFilter<'_>,
        entry: SubscribeEntry<'_>,
        effects: &mut Effects,
    ) -> Result<bool, ReasonCode> {
        let filter = shared.filter.as_str();
        let key = GroupKey::new(self.seed, filter, shared.share_name);
        let (shard, limits) = (self.shard, &self.limits);
        let Organisation { sessions, groups, routes, usage, counters, .. } =
            &mut self.organisations[subscriber.organisation.0 as usize];
        let session = sessions.get_mut(subscriber.session).ok_or(ReasonCode::UnspecifiedError)?;
        if !session.groups.contains(&key) {
            let may = groups.may_have(routes.tree(), key, filter, limits);
            if !may || !may_subscribe(session, entry.filter, (usage, counters), limits) {
                return Err(ReasonCode::QuotaExceeded);
            }
            session.groups.insert(key);
            counters.shared_subscriptions += 1;
        }
        let member = Member {
            shard,
            session: subscriber.session,
            qos: entry.options.qos,
            identifier: subscriber.identifier,
            retain_as_published: entry.options.retain_as_published,
            connected: true,
            durable: session.is_durable(),
        };
        groups.join(routes.change(), key, (filter, shared.share_name), member);
        for other in self.other_shards() {
            effects.to(other).push(ShardMessage::Join {
                organisation: subscriber.organisation,
                filter: filter.into(),
                share_name: shared.share_name.into(),
                member,
            });
        }
        Ok(self.shards > 1)
    }

    /// Tells the other shards what this one wants of a filter, if they do not know; whether they did not.
    pub(crate) fn announce(
        &mut self,
        organisation: OrganisationId,
        node: NodeId,
        filter: &str,
        effects: &mut Effects,
    ) -> bool {
        if self.shards == 1 {
            return false;
        }
        let own = &mut self.organisations[organisation.0 as usize];
        let value = own.routes.change().value_mut(node);
        let interest = value.interest();
        if std::mem::replace(&mut value.announced, interest) == interest {
            return false;
        }
        for shard in self.other_shards() {
            let filter = filter.into();
            effects.to(shard).push(ShardMessage::Interest { organisation, filter, interest });
        }
        true
    }

    /// Brings all memberships of a session up to date on every shard: its client came, went, or asked for
    /// another expiry.
    pub(crate) fn update_memberships(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) {
        let shard = self.shard;
        let others: Vec<_> = self.other_shards().collect();
        let Organisation { sessions, groups, .. } = &mut self.organisations[organisation.0 as usize];
        let Some(session) = sessions.get_mut(session) else { return };
        for &key in &session.groups {
            let (connected, durable) = (session.connection.is_some(), session.is_durable());
            let changed = groups.set_presence(key, (shard, session.id), connected, durable);
            let Some((group, member)) = changed else { continue };
            for &other in &others {
                effects.to(other).push(ShardMessage::Join {
                    organisation,
                    filter: group.filter.clone(),
                    share_name: group.share_name.clone(),
                    member,
                });
            }
        }
    }

    fn send_barrier(&mut self, effects: &mut Effects) {
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

/// Takes one subscription more of what the session and its organisation may have.
fn may_subscribe(
    session: &mut Session,
    filter: &str,
    (usage, counters): (&mut Usage, &mut Counters),
    limits: &Limits,
) -> bool {
    let weight = weight(filter);
    let organisation_max = limits.subscriptions_per_organisation_max as u64;
    let may = session.weight + weight <= limits.filters_per_session_max
        && usage.subscriptions.take(weight as u64, organisation_max);
    if may {
        session.weight += weight;
        counters.subscriptions += 1;
    }
    may
}

/// The byte of SUBACK. 3.1.1 knows one failure [MQTT3-3.9.3-2]; 3.1 knows none, so it is granted QoS 0 and,
/// not being subscribed, gets nothing.
fn suback_code(reason: ReasonCode, version: Version) -> u8 {
    match version {
        Version::V5 => reason.as_u8(),
        Version::V311 if reason.is_failure() => 0x80,
        Version::V31 if reason.is_failure() => 0,
        _ => reason.as_u8(),
    }
}
