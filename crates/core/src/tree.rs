//! A tree of topic levels that holds a value at each node: subscriptions by filter, retained messages by name.
//!
//! ```text
//! "a/b" = 1   "a/+" = 2   "a/#" = 3
//!
//! root ── a ─┬─ b   value 1        `+` and `#` of a filter are levels like any other
//!            ├─ +   value 2
//!            └─ #   value 3
//! ```
//! A node carries its level's text and its parent; the way down is one look-up of (parent, text) in a single
//! table for the whole tree ([`edges`]), so a level of a name costs two places of memory whatever its node's breadth.
//! The sibling list serves walks. Wildcards mean nothing here: [`LevelTree::visit_filters_of`] and the retained
//! walk give them meaning.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use slab::Slab;

use edges::Edges;

mod edges;

/// A node's place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

const NONE: u32 = u32::MAX;
const ROOT: NodeId = NodeId(0);
const HAS_PLUS: u8 = 1;
const HAS_HASH: u8 = 2;
/// The first child is the only one: no need to look it up.
const HAS_ONE_CHILD: u8 = 4;

/// What the way down looks at; small, so that many fit into the processor's caches.
#[derive(Clone, Copy)]
struct Key {
    parent: u32,
    /// The newest child; the others hang on it as siblings.
    first_child: u32,
    flags: u8,
    /// Length of the level's text, or [`LONG`].
    len: u8,
    /// The text, or the number of a long one.
    text: [u8; SHORT_TEXT_BYTES_MAX],
}

/// What walks look at.
#[derive(Clone, Copy)]
struct Links {
    next_sibling: u32,
    previous_sibling: u32,
}

/// Longer texts are kept apart.
const SHORT_TEXT_BYTES_MAX: usize = 14;
const LONG: u8 = u8::MAX;

/// One level of a Topic Name: its hash, and where it stands in the name.
#[derive(Clone, Copy)]
pub(crate) struct NameLevel {
    hash: u64,
    from: usize,
    to: usize,
}

/// The tree. `T::default()` stands at nodes that hold nothing; `is_vacant` says which those are.
pub(crate) struct LevelTree<T> {
    keys: Vec<Key>,
    links: Vec<Links>,
    values: Vec<T>,
    free_nodes: Vec<u32>,
    long_texts: Slab<Box<str>>,
    edges: Edges,
    hasher: FixedState,
    plus_hash: u64,
    hash_hash: u64,
}

/// Whether a value is worth a node.
pub(crate) trait Vacant: Default {
    fn is_vacant(&self) -> bool;
}

impl<T: Vacant> LevelTree<T> {
    /// `seed` makes the hashes unpredictable for peers, who choose the texts.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let root = Key { parent: NONE, first_child: NONE, flags: 0, len: 0, text: Default::default() };
        let unlinked = Links { next_sibling: NONE, previous_sibling: NONE };
        Self {
            keys: vec![root],
            links: vec![unlinked],
            values: vec![T::default()],
            long_texts: Slab::new(),
            free_nodes: Vec::new(),
            edges: Edges::new(),
            plus_hash: hasher.hash_one("+".as_bytes()),
            hash_hash: hasher.hash_one("#".as_bytes()),
            hasher,
        }
    }

    pub(crate) fn root(&self) -> NodeId {
        ROOT
    }

    pub(crate) fn value(&self, node: NodeId) -> &T {
        &self.values[node.0 as usize]
    }

    pub(crate) fn value_mut(&mut self, node: NodeId) -> &mut T {
        &mut self.values[node.0 as usize]
    }

    /// The node of `path`, made if it is not there.
    pub(crate) fn insert(&mut self, path: &str) -> NodeId {
        let mut node = ROOT;
        for text in path.split('/') {
            node = self.child(node, text).unwrap_or_else(|| self.add_child(node, text));
        }
        node
    }

    /// The node of `path`, if it is there.
    pub(crate) fn find(&self, path: &str) -> Option<NodeId> {
        path.split('/').try_fold(ROOT, |node, text| self.child(node, text))
    }

    /// Removes `node` and the parents that only led to it, if they hold nothing. Call after emptying a value.
    pub(crate) fn prune(&mut self, node: NodeId) {
        self.prune_with(node, |_, _| {});
    }

    /// As [`LevelTree::prune`]; tells of each node that leaves and of its next sibling, so that whoever stands on
    /// it can step aside.
    pub(crate) fn prune_with(&mut self, node: NodeId, mut leaves: impl FnMut(NodeId, Option<NodeId>)) {
        let mut node = node;
        while node != ROOT {
            if self.keys[node.0 as usize].first_child != NONE || !self.value(node).is_vacant() {
                return;
            }
            let parent = NodeId(self.keys[node.0 as usize].parent);
            leaves(node, self.next_sibling(node));
            self.remove_leaf(node);
            node = parent;
        }
    }

    /// Adds the levels of a Topic Name, for [`LevelTree::visit_filters_of`] and [`LevelTree::step`].
    pub(crate) fn add_levels_of(&self, name: &[u8], levels: &mut Vec<NameLevel>) {
        let mut from = 0;
        for text in name.split(|&byte| byte == b'/') {
            let to = from + text.len();
            levels.push(NameLevel { hash: self.hasher.hash_one(text), from, to });
            from = to + 1;
        }
    }

    /// Calls `visit` for the node of every filter that matches `name`, whose levels are `levels` (section 4.7).
    pub(crate) fn visit_filters_of(&self, name: &[u8], levels: &[NameLevel], visit: &mut impl FnMut(NodeId)) {
        // [MQTT5-4.7.2-1]: leading wildcards do not match a name that begins with $.
        self.descend(ROOT, name, levels, !name.starts_with(b"$"), visit);
    }

    /// As deep as the name has levels, which `topic_levels_max` bounds.
    fn descend(
        &self,
        node: NodeId,
        name: &[u8],
        levels: &[NameLevel],
        wildcards: bool,
        visit: &mut impl FnMut(NodeId),
    ) {
        let (mut deeper, mut count) = ([ROOT; 2], 0);
        let mut push = |child| {
            deeper[count] = child;
            count += 1;
        };
        self.step(node, name, levels.first(), wildcards, visit, &mut push);
        for &child in &deeper[..count] {
            self.descend(child, name, &levels[1..], true, visit);
        }
    }

    /// One level of the way down: calls `found` for the filters at `node` that match, and `deeper` for the at most
    /// two children that the next level of the name leads to. `level` is `None` at the end of the name.
    #[inline]
    pub(crate) fn step(
        &self,
        node: NodeId,
        name: &[u8],
        level: Option<&NameLevel>,
        wildcards: bool,
        found: &mut impl FnMut(NodeId),
        deeper: &mut impl FnMut(NodeId),
    ) {
        let flags = self.keys[node.0 as usize].flags;
        if wildcards && flags & HAS_HASH != 0 {
            // "a/#" matches "a" too, so `#` is looked for before the end of the name is.
            self.child_with_hash(node, self.hash_hash, b"#").into_iter().for_each(&mut *found);
        }
        let Some(level) = level else { return found(node) };
        if wildcards && flags & HAS_PLUS != 0 {
            self.child_with_hash(node, self.plus_hash, b"+").into_iter().for_each(&mut *deeper);
        }
        let text = &name[level.from..level.to];
        self.child_with_hash(node, level.hash, text).into_iter().for_each(deeper);
    }

    /// A node that a level of a name may lead to from `node`, for [`LevelTree::touch`].
    #[inline]
    pub(crate) fn guess(&self, node: NodeId, level: &NameLevel) -> u32 {
        let key = &self.keys[node.0 as usize];
        if key.flags & HAS_ONE_CHILD != 0 {
            key.first_child
        } else {
            self.edges.guess(edge_hash(node.0, level.hash))
        }
    }

    /// Brings a guessed node into the processor's caches; what comes back means nothing.
    #[inline]
    pub(crate) fn touch(&self, guess: u32) -> u32 {
        self.keys.get(guess as usize).map_or(NONE, |key| key.parent)
    }

    /// The child of `node` whose level is `text`.
    pub(crate) fn child(&self, node: NodeId, text: &str) -> Option<NodeId> {
        self.child_with_hash(node, self.hasher.hash_one(text.as_bytes()), text.as_bytes())
    }

    fn child_with_hash(&self, node: NodeId, hash: u64, text: &[u8]) -> Option<NodeId> {
        let key = &self.keys[node.0 as usize];
        if key.flags & HAS_ONE_CHILD != 0 {
            // Distinct filters are chains, whose nodes were made together and lie together.
            let child = key.first_child;
            return (text_of(&self.keys[child as usize], &self.long_texts) == text).then_some(NodeId(child));
        }
        let found = self.edges.find(edge_hash(node.0, hash), |child| {
            let key = &self.keys[child as usize];
            key.parent == node.0 && text_of(key, &self.long_texts) == text
        });
        found.map(NodeId)
    }

    pub(crate) fn first_child(&self, node: NodeId) -> Option<NodeId> {
        optional(self.keys[node.0 as usize].first_child)
    }

    pub(crate) fn next_sibling(&self, node: NodeId) -> Option<NodeId> {
        optional(self.links[node.0 as usize].next_sibling)
    }

    /// The text of a node's level.
    pub(crate) fn text(&self, node: NodeId) -> &str {
        // Invariant: the bytes were a `&str` when the node was made.
        std::str::from_utf8(text_of(&self.keys[node.0 as usize], &self.long_texts)).unwrap_or_default()
    }

    /// The whole path of a node, as it was inserted.
    pub(crate) fn path(&self, node: NodeId) -> String {
        let mut levels = Vec::new();
        let mut at = node;
        while at != ROOT {
            levels.push(self.text(at));
            at = NodeId(self.keys[at.0 as usize].parent);
        }
        levels.reverse();
        levels.join("/")
    }

    /// The node in a place of the arena, used or not; `None` behind the last.
    pub(crate) fn node_at(&self, place: u32) -> Option<NodeId> {
        ((place as usize) < self.keys.len()).then_some(NodeId(place))
    }

    /// How many nodes there are, the root not counted.
    pub(crate) fn node_count(&self) -> usize {
        self.keys.len() - self.free_nodes.len() - 1
    }

    fn add_child(&mut self, parent: NodeId, text: &str) -> NodeId {
        let next_sibling = self.keys[parent.0 as usize].first_child;
        let key = self.make_key(parent, text);
        let links = Links { next_sibling, previous_sibling: NONE };
        let index = match self.free_nodes.pop() {
            Some(index) => {
                self.keys[index as usize] = key;
                self.links[index as usize] = links;
                index
            }
            None => {
                self.keys.push(key);
                self.links.push(links);
                self.values.push(T::default());
                (self.keys.len() - 1) as u32
            }
        };
        if let Some(sibling) = optional(next_sibling) {
            self.links[sibling.0 as usize].previous_sibling = index;
        }
        let parent_key = &mut self.keys[parent.0 as usize];
        parent_key.first_child = index;
        parent_key.flags |= wildcard_flag(text);
        parent_key.flags &= !HAS_ONE_CHILD;
        parent_key.flags |= if next_sibling == NONE { HAS_ONE_CHILD } else { 0 };
        self.edges.insert(edge_hash(parent.0, self.hasher.hash_one(text.as_bytes())), index);
        NodeId(index)
    }

    fn make_key(&mut self, parent: NodeId, text: &str) -> Key {
        let text_len = text.len() as u8;
        let mut key =
            Key { parent: parent.0, first_child: NONE, flags: 0, len: text_len, text: Default::default() };
        match key.text.get_mut(..text.len()) {
            Some(short) => short.copy_from_slice(text.as_bytes()),
            None => {
                key.len = LONG;
                let number = self.long_texts.insert(text.into()) as u32;
                key.text[..4].copy_from_slice(&number.to_ne_bytes());
            }
        }
        key
    }

    fn remove_leaf(&mut self, node: NodeId) {
        let index = node.0;
        let key = self.keys[index as usize];
        let Links { next_sibling, previous_sibling, .. } = self.links[index as usize];
        let flag = wildcard_flag(self.text(node));
        let hash = edge_hash(key.parent, self.hasher.hash_one(text_of(&key, &self.long_texts)));
        self.edges.remove(hash, index);
        match optional(previous_sibling) {
            Some(previous) => self.links[previous.0 as usize].next_sibling = next_sibling,
            None => self.keys[key.parent as usize].first_child = next_sibling,
        }
        if let Some(next) = optional(next_sibling) {
            self.links[next.0 as usize].previous_sibling = previous_sibling;
        }
        let first = self.keys[key.parent as usize].first_child;
        let has_one = first != NONE && self.links[first as usize].next_sibling == NONE;
        let parent_key = &mut self.keys[key.parent as usize];
        parent_key.flags &= !(flag | HAS_ONE_CHILD);
        parent_key.flags |= if has_one { HAS_ONE_CHILD } else { 0 };
        if let Some(number) = long_number(&key) {
            self.long_texts.try_remove(number);
        }
        self.keys[index as usize] =
            Key { parent: NONE, first_child: NONE, flags: 0, len: 0, text: Default::default() };
        self.values[index as usize] = T::default();
        self.free_nodes.push(index);
    }
}

fn text_of<'a>(key: &'a Key, long_texts: &'a Slab<Box<str>>) -> &'a [u8] {
    match long_number(key) {
        None => &key.text[..usize::from(key.len)],
        Some(number) => long_texts.get(number).map_or(&[], |text| text.as_bytes()),
    }
}

fn long_number(key: &Key) -> Option<usize> {
    let [a, b, c, d, ..] = key.text;
    (key.len == LONG).then_some(u32::from_ne_bytes([a, b, c, d]) as usize)
}

fn optional(index: u32) -> Option<NodeId> {
    (index != NONE).then_some(NodeId(index))
}

fn wildcard_flag(text: &str) -> u8 {
    match text {
        "+" => HAS_PLUS,
        "#" => HAS_HASH,
        _ => 0,
    }
}

/// The text's hash is seeded already; the parent is a small number of our own that only has to be spread.
fn edge_hash(parent: u32, text_hash: u64) -> u32 {
    ((text_hash ^ u64::from(parent)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

#[cfg(test)]
mod tests;
