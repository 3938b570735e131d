//! Finds the tags of normative statements in the repository's files, and tells tests from mere citations.
//!
//! A tag counts as a test where it stands in a `//` comment at a line of code inside a test: beside the assertion. In
//! documentation, above a function, or in code that is no test, it is a citation.

use std::fs;
use std::path::{Path, PathBuf};

/// One tag in one place.
#[derive(Debug)]
pub(crate) struct Tag {
    /// What stands between the brackets.
    pub(crate) id: String,
    /// Where it stands, seen from the root of the repository.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
    /// Whether it stands at an assertion of a test.
    pub(crate) at_assertion: bool,
}

/// All tags under these directories and files of the repository.
pub(crate) fn tags(root: &Path, places: &[&str]) -> Vec<Tag> {
    let mut files = Vec::new();
    for place in places {
        collect(&root.join(place), &mut files);
    }
    files.sort();
    let mut tags = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let relative = file.strip_prefix(root).expect("every file was found under the root").to_path_buf();
        tags.extend(tags_in(&relative, &text));
    }
    tags
}

/// The tags of one file.
pub(crate) fn tags_in(file: &Path, text: &str) -> Vec<Tag> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let test_lines = if is_rust { test_lines(file, &lines) } else { vec![false; lines.len()] };
    let mut tags = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let comment = if is_rust { line.find("//").map_or("", |at| &line[at..]) } else { line };
        let at_assertion = test_lines[index] && is_at_code(&lines, index);
        tags.extend(ids(comment).map(|id| Tag {
            id: id.to_owned(),
            file: file.to_path_buf(),
            line: index + 1,
            at_assertion,
        }));
    }
    tags
}

/// What stands between brackets and begins like the number of a statement. A section without a statement's number, as in
/// `[MQTT5-3.8.2]`, and a placeholder in letters are no tags.
fn ids(comment: &str) -> impl Iterator<Item = &str> {
    comment.split('[').skip(1).filter_map(|rest| {
        let (inside, _) = rest.split_once(']')?;
        let (version, number) = inside.split_once('-').filter(|(version, _)| version.starts_with("MQTT"))?;
        let is_section = number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let is_word = version == "MQTT31" && number.starts_with(|c: char| c.is_ascii_lowercase());
        let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && !is_section;
        (is_word || is_number).then_some(inside)
    })
}

/// Which lines belong to tests: all of a file under a `tests` directory of a package or named `tests.rs`, otherwise the
/// modules under `#[cfg(test)]`, which end at the brace that rustfmt puts under their beginning.
fn test_lines(file: &Path, lines: &[&str]) -> Vec<bool> {
    let within_package = file.iter().skip(2);
    if within_package.clone().any(|part| part == "tests") || file.file_name().is_some_and(|n| n == "tests.rs")
    {
        return vec![true; lines.len()];
    }
    let mut end: Option<String> = None;
    let mut previous = "";
    lines
        .iter()
        .map(|line| {
            let begins = previous.trim() == "#[cfg(test)]" && line.ends_with('{');
            if begins && end.is_none() {
                end = Some(format!("{}}}", &line[..line.len() - line.trim_start().len()]));
            }
            previous = line;
            let inside = end.is_some();
            if end.as_deref() == Some(line) {
                end = None;
            }
            inside
        })
        .collect()
}

/// Whether the comment of this line is no documentation and stands at a statement: behind it on the line, or above it.
fn is_at_code(lines: &[&str], index: usize) -> bool {
    let line = lines[index].trim_start();
    if !line.starts_with("//") {
        return true;
    }
    let is_documentation = |line: &str| line.starts_with("///") || line.starts_with("//!");
    if is_documentation(line) {
        return false;
    }
    let next = lines[index..].iter().map(|line| line.trim_start()).find(|line| !line.starts_with("//"));
    let begins_item =
        |line: &str| ["#[", "fn ", "pub", "mod ", "use "].iter().any(|item| line.starts_with(item));
    next.is_some_and(|next| !next.is_empty() && next != "}" && !begins_item(next))
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if place.is_dir() {
        if name.starts_with('.') || PASSED_OVER.contains(&name.as_str()) {
            return;
        }
        let entries = fs::read_dir(place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
        for entry in entries {
            collect(&entry.expect("an entry of a directory can be read").path(), files);
        }
    } else if place.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
        files.push(place.to_path_buf());
    }
}

/// Directories with nothing of ours, and this one, whose examples are no tags.
const PASSED_OVER: [&str; 3] = ["target", "node_modules", "ledger"];
