//! The match cache: Topic Name → who receives it. Telemetry repeats its topics, so a tree is walked once per
//! topic and change of the tree, not once per message.
//!
//! An entry carries the version of the tree that it was computed from. Any change of a subscription makes the
//! next message on each topic compute its route anew, into the same memory. Two generations bound the cache:
//! when the young one is full it becomes the old one, and what is not asked for again is forgotten with it. A
//! topic enters when it comes for the third time: remembering one that hardly repeats costs more than matching.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use tidegate_mqtt::QoS;

use crate::group::GroupKey;
use crate::subscription::FilterNode;
use crate::tree::{LevelTree, NameLevel, NodeId};
use ahead::{Ahead, TOPICS_AHEAD_MAX};

mod ahead;

/// The subscriptions of one organisation on one shard, and the routes computed from them.
pub(crate) struct Routes {
    tree: LevelTree<FilterNode>,
    version: u64,
    young: Generation,
    old: Generation,
    generation_bytes_max: usize,
    /// Marks of topics that are not worth remembering yet; see [`Routes::admit`].
    seen: Box<[u32]>,
    /// The route of such a topic, for the length of one message.
    passing: Route,
    /// One came by since the last look ahead.
    passed: bool,
    ahead: Ahead,
    hasher: FixedState,
    scratch: Scratch,
}

#[derive(Default)]
struct Generation {
    index: HashTable<Box<Route>>,
    bytes: usize,
}

#[derive(Default)]
struct Scratch {
    levels: Vec<NameLevel>,
    filters: Vec<NodeId>,
    found: Vec<Found>,
}

/// One matching subscription, before those of one session are merged.
#[derive(Clone, Copy)]
struct Found {
    session: u32,
    qos: QoS,
    no_local: bool,
    retain_as_published: bool,
    identifier: u32,
}

/// Who receives the messages of one topic.
#[derive(Default)]
pub(crate) struct Route {
    topic: Box<str>,
    /// Of the tree that it was computed from; 0 is none.
    version: u64,
    pub(crate) recipients: Vec<Recipient>,
    /// Subscription Identifiers of all recipients, one behind the other.
    identifiers: Vec<u32>,
    /// Shared subscriptions; each chooses one of its members.
    pub(crate) groups: Vec<GroupKey>,
    /// A bit for each other shard with subscribers.
    pub(crate) remote: u64,
    /// A bit for each other shard with durable subscribers.
    pub(crate) remote_durable: u64,
}

/// One session among the recipients, with all its matching subscriptions merged into one copy: the highest
/// QoS [MQTT5-3.3.4-2] [MQTT3-3.3.5-1] and every identifier [MQTT5-3.3.4-3].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient {
    pub(crate) session: u32,
    pub(crate) qos: QoS,
    /// The QoS for the session's own messages; `None` if all its subscriptions are No Local. [MQTT5-3.8.3-3]
    pub(crate) qos_of_own: Option<QoS>,
    pub(crate) retain_as_published: bool,
    identifiers_from: u32,
    identifiers_len: u16,
}

impl Route {
    pub(crate) fn identifiers(&self, recipient: &Recipient) -> &[u32] {
        let from = recipient.identifiers_from as usize;
        &self.identifiers[from..from + usize::from(recipient.identifiers_len)]
    }

    /// Nobody anywhere has a matching subscription.
    pub(crate) fn is_empty(&self) -> bool {
        self.recipients.is_empty() && self.groups.is_empty() && self.remote == 0
    }

    fn bytes(&self) -> usize {
        size_of::<Route>()
            + self.topic.len()
            + self.recipients.capacity() * size_of::<Recipient>()
            + self.identifiers.capacity() * size_of::<u32>()
            + self.groups.capacity() * size_of::<GroupKey>()
    }
}

impl Routes {
    /// `seed` makes the hashes unpredictable for peers, who choose the topics.
    pub(crate) fn new(seed: u64, bytes_max: usize) -> Self {
        Self {
            tree: LevelTree::new(seed),
            version: 1,
            seen: vec![0; SEEN_SLOTS].into_boxed_slice(),
            passing: Route::default(),
            passed: false,
            ahead: Ahead::default(),
            young: Generation::default(),
            old: Generation::default(),
            generation_bytes_max: bytes_max / 2,
            hasher: FixedState::with_seed(seed),
            scratch: Scratch::default(),
        }
    }

    pub(crate) fn tree(&self) -> &LevelTree<FilterNode> {
        &self.tree
    }

    /// The tree, to be changed: routes computed so far are void.
    pub(crate) fn change(&mut self) -> &mut LevelTree<FilterNode> {
        self.version += 1;
        &mut self.tree
    }

    /// What the remembered routes take, roughly.
    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> usize {
        let of = |generation: &Generation| generation.index.iter().map(|route| route.bytes()).sum::<usize>();
        of(&self.young) + of(&self.old)
    }

    /// Whether topics that the cache does not know came by lately, so that looking ahead pays.
    #[inline]
    pub(crate) fn wants_topics_ahead(&self) -> bool {
        self.passed
    }

    /// These are the topics of the next messages, as far as they are known.
    pub(crate) fn look_ahead<'t>(&mut self, topics: impl Iterator<Item = &'t [u8]>) {
        self.passed = false;
        self.ahead.begin(self.version);
        for topic in topics.take(TOPICS_AHEAD_MAX) {
            let hash = self.hasher.hash_one(topic);
            if self.young.index.find(hash, |route| route.topic.as_bytes() == topic).is_none() {
                self.ahead.push(hash, topic, &self.tree);
            }
        }
        self.ahead.search(&self.tree);
    }

    /// Who receives the messages of `topic` now.
    #[inline]
    pub(crate) fn of(&mut self, topic: &str) -> &Route {
        let hash = self.hasher.hash_one(topic.as_bytes());
        if self.young.index.find(hash, |route| *route.topic == *topic).is_none() && !self.admit(hash, topic) {
            self.passed = true;
            let (tree, scratch) = (&self.tree, &mut self.scratch);
            match self.ahead.take(self.version, hash, topic) {
                Some(filters) => collect(&mut self.passing, filters, tree, scratch),
                None => compute(&mut self.passing, topic, tree, scratch),
            }
            return &self.passing;
        }
        let (tree, version, scratch) = (&self.tree, self.version, &mut self.scratch);
        // Found once more: the borrow checker cannot see that the first find may lend the route out.
        let Some(route) = self.young.index.find_mut(hash, |route| *route.topic == *topic) else {
            return &self.passing;
        };
        if route.version != version {
            let before = route.bytes();
            compute(route, topic, tree, scratch);
            route.version = version;
            self.young.bytes = self.young.bytes.saturating_sub(before) + route.bytes();
        }
        route
    }

    /// Takes the topic into the young generation, from the old one or anew. `false`: it was not seen lately, so
    /// it is not worth remembering yet. Topics that never repeat would otherwise push out those that do.
    fn admit(&mut self, hash: u64, topic: &str) -> bool {
        if self.young.bytes > self.generation_bytes_max {
            self.old = std::mem::take(&mut self.young);
        }
        let route = match self.old.index.find_entry(hash, |route| *route.topic == *topic) {
            Ok(entry) => entry.remove().0,
            Err(_) => {
                let once = (hash >> 32) as u32 & !1 | 2;
                let mark = &mut self.seen[hash as usize % SEEN_SLOTS];
                if *mark != once | 1 {
                    *mark = if *mark == once { once | 1 } else { once };
                    return false;
                }
                Box::new(Route { topic: topic.into(), ..Route::default() })
            }
        };
        self.young.bytes += route.bytes();
        let hasher = &self.hasher;
        self.young.index.insert_unique(hash, route, |route| hasher.hash_one(route.topic.as_bytes()));
        true
    }
}

/// Marks of topics that came by once (even) or twice (odd); two that share a slot only delay each other's admission. As
/// many as the cache has room for routes: what does not come back within so many messages would not stay anyway.
const SEEN_SLOTS: usize = 16 * 1024;

/// Who receives the messages of a topic, matched from the root.
fn compute(route: &mut Route, topic: &str, tree: &LevelTree<FilterNode>, scratch: &mut Scratch) {
    let mut levels = std::mem::take(&mut scratch.levels);
    let mut filters = std::mem::take(&mut scratch.filters);
    levels.clear();
    filters.clear();
    tree.add_levels_of(topic.as_bytes(), &mut levels);
    tree.visit_filters_of(topic.as_bytes(), &levels, &mut |node| filters.push(node));
    collect(route, filters.iter().copied(), tree, scratch);
    (scratch.levels, scratch.filters) = (levels, filters);
}

/// Who receives the messages of a topic that matches these filters.
fn collect(
    route: &mut Route,
    filters: impl Iterator<Item = NodeId>,
    tree: &LevelTree<FilterNode>,
    scratch: &mut Scratch,
) {
    route.recipients.clear();
    route.identifiers.clear();
    route.groups.clear();
    (route.remote, route.remote_durable) = (0, 0);
    scratch.found.clear();
    for node in filters {
        let node = tree.value(node);
        route.remote |= node.remote();
        route.remote_durable |= node.remote_durable();
        route.groups.extend_from_slice(node.groups());
        for subscriptions in node.subscriptions() {
            scratch.found.extend(subscriptions.iter().map(|subscription| Found {
                session: subscription.session,
                qos: subscription.qos,
                no_local: subscription.no_local,
                retain_as_published: subscription.retain_as_published,
                identifier: subscription.identifier,
            }));
        }
    }
    scratch.found.sort_by_key(|found| found.session);
    for of_session in scratch.found.chunk_by(|a, b| a.session == b.session) {
        route.recipients.push(merge(of_session, &mut route.identifiers));
    }
}

/// All matching subscriptions of one session → one copy.
fn merge(found: &[Found], identifiers: &mut Vec<u32>) -> Recipient {
    let identifiers_from = identifiers.len() as u32;
    identifiers.extend(found.iter().map(|found| found.identifier).filter(|&identifier| identifier != 0));
    let mut qos = QoS::AtMostOnce;
    let mut qos_of_own = None;
    for subscription in found {
        qos = qos.max(subscription.qos);
        if !subscription.no_local {
            qos_of_own = qos_of_own.max(Some(subscription.qos));
        }
    }
    Recipient {
        session: found[0].session,
        qos,
        qos_of_own,
        retain_as_published: found.iter().any(|found| found.retain_as_published),
        identifiers_from,
        identifiers_len: (identifiers.len() as u32 - identifiers_from) as u16,
    }
}
