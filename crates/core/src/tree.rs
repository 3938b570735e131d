//! A tree of topic levels that holds a value at each node: subscriptions by filter, retained messages by name.
//!
//! ```text
//! "a/b" = 1   "a/+" = 2   "a/#" = 3
//!
//! root ── a ─┬─ b   value 1        `+` and `#` of a filter are levels like any other
//!            ├─ +   value 2
//!            └─ #   value 3
//! ```
//! Level texts are interned, so a node is a few numbers: its level, its parent and its siblings. The way down
//! is one hash look-up of (parent, level) in a single table for the whole tree; the sibling list serves walks.
//! Wildcards mean nothing here: [`LevelTree::visit_filters_of`] and the retained walk give them meaning.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// A node's place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// An interned level text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Level(u32);

impl Level {
    pub(crate) const PLUS: Level = Level(0);
    pub(crate) const HASH: Level = Level(1);
    /// A text that no node of the tree has.
    const UNKNOWN: Level = Level(u32::MAX);
}

const NONE: u32 = u32::MAX;
const ROOT: NodeId = NodeId(0);
const HAS_PLUS: u8 = 1;
const HAS_HASH: u8 = 2;

struct Node<T> {
    parent: u32,
    level: Level,
    first_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    flags: u8,
    value: T,
}

struct LevelText {
    text: Box<str>,
    nodes: u32,
}

/// The tree. `T::default()` stands at nodes that hold nothing; `is_vacant` says which those are.
pub(crate) struct LevelTree<T> {
    nodes: Vec<Node<T>>,
    free_nodes: Vec<u32>,
    edges: HashTable<u32>,
    levels: Vec<LevelText>,
    free_levels: Vec<u32>,
    level_index: HashTable<u32>,
    hasher: FixedState,
    /// While walks are under way nodes stay, so that a walk never steps onto a node that became another.
    pinned: usize,
    unpruned: Vec<NodeId>,
}

/// Whether a value is worth a node.
pub(crate) trait Vacant: Default {
    fn is_vacant(&self) -> bool;
}

impl<T: Vacant> LevelTree<T> {
    pub(crate) fn new(seed: u64) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            edges: HashTable::new(),
            levels: Vec::new(),
            free_levels: Vec::new(),
            level_index: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            pinned: 0,
            unpruned: Vec::new(),
        };
        // Invariant: the first two levels are `+` and `#`, held by the tree itself so that they never leave.
        for text in ["+", "#"] {
            let level = tree.intern(text);
            tree.levels[level.0 as usize].nodes += 1;
        }
        tree.nodes.push(Node {
            parent: NONE,
            level: Level::UNKNOWN,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            flags: 0,
            value: T::default(),
        });
        tree
    }

    pub(crate) fn root(&self) -> NodeId {
        ROOT
    }

    pub(crate) fn value(&self, node: NodeId) -> &T {
        &self.nodes[node.0 as usize].value
    }

    pub(crate) fn value_mut(&mut self, node: NodeId) -> &mut T {
        &mut self.nodes[node.0 as usize].value
    }

    /// The node of `path`, made if it is not there.
    pub(crate) fn insert(&mut self, path: &str) -> NodeId {
        let mut node = ROOT;
        for text in path.split('/') {
            let level = self.intern(text);
            node = self.child(node, level).unwrap_or_else(|| self.add_child(node, level));
        }
        node
    }

    /// The node of `path`, if it is there.
    pub(crate) fn find(&self, path: &str) -> Option<NodeId> {
        let mut node = ROOT;
        for text in path.split('/') {
            node = self.child(node, self.level(text)?)?;
        }
        Some(node)
    }

    /// Removes `node` and the parents that only led to it, if they hold nothing. Call after emptying a value.
    pub(crate) fn prune(&mut self, node: NodeId) {
        if self.pinned > 0 {
            self.unpruned.push(node);
            return;
        }
        let mut node = node;
        while node != ROOT {
            let entry = &self.nodes[node.0 as usize];
            if entry.first_child != NONE || !entry.value.is_vacant() {
                return;
            }
            let parent = NodeId(entry.parent);
            self.remove_leaf(node);
            node = parent;
        }
    }

    /// Keeps every node until [`LevelTree::unpin`].
    pub(crate) fn pin(&mut self) {
        self.pinned += 1;
    }

    /// The counterpart of [`LevelTree::pin`]; the last one removes what was emptied meanwhile.
    pub(crate) fn unpin(&mut self) {
        self.pinned -= 1;
        if self.pinned == 0 {
            for node in std::mem::take(&mut self.unpruned) {
                // A node may be listed twice; a freed one has lost its parent.
                if self.nodes[node.0 as usize].parent != NONE {
                    self.prune(node);
                }
            }
        }
    }

    /// The levels of a Topic Name, for [`LevelTree::visit_filters_of`]; levels that no filter has stay unknown.
    pub(crate) fn levels_of(&self, name: &str, levels: &mut Vec<Level>) {
        levels.clear();
        levels.extend(name.split('/').map(|text| self.level(text).unwrap_or(Level::UNKNOWN)));
    }

    /// Calls `visit` for the node of every filter that matches the name with these levels (section 4.7).
    /// `dollar`: the name begins with `$`, so leading wildcards do not match it. [MQTT5-4.7.2-1]
    pub(crate) fn visit_filters_of(&self, levels: &[Level], dollar: bool, visit: &mut impl FnMut(NodeId)) {
        self.descend(ROOT, levels, !dollar, visit);
    }

    /// As deep as the name has levels, which `topic_levels_max` bounds.
    fn descend(&self, node: NodeId, levels: &[Level], wildcards: bool, visit: &mut impl FnMut(NodeId)) {
        let flags = self.nodes[node.0 as usize].flags;
        if wildcards && flags & HAS_HASH != 0 {
            // "a/#" matches "a" too, so `#` is looked for before the end of the name is.
            self.child(node, Level::HASH).into_iter().for_each(&mut *visit);
        }
        let Some((&level, rest)) = levels.split_first() else {
            visit(node);
            return;
        };
        if wildcards
            && flags & HAS_PLUS != 0
            && let Some(child) = self.child(node, Level::PLUS)
        {
            self.descend(child, rest, true, visit);
        }
        if level != Level::UNKNOWN
            && let Some(child) = self.child(node, level)
        {
            self.descend(child, rest, true, visit);
        }
    }

    /// The level of `text`, if any node has it.
    pub(crate) fn level(&self, text: &str) -> Option<Level> {
        let hash = self.hasher.hash_one(text.as_bytes());
        self.level_index.find(hash, |&index| &*self.levels[index as usize].text == text).map(|&index| Level(index))
    }

    pub(crate) fn child(&self, node: NodeId, level: Level) -> Option<NodeId> {
        let found = self.edges.find(edge_hash(node, level), |&child| {
            let child = &self.nodes[child as usize];
            child.parent == node.0 && child.level == level
        });
        found.map(|&child| NodeId(child))
    }

    pub(crate) fn first_child(&self, node: NodeId) -> Option<NodeId> {
        optional(self.nodes[node.0 as usize].first_child)
    }

    pub(crate) fn next_sibling(&self, node: NodeId) -> Option<NodeId> {
        optional(self.nodes[node.0 as usize].next_sibling)
    }

    /// The text of a node's level.
    pub(crate) fn text(&self, node: NodeId) -> &str {
        &self.levels[self.nodes[node.0 as usize].level.0 as usize].text
    }

    /// The whole path of a node, as it was inserted.
    pub(crate) fn path(&self, node: NodeId) -> String {
        let mut levels = Vec::new();
        let mut at = node;
        while at != ROOT {
            levels.push(self.text(at));
            at = NodeId(self.nodes[at.0 as usize].parent);
        }
        levels.reverse();
        levels.join("/")
    }

    /// How many nodes there are, the root not counted.
    #[cfg(test)]
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len() - self.free_nodes.len() - 1
    }

    fn intern(&mut self, text: &str) -> Level {
        if let Some(level) = self.level(text) {
            return level;
        }
        let entry = LevelText { text: text.into(), nodes: 0 };
        let index = match self.free_levels.pop() {
            Some(index) => {
                self.levels[index as usize] = entry;
                index
            }
            None => {
                self.levels.push(entry);
                (self.levels.len() - 1) as u32
            }
        };
        let (levels, hasher) = (&self.levels, &self.hasher);
        let hash_of = |&index: &u32| hasher.hash_one(levels[index as usize].text.as_bytes());
        self.level_index.insert_unique(hasher.hash_one(text.as_bytes()), index, hash_of);
        Level(index)
    }

    fn add_child(&mut self, parent: NodeId, level: Level) -> NodeId {
        let next_sibling = self.nodes[parent.0 as usize].first_child;
        let node = Node {
            parent: parent.0,
            level,
            first_child: NONE,
            next_sibling,
            previous_sibling: NONE,
            flags: 0,
            value: T::default(),
        };
        let index = match self.free_nodes.pop() {
            Some(index) => {
                self.nodes[index as usize] = node;
                index
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        if let Some(sibling) = optional(next_sibling) {
            self.nodes[sibling.0 as usize].previous_sibling = index;
        }
        let entry = &mut self.nodes[parent.0 as usize];
        entry.first_child = index;
        entry.flags |= wildcard_flag(level);
        self.levels[level.0 as usize].nodes += 1;
        let nodes = &self.nodes;
        let hash_of = |&child: &u32| {
            let child = &nodes[child as usize];
            edge_hash(NodeId(child.parent), child.level)
        };
        self.edges.insert_unique(edge_hash(parent, level), index, hash_of);
        NodeId(index)
    }

    fn remove_leaf(&mut self, node: NodeId) {
        let index = node.0;
        let Node { parent, level, next_sibling, previous_sibling, .. } = self.nodes[index as usize];
        if let Ok(edge) = self.edges.find_entry(edge_hash(NodeId(parent), level), |&child| child == index) {
            edge.remove();
        }
        match optional(previous_sibling) {
            Some(previous) => self.nodes[previous.0 as usize].next_sibling = next_sibling,
            None => self.nodes[parent as usize].first_child = next_sibling,
        }
        if let Some(next) = optional(next_sibling) {
            self.nodes[next.0 as usize].previous_sibling = previous_sibling;
        }
        self.nodes[parent as usize].flags &= !wildcard_flag(level);
        let entry = &mut self.nodes[index as usize];
        entry.parent = NONE;
        entry.value = T::default();
        self.free_nodes.push(index);
        self.release_level(level);
    }

    fn release_level(&mut self, level: Level) {
        let entry = &mut self.levels[level.0 as usize];
        entry.nodes -= 1;
        if entry.nodes > 0 {
            return;
        }
        let text = std::mem::take(&mut entry.text);
        let hash = self.hasher.hash_one(text.as_bytes());
        if let Ok(found) = self.level_index.find_entry(hash, |&index| index == level.0) {
            found.remove();
        }
        self.free_levels.push(level.0);
    }
}

fn optional(index: u32) -> Option<NodeId> {
    (index != NONE).then_some(NodeId(index))
}

fn wildcard_flag(level: Level) -> u8 {
    match level {
        Level::PLUS => HAS_PLUS,
        Level::HASH => HAS_HASH,
        _ => 0,
    }
}

/// Both halves are small dense numbers of our own, so a multiplication spreads them well enough; a peer
/// chooses texts, not these numbers.
fn edge_hash(parent: NodeId, level: Level) -> u64 {
    let key = u64::from(parent.0) << 32 | u64::from(level.0);
    let product = u128::from(key ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93_u128;
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
