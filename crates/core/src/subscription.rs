//! Who subscribed to one filter: the value at a node of the subscription tree.

use tidegate_mqtt::{QoS, SubscriptionOptions};

use crate::group::GroupKey;
use crate::identifiers::ShardId;
use crate::subscribers::Subscribers;
use crate::tree::Vacant;

/// One session's subscription to one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Slot of the session.
    pub(crate) session: u32,
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    /// 0 is none: the specification forbids 0 as an identifier. [MQTT5-3.8.2.1.2]
    pub(crate) identifier: u32,
}

impl Subscription {
    pub(crate) fn new(session: u32, options: SubscriptionOptions, identifier: u32) -> Self {
        Self {
            session,
            qos: options.qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            identifier,
        }
    }
}

/// What a subscription counts for where subscriptions are bounded: once, and once more for so many bytes and levels of
/// its filter as one subscription usually has at most. A level takes more memory than its letters.
pub(crate) fn weight(filter: &str) -> usize {
    let levels = filter.bytes().filter(|&byte| byte == b'/').count();
    1 + filter.len() / WEIGHT_BYTES + levels / WEIGHT_LEVELS
}

const WEIGHT_BYTES: usize = 256;
const WEIGHT_LEVELS: usize = 16;

impl Subscription {
    /// As the client asked for it, but for when retained messages are sent: that was done when it asked.
    pub(crate) fn options(&self) -> SubscriptionOptions {
        SubscriptionOptions {
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            ..SubscriptionOptions::of_qos(self.qos)
        }
    }
}

/// What other shards need to know about a filter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Nobody wants it.
    #[default]
    None,
    /// Somebody wants it, and no copy has to be durable.
    Live,
    /// A session that outlives its connection wants it: acknowledgements wait for its copy.
    Durable,
}

/// Everything that hangs on one filter; one line of the processor's cache, since matching a new topic in a large
/// tree costs little else than fetching these.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct FilterNode {
    subscribers: Subscribers,
    /// Shared subscriptions on this filter. Usually none, so one pointer and not three.
    #[allow(clippy::box_collection, reason = "the node is to fit one cache line")]
    groups: Option<Box<Vec<GroupKey>>>,
    /// A bit for each other shard with subscribers.
    remote: u64,
    /// A bit for each other shard with durable ones.
    remote_durable: u64,
    /// How many subscriptions belong to sessions that outlive their connection.
    durable: u32,
    /// What the other shards were told last.
    pub(crate) announced: Interest,
}

const _: () = assert!(size_of::<FilterNode>() == 64);

impl Vacant for FilterNode {
    fn is_vacant(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_none() && self.remote == 0
    }
}

impl FilterNode {
    /// All subscriptions, sorted by session, in few pieces.
    #[inline]
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &[Subscription]> {
        self.subscribers.pieces()
    }

    /// The subscription of one session.
    pub(crate) fn subscription_of(&self, session: u32) -> Option<Subscription> {
        self.subscriptions().find_map(|piece| {
            let at = piece.binary_search_by_key(&session, |subscription| subscription.session).ok()?;
            Some(piece[at])
        })
    }

    /// The shared subscriptions on this filter.
    pub(crate) fn groups(&self) -> &[GroupKey] {
        self.groups.as_ref().map_or(&[], |groups| groups)
    }

    /// Adds a group; its place, by which it is removed.
    pub(crate) fn add_group(&mut self, key: GroupKey) -> usize {
        let groups = self.groups.get_or_insert_default();
        groups.push(key);
        groups.len() - 1
    }

    /// Removes the group at a place; the one that takes the place, if one does.
    pub(crate) fn remove_group(&mut self, at: usize) -> Option<GroupKey> {
        let groups = self.groups.as_mut()?;
        groups.swap_remove(at);
        let moved = groups.get(at).copied();
        if groups.is_empty() {
            self.groups = None;
        }
        moved
    }

    pub(crate) fn remote(&self) -> u64 {
        self.remote
    }

    pub(crate) fn remote_durable(&self) -> u64 {
        self.remote_durable
    }

    /// Adds or replaces; whether it is new. A second SUBSCRIBE with the same filter replaces the first.
    /// [MQTT5-3.8.4-3] [MQTT3-3.8.4-3]
    pub(crate) fn subscribe(&mut self, subscription: Subscription, durable: bool) -> bool {
        let is_new = self.subscribers.insert(subscription);
        self.durable += u32::from(durable && is_new);
        is_new
    }

    /// Removes; whether there was one. `durable` as it was when it was added.
    pub(crate) fn unsubscribe(&mut self, session: u32, durable: bool) -> bool {
        let existed = self.subscribers.remove(session);
        self.durable -= u32::from(durable && existed);
        existed
    }

    /// A session that subscribes here began or ceased to outlive its connection.
    pub(crate) fn set_durable(&mut self, durable: bool) {
        if durable {
            self.durable += 1;
        } else {
            self.durable -= 1;
        }
    }

    /// What the other shards should know.
    pub(crate) fn interest(&self) -> Interest {
        match (self.durable, self.subscribers.is_empty()) {
            (_, true) => Interest::None,
            (0, false) => Interest::Live,
            _ => Interest::Durable,
        }
    }

    /// Another shard said what it wants.
    pub(crate) fn set_remote(&mut self, shard: ShardId, interest: Interest) {
        let bit = 1u64 << shard.0;
        self.remote &= !bit;
        self.remote_durable &= !bit;
        if interest != Interest::None {
            self.remote |= bit;
        }
        if interest == Interest::Durable {
            self.remote_durable |= bit;
        }
    }
}
