use std::cmp::Ordering;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn what_is_no_pattern_is_refused_with_what_would_be_right() {
    let refused = [
        ("", "at least one level"),
        ("a/#/b", "behind the end"),
        ("{rest...}/b", "behind the end"),
        ("a/b+", "cannot be a level"),
        ("x{id}", "cannot be a level"),
        ("{id}x", "mixes"),
        ("{id", "not closed"),
        ("{Id}", "no name"),
        ("{}", "no name"),
        ("{a}/{a}", "called `a`"),
        ("{a=x|y/z}", "cannot be a topic level"),
        ("{a=}", "cannot be a topic level"),
        ("{a~(}", "no regular expression"),
        ("{d in principal.}", "no name"),
    ];
    for (text, why) in refused {
        let problem = Pattern::parse(text).expect_err(text);
        assert!(problem.message.contains(why), "{text}: {problem}");
        assert!(!problem.help.is_empty());
    }
}

#[test]
fn levels_have_names_from_the_left() {
    let names: Vec<_> = pattern("{k=a|b}/{id}/x/{v~V[0-9]/?}/{d in org.devices}/{more...}")
        .names()
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(names, ["k", "id", "v", "d", "more"]);
}

#[test]
fn the_pattern_that_says_more_wins_from_the_left() {
    let falling = [
        "a/b/c",
        "a/b/{x}",
        "a/b/{x...}",
        "a/{k=b|d}/c",
        "a/{r~b.*}/c",
        "a/{x}/c",
        "a/+/c",
        "a/#",
        "{x}/b/c",
        "#",
    ];
    for (at, more) in falling.iter().enumerate() {
        assert_eq!(pattern(more).specificity(&pattern(more)), Ordering::Equal);
        for less in &falling[at + 1..] {
            assert_eq!(pattern(more).specificity(&pattern(less)), Ordering::Greater, "{more} {less}");
            assert_eq!(pattern(less).specificity(&pattern(more)), Ordering::Less, "{less} {more}");
        }
    }
}

#[test]
fn patterns_meet_when_a_topic_can_match_both() {
    let meet = [
        ("a/{x}", "a/b"),
        ("a/#", "a"),
        ("{x}/{y}", "a/#"),
        ("{r~[a-c]}", "b"),
        ("{k=a|b}", "{k=b|c}"),
        ("{r~a}", "{s~b}"),
        ("{d in org.devices}/x", "{id}/x"),
    ];
    for (one, other) in meet {
        assert!(pattern(one).meets(&pattern(other)) && pattern(other).meets(&pattern(one)), "{one} {other}");
    }
    let apart =
        [("a/{x}", "a"), ("a/b", "a/c"), ("{r~[a-c]}", "d"), ("{k=a|b}", "{k=c|d}"), ("a/{x}", "a/{x}/y")];
    for (one, other) in apart {
        assert!(
            !pattern(one).meets(&pattern(other)) && !pattern(other).meets(&pattern(one)),
            "{one} {other}"
        );
    }
}

struct Account;

impl Values for Account {
    fn text(&self, path: &str) -> Option<&str> {
        [("device.id", "d7"), ("org.external", "7c9e"), ("credential.bad", "a/#")]
            .into_iter()
            .find_map(|(known, text)| (known == path).then_some(text))
    }

    fn set(&self, path: &str) -> Option<Members> {
        (path == "principal.devices").then(|| Members::of(["d1", "d2"]).unwrap())
    }
}

fn allows(text: &str, filter: &str) -> bool {
    let grant = pattern(text).grant(&Account).unwrap();
    crate::Rights::of([grant]).allow(&crate::Filter::parse(filter).unwrap())
}

#[test]
fn a_pattern_becomes_the_right_of_one_principal() {
    assert!(allows("device/{device.id}/#", "device/d7/x/+"));
    assert!(!allows("device/{device.id}/#", "device/d8/x") && !allows("device/{device.id}/#", "device/+/x"));
    assert!(
        allows("f/{d in principal.devices}/#", "f/d1/#") && !allows("f/{d in principal.devices}/#", "f/d3/x")
    );
    assert!(allows("d/{x=a|b}/#", "d/b") && !allows("d/{x=a|b}/#", "d/+"));
    assert!(allows("d/{x~[0-9]+}", "d/12") && !allows("d/{x~[0-9]+}", "d/1x"));
    assert!(allows("d/+/t", "d/+/t") && !allows("d/{id}/t", "d/+/t") && allows("d/{id}/t", "d/7/t"));
}

#[test]
fn a_value_that_is_missing_or_more_than_a_level_gives_no_right() {
    let why = |text: &str| pattern(text).grant(&Account).unwrap_err();
    assert_eq!(why("x/{credential.none}/#"), NoGrant::Missing("credential.none".into()));
    assert_eq!(why("x/{credential.bad}"), NoGrant::NotOneLevel("credential.bad".into()));
    assert_eq!(why("x/{d in org.none}"), NoGrant::Missing("org.none".into()));
}
