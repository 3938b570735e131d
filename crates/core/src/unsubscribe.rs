//! UNSUBSCRIBE (section 3.10), and what a session that ends leaves behind.

use tidegate_mqtt::{Packet, ReasonCode, ReasonList, SharedFilter, TopicFilter, Unsubscribe};
use tidegate_observe::Counters;

use crate::core::Core;
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::group::GroupKey;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::organisation::Organisation;
use crate::session::Session;
use crate::shards::ShardMessage;
use crate::subscription::weight;
use crate::time::Now;
use crate::tree::NodeId;
use crate::usage::Usage;

impl Core {
    pub(crate) fn on_unsubscribe(
        &mut self,
        now: Now,
        id: ConnectionId,
        unsubscribe: &Unsubscribe<'_>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let (organisation, session) = (connection.organisation, connection.session);
        for filter in unsubscribe.filters.iter() {
            let legal = match SharedFilter::parse(filter) {
                Some(shared) => shared.map(|_| ()),
                None => TopicFilter::new(filter).map(|_| ()),
            };
            if let Err(invalid) = legal {
                return self.violate(now, id, ReasonCode::MalformedPacket, invalid.0, effects);
            }
        }
        let mut recorded = false;
        let mut codes = Vec::with_capacity(unsubscribe.filters.count());
        for filter in unsubscribe.filters.iter() {
            // Filters are compared character by character. [MQTT5-3.10.4-1] [MQTT3-3.10.4-1]
            let existed = match SharedFilter::parse(filter).and_then(Result::ok) {
                Some(shared) => {
                    let key = GroupKey::new(self.seed, shared.filter.as_str(), shared.share_name);
                    self.leave_group(organisation, session, (filter, key), effects)
                }
                None => self.unsubscribe_plain(organisation, session, filter, effects),
            };
            let own = &mut self.organisations[organisation.0 as usize];
            if existed && let Some(key) = own.sessions.get_mut(session).and_then(|session| session.key) {
                self.recorder(effects).write(&Record::Unsubscribed { key, filter });
                recorded = true;
            }
            let reason = if existed { ReasonCode::Success } else { ReasonCode::NoSubscriptionExisted };
            codes.push(reason.as_u8());
        }
        let list = ReasonList {
            packet_identifier: unsubscribe.packet_identifier,
            properties: Default::default(),
            codes: &codes,
        };
        let own = &mut self.organisations[organisation.0 as usize];
        let key = own.sessions.get_mut(session).and_then(|session| session.key);
        let ticket = match recorded {
            true => Some(self.ticket(effects)),
            // The same may have been asked for on an earlier connection.
            false => key.and_then(|_| self.ticket_of_repeated(effects)),
        };
        match ticket {
            Some(ticket) => self.hold_unsuback(now, id, (&Packet::UnsubAck(list), ticket), effects),
            None => self.send(id, &Packet::UnsubAck(list), effects),
        }
    }

    fn unsubscribe_plain(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        filter: &str,
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(node) = own.routes.tree().find(filter) else { return false };
        let Some(session) = own.sessions.get_mut(session) else { return false };
        if !session.subscriptions.remove(&node) {
            return false;
        }
        if let Some(replay) = &mut session.replay {
            replay.unsubscribed = true;
        }
        give_back(session, filter, &mut own.usage, &mut own.counters);
        let (index, durable) = (session.id.index, session.is_durable());
        self.remove_subscription(organisation, node, filter, index, durable, effects);
        true
    }

    fn remove_subscription(
        &mut self,
        organisation: OrganisationId,
        node: NodeId,
        filter: &str,
        session: u32,
        durable: bool,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        own.routes.change().value_mut(node).unsubscribe(session, durable);
        self.announce(organisation, node, filter, effects);
        self.organisations[organisation.0 as usize].routes.change().prune(node);
    }

    fn leave_group(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        (filter, key): (&str, GroupKey),
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return false };
        if !session.groups.remove(&key) {
            return false;
        }
        give_back(session, filter, &mut own.usage, &mut own.counters);
        own.counters.shared_subscriptions -= 1;
        let id = session.id;
        self.remove_member(organisation, id, key, effects)
    }

    fn remove_member(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        key: GroupKey,
        effects: &mut Effects,
    ) -> bool {
        let shard = self.shard;
        let others: Vec<_> = self.other_shards().collect();
        let Organisation { routes, groups, .. } = &mut self.organisations[organisation.0 as usize];
        let Some(group) = groups.get_mut(key) else { return false };
        for other in others {
            let (filter, share_name) = (group.filter.clone(), group.share_name.clone());
            effects.to(other).push(ShardMessage::Leave { organisation, filter, share_name, session });
        }
        groups.leave(routes.change(), key, shard, session)
    }

    /// Takes a session that is already closed out of every filter and group.
    pub(crate) fn forget_subscriptions(
        &mut self,
        organisation: OrganisationId,
        session: &Session,
        effects: &mut Effects,
    ) {
        for &node in &session.subscriptions {
            let filter = match self.shards {
                1 => String::new(),
                _ => self.organisations[organisation.0 as usize].routes.tree().path(node),
            };
            let (index, durable) = (session.id.index, session.is_durable());
            self.remove_subscription(organisation, node, &filter, index, durable, effects);
        }
        for &key in &session.groups {
            self.remove_member(organisation, session.id, key, effects);
        }
        let own = &mut self.organisations[organisation.0 as usize];
        own.usage.subscriptions.give(session.weight as u64);
        own.counters.subscriptions -= (session.subscriptions.len() + session.groups.len()) as u64;
        own.counters.shared_subscriptions -= session.groups.len() as u64;
    }

    /// The session began or ceased to outlive its connection: the other shards must know whether its copies
    /// have to be durable.
    pub(crate) fn set_subscriptions_durable(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        durable: bool,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return };
        let nodes: Vec<NodeId> = session.subscriptions.iter().copied().collect();
        for node in nodes {
            let tree = self.organisations[organisation.0 as usize].routes.change();
            tree.value_mut(node).set_durable(durable);
            let filter = tree.path(node);
            self.announce(organisation, node, &filter, effects);
        }
    }
}

/// A session has one subscription less.
fn give_back(session: &mut Session, filter: &str, usage: &mut Usage, counters: &mut Counters) {
    let weight = weight(filter);
    session.weight -= weight;
    usage.subscriptions.give(weight as u64);
    counters.subscriptions -= 1;
}
