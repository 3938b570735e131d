//! Who subscribed to one filter: the value at a node of the subscription tree.

use tidegate_mqtt::{QoS, SubscriptionOptions};

use crate::group::GroupKey;
use crate::identifiers::ShardId;
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

/// Everything that hangs on one filter.
#[derive(Default)]
pub(crate) struct FilterNode {
    /// Sorted by session, so that a fan-out finds one among thousands quickly.
    subscriptions: Vec<Subscription>,
    /// How many of them belong to sessions that outlive their connection.
    durable: u32,
    /// What the other shards were told last.
    pub(crate) announced: Interest,
    /// Shared subscriptions on this filter. Usually empty.
    pub(crate) groups: Vec<GroupKey>,
    /// A bit for each other shard with subscribers.
    remote: u64,
    /// A bit for each other shard with durable ones.
    remote_durable: u64,
}

impl Vacant for FilterNode {
    fn is_vacant(&self) -> bool {
        self.subscriptions.is_empty() && self.groups.is_empty() && self.remote == 0
    }
}

impl FilterNode {
    pub(crate) fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
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
        match self.position(subscription.session) {
            Ok(at) => {
                self.subscriptions[at] = subscription;
                false
            }
            Err(at) => {
                self.subscriptions.insert(at, subscription);
                self.durable += u32::from(durable);
                true
            }
        }
    }

    /// Removes; whether there was one. `durable` as it was when it was added.
    pub(crate) fn unsubscribe(&mut self, session: u32, durable: bool) -> bool {
        let Ok(at) = self.position(session) else { return false };
        self.subscriptions.remove(at);
        self.durable -= u32::from(durable);
        if self.subscriptions.is_empty() {
            self.subscriptions = Vec::new();
        }
        true
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
        match (self.durable, self.subscriptions.is_empty()) {
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

    fn position(&self, session: u32) -> Result<usize, usize> {
        // Sessions get rising numbers, so a new subscriber usually belongs at the end.
        if self.subscriptions.last().is_none_or(|last| last.session < session) {
            return Err(self.subscriptions.len());
        }
        self.subscriptions.binary_search_by_key(&session, |subscription| subscription.session)
    }
}
