//! Retained messages (section 3.3.1.3): one per Topic Name, found by filter.
//!
//! A topic's retained message lives on one shard, chosen by the topic's hash, so it is stored once.

use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::identifiers::ShardId;
use crate::limits::Limits;
use crate::message::{Keepable, StoredMessage};
use crate::replay::FoundMessage;
use crate::shards::WalkFilter;
use crate::time::Now;
use crate::tree::{LevelTree, NodeId, Vacant};
use crate::usage::RetainedUsage;

#[derive(Default)]
struct Kept {
    message: Option<Arc<StoredMessage>>,
    /// The timer for its expiry; one per topic is enough, whatever is published meanwhile. A number tells it from
    /// the timer of a topic that had this node before.
    timer: Option<NonZeroU32>,
}

impl Vacant for Kept {
    fn is_vacant(&self) -> bool {
        self.message.is_none()
    }
}

/// The retained messages of one organisation that live on this shard.
pub(crate) struct Retained {
    tree: LevelTree<Kept>,
    bytes: usize,
    usage: RetainedUsage,
    last_timer: u32,
    /// Searches under way.
    walks: HashMap<WalkId, Walk, FixedState>,
}

/// A search: the shard that asked for it and the number that it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WalkId {
    pub(crate) asked_by: ShardId,
    pub(crate) number: u64,
}

/// What storing a retained message led to.
pub(crate) enum Stored {
    Done,
    /// The topic has none now; whether it had one.
    Removed(bool),
    /// It expires: call [`Retained::expire`] for this node and timer then.
    ArmTimer(NodeId, NonZeroU32, u64),
    /// The store is full.
    Full,
}

impl Retained {
    pub(crate) fn new(seed: u64, usage: RetainedUsage) -> Self {
        let walks = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { tree: LevelTree::new(seed), bytes: 0, usage, last_timer: 0, walks }
    }

    pub(crate) fn count(&self) -> usize {
        self.usage.messages.used() as usize
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next message that a client published, from a place in the store on; the place moves behind it. At most `visits`
    /// places are looked at, which are taken off.
    pub(crate) fn next_durable(
        &mut self,
        place: &mut u32,
        visits: &mut usize,
    ) -> Option<&mut Arc<StoredMessage>> {
        while *visits > 0 && self.tree.node_at(*place).is_some() {
            let node = self.tree.node_at(*place)?;
            *place += 1;
            *visits -= 1;
            let message = self.tree.value(node).message.as_ref();
            if message.is_some_and(|message| !message.as_message().topic.starts_with('$')) {
                return self.tree.value_mut(node).message.as_mut();
            }
        }
        None
    }

    /// Whether a place is behind the last.
    pub(crate) fn is_end(&self, place: u32) -> bool {
        self.tree.node_at(place).is_none()
    }

    /// How many searches are under way.
    #[cfg(test)]
    pub(crate) fn walk_count(&self) -> usize {
        self.walks.len()
    }

    /// How many nodes the tree has, the root not counted.
    #[cfg(test)]
    pub(crate) fn node_count(&self) -> usize {
        self.tree.node_count()
    }

    /// Replaces the topic's message; an empty payload removes it and is not stored itself.
    /// [MQTT5-3.3.1-5] [MQTT5-3.3.1-6] [MQTT5-3.3.1-7] [MQTT3-3.3.1-5] [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]
    pub(crate) fn store(&mut self, keep: &mut Keepable<'_>, limits: &Limits) -> Stored {
        let topic = keep.message.topic;
        if keep.message.payload.is_empty() {
            let node = self.tree.find(topic);
            return Stored::Removed(node.is_some_and(|node| self.remove(node)));
        }
        let size = keep.message.size();
        let old = self.tree.find(topic).and_then(|node| self.tree.value(node).message.as_ref());
        let old = old.map(|old| old.size());
        let (messages_max, bytes_max) =
            (limits.retained_messages_max as u64, limits.retained_bytes_max as u64);
        if old.is_none() && !self.usage.messages.take(1, messages_max) {
            return Stored::Full;
        }
        let bytes = self.bytes - old.unwrap_or(0) + size;
        if !self.usage.bytes.set(self.memory(bytes), bytes_max) {
            self.usage.messages.give(u64::from(old.is_none()));
            return Stored::Full;
        }
        self.bytes = bytes;
        let node = self.tree.insert(topic);
        self.usage.bytes.settle(self.memory(bytes));
        let kept = self.tree.value_mut(node);
        kept.message = Some(keep.stored());
        match keep.message.expires_at_ms {
            Some(at) if kept.timer.is_none() => {
                self.last_timer = self.last_timer.wrapping_add(1);
                let timer = *kept.timer.insert(NonZeroU32::new(self.last_timer).unwrap_or(NonZeroU32::MIN));
                Stored::ArmTimer(node, timer, at)
            }
            _ => Stored::Done,
        }
    }

    /// A timer of this node fired. Removes the message if it is expired; else when to look again.
    /// [MQTT5-3.3.1-5] says that an expired retained message is as good as removed.
    pub(crate) fn expire(&mut self, node: NodeId, timer: NonZeroU32, now: Now) -> Option<u64> {
        let kept = self.tree.value_mut(node);
        if kept.timer != Some(timer) {
            return None;
        }
        kept.timer = None;
        let expires_at_ms = kept.message.as_ref()?.as_message().expires_at_ms?;
        if expires_at_ms <= now.unix_ms {
            self.remove(node);
            return None;
        }
        kept.timer = Some(timer);
        Some(expires_at_ms)
    }

    /// Whether there was a message to remove.
    fn remove(&mut self, node: NodeId) -> bool {
        let Some(message) = self.tree.value_mut(node).message.take() else { return false };
        self.usage.messages.give(1);
        self.bytes -= message.size();
        let walks = &mut self.walks;
        self.tree.prune_with(node, |left, next| {
            walks.values_mut().for_each(|walk| walk.step_aside(left, next));
        });
        self.usage.bytes.settle(self.memory(self.bytes));
        true
    }

    /// Messages of `bytes` with the levels of the tree: a deep topic costs more in levels than in letters.
    fn memory(&self, bytes: usize) -> u64 {
        (bytes + self.tree.node_count() * LEVEL_BYTES) as u64
    }

    /// Begins to look for every message that matches one of `filters`, filter by filter.
    pub(crate) fn begin_walk(&mut self, id: WalkId, filters: &[WalkFilter]) {
        let filters = filters.iter().rev().cloned().collect();
        self.walks.insert(id, Walk { filters, request: 0, levels: Box::default(), stack: Vec::new() });
    }

    /// The walk is given up.
    pub(crate) fn abandon_walk(&mut self, id: WalkId) {
        self.walks.remove(&id);
    }

    /// Goes on with a walk and appends up to `count` messages, visiting at most `visits` nodes, which are taken off,
    /// so that a sparse match never holds the shard. A walk that is complete is forgotten.
    pub(crate) fn step(
        &mut self,
        id: WalkId,
        now: Now,
        count: usize,
        visits: &mut usize,
        found: &mut Vec<FoundMessage>,
    ) -> WalkState {
        let Some(walk) = self.walks.get_mut(&id) else { return WalkState::Complete };
        let end = found.len() + count;
        while *visits > 0 && found.len() < end {
            *visits -= 1;
            let Some(step) = walk.stack.pop() else {
                if !walk.begin_next(self.tree.root()) {
                    self.walks.remove(&id);
                    return WalkState::Complete;
                }
                *visits = visits.saturating_sub(VISITS_OF_A_FILTER);
                continue;
            };
            let hit = walk.advance(step, &self.tree);
            let message = hit.and_then(|node| self.tree.value(node).message.as_ref());
            let message = message.filter(|message| !message.as_message().is_expired(now));
            found.extend(message.map(|message| (walk.request, Arc::clone(message))));
        }
        WalkState::More { at: walk.request }
    }
}

/// Whether a walk has seen everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkState {
    /// It is done with the requests before this one.
    More {
        at: u32,
    },
    Complete,
}

/// A search of the tree, for one filter after the other, that can pause between nodes.
struct Walk {
    /// Those to come, the next one last.
    filters: Vec<WalkFilter>,
    /// What is searched for now.
    request: u32,
    levels: Box<[WalkLevel]>,
    stack: Vec<Step>,
}

enum WalkLevel {
    Text(Box<str>),
    Plus,
    Hash,
}

#[derive(Clone, Copy)]
enum Step {
    /// This node is matched by the levels before this depth.
    At(NodeId, usize),
    /// This child and its later siblings are matched by the `+` at this depth.
    Siblings(NodeId, usize),
    /// This child, its later siblings and everything below are matched by the `#`.
    Subtrees(NodeId, usize),
}

impl Walk {
    /// Turns to the next filter, if there is one.
    fn begin_next(&mut self, root: NodeId) -> bool {
        let Some(next) = self.filters.pop() else { return false };
        let levels = next.filter.split('/').map(|text| match text {
            "+" => WalkLevel::Plus,
            "#" => WalkLevel::Hash,
            _ => WalkLevel::Text(text.into()),
        });
        self.levels = levels.collect();
        self.stack.push(Step::At(root, 0));
        self.request = next.request;
        true
    }

    /// A leaf of the tree leaves: whoever was about to visit it goes on behind it. [`Step::At`] has nothing behind.
    fn step_aside(&mut self, left: NodeId, next: Option<NodeId>) {
        self.stack.retain_mut(|step| {
            let (node, behind) = match step {
                Step::At(node, _) => (node, None),
                Step::Siblings(node, _) | Step::Subtrees(node, _) => (node, next),
            };
            if *node != left {
                return true;
            }
            behind.map(|behind| *node = behind).is_some()
        });
    }

    /// Takes one step; the node whose message matches, if it is one.
    fn advance(&mut self, step: Step, tree: &LevelTree<Kept>) -> Option<NodeId> {
        match step {
            Step::At(node, depth) => match self.levels.get(depth) {
                None => return Some(node),
                Some(WalkLevel::Text(text)) => {
                    self.stack.extend(tree.child(node, text).map(|child| Step::At(child, depth + 1)));
                }
                Some(WalkLevel::Plus) => {
                    self.stack.extend(tree.first_child(node).map(|child| Step::Siblings(child, depth)));
                }
                Some(WalkLevel::Hash) => {
                    self.stack.extend(tree.first_child(node).map(|child| Step::Subtrees(child, depth)));
                    return Some(node);
                }
            },
            Step::Siblings(child, depth) => {
                self.stack.extend(tree.next_sibling(child).map(|next| Step::Siblings(next, depth)));
                // [MQTT5-4.7.2-1]
                if depth > 0 || !tree.text(child).starts_with('$') {
                    self.stack.push(Step::At(child, depth + 1));
                }
            }
            Step::Subtrees(child, depth) => {
                self.stack.extend(tree.next_sibling(child).map(|next| Step::Subtrees(next, depth)));
                if depth > 0 || !tree.text(child).starts_with('$') {
                    self.stack.extend(tree.first_child(child).map(|below| Step::Subtrees(below, depth + 1)));
                    return Some(child);
                }
            }
        }
        None
    }
}

/// Nodes that replays visit in one go: about a millisecond's work.
pub(crate) const VISITS_MAX: usize = 16_384;
/// What turning to a filter costs, in visits of nodes.
const VISITS_OF_A_FILTER: usize = 16;
/// Memory of one level of a topic, roughly.
const LEVEL_BYTES: usize = 64;
