//! The table of all configuration keys.
//!
//! Parsing, environment names, `config show`, `config --help`, `docs/CONFIGURATION.md` and the answer to SIGHUP all
//! come from these rows. To add a key: a field in [`Config`](super::Config), a row here, and
//! `tidegate config reference > docs/CONFIGURATION.md`. A new key must name the operator who needs it.

mod limits;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::key::{Field, Key, Number, Reload};
use super::{JournalLevel, LogFormat, LogLevel, SHARDS_MAX};

/// Every key, in the order in which they are shown.
pub fn all() -> impl Iterator<Item = &'static Key> + Clone {
    KEYS.iter().chain(limits::LIMITS)
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// The sections, in the order in which they are shown.
pub fn sections() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    SECTIONS.iter().copied()
}

const SECTIONS: &[(&str, &str)] = &[
    ("log", "What is written about the broker's work. Messages go to standard error."),
    (
        "journal",
        "What is written to the disk so that it outlives the process: sessions that outlive their connection, what \
      waits for them, retained messages and Wills.",
    ),
    ("sys", "The broker's own figures as topics below `$SYS/broker/`."),
    ("shutdown", "How the broker ends."),
    (
        "limits",
        "The bounds of what clients can ask for. Each carries its unit in its name and says what happens there.",
    ),
];

const KEYS: &[Key] = &[
    Key {
        name: "data_dir",
        field: Field::Directory { at: |c| &mut c.data_dir, default: "./tidegate-data" },
        doc: "Directory of everything the broker keeps, relative to where it is started; created for its user only.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "shards",
        field: Field::Number {
            at: Number::U16(|c| &mut c.shards),
            default: 0,
            min: 0,
            max: SHARDS_MAX as u64,
        },
        doc: "Threads that serve connections; 0 starts one for each core the process may use.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "allow_anonymous",
        field: Field::Flag { at: |c| &mut c.allow_anonymous, default: true },
        doc: "Whether a client may connect without a credential that the broker verifies; while it is on, every \
              listener must be on loopback.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "allow_anonymous_beyond_loopback",
        field: Field::Flag { at: |c| &mut c.allow_anonymous_beyond_loopback, default: false },
        doc: "The words that lift that rule: anybody who reaches a listener may then publish and subscribe to \
              everything.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "listener",
        field: Field::Listeners {
            at: |c| &mut c.listeners,
            default: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1883),
        },
        doc: "Tables `[[listener]]`, each with the `address` (IP address and port) of one TCP listener; port 0 takes \
              a free one. In the environment: addresses with commas between them.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "log.level",
        field: Field::Choice {
            words: &["error", "warn", "info", "debug", "trace"],
            set: |c, index| c.log.level = LEVELS[index],
            get: |c| LEVELS.iter().position(|level| *level == c.log.level).unwrap_or_default(),
            default: 2,
        },
        doc: "The least serious message that is written; connections and their ends are `info`.",
        at_bound: None,
        reload: Reload::OnSighup,
    },
    Key {
        name: "log.format",
        field: Field::Choice {
            words: &["text", "json"],
            set: |c, index| c.log.format = FORMATS[index],
            get: |c| FORMATS.iter().position(|format| *format == c.log.format).unwrap_or_default(),
            default: 0,
        },
        doc: "Lines for people, or one JSON object on each line.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "journal.level",
        field: Field::Choice {
            words: &["fsync", "os", "memory"],
            set: |c, index| c.journal_level = JOURNAL_LEVELS[index],
            get: |c| JOURNAL_LEVELS.iter().position(|level| *level == c.journal_level).unwrap_or_default(),
            default: 0,
        },
        doc: "What an acknowledgement promises: `fsync`, the message is on the disk and survives a power cut; `os`, it \
              survives the end of the process, not a power cut; `memory`, nothing is written.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "sys.interval_secs",
        field: Field::Number {
            at: Number::U32(|c| &mut c.sys_interval_secs),
            default: 10,
            min: 0,
            max: 86_400,
        },
        doc: "Seconds between two publications of the figures; 0 publishes none.",
        at_bound: None,
        reload: Reload::AtRestart,
    },
    Key {
        name: "shutdown.grace_secs",
        field: Field::Number {
            at: Number::U32(|c| &mut c.shutdown_grace_secs),
            default: 10,
            min: 0,
            max: 3_600,
        },
        doc: "Seconds that connections get to take what is already queued for them once the broker was told to end.",
        at_bound: Some("what is still queued is given up, and the program ends"),
        reload: Reload::AtRestart,
    },
];

const LEVELS: [LogLevel; 5] =
    [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
const JOURNAL_LEVELS: [JournalLevel; 3] = [JournalLevel::Fsync, JournalLevel::Os, JournalLevel::Memory];
const FORMATS: [LogFormat; 2] = [LogFormat::Text, LogFormat::Json];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Config, key::Field};
    use super::*;

    #[test]
    fn every_key_accepts_its_default_and_gives_it_back() {
        for key in all() {
            let mut config = Config::default();
            let default = key.field.default_value();
            assert_eq!(key.field.set(&mut config, &default), Ok(()), "{}", key.name);
            assert_eq!(key.field.get(&config), default, "{}", key.name);
        }
    }

    #[test]
    fn every_key_has_its_own_name_and_field() {
        let names: BTreeSet<_> = all().map(|key| key.name).collect();
        assert_eq!(names.len(), all().count());
        // Two rows that share a field: changing one key would show under the other's name.
        for key in all() {
            let mut config = Config::default();
            for value in other_values(&key.field) {
                assert_eq!(key.field.set(&mut config, &value), Ok(()));
                assert_eq!(key.field.get(&config), value, "{}", key.name);
            }
            for other in all().filter(|other| other.name != key.name) {
                let untouched = other.field.default_value();
                assert_eq!(other.field.get(&config), untouched, "{} moves {}", key.name, other.name);
            }
        }
    }

    /// Values besides the default; for numbers both bounds, so that a bound too wide for its field is noticed.
    fn other_values(field: &Field) -> Vec<super::super::value::Value> {
        use super::super::value::Value;
        match field {
            Field::Flag { default, .. } => vec![Value::Flag(!default)],
            Field::Number { min, max, .. } => {
                vec![Value::Number((*min).into()), Value::Number((*max).into())]
            }
            Field::Directory { .. } => vec![Value::Text("elsewhere".into())],
            Field::Choice { words, .. } => words.iter().map(|word| Value::Text((*word).into())).collect(),
            Field::Listeners { .. } => vec![Value::Addresses(vec!["[::1]:1".parse().unwrap()])],
        }
    }

    #[test]
    fn every_section_of_a_key_is_described_and_every_limit_says_what_happens_at_its_bound() {
        let described: BTreeSet<_> = sections().map(|(name, _)| name).collect();
        for key in all() {
            let (section, leaf) = key.section_and_leaf();
            assert!(section.is_empty() || described.contains(section), "{}", key.name);
            assert!(!leaf.contains('.'), "{}: sections are one level deep", key.name);
            assert!(key.doc.ends_with('.'), "{}", key.name);
            assert_eq!(section == "limits" || key.name == "shutdown.grace_secs", key.at_bound.is_some());
        }
    }
}
