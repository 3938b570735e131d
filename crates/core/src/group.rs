//! Shared subscriptions (section 4.8.2): of all members of a group, one gets each message.
//!
//! Every shard knows the members of all shards, so the shard where a message enters chooses the one that gets
//! it, in turn; a member that is away or has its hands full is passed over while another can take it.

use std::hash::BuildHasher;
use std::num::NonZeroU64;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tidegate_mqtt::{QoS, SubscriptionOptions};

use crate::identifiers::{SessionId, ShardId};
use crate::limits::Limits;
use crate::subscription::FilterNode;
use crate::tree::{LevelTree, NodeId};

/// A group's name inside the process: the hash of filter and share name under the process's seed, so that every
/// shard gives a group the same one without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey(NonZeroU64);

impl GroupKey {
    pub(crate) fn new(seed: u64, filter: &str, share_name: &str) -> Self {
        let hash = FixedState::with_seed(seed).hash_one((filter, share_name));
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }

    /// For the log: the seed belongs to the data folder, so the key means the same after a restart.
    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn from_u64(key: u64) -> Option<Self> {
        NonZeroU64::new(key).map(Self)
    }
}

/// One session in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where its session lives.
    pub(crate) shard: ShardId,
    /// Its session there.
    pub(crate) session: SessionId,
    /// The highest QoS it wants.
    pub(crate) qos: QoS,
    /// Its Subscription Identifier; 0 is none.
    pub(crate) identifier: u32,
    /// Whether it sees the RETAIN flag as it was published.
    pub(crate) retain_as_published: bool,
    /// Whether its client is connected.
    pub(crate) connected: bool,
    /// Whether its session outlives its connection.
    pub(crate) durable: bool,
}

impl Member {
    /// As the client asked for it.
    pub(crate) fn options(&self) -> SubscriptionOptions {
        SubscriptionOptions {
            retain_as_published: self.retain_as_published,
            ..SubscriptionOptions::of_qos(self.qos)
        }
    }
}

/// The members of one share name on one filter.
pub(crate) struct Group {
    node: NodeId,
    /// Its place in the node's list: very many share names may be on one filter.
    place: usize,
    pub(crate) filter: Box<str>,
    pub(crate) share_name: Box<str>,
    /// Those whose client is connected come first.
    members: Vec<Member>,
    connected: usize,
    /// Whose turn it is.
    next: usize,
}

impl Group {
    /// The members, beginning with the one whose turn it is, those that are away last; the turn passes on. Of very
    /// many only some, so that a message costs no more however many have their hands full.
    pub(crate) fn in_turn(&mut self) -> impl Iterator<Item = &Member> {
        let turn = self.next;
        self.next = turn.wrapping_add(1);
        let (connected, away) = self.members.split_at(self.connected);
        let from_turn = |members: &'_ [Member]| turn % members.len().max(1);
        let (later, first) = connected.split_at(from_turn(connected));
        let (later_away, first_away) = away.split_at(from_turn(away));
        let connected = first.iter().chain(later).take(MEMBERS_TRIED_MAX);
        connected.chain(first_away.iter().chain(later_away).take(MEMBERS_TRIED_MAX))
    }
}

/// A member's name: its group, its shard and its session there.
type MemberKey = (GroupKey, ShardId, SessionId);

/// The groups of one organisation, as one shard knows them.
#[derive(Default)]
pub(crate) struct Groups {
    by_key: HashMap<GroupKey, Group, FixedState>,
    /// Where each member stands in its group: very many sessions may be in one.
    places: HashMap<MemberKey, u32, FixedState>,
}

impl Groups {
    /// The filter of a shared subscription, with its prefix, and what one member asked for.
    pub(crate) fn membership(
        &self,
        key: GroupKey,
        (shard, session): (ShardId, SessionId),
    ) -> Option<(String, Member)> {
        let at = *self.places.get(&(key, shard, session))? as usize;
        let group = self.by_key.get(&key)?;
        Some((format!("$share/{}/{}", group.share_name, group.filter), group.members[at]))
    }

    pub(crate) fn get_mut(&mut self, key: GroupKey) -> Option<&mut Group> {
        self.by_key.get_mut(&key)
    }

    /// How many groups there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether a group exists or may be made. Every shard knows the groups of all, so the bounds hold for all shards
    /// together; two that make groups in the same moment may exceed them by those.
    pub(crate) fn may_have(
        &self,
        tree: &LevelTree<FilterNode>,
        key: GroupKey,
        filter: &str,
        limits: &Limits,
    ) -> bool {
        if self.by_key.contains_key(&key) {
            return true;
        }
        let on_filter = tree.find(filter).map_or(0, |node| tree.value(node).groups().len());
        self.by_key.len() < limits.share_names_per_organisation_max
            && on_filter < limits.share_names_per_filter_max
    }

    /// Adds or replaces a member.
    pub(crate) fn join(
        &mut self,
        tree: &mut LevelTree<FilterNode>,
        key: GroupKey,
        (filter, share_name): (&str, &str),
        member: Member,
    ) {
        let group = self.by_key.entry(key).or_insert_with(|| {
            let node = tree.insert(filter);
            let place = tree.value_mut(node).add_group(key);
            let (filter, share_name) = (filter.into(), share_name.into());
            Group { node, place, filter, share_name, members: Vec::new(), connected: 0, next: 0 }
        });
        let at = *self.places.entry((key, member.shard, member.session)).or_insert_with(|| {
            group.members.push(Member { connected: false, ..member });
            (group.members.len() - 1) as u32
        });
        self.replace(key, at as usize, member);
    }

    /// A member's client came or went, or asked for another expiry; the group and what the member is now.
    pub(crate) fn set_presence(
        &mut self,
        key: GroupKey,
        (shard, session): (ShardId, SessionId),
        connected: bool,
        durable: bool,
    ) -> Option<(&Group, Member)> {
        let at = *self.places.get(&(key, shard, session))? as usize;
        let member = Member { connected, durable, ..self.by_key.get(&key)?.members[at] };
        self.replace(key, at, member);
        Some((self.by_key.get(&key)?, member))
    }

    /// Removes a member, and the group with its last one; whether it was there.
    pub(crate) fn leave(
        &mut self,
        tree: &mut LevelTree<FilterNode>,
        key: GroupKey,
        shard: ShardId,
        session: SessionId,
    ) -> bool {
        let Some(at) = self.places.get(&(key, shard, session)).map(|&at| at as usize) else { return false };
        let Some(group) = self.by_key.get(&key) else { return false };
        // Behind those that are connected, then to the end.
        let away = Member { connected: false, ..group.members[at] };
        let last = group.members.len() - 1;
        let at = self.replace(key, at, away);
        self.swap(key, at, last);
        self.places.remove(&(key, shard, session));
        let Some(group) = self.by_key.get_mut(&key) else { return false };
        group.members.pop();
        if group.members.is_empty() {
            let (node, place) = (group.node, group.place);
            self.by_key.remove(&key);
            let moved = tree.value_mut(node).remove_group(place);
            if let Some(group) = moved.and_then(|moved| self.by_key.get_mut(&moved)) {
                group.place = place;
            }
            tree.prune(node);
        }
        true
    }

    /// Replaces the member at a place and keeps the connected ones in front; its place then.
    fn replace(&mut self, key: GroupKey, at: usize, member: Member) -> usize {
        let Some(group) = self.by_key.get_mut(&key) else { return at };
        let was_connected = std::mem::replace(&mut group.members[at], member).connected;
        let to = match (was_connected, member.connected) {
            (true, false) => group.connected - 1,
            (false, true) => group.connected,
            _ => return at,
        };
        group.connected = if member.connected { to + 1 } else { to };
        self.swap(key, at, to);
        to
    }

    fn swap(&mut self, key: GroupKey, one: usize, other: usize) {
        let Some(group) = self.by_key.get_mut(&key) else { return };
        group.members.swap(one, other);
        for at in [one, other] {
            let member = &group.members[at];
            self.places.insert((key, member.shard, member.session), at as u32);
        }
    }
}

/// Members that are looked at for one message before a busy one has to wait for it: one that is free is usually among
/// the first.
const MEMBERS_TRIED_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn member(session: u32, connected: bool) -> Member {
        Member {
            shard: ShardId(0),
            session: SessionId { index: session, generation: 0 },
            qos: QoS::AtLeastOnce,
            identifier: 0,
            retain_as_published: false,
            connected,
            durable: true,
        }
    }

    fn in_turn(groups: &mut Groups, key: GroupKey) -> Vec<u32> {
        groups.get_mut(key).unwrap().in_turn().map(|member| member.session.index).collect()
    }

    #[test]
    fn members_take_turns_and_those_that_are_away_come_last_however_they_come_and_go() {
        let mut tree = LevelTree::new(1);
        let mut groups = Groups::default();
        let key = GroupKey::new(1, "t", "g");
        let names = ("t", "g");
        for session in 0..4 {
            groups.join(&mut tree, key, names, member(session, true));
        }
        assert_eq!(in_turn(&mut groups, key), [0, 1, 2, 3]);
        assert_eq!(in_turn(&mut groups, key), [1, 2, 3, 0]);
        let id = |session| (ShardId(0), member(session, true).session);
        assert!(groups.set_presence(key, id(1), false, true).is_some_and(|(_, member)| !member.connected));
        assert_eq!(in_turn(&mut groups, key).last(), Some(&1));
        groups.join(&mut tree, key, names, member(1, true));
        groups.join(&mut tree, key, names, member(2, false));
        assert!(groups.leave(&mut tree, key, ShardId(0), member(0, true).session));
        assert!(!groups.leave(&mut tree, key, ShardId(0), member(0, true).session));
        let mut order = in_turn(&mut groups, key);
        assert_eq!(order.pop(), Some(2));
        order.sort_unstable();
        assert_eq!(order, [1, 3]);
        for session in 1..4 {
            assert!(groups.leave(&mut tree, key, ShardId(0), member(session, true).session));
        }
        assert_eq!((groups.len(), groups.places.len(), tree.node_count()), (0, 0, 0));
    }

    #[test]
    fn a_hundred_thousand_members_come_and_go_in_linear_time_and_a_message_looks_at_few() {
        let mut tree = LevelTree::new(1);
        let mut groups = Groups::default();
        let key = GroupKey::new(1, "t", "g");
        for session in 0..100_000 {
            groups.join(&mut tree, key, ("t", "g"), member(session, session % 2 == 0));
        }
        for _ in 0..10_000 {
            assert_eq!(in_turn(&mut groups, key).len(), 2 * MEMBERS_TRIED_MAX);
        }
        for session in 0..100_000 {
            assert!(groups.leave(&mut tree, key, ShardId(0), member(session, true).session));
        }
        assert_eq!(groups.len(), 0);
    }
}
