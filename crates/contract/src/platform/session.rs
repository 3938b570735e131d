//! How long sessions of a platform last, and what waits in them.

use crate::duration::seconds;
use crate::source::Section;

/// Session policy. `None`: the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Session Expiry Interval for clients that do not say one, in seconds; announced to 5.0 clients. [MQTT5-3.2.2-21]
    pub default_expiry_secs: Option<u32>,
    /// The most that a client gets.
    pub max_expiry_secs: Option<u32>,
    /// How long a message waits.
    pub queue_age_secs: Option<u32>,
}

impl SessionPolicy {
    pub(super) fn read(section: Section<'_, '_>) -> Self {
        let read = Self {
            default_expiry_secs: section.parsed("default_expiry", seconds),
            max_expiry_secs: section.parsed("max_expiry", seconds),
            queue_age_secs: section.parsed("queue_age", seconds),
        };
        section.end();
        read
    }
}
