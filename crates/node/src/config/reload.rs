//! SIGHUP: the source is read again, what can change at once changes, and the rest is said.

use super::key::{Key, Reload};
use super::load::{Loaded, Source, load};
use super::{Config, keys};
use crate::refusal::Refusals;

/// Reads the same source again whenever it is asked to.
#[derive(Debug, Clone)]
pub struct Reloader {
    source: Source,
}

/// What a reload found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The configuration to work with from now on: new where that is possible, as it was elsewhere.
    pub config: Config,
    /// What took effect.
    pub applied: Vec<Change>,
    /// What waits for a restart.
    pub needs_restart: Vec<Change>,
}

/// A key whose value is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the key.
    pub key: &'static str,
    /// What it was, as TOML writes it.
    pub from: String,
    /// What the source says now.
    pub to: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}", self.key, self.from, self.to)
    }
}

impl Reloader {
    /// For the source that the program was started with.
    pub fn new(source: Source) -> Self {
        Self { source }
    }

    /// Reads the source and compares it with what is in force.
    ///
    /// # Errors
    /// Everything that is wrong with the source. Nothing changes then: half of a mistake is not applied.
    pub fn reload(&self, in_force: &Config) -> Result<Reloaded, Refusals> {
        let Loaded { config: wanted, .. } = load(&self.source)?;
        let mut reloaded =
            Reloaded { config: in_force.clone(), applied: Vec::new(), needs_restart: Vec::new() };
        for key in keys::all() {
            let Some(change) = change(key, in_force, &wanted) else { continue };
            match key.reload {
                Reload::OnSighup => {
                    let taken = key.field.set(&mut reloaded.config, &key.field.get(&wanted));
                    // Invariant: the value was accepted by this same key when the source was read.
                    debug_assert!(taken.is_ok(), "{} refuses its own value", key.name);
                    reloaded.applied.push(change);
                }
                Reload::AtRestart => reloaded.needs_restart.push(change),
            }
        }
        Ok(reloaded)
    }
}

fn change(key: &Key, in_force: &Config, wanted: &Config) -> Option<Change> {
    let (from, to) = (key.field.get(in_force), key.field.get(wanted));
    (from != to).then(|| Change { key: key.name, from: from.to_string(), to: to.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::LogLevel;
    use super::*;

    #[test]
    fn a_reload_applies_what_it_can_and_names_what_waits_for_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.toml");
        let source = Source { file: Some(file.clone()), environment: Vec::new() };
        std::fs::write(&file, "shards = 1\n").unwrap();
        let before = load(&source).unwrap().config;
        let reloader = Reloader::new(source);

        std::fs::write(&file, "shards = 2\n[log]\nlevel = 'debug'\n[limits]\ninflight_max = 7\n").unwrap();
        let reloaded = reloader.reload(&before).unwrap();
        let said: Vec<_> = reloaded.applied.iter().map(ToString::to_string).collect();
        assert_eq!(said, [r#"log.level: "info" -> "debug""#, "limits.inflight_max: 1024 -> 7"]);
        let said: Vec<_> = reloaded.needs_restart.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["shards: 1 -> 2"]);
        assert_eq!(reloaded.config.log.level, LogLevel::Debug);
        assert_eq!(reloaded.config.limits.inflight_max, 7);
        assert_eq!(reloaded.config.shards, 1, "what waits for a restart must not be half in force");

        assert_eq!(reloader.reload(&reloaded.config).unwrap().applied, []);
    }

    #[test]
    fn a_file_with_a_mistake_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.toml");
        std::fs::write(&file, "[log]\nlevel = 'debug'\nlevle = 'warn'\n").unwrap();
        let reloader = Reloader::new(Source { file: Some(file), environment: Vec::new() });
        assert!(reloader.reload(&Config::default()).is_err());
    }
}
