//! Matches the topics of one read together. A topic that does not repeat costs a handful of visits to main memory,
//! each of which waits for the one before; those of different topics wait side by side when they are asked for
//! together.
//!
//! What is found is only a hint of where to look: a change of the tree makes it void, and a message whose topic is
//! not here is matched when its turn comes.

use crate::subscription::FilterNode;
use crate::tree::{LevelTree, NameLevel, NodeId};

/// The topics of one read that the cache does not know, and the filters that match them.
#[derive(Default)]
pub(super) struct Ahead {
    /// Of the tree that the filters were found in.
    version: u64,
    /// The topics, one behind the other.
    names: Vec<u8>,
    levels: Vec<NameLevel>,
    looks: Vec<Look>,
    /// Messages come in the order of the read: what lies before was used or will not be.
    next: usize,
}

/// One topic on its way down the tree.
struct Look {
    hash: u64,
    name_from: u32,
    name_to: u32,
    levels_from: u32,
    levels_to: u32,
    /// Where the levels so far lead to.
    frontier: Few,
    found: Few,
    /// A node that the frontier may lead to.
    guess: u32,
}

/// A few nodes; most topics match one filter or two.
#[derive(Clone, Copy)]
struct Few {
    nodes: [NodeId; FEW],
    len: u8,
}

impl Ahead {
    pub(super) fn begin(&mut self, version: u64) {
        self.version = version;
        self.names.clear();
        self.levels.clear();
        self.looks.clear();
        self.next = 0;
    }

    pub(super) fn push(&mut self, hash: u64, name: &[u8], tree: &LevelTree<FilterNode>) {
        let (name_from, levels_from) = (self.names.len() as u32, self.levels.len() as u32);
        self.names.extend_from_slice(name);
        tree.add_levels_of(name, &mut self.levels);
        self.looks.push(Look {
            hash,
            name_from,
            name_to: self.names.len() as u32,
            levels_from,
            levels_to: self.levels.len() as u32,
            frontier: Few::of(tree.root()),
            found: Few::none(tree.root()),
            guess: 0,
        });
    }

    /// Takes all topics down the tree, level by level. At each level all look at the places of memory that they need
    /// before the first of them waits for what is there.
    pub(super) fn search(&mut self, tree: &LevelTree<FilterNode>) {
        let Self { names, levels, looks, .. } = self;
        let mut touched = 0u64;
        for depth in 0.. {
            let mut done = true;
            for look in looks.iter_mut().filter(|look| look.frontier.len > 0) {
                done = false;
                if let Some(level) = levels[look.levels_from as usize..look.levels_to as usize].get(depth) {
                    look.guess = tree.guess(look.frontier.nodes[0], level);
                }
            }
            if done {
                break;
            }
            touched = looks.iter().fold(touched, |touched, look| touched ^ u64::from(tree.touch(look.guess)));
            for look in looks.iter_mut().filter(|look| look.frontier.len > 0) {
                let name = &names[look.name_from as usize..look.name_to as usize];
                let levels = &levels[look.levels_from as usize..look.levels_to as usize];
                look.step(name, levels.get(depth), depth == 0, tree);
            }
        }
        for node in looks.iter().flat_map(|look| look.found.iter()) {
            touched ^= tree.value(node).remote();
        }
        // Reading is the purpose, whatever was read.
        std::hint::black_box(touched);
    }

    /// The filters that match `name`, if it was looked for in the tree of this version.
    pub(super) fn take(
        &mut self,
        version: u64,
        hash: u64,
        name: &str,
    ) -> Option<impl Iterator<Item = NodeId>> {
        if self.version != version {
            return None;
        }
        let waiting = &self.looks[self.next.min(self.looks.len())..];
        let at = waiting.iter().position(|look| {
            look.hash == hash
                && self.names[look.name_from as usize..look.name_to as usize] == *name.as_bytes()
        })?;
        let found = waiting[at].found;
        self.next += at + 1;
        (found.len < GIVEN_UP).then(|| found.into_iter())
    }
}

impl Look {
    fn step(&mut self, name: &[u8], level: Option<&NameLevel>, first: bool, tree: &LevelTree<FilterNode>) {
        let Self { frontier, found, .. } = self;
        let from = std::mem::replace(frontier, Few::none(tree.root()));
        let wildcards = !(first && name.starts_with(b"$"));
        for node in from.into_iter() {
            tree.step(node, name, level, wildcards, &mut |node| found.push(node), &mut |node| {
                frontier.push(node)
            });
        }
        if frontier.len == GIVEN_UP {
            *frontier = Few::none(tree.root());
            found.len = GIVEN_UP;
        }
    }
}

impl Few {
    fn none(any: NodeId) -> Self {
        Self { nodes: [any; FEW], len: 0 }
    }

    fn of(node: NodeId) -> Self {
        Self { nodes: [node; FEW], len: 1 }
    }

    fn push(&mut self, node: NodeId) {
        match self.nodes.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = node;
                self.len += 1;
            }
            None => self.len = GIVEN_UP,
        }
    }

    fn iter(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.into_iter()
    }

    fn into_iter(self) -> impl Iterator<Item = NodeId> {
        self.nodes.into_iter().take(usize::from(self.len).min(FEW))
    }
}

/// A topic that leads to more nodes than this at once is left to its turn.
const FEW: usize = 4;
/// Marks such a topic.
const GIVEN_UP: u8 = u8::MAX;
/// Topics that are looked for together: more than the processor has misses under way gain nothing, and what was
/// fetched must still be in its caches when its message is handled.
pub(super) const TOPICS_AHEAD_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;
    use tidegate_mqtt::QoS;

    use crate::routes::Routes;
    use crate::subscription::Subscription;

    fn subscribed(filters: &[String]) -> Routes {
        let mut routes = Routes::new(7, 1 << 20);
        for (session, filter) in (0..).zip(filters) {
            let tree = routes.change();
            let node = tree.insert(filter);
            let subscription = Subscription {
                session,
                qos: QoS::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                identifier: 0,
            };
            tree.value_mut(node).subscribe(subscription, false);
        }
        routes
    }

    fn sessions(routes: &mut Routes, topic: &str) -> Vec<u32> {
        routes.of(topic).recipients.iter().map(|recipient| recipient.session).collect()
    }

    proptest! {
        /// Few texts, so that many filters match one topic and some topics are given up.
        #[test]
        fn what_was_looked_for_ahead_is_what_matching_finds(
            filters in proptest::collection::vec("([abc+]/){0,4}([abc+]|#)", 1..40),
            topics in proptest::collection::vec("(\\$)?([abc]?/){0,4}[abc]", 1..50),
            skipped in any::<u64>(),
            changes in any::<bool>(),
        ) {
            let (mut ahead, mut plain) = (subscribed(&filters), subscribed(&filters));
            ahead.look_ahead(topics.iter().map(|topic| topic.as_bytes()));
            if changes {
                let node = ahead.change().insert("a/b");
                ahead.change().prune(node);
            }
            // A message may be refused before it is routed: its topic is passed over.
            let handled = topics.iter().enumerate().filter(|(index, _)| skipped >> (index % 64) & 1 == 0);
            for (_, topic) in handled {
                prop_assert_eq!(sessions(&mut ahead, topic), sessions(&mut plain, topic), "{}", topic);
            }
        }
    }

    #[test]
    fn topics_of_one_read_are_found_before_their_turn() {
        let mut routes = subscribed(&["a/+".into(), "a/b".into()]);
        routes.look_ahead([&b"a/b"[..], b"a/c"].into_iter());
        let version = routes.version;
        let hash = routes.hasher.hash_one(&b"a/b"[..]);
        assert_eq!(routes.ahead.take(version, hash, "a/b").map(Iterator::count), Some(2));
        assert!(routes.ahead.take(version + 1, hash, "a/c").is_none());
    }
}
