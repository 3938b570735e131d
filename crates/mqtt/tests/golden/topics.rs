//! Sections 4.7 and 4.8.2: Topic Names, Topic Filters and shared subscriptions.

use tidegate_mqtt::{SharedFilter, TopicFilter, TopicName};

fn matches(filter: &str, name: &str) -> bool {
    TopicFilter::new(filter).unwrap().matches(name)
}

#[test]
fn wildcards_are_not_part_of_a_topic_name() {
    for name in ["#", "+", "a/#", "+/a", "a+b", "a#"] {
        assert!(TopicName::new(name).is_err(), "{name}"); // [MQTT5-4.7.0-1] [MQTT3-4.7.1-1]
    }
    for name in ["a", "/", "//", "a b", "$SYS/x", "\u{10FFFF}", "a\u{FEFF}"] {
        assert_eq!(TopicName::new(name).map(TopicName::as_str), Ok(name));
    }
}

#[test]
fn a_multi_level_wildcard_is_alone_and_last() {
    for filter in ["a#", "#a", "a/#/b", "#/", "#/#", "##", "a/##", "/a#/b"] {
        assert!(TopicFilter::new(filter).is_err(), "{filter}"); // [MQTT5-4.7.1-1] [MQTT3-4.7.1-2]
    }
    for filter in ["#", "/#", "a/#", "a/b/#", "+/#"] {
        assert!(TopicFilter::new(filter).is_ok(), "{filter}"); // [MQTT5-4.7.1-1] [MQTT3-4.7.1-2]
    }
}

#[test]
fn a_single_level_wildcard_is_alone_in_its_level() {
    for filter in ["a+", "+a", "a/b+/c", "++", "+/a+", "a/+b", "+#"] {
        assert!(TopicFilter::new(filter).is_err(), "{filter}"); // [MQTT5-4.7.1-2] [MQTT3-4.7.1-3]
    }
    for filter in ["+", "+/+", "/+", "+/", "a/+/b", "+/a/#"] {
        assert!(TopicFilter::new(filter).is_ok(), "{filter}"); // [MQTT5-4.7.1-2] [MQTT3-4.7.1-3]
    }
}

#[test]
fn leading_wildcards_do_not_match_names_that_begin_with_a_dollar() {
    for (filter, name) in
        [("#", "$SYS"), ("#", "$SYS/a"), ("+", "$SYS"), ("+/a", "$SYS/a"), ("+/#", "$SYS/a")]
    {
        assert!(!matches(filter, name), "{filter} {name}"); // [MQTT5-4.7.2-1] [MQTT3-4.7.2-1]
    }
    for (filter, name) in
        [("$SYS/#", "$SYS/a"), ("$SYS/+", "$SYS/a"), ("$SYS/#", "$SYS"), ("/#", "/$SYS"), ("+/+", "a/$b")]
    {
        assert!(matches(filter, name), "{filter} {name}"); // [MQTT5-4.7.2-1] [MQTT3-4.7.2-1]
    }
    assert!(TopicName::new("$SYS").unwrap().is_dollar());
    assert!(!TopicName::new("a/$SYS").unwrap().is_dollar());
}

#[test]
fn topics_have_a_character_no_null_and_at_most_65535_bytes() {
    assert!(TopicName::new("").is_err()); // [MQTT5-4.7.3-1] [MQTT3-4.7.3-1]
    assert!(TopicFilter::new("").is_err()); // [MQTT5-4.7.3-1] [MQTT3-4.7.3-1]
    assert!(TopicName::new("a\0").is_err()); // [MQTT5-4.7.3-2] [MQTT3-4.7.3-2]
    assert!(TopicFilter::new("a/\0/#").is_err()); // [MQTT5-4.7.3-2] [MQTT3-4.7.3-2]
    let longest = "x".repeat(65_535);
    let longer = "x".repeat(65_536);
    assert!(TopicName::new(&longest).is_ok()); // [MQTT5-4.7.3-3] [MQTT3-4.7.3-3]
    assert!(TopicFilter::new(&longest).is_ok()); // [MQTT5-4.7.3-3] [MQTT3-4.7.3-3]
    assert!(TopicName::new(&longer).is_err()); // [MQTT5-4.7.3-3] [MQTT3-4.7.3-3]
    assert!(TopicFilter::new(&longer).is_err()); // [MQTT5-4.7.3-3] [MQTT3-4.7.3-3]
}

#[test]
fn matching_compares_characters_and_normalises_nothing() {
    assert!(matches("ACCOUNTS", "ACCOUNTS"));
    for (filter, name) in [
        ("ACCOUNTS", "Accounts"),
        ("\u{e9}", "e\u{301}"),
        ("a ", "a"),
        ("a/", "a"),
        ("/a", "a"),
        ("a", "a/"),
        ("a//b", "a/b"),
        ("\u{FEFF}a", "a"),
    ] {
        assert!(!matches(filter, name), "{filter:?} {name:?}"); // [MQTT5-4.7.3-4] [MQTT3-4.7.3-4]
    }
}

#[test]
fn filters_match_whole_levels() {
    for (filter, name) in [
        ("#", "a"),
        ("#", "/"),
        ("a/#", "a"),
        ("a/#", "a/"),
        ("a/#", "a/b/c"),
        ("+", "a"),
        ("a/+", "a/"),
        ("+/+", "/"),
        ("+/b/#", "a/b"),
        ("a/+/c", "a//c"),
        ("/", "/"),
    ] {
        assert!(matches(filter, name), "{filter} {name}");
    }
    for (filter, name) in [
        ("a/#", "ab"),
        ("a/#", "b"),
        ("a/+", "a"),
        ("a/+", "a/b/c"),
        ("+", "/"),
        ("+", "a/b"),
        ("a/b/#", "a"),
        ("a/+/c", "a/c"),
        ("+/b/#", "b"),
        ("/", "a"),
    ] {
        assert!(!matches(filter, name), "{filter} {name}");
    }
}

#[test]
fn a_share_name_has_a_character_and_no_separator_or_wildcard() {
    for text in ["$share//a", "$share/+/a", "$share/#/a", "$share/g+/a", "$share/g#/a"] {
        assert!(SharedFilter::parse(text).unwrap().is_err(), "{text}"); // [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
    }
    for text in ["$share/g", "$share/g/", "$share/g/a#", "$share/g/a/#/b", "$share/"] {
        assert!(SharedFilter::parse(text).unwrap().is_err(), "{text}"); // [MQTT5-4.8.2-2]
    }
    for (text, share_name, filter) in [
        ("$share/g/a", "g", "a"),
        ("$share/g//", "g", "/"),
        ("$share/$g/$SYS/#", "$g", "$SYS/#"),
        ("$share/g/#", "g", "#"),
    ] {
        let shared = SharedFilter::parse(text).unwrap().unwrap();
        assert_eq!((shared.share_name, shared.filter.as_str()), (share_name, filter)); // [MQTT5-4.8.2-1]
    }
    for text in ["a", "$share", "$shares/g/a", "/$share/g/a", "share/g/a", "$SHARE/g/a"] {
        assert_eq!(SharedFilter::parse(text), None, "{text}");
    }
}
