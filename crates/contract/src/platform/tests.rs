use super::*;

const FULL: &str = r#"
platform = "sample"
title = "A sample"
undeclared = "violation"
on = { publish = "disconnect", payload = "discard", subscribe = "refuse" }
session = { default_expiry = "2h", max_expiry = "7d" }

[[kind]]
name = "token"
protocols = ["mqtt", "http"]
transports = ["tls", "wss"]
find_by = "secret"
username = "{secret}"
password = "{secret}"
secret = { format = "sample_{org.prefix}_{random:32:alnum}" }
client_id = { empty = "refuse" }
expires = "90d"
read = ["device/+/telemetry/#"]

[[kind]]
name = "device"
find_by = ["certificate", "username"]
secret = {}
client_id = { like = "{device.id}" }
let = { base = ["device/{device.id}", "{device.id}"], scope = { all = "air/#", site = "air/{site.id}/#" } }
read = ["{base}/#", "{scope}"]
write = ["{base}/{x=telemetry|status}/#"]
outside = "narrow"
on = { publish = "refuse" }
"#;

fn read(text: &str) -> Platform {
    Platform::read("platform.toml", text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn problems(text: &str) -> Vec<String> {
    let problems = Platform::read("platform.toml", text).map(drop).expect_err(text);
    problems.iter().map(Located::to_string).collect()
}

#[test]
fn a_platform_is_read_with_its_kinds() {
    let platform = read(FULL);
    assert_eq!((&*platform.name, platform.undeclared_is_violation), ("sample", true));
    assert_eq!(platform.session.default_expiry_secs, Some(7200));
    let token = platform.kind("token").unwrap();
    assert_eq!(token.secret.as_ref().unwrap().store, Store::Hash);
    assert_eq!((token.expires_secs, token.client_id.empty), (Some(90 * 86_400), Empty::Refuse));
    assert_eq!(token.transports, [Transport::Tls, Transport::Wss]);
    let device = platform.kind("device").unwrap();
    assert_eq!(device.secret.as_ref().unwrap().store, Store::Argon2);
    assert_eq!((device.outside, device.client_id.empty), (Outside::Narrow, Empty::Refuse));
    assert_eq!(device.on.within(platform.on).publish, Some(Action::Refuse));
    assert_eq!(device.on.within(platform.on).payload, Some(Action::Discard));
}

#[test]
fn a_name_that_stands_for_several_topics_multiplies_a_right() {
    let platform = read(FULL);
    let device = platform.kind("device").unwrap();
    let rights: Vec<_> =
        device.read.iter().map(|right| (right.scope.as_deref(), right.pattern.to_string())).collect();
    assert_eq!(
        rights,
        [
            (None, "device/{device.id}/#".to_owned()),
            (None, "{device.id}/#".to_owned()),
            (Some("all"), "air/#".to_owned()),
            (Some("site"), "air/{site.id}/#".to_owned()),
        ]
    );
    assert_eq!(device.write.len(), 2);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line_and_help() {
    let text = r#"platform = "x"
titel = "slip"
undeclared = "perhaps"
on = { publish = "explode" }
session = { max_expiry = "soon" }
[[kind]]
name = "a"
find_by = "usrname"
read = ["a/#/b"]
[[kind]]
find_by = "secret"
[[kind]]
name = "b"
find_by = "secret"
secret = { format = "{random:4:hex}" }
username = 7
[[kind]]
name = "c"
find_by = "username"
password = "{secret}"
"#;
    let problems = problems(text);
    let expected = [
        (2, "no key `titel`", "did you mean `title`?"),
        (3, "`undeclared` is `perhaps`", "violation"),
        (4, "`publish` is `explode`", "disconnect"),
        (5, "`soon` is no length of time", "90d"),
        (6, "nothing says what", "find_by"),
        (8, "`find_by` names `usrname`", "did you mean `username`?"),
        (9, "behind the end", "come last"),
        (10, "has no `name`", "name ="),
        (15, "16 random bits", "guess"),
        (16, "must be a text", "double quotes"),
        (17, "uses `{secret}` and has none", "random:32"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, (line, message, help)) in problems.iter().zip(expected) {
        let (before, said_help) = problem.split_once(". help: ").unwrap();
        assert!(
            before.starts_with(&format!("platform.toml:{line}: ")) && before.contains(message),
            "{problem}"
        );
        assert!(said_help.contains(help), "{problem}");
    }
}

#[test]
fn what_is_no_toml_is_a_problem_and_never_a_panic() {
    for text in ["[", "platform = ", "[[kind]]\n[[kind", "kind = 3", "platform = \"\u{0}\""] {
        assert!(!problems(text).is_empty(), "{text}");
    }
}
