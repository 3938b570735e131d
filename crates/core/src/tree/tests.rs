//! The tree against the specification's own matching rule, on random filters and names.

use super::*;
use proptest::prelude::*;
use tidegate_mqtt::TopicFilter;

#[derive(Default)]
struct Flag(bool);

impl Vacant for Flag {
    fn is_vacant(&self) -> bool {
        !self.0
    }
}

fn matching(tree: &LevelTree<Flag>, name: &str) -> Vec<String> {
    let mut levels = Vec::new();
    tree.add_levels_of(name.as_bytes(), &mut levels);
    let mut found = Vec::new();
    tree.visit_filters_of(name.as_bytes(), &levels, &mut |node| {
        if tree.value(node).0 {
            found.push(tree.path(node));
        }
    });
    found.sort();
    found
}

/// Longer than what a node holds itself.
const LONG: &str = "a level with more than fourteen bytes";

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("$x"), Just("+"), Just(LONG)];
    (prop::collection::vec(level, 0..5), any::<bool>()).prop_map(|(mut levels, hash)| {
        // `#` alone is the filter with the most to get wrong.
        if hash || levels.is_empty() {
            levels.push("#");
        }
        if levels == [""] { "/".to_owned() } else { levels.join("/") }
    })
}

fn name() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("$x"), Just("c"), Just(LONG)];
    prop::collection::vec(level, 1..6).prop_map(|levels| levels.join("/"))
}

proptest! {
    // [MQTT5-4.7.1-1] [MQTT5-4.7.1-2] [MQTT5-4.7.2-1] [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-4.7.2-1]
    #[test]
    fn the_tree_finds_exactly_the_filters_that_the_specification_says_match(
        filters in prop::collection::btree_set(filter(), 0..20),
        removed in prop::collection::vec(any::<bool>(), 20),
        names in prop::collection::vec(name(), 1..10),
    ) {
        let mut tree = LevelTree::<Flag>::new(7);
        for text in &filters {
            let node = tree.insert(text);
            tree.value_mut(node).0 = true;
        }
        let mut kept = Vec::new();
        for (text, gone) in filters.iter().zip(removed) {
            let node = tree.find(text).unwrap();
            prop_assert_eq!(&tree.path(node), text);
            if gone {
                tree.value_mut(node).0 = false;
                tree.prune(node);
            } else {
                kept.push(text.clone());
            }
        }
        for name in names.iter().filter(|name| !name.is_empty()) {
            let expected: Vec<String> =
                kept.iter().filter(|text| TopicFilter::new(text).unwrap().matches(name)).cloned().collect();
            prop_assert_eq!(matching(&tree, name), expected);
        }
        for text in &kept {
            let node = tree.find(text).unwrap();
            tree.value_mut(node).0 = false;
            tree.prune(node);
        }
        prop_assert_eq!(tree.node_count(), 0);
    }
}

#[test]
fn nodes_that_leave_are_told_with_their_next_sibling_from_the_leaf_up() {
    let mut tree = LevelTree::<Flag>::new(1);
    let sibling = tree.insert("a/x");
    tree.value_mut(sibling).0 = true;
    let parent = tree.insert("a/b");
    let leaf = tree.insert("a/b/c");
    let mut left = Vec::new();
    tree.prune_with(leaf, |node, next| left.push((node, next)));
    assert_eq!(left, [(leaf, None), (parent, Some(sibling))]);
    assert_eq!(tree.node_count(), 2);
}
