//! The ledger and the tests agree: no statement without a test or a reason, no tag without a statement.

mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tidegate_conformance::ledger::{Ledger, Statement, Status, write_counts};

use scan::{Tag, tags, tags_in};

fn ledgers() -> Vec<Ledger> {
    Ledger::all().unwrap_or_else(|e| panic!("{e}"))
}

fn statements() -> Vec<Statement> {
    ledgers().into_iter().flat_map(|ledger| ledger.statements).collect()
}

fn repository_tags() -> Vec<Tag> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("this crate lies two levels under the root");
    tags(&root, &["crates", "tests", "bench", "xtask", "docs"])
}

/// Fails with the whole list, so that one run shows everything there is to do.
#[track_caller]
fn demand_none(what: &str, found: &[String], help: &str) {
    assert!(found.is_empty(), "{} {what}:\n  {}\nhelp: {help}", found.len(), found.join("\n  "));
}

#[test]
fn every_statement_called_tested_has_a_tag_at_an_assertion() {
    let tags = repository_tags();
    let tested: BTreeSet<&str> = tags.iter().filter(|t| t.at_assertion).map(|t| t.id.as_str()).collect();
    let missing: Vec<String> = statements()
        .into_iter()
        .filter(|row| row.status == Status::Tested && !tested.contains(row.id.as_str()))
        .map(|row| format!("{}: {}", row.id, row.rule))
        .collect();
    demand_none(
        "statements are called tested, and no test names them",
        &missing,
        "put `// [id]` above the assertion that turns red when the rule breaks, or give the row another status and a reason",
    );
}

#[test]
fn every_statement_that_a_test_names_is_called_tested() {
    let tags = repository_tags();
    let named: BTreeMap<&str, &Tag> =
        tags.iter().filter(|tag| tag.at_assertion).map(|tag| (tag.id.as_str(), tag)).collect();
    let untrue: Vec<String> = statements()
        .into_iter()
        .filter(|row| row.status != Status::Tested)
        .filter_map(|row| named.get(row.id.as_str()).map(|tag| place(tag)))
        .collect();
    demand_none(
        "tests name a statement that the ledger does not call tested",
        &untrue,
        "set status = \"tested\" and remove the reason, or remove the tag where the test cannot fail by that rule",
    );
}

#[test]
fn every_tag_names_a_statement() {
    let known: BTreeSet<String> = statements().into_iter().map(|row| row.id).collect();
    let unknown: Vec<String> =
        repository_tags().iter().filter(|tag| !known.contains(&tag.id)).map(place).collect();
    demand_none(
        "tags name no statement",
        &unknown,
        "write one id of tests/conformance/ledger per pair of brackets, with its version: [MQTT5-3.3.4-7]",
    );
}

#[test]
fn no_assertion_claims_a_list_of_statements() {
    let mut at: BTreeMap<(String, usize), usize> = BTreeMap::new();
    for tag in repository_tags().iter().filter(|tag| tag.at_assertion) {
        *at.entry((tag.file.display().to_string(), tag.line)).or_default() += 1;
    }
    let lists: Vec<String> = at
        .into_iter()
        .filter(|&(_, count)| count > STATEMENTS_PER_ASSERTION_MAX)
        .map(|((file, line), count)| format!("{count} statements at {file}:{line}"))
        .collect();
    demand_none(
        "assertions claim a list of statements",
        &lists,
        "give each statement the assertion that turns red when it breaks",
    );
}

#[test]
fn a_reason_is_given_exactly_where_there_is_no_test() {
    let wrong: Vec<String> = statements()
        .into_iter()
        .filter(|row| {
            let has_reason = row.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
            has_reason == (row.status == Status::Tested)
        })
        .map(|row| row.id)
        .collect();
    demand_none(
        "statements lack a reason, or are tested and have one",
        &wrong,
        "say in `reason` why a statement is not-ours or an exception; a tested one needs none",
    );
}

#[test]
fn ids_begin_with_their_version_and_never_repeat() {
    let mut seen = BTreeSet::new();
    for ledger in ledgers() {
        for row in ledger.statements {
            assert!(row.id.starts_with(ledger.prefix), "{} is in {}", row.id, ledger.file);
            assert!(seen.insert(row.id.clone()), "{} is there twice\nhelp: {}", row.id, ledger.file);
            assert!(row.rule.ends_with('.'), "{}: a rule is a sentence: {:?}", row.id, row.rule);
        }
    }
}

#[test]
fn the_ledgers_are_as_long_as_the_appendices() {
    let lengths: BTreeMap<&str, usize> =
        ledgers().iter().map(|ledger| (ledger.version, ledger.statements.len())).collect();
    // Appendix B of 3.1.1 has 141 rows and that of 5.0 has 251; a row that vanishes would hide a statement.
    assert_eq!((lengths["3.1.1"], lengths["5.0"]), (141, 251));
}

#[test]
fn the_counts_of_a_version_add_up() {
    let mut out = Vec::new();
    write_counts(&ledgers(), &mut out).expect("a Vec can be written to");
    let table = String::from_utf8(out).expect("the table is text");
    for ledger in ledgers() {
        let sum: usize = [Status::Tested, Status::NotOurs, Status::Exception]
            .map(|status| ledger.count(status))
            .iter()
            .sum();
        assert_eq!(sum, ledger.statements.len(), "{}", ledger.version);
        assert!(table.contains(&format!("| {:<5} | {sum:>10} |", ledger.version)), "{table}");
    }
}

#[test]
fn a_tag_counts_only_at_a_statement_inside_a_test() {
    let text = "//! [MQTT5-1.1.1-1]\n\
                // [MQTT5-1.1.1-2] cites\n\
                fn code() {\n    // [MQTT5-1.1.1-3]\n    work();\n}\n\
                #[cfg(test)]\n\
                mod tests {\n    // [MQTT5-1.1.1-4]\n    #[test]\n    fn sentence() {\n\
                \x20       // [MQTT5-1.1.1-5]\n        // and why\n        assert!(it());\n\
                \x20       assert!(it()); // [MQTT5-1.1.1-6]\n        // [MQTT5-1.1.1-7]\n    }\n}\n\
                fn more() {\n    // [MQTT5-1.1.1-8]\n    work();\n}\n";
    let at_assertion = |file: &str| -> Vec<String> {
        let tags = tags_in(Path::new(file), text);
        assert_eq!(tags.len(), 8, "{tags:?}");
        tags.into_iter().filter(|tag| tag.at_assertion).map(|tag| tag.id).collect()
    };
    assert_eq!(at_assertion("crates/core/src/x.rs"), ["MQTT5-1.1.1-5", "MQTT5-1.1.1-6"]);
    let whole_file = ["MQTT5-1.1.1-3", "MQTT5-1.1.1-5", "MQTT5-1.1.1-6", "MQTT5-1.1.1-8"];
    for file in ["crates/core/tests/x.rs", "crates/core/src/x/tests.rs", "tests/conformance/tests/x.rs"] {
        assert_eq!(at_assertion(file), whole_file, "{file}");
    }
    assert_eq!(at_assertion("tests/conformance/src/x.rs"), ["MQTT5-1.1.1-5", "MQTT5-1.1.1-6"]);
}

#[test]
fn only_what_looks_like_a_statement_is_a_tag() {
    let found = |line: &str| -> Vec<String> {
        tags_in(Path::new("docs/x.md"), line).into_iter().map(|tag| tag.id).collect()
    };
    assert_eq!(found("[MQTT5-3.8.2.1] [MQTT5-x.y.z-n] [MQTT31-…] [MQTT 3.1] bytes[0]"), [""; 0]);
    // These are tags, and wrong ones: without a version, or of several statements at once.
    assert_eq!(found("[MQTT-3.1.2-5] [MQTT5-4.8.2-4, -5]"), ["MQTT-3.1.2-5", "MQTT5-4.8.2-4, -5"]);
    assert_eq!(found("[MQTT31-pingreq], [MQTT3-3.12.4-1]"), ["MQTT31-pingreq", "MQTT3-3.12.4-1"]);
}

fn place(tag: &Tag) -> String {
    format!("[{}] in {}:{}", tag.id, tag.file.display(), tag.line)
}

/// One assertion can show two rules, each under the numbers of two versions. What claims more shows none of them.
const STATEMENTS_PER_ASSERTION_MAX: usize = 4;
