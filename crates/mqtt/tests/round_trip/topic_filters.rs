//! Topic Filters against a second matcher that shares nothing with the first.

use proptest::prelude::*;
use tidegate_mqtt::{SharedFilter, TopicFilter, TopicName};

use crate::arbitrary_bytes::check;

/// Few letters and many separators, so that filters and names meet.
fn few_letters() -> impl Strategy<Value = String> {
    "[ab$/]{1,12}"
}

fn levels_with_wildcards() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => "[ab$]{0,2}", 2 => Just("+".to_owned())];
    (proptest::collection::vec(level, 1..6), any::<bool>())
        .prop_map(|(mut levels, rest)| {
            if rest {
                levels.push("#".to_owned());
            }
            levels.join("/")
        })
        .prop_filter("a filter has a character", |filter| !filter.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_matches_what_the_naive_matcher_says(filter in levels_with_wildcards(), name in few_letters()) {
        let parsed = TopicFilter::new(&filter).unwrap();
        prop_assert_eq!(parsed.matches(&name), check::naive_matches(&filter, &name), "{:?} {:?}", filter, name);
    }

    #[test]
    fn a_filter_made_from_a_name_matches_it(name in "[ab/][ab$/]{0,11}", wild in any::<u16>(), cut in any::<prop::sample::Index>()) {
        let levels: Vec<&str> = name.split('/').collect();
        let mut filter: Vec<&str> =
            levels.iter().enumerate().map(|(at, level)| if wild >> (at % 16) & 1 == 1 { "+" } else { level }).collect();
        let joined = filter.join("/");
        prop_assert!(TopicFilter::new(&joined).unwrap().matches(&name), "{joined:?} {name:?}");
        filter.truncate(cut.index(levels.len()) + 1);
        filter.push("#");
        let joined = filter.join("/");
        prop_assert!(TopicFilter::new(&joined).unwrap().matches(&name), "{joined:?} {name:?}");
    }

    #[test]
    fn a_filter_is_legal_exactly_when_its_wildcards_stand_alone(text in "[ab/+#\0]{0,8}") {
        prop_assert_eq!(TopicFilter::new(&text).is_ok(), check::naive_filter_is_legal(&text), "{:?}", text);
        prop_assert_eq!(TopicName::new(&text).is_ok(), !text.is_empty() && !text.contains(['\0', '+', '#']));
    }

    #[test]
    fn any_text_is_a_topic_or_is_not(text in "[^\0]{0,20}", name in "[^\0]{0,20}") {
        check::topics(format!("{text}\n{name}").as_bytes());
    }

    #[test]
    fn a_shared_filter_is_taken_apart_where_it_was_put_together(share in "[a-c$]{1,4}", filter in levels_with_wildcards()) {
        let text = format!("$share/{share}/{filter}");
        let shared = SharedFilter::parse(&text).unwrap().unwrap();
        prop_assert_eq!((shared.share_name, shared.filter.as_str()), (share.as_str(), filter.as_str()));
    }
}
