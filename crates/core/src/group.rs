//! Shared subscriptions (section 4.8.2): of all members of a group, one gets each message.
//!
//! Every shard knows the members of all shards, so the shard where a message enters chooses the one that gets
//! it, in turn; a member that is away or has its hands full is passed over while another can take it.

use std::hash::BuildHasher;
use std::num::NonZeroU64;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tidegate_mqtt::QoS;

use crate::identifiers::{SessionId, ShardId};
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

/// The members of one share name on one filter.
pub(crate) struct Group {
    node: NodeId,
    /// Its place in the node's list: very many share names may be on one filter.
    place: usize,
    pub(crate) filter: Box<str>,
    pub(crate) share_name: Box<str>,
    members: Vec<Member>,
    /// Whose turn it is.
    next: usize,
}

impl Group {
    /// The members, beginning with the one whose turn it is; the turn passes on.
    pub(crate) fn in_turn(&mut self) -> impl Iterator<Item = &Member> {
        let start = self.next % self.members.len().max(1);
        self.next = start + 1;
        let (before, from) = self.members.split_at(start);
        from.iter().chain(before)
    }

    fn position(&self, shard: ShardId, session: SessionId) -> Option<usize> {
        self.members.iter().position(|member| member.shard == shard && member.session == session)
    }

    /// The member of a session.
    pub(crate) fn member_mut(&mut self, shard: ShardId, session: SessionId) -> Option<&mut Member> {
        self.position(shard, session).map(|at| &mut self.members[at])
    }
}

/// The groups of one organisation, as one shard knows them.
#[derive(Default)]
pub(crate) struct Groups {
    by_key: HashMap<GroupKey, Group, FixedState>,
}

impl Groups {
    pub(crate) fn get_mut(&mut self, key: GroupKey) -> Option<&mut Group> {
        self.by_key.get_mut(&key)
    }

    /// How many groups there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
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
            Group { node, place, filter, share_name, members: Vec::new(), next: 0 }
        });
        match group.position(member.shard, member.session) {
            Some(at) => group.members[at] = member,
            None => group.members.push(member),
        }
    }

    /// Removes a member, and the group with its last one; whether it was there.
    pub(crate) fn leave(
        &mut self,
        tree: &mut LevelTree<FilterNode>,
        key: GroupKey,
        shard: ShardId,
        session: SessionId,
    ) -> bool {
        let Some(group) = self.by_key.get_mut(&key) else { return false };
        let Some(at) = group.position(shard, session) else { return false };
        group.members.remove(at);
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
}
