//! SUBSCRIBE (section 3.8): filters into the tree, word to the other shards, SUBACK, retained messages.
//!
//! SUBACK leaves when every other shard knows the new filters, so that what is published anywhere after the
//! client has seen it is delivered.

use tidegate_mqtt::{
    Packet, PropertyId, QoS, ReasonCode, ReasonList, RetainHandling, SharedFilter, Subscribe, SubscribeEntry,
    TopicFilter, Version,
};
use tidegate_observe::Counters;

use crate::core::Core;
use crate::durable::record::{AWAITS_RETAINED, Record};
use crate::effects::Effects;
use crate::group::{GroupKey, Member};
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::limits::Limits;
use crate::organisation::Organisation;
use crate::replay::ReplayRequest;
use crate::session::Session;
use crate::shards::ShardMessage;
use crate::subscription::{Subscription, weight};
use crate::time::Now;
use crate::tree::NodeId;
use crate::usage::Usage;

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
        let ticket = outcome.recorded.then(|| self.ticket(effects));
        self.hold_until_known(now, id, (packet, outcome.replays), ticket, effects);
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
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        };
        let replays = outcome.replays.len();
        let done = match shared {
            Some(shared) => {
                self.join(subscriber, shared, entry, effects).map(|told| outcome.announced |= told)
            }
            None => self.subscribe_plain(subscriber, entry, outcome, effects),
        };
        if done.is_ok() {
            let awaits_retained = outcome.replays.len() > replays && entry.options.qos > QoS::AtMostOnce;
            let options = entry.options.as_u8() | if awaits_retained { AWAITS_RETAINED } else { 0 };
            outcome.recorded |= self.write_subscribed(subscriber, (entry.filter, options), effects);
        }
        done.map_or_else(|refused| refused, |()| granted)
    }

    fn write_subscribed(
        &mut self,
        subscriber: Subscriber,
        (filter, options): (&str, u8),
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[subscriber.organisation.0 as usize];
        let key = own.sessions.get_mut(subscriber.session).and_then(|session| session.key);
        let Some(key) = key else { return false };
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
