//! `tidegate config show`: the effective values, each with where it came from, as a file that could be used.

use super::load::Loaded;
use super::value::Value;
use super::{key::Key, keys};
use crate::refusal::Place;

/// TOML with the origin of each value behind it.
pub fn show(loaded: &Loaded) -> String {
    let mut out = String::from("# The effective configuration, and where each value came from.\n");
    // A section can only begin when the keys that belong to none are written, and tables come last among these.
    for key in keys::all().filter(|key| key.section_and_leaf().0.is_empty() && key.name != "listener") {
        line(&mut out, loaded, key);
    }
    if let Some(key) = keys::find("listener")
        && let Value::Addresses(addresses) = key.field.get(&loaded.config)
    {
        for address in addresses {
            out.push_str("\n[[listener]]\n");
            write(&mut out, &format!("address = \"{address}\""), &origin(loaded, key));
        }
    }
    for (section, _) in keys::sections() {
        out.push_str(&format!("\n[{section}]\n"));
        for key in keys::all().filter(|key| key.section_and_leaf().0 == section) {
            line(&mut out, loaded, key);
        }
    }
    out
}

fn line(out: &mut String, loaded: &Loaded, key: &Key) {
    let setting = format!("{} = {}", key.section_and_leaf().1, key.field.get(&loaded.config));
    write(out, &setting, &origin(loaded, key));
}

fn write(out: &mut String, setting: &str, origin: &str) {
    out.push_str(&format!("{setting:<COLUMN$} # {origin}\n"));
}

fn origin(loaded: &Loaded, key: &Key) -> String {
    match loaded.origins.get(key.name) {
        // A file name may hold a line end, which would end the comment.
        Some(Place::File(path)) => path.display().to_string().escape_debug().to_string(),
        Some(Place::Line(path, line)) => format!("{}:{line}", path.display().to_string().escape_debug()),
        Some(Place::Variable(name)) => format!("environment {name}"),
        Some(Place::Nowhere) | None => "default".into(),
    }
}

/// Wide enough for every key with its default.
const COLUMN: usize = 46;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::Config;
    use super::super::load::{Source, load};
    use super::*;

    fn source(text: &str) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let file_source = Source { file: Some(file.path().to_owned()), environment: Vec::new() };
        (file, file_source)
    }

    #[test]
    fn each_value_is_shown_with_where_it_came_from() {
        let (file, mut source) =
            source("shards = 2\n[limits]\nqueue_bytes_max = 4096\n[log]\nlevel = 'warn'\n");
        source.environment = vec![("TIDEGATE_SYS__INTERVAL_SECS".into(), "0".into())];
        let shown = show(&load(&source).unwrap());
        let path = file.path().display().to_string();
        assert!(shown.contains(&format!("\n{:<46} # {path}:1\n", "shards = 2")), "{shown}");
        assert!(shown.contains(&format!("\n{:<46} # {path}:3\n", "queue_bytes_max = 4096")), "{shown}");
        assert!(shown.contains(&format!("\n{:<46} # {path}:5\n", "level = \"warn\"")), "{shown}");
        let expected = format!("\n{:<46} # environment TIDEGATE_SYS__INTERVAL_SECS\n", "interval_secs = 0");
        assert!(shown.contains(&expected), "{shown}");
        assert!(shown.contains(&format!("\n{:<46} # default\n", "receive_maximum = 1024")), "{shown}");
    }

    #[test]
    fn what_is_shown_is_a_file_of_the_same_configuration() {
        let text = "data_dir = \"a \\\"b\\\"\"\nshards = 7\n[[listener]]\naddress = \"127.0.0.1:1\"\n\
                    [[listener]]\naddress = \"[::1]:2\"\n[log]\nformat = \"json\"\n[limits]\ninflight_max = 5\n";
        let (_file, written) = source(text);
        let loaded = load(&written).unwrap();
        assert_ne!(loaded.config, Config::default());
        let (_again, shown) = source(&show(&loaded));
        assert_eq!(load(&shown).unwrap().config, loaded.config);
    }
}
