//! `docs/CONFIGURATION.md`, written from the table of keys.

use super::key::{Field, Key, Reload};
use super::keys;
use crate::refusal::Code;

/// The whole page.
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## Keys outside sections\n\n");
    rows(&mut out, "");
    for (section, doc) in keys::sections() {
        out.push_str(&format!("\n## `[{section}]`\n\n{doc}\n\n"));
        rows(&mut out, section);
    }
    out.push_str("\n## Why the program refuses to start\n\n| code | what is wrong |\n|---|---|\n");
    for code in Code::ALL {
        let (code, what) = code.entry();
        out.push_str(&format!("| {code} | {what} |\n"));
    }
    out
}

/// One line for each key: what `tidegate config --help` lists.
pub fn summary() -> String {
    let mut out = String::new();
    for key in keys::all() {
        out.push_str(&format!("  {:<40} {}\n", key.name, default(key)));
    }
    out
}

fn rows(out: &mut String, section: &str) {
    let keys = keys::all().filter(|key| key.section_and_leaf().0 == section);
    for key in keys {
        let (_, leaf) = key.section_and_leaf();
        out.push_str(&format!("### `{leaf}`\n\n{}\n\n", key.doc));
        out.push_str(&format!("- Default: `{}`{}\n", default(key), human(key)));
        out.push_str(&format!("- Accepts: {}\n", accepts(key)));
        if let Some(at_bound) = key.at_bound {
            out.push_str(&format!("- At the bound: {at_bound}\n"));
        }
        out.push_str(&format!("- Environment: `{}`\n", key.variable()));
        out.push_str(match key.reload {
            Reload::OnSighup => "- A change takes effect on SIGHUP\n\n",
            Reload::AtRestart => "- A change takes effect at the next start\n\n",
        });
    }
    out.pop();
}

fn default(key: &Key) -> String {
    key.field.default_value().to_string()
}

/// Large round sizes in words.
fn human(key: &Key) -> String {
    let Field::Number { default, .. } = key.field else { return String::new() };
    let (_, name) = key.section_and_leaf();
    let units: &[(u64, &str)] = match name {
        _ if name.contains("bytes") => &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")],
        _ if name.ends_with("_secs") => &[(86_400, "days")],
        _ => &[],
    };
    let unit = units.iter().find(|(size, _)| default >= *size && default % size == 0);
    unit.map_or_else(String::new, |(size, unit)| format!(" ({} {unit})", default / size))
}

fn accepts(key: &Key) -> String {
    match &key.field {
        Field::Flag { .. } => "`true`, `false`".into(),
        Field::Number { min, max, .. } => format!("{min} to {max}"),
        Field::Directory { .. } => "the path of a directory".into(),
        Field::Choice { words, .. } => {
            let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Field::Listeners { .. } => "tables `[[listener]]` with `address = \"IP:PORT\"`".into(),
    }
}

const HEAD: &str = "\
# Configuration

<!-- Written by `tidegate config reference`; a test fails while this page is not what that prints. -->

Without `--config` the broker starts on the defaults below; no file is looked for. With `--config FILE` it reads
that file, which is TOML:

```toml
data_dir = \"/var/lib/tidegate\"

[[listener]]
address = \"127.0.0.1:1883\"

[limits]
packet_bytes_max = 1048576
```

The environment overrides the file, one variable for each key: two underscores stand for the dot between a section
and its key, as in `TIDEGATE_LIMITS__PACKET_BYTES_MAX=1048576`.

`tidegate config check` says everything that is wrong, `tidegate config show` shows each value and where it came
from. Unknown keys, unknown variables and bad values are errors: the broker never starts with less protection than
was asked for. On SIGHUP the file is read again; a file with an error changes nothing.
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_page_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == reference(),
            "docs/CONFIGURATION.md is out of date. help: tidegate config reference > docs/CONFIGURATION.md"
        );
    }

    #[test]
    fn the_summary_names_every_key() {
        assert_eq!(summary().lines().count(), keys::all().count());
        assert!(summary().contains("limits.packet_bytes_max"));
    }
}
