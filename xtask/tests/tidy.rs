//! Habits that decay unless a test keeps them: small files named for what is in them, links that stand, and nothing of
//! the machine a change was written on.

mod repository;

use std::fs;
use std::path::{Path, PathBuf};

/// Past this a file holds a second concept; most are far below.
const LINES_MAX: usize = 700;

/// Names that say nothing, and so collect everything.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "types", "manager", "misc"];

/// Hosts that a URL here may name: sources that stay, and names reserved for examples. A host that only one machine or
/// one company can reach must not end up in the repository, least of all in a lock file.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "example.com",
    "github.com",
    "docs.oasis-open.org",
    "www.apache.org",
    "mosquitto.org",
    "mqtt.org",
    "www.rfc-editor.org",
    "doc.rust-lang.org",
    "keepachangelog.com",
    "semver.org",
    // npm writes into its lock file where the authors of packages can be paid.
    "feross.org",
    "www.patreon.com",
];

fn texts() -> impl Iterator<Item = (PathBuf, String)> {
    let text =
        |file: PathBuf| fs::read_to_string(repository::root().join(&file)).ok().map(|text| (file, text));
    repository::files().into_iter().filter_map(text)
}

fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().is_some_and(|extension| extensions.iter().any(|e| extension == *e))
}

#[test]
fn no_source_is_longer_than_a_person_reads() {
    let long: Vec<String> = texts()
        .filter(|(file, _)| has_extension(file, &["rs", "py", "js"]))
        .map(|(file, text)| (text.lines().count(), file))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "look for the second concept in {long:#?}");
}

#[test]
fn a_file_is_named_for_what_is_in_it() {
    let is_empty = |part: &std::ffi::OsStr| {
        EMPTY_NAMES.iter().any(|name| Path::new(part).file_stem() == Some(name.as_ref()))
    };
    let empty: Vec<_> = repository::files().into_iter().filter(|file| file.iter().any(is_empty)).collect();
    assert!(empty.is_empty(), "these names say nothing: {empty:?}");
}

#[test]
fn links_in_documents_point_to_files_that_exist() {
    let mut broken = Vec::new();
    for (file, text) in texts().filter(|(file, _)| has_extension(file, &["md"])) {
        let folder = repository::root().join(file.parent().unwrap_or(Path::new("")));
        for link in links(&text) {
            let path = link.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !folder.join(path).exists() {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of `[text](target)`, outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let (target, tail) = after.split_once(')').unwrap_or((after, ""));
            found.push(target.split_whitespace().next().unwrap_or_default().to_owned());
            rest = tail;
        }
    }
    found
}

#[test]
fn the_tests_that_noticed_a_broken_rule_still_exist() {
    let table = fs::read_to_string(repository::root().join("docs/BROKEN_RULES.md")).expect("the table");
    let sources: Vec<String> =
        texts().filter(|(file, _)| has_extension(file, &["rs"])).map(|(_, text)| text).collect();
    let rows = table.lines().filter(|line| line.starts_with("| MQTT") || line.starts_with("| section"));
    let mut gone = Vec::new();
    for row in rows {
        let (_, noticed) = row.trim_end_matches(" |").rsplit_once(" | ").expect("three columns");
        let mut names = noticed.split('`').skip(1).step_by(2).peekable();
        assert!(names.peek().is_some(), "nobody noticed: {row}");
        let exists = |name: &str| sources.iter().any(|source| source.contains(&format!("fn {name}(")));
        gone.extend(names.filter(|name| !exists(name)).map(str::to_owned));
    }
    assert!(gone.is_empty(), "renamed or gone, so break the rule again and see: {gone:#?}");
}

#[test]
fn a_link_is_found_wherever_it_stands() {
    let text = "[a](x.md) and [`b`](y.rs#L1 \"title\")\n```\n[no](z)\n```\n* [c](../w)";
    assert_eq!(links(text), ["x.md", "y.rs#L1", "../w"]);
}

#[test]
fn urls_name_hosts_that_everybody_can_reach() {
    let mut strange = Vec::new();
    for (file, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            for host in hosts(line).filter(|host| !HOSTS.contains(host)) {
                strange.push(format!("{}:{}: {host}", file.display(), number + 1));
            }
        }
    }
    assert!(strange.is_empty(), "add a host to the list when everybody can reach it: {strange:#?}");
}

fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").filter_map(|(at, _)| {
        let scheme = line[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
        let rest = &line[at + 3..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-')).unwrap_or(rest.len());
        let host = rest[..end].trim_end_matches('.');
        (matches!(scheme, "http" | "https" | "git" | "ssh" | "ftp") && !host.is_empty()).then_some(host)
    })
}

#[test]
fn a_host_is_found_in_a_url() {
    let line = concat!("see ht", "tps://a.example/x and registry+ht", "tp://b.example:80, tcp://c.example");
    assert_eq!(hosts(line).collect::<Vec<_>>(), ["a.example", "b.example"]);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Written in two pieces, so that this file does not contain what it looks for.
    let banned = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/home", "/")];
    let mut found = Vec::new();
    for (file, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            if banned.iter().any(|path| line.contains(path)) {
                found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_test_is_switched_off() {
    let ignored = concat!("#[ig", "nore");
    let off: Vec<_> = texts()
        .filter(|(file, text)| {
            has_extension(file, &["rs"]) && text.lines().any(|l| l.trim_start().starts_with(ignored))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(off.is_empty(), "a test that is not run proves nothing: {off:?}");
}
