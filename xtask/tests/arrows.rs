//! Arrows between crates point one way: a crate sees only what is drawn here, and a crate that is not drawn does not
//! exist.
//!
//! ```text
//!   tidegate ──► shard ──► core ──► mqtt ◄──┐
//!       ├──────────┼────────┴────► observe  │
//!       ├──────────┼─────────────► journal  │
//!       ├──────────┼─────────────► tls      │
//!       │          └─────────────► websocket│
//!       └──► crashtest ─────────────────────┘
//! ```

mod repository;

use std::collections::BTreeSet;
use std::fs;

use toml::Table;

/// Each crate, and the crates of ours it may see.
const ARROWS: &[(&str, &[&str])] = &[
    ("tidegate-mqtt", &[]),
    ("tidegate-observe", &[]),
    ("tidegate-contract", &["tidegate-mqtt"]),
    ("tidegate-core", &["tidegate-mqtt", "tidegate-observe"]),
    // The log of opaque records: whatever it knew of ours, it could not be replaced without.
    ("tidegate-journal", &[]),
    // Frames around bytes; whose bytes, it does not ask.
    ("tidegate-websocket", &[]),
    // Certificates and nothing of MQTT: what it knew of connections, it could not be tested without.
    ("tidegate-tls", &[]),
    (
        "tidegate-shard",
        &[
            "tidegate-core",
            "tidegate-journal",
            "tidegate-mqtt",
            "tidegate-observe",
            "tidegate-tls",
            "tidegate-websocket",
        ],
    ),
    (
        "tidegate",
        &[
            "tidegate-crashtest",
            "tidegate-shard",
            "tidegate-journal",
            "tidegate-core",
            "tidegate-mqtt",
            "tidegate-observe",
            "tidegate-tls",
        ],
    ),
    // Sees the broker from outside; only how packets are written it does not read a second time.
    ("tidegate-crashtest", &["tidegate-mqtt"]),
    ("tidegate-fuzz", &["tidegate-mqtt", "tidegate-core", "tidegate-websocket"]),
    // These see the broker from outside only: what they share with it, they could not find wrong.
    ("tidegate-bench", &[]),
    ("tidegate-conformance", &[]),
    ("tidegate-clients", &[]),
    ("xtask", &[]),
];

/// Where decisions are made: no sockets, files, threads, clock or process.
const WITHOUT_IO: &[&str] = &[
    "crates/mqtt/src",
    "crates/observe/src",
    "crates/contract/src",
    "crates/core/src",
    "crates/websocket/src",
];

fn manifests() -> Vec<(String, Table)> {
    let files = repository::files().into_iter().filter(|file| file.ends_with("Cargo.toml"));
    let tables = files.map(|file| {
        let text = fs::read_to_string(repository::root().join(&file)).expect("a manifest is readable");
        (file.display().to_string(), text.parse::<Table>().expect("a manifest is TOML"))
    });
    tables.filter(|(_, table)| table.contains_key("package")).collect()
}

/// The crates of ours that a manifest names in any of its lists of dependencies.
fn seen_by(table: &Table, ours: &BTreeSet<String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (name, value) in table {
        let Some(inner) = value.as_table() else { continue };
        if name.ends_with("dependencies") {
            for (dependency, how) in inner {
                let renamed = how.get("package").and_then(|package| package.as_str());
                seen.insert(renamed.unwrap_or(dependency).to_owned());
            }
        } else if name == "target" {
            seen.extend(inner.values().filter_map(|target| target.as_table()).flat_map(|t| seen_by(t, ours)));
        }
    }
    seen.retain(|name| ours.contains(name));
    seen
}

fn name(table: &Table) -> String {
    table["package"]["name"].as_str().expect("a package has a name").to_owned()
}

#[test]
fn every_arrow_between_crates_is_drawn() {
    let manifests = manifests();
    let ours: BTreeSet<String> = manifests.iter().map(|(_, table)| name(table)).collect();
    let drawn: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(ours.contains("tidegate"), "the manifests were not found");
    assert!(ours.is_subset(&drawn), "not drawn: {:?}", ours.difference(&drawn));
    for (file, table) in &manifests {
        let name = name(table);
        let (_, allowed) = ARROWS.iter().find(|(drawn, _)| *drawn == name).expect("checked above");
        for seen in seen_by(table, &ours) {
            assert!(allowed.contains(&seen.as_str()), "{file}: {name} may not depend on {seen}");
        }
    }
}

#[test]
fn an_arrow_is_seen_wherever_a_manifest_can_hide_it() {
    let manifest = "[dependencies]\nx = { package = \"a\", path = \"a\" }\nserde = \"1\"\n[dev-dependencies]\n\
                    b.workspace = true\n[target.'cfg(unix)'.build-dependencies]\nc = \"1\"\n";
    let ours = ["a", "b", "c", "d"].map(str::to_owned).into();
    let seen: Vec<_> = seen_by(&manifest.parse().unwrap(), &ours).into_iter().collect();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn what_decides_does_no_io() {
    // An address and a slice to be written are values; a socket and a file are not.
    let banned =
        ["std::fs", "std::thread", "std::env", "std::process", "TcpStream", "TcpListener", "UdpSocket"];
    let files = repository::files();
    let files = files.iter().filter(|file| {
        let inside = WITHOUT_IO.iter().any(|folder| file.starts_with(folder));
        // Tests may print and read a file of cases.
        inside
            && file.extension().is_some_and(|e| e == "rs")
            && !file.iter().any(|part| part.to_string_lossy().starts_with("tests"))
    });
    let mut looked_at = 0;
    for file in files {
        let text = fs::read_to_string(repository::root().join(file)).expect("a source is readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in
            code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let broken = banned.iter().find(|module| line.contains(**module));
            assert!(broken.is_none(), "{}:{}: {broken:?} in a crate without I/O", file.display(), number + 1);
        }
        looked_at += 1;
    }
    assert!(looked_at > WITHOUT_IO.len(), "the sources were not found");
}
