//! What the operator decided: the typed configuration and how it comes to be.
//!
//! [`keys`] is the table of all keys; [`load`](load::load) fills a [`Config`] from their defaults, then the file,
//! then the environment, and refuses whatever it does not understand. Nothing here opens sockets or starts threads,
//! and no other crate knows these types: `serve` turns them into what the broker needs.

pub mod check;
pub mod environment;
pub mod file;
pub mod key;
pub mod keys;
pub mod load;
pub mod nearest;
pub mod reference;
pub mod reload;
pub mod show;
pub mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

/// The effective configuration. [`Config::default`] is what the table of keys says; each field is documented there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `data_dir`
    pub data_dir: PathBuf,
    /// `shards`, where 0 asks for one per core; see [`Config::shard_count`].
    pub shards: u16,
    /// `allow_anonymous`
    pub allow_anonymous: bool,
    /// `allow_anonymous_beyond_loopback`
    pub allow_anonymous_beyond_loopback: bool,
    /// `[[listener]]`: the addresses, in the order of the file.
    pub listeners: Vec<SocketAddr>,
    /// `[log]`
    pub log: Log,
    /// `journal.level`
    pub journal_level: JournalLevel,
    /// `sys.interval_secs`, where 0 is off.
    pub sys_interval_secs: u32,
    /// `shutdown.grace_secs`
    pub shutdown_grace_secs: u32,
    /// `[limits]`
    pub limits: Limits,
}

/// What a client's acknowledgement means for its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalLevel {
    /// It is on the disk.
    Fsync,
    /// The operating system has it.
    Os,
    /// The process has it.
    Memory,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// `log.level`
    pub level: LogLevel,
    /// `log.format`
    pub format: LogFormat,
}

/// The least serious message that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// And what may need one.
    Warn,
    /// And the connections with their ends.
    Info,
    /// And what explains a single client.
    Debug,
    /// Everything.
    Trace,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object on a line, for programs.
    Json,
}

/// `[limits]`: one field per key of the same name. What happens at each bound is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of keys documents each, and a copy here would drift")]
pub struct Limits {
    pub connect_timeout_secs: u32,
    pub packet_bytes_max: u32,
    pub packet_bytes_before_connect_max: u32,
    pub topic_levels_max: u16,
    pub filters_per_subscribe_max: u32,
    pub filters_per_session_max: u32,
    pub replays_per_session_max: u32,
    pub sessions_per_organisation_max: u32,
    pub subscriptions_per_organisation_max: u32,
    pub share_names_per_filter_max: u32,
    pub share_names_per_organisation_max: u32,
    pub receive_maximum: u16,
    pub inflight_max: u16,
    pub topic_alias_maximum: u16,
    pub outbound_alias_max: u16,
    pub queue_messages_max: u32,
    pub queue_bytes_max: u64,
    pub queued_bytes_per_organisation_max: u64,
    pub queue_cache_bytes: u64,
    pub queued_message_age_max_secs: u32,
    pub outbound_bytes_max: u64,
    pub retained_messages_max: u32,
    pub retained_bytes_max: u64,
    pub user_properties_max: u32,
    pub session_expiry_max_secs: u32,
    pub session_expiry_v3_secs: u32,
    /// `limits.session_expiry_v5_default_secs`
    pub session_expiry_v5_default_secs: u32,
    pub keep_alive_max_secs: u16,
    pub connections_max: u32,
    pub connections_per_address_max: u32,
    pub match_cache_bytes: u64,
}

impl Config {
    /// How many shards to start: the number asked for, or one for each core this process may use.
    pub fn shard_count(&self) -> u16 {
        if self.shards > 0 {
            return self.shards;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u16::try_from(cores).map_or(SHARDS_MAX, |cores| cores.min(SHARDS_MAX))
    }

    /// A value in every field, none of them meant: the table of keys writes each one.
    fn unset() -> Self {
        Self {
            data_dir: PathBuf::new(),
            shards: 0,
            allow_anonymous: false,
            allow_anonymous_beyond_loopback: false,
            listeners: Vec::new(),
            log: Log { level: LogLevel::Error, format: LogFormat::Text },
            journal_level: JournalLevel::Memory,
            sys_interval_secs: 0,
            shutdown_grace_secs: 0,
            limits: Limits {
                connect_timeout_secs: 0,
                packet_bytes_max: 0,
                packet_bytes_before_connect_max: 0,
                topic_levels_max: 0,
                filters_per_subscribe_max: 0,
                filters_per_session_max: 0,
                replays_per_session_max: 0,
                sessions_per_organisation_max: 0,
                subscriptions_per_organisation_max: 0,
                share_names_per_filter_max: 0,
                share_names_per_organisation_max: 0,
                receive_maximum: 0,
                inflight_max: 0,
                topic_alias_maximum: 0,
                outbound_alias_max: 0,
                queue_messages_max: 0,
                queue_bytes_max: 0,
                queued_bytes_per_organisation_max: 0,
                queue_cache_bytes: 0,
                queued_message_age_max_secs: 0,
                outbound_bytes_max: 0,
                retained_messages_max: 0,
                retained_bytes_max: 0,
                user_properties_max: 0,
                session_expiry_max_secs: 0,
                session_expiry_v3_secs: 0,
                session_expiry_v5_default_secs: 0,
                keep_alive_max_secs: 0,
                connections_max: 0,
                connections_per_address_max: 0,
                match_cache_bytes: 0,
            },
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Self::unset();
        for key in keys::all() {
            key.field.set_default(&mut config);
        }
        config
    }
}

/// More threads than this have never made a broker faster, and each costs its own caches.
pub const SHARDS_MAX: u16 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_shards_asks_for_one_per_core() {
        let mut config = Config::default();
        assert_eq!(config.shards, 0);
        assert!((1..=SHARDS_MAX).contains(&config.shard_count()));
        config.shards = 3;
        assert_eq!(config.shard_count(), 3);
    }

    #[test]
    fn the_defaults_listen_on_loopback_only() {
        let listeners = Config::default().listeners;
        assert_eq!(listeners, ["127.0.0.1:1883".parse().unwrap()]);
        assert!(listeners.iter().all(|address| address.ip().is_loopback()));
    }
}
