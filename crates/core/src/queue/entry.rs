//! One waiting message: its content in memory, or only where it stands in the log.

use std::sync::Arc;

use tidegate_mqtt::QoS;

use crate::durable::place::Stored;
use crate::group::GroupKey;
use crate::message::StoredMessage;
use crate::time::Now;

/// One waiting message.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) content: Content,
    pub(crate) extra: Option<Arc<Extra>>,
    /// When it was queued, in seconds of monotonic time. On its way back after a restart: since 1970.
    pub(super) since_secs: u32,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Its content may leave memory when the log has it, and counts for the cache while it is there.
    pub(super) may_leave: bool,
}

// A million of these may wait in one session.
const _: () = assert!(size_of::<Queued>() == 40);

/// Where the content of a waiting message is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Memory(Arc<StoredMessage>),
    /// In the log only.
    Log(Stored),
    /// Nowhere any more. It keeps its number, and counts for nothing.
    Lost,
}

/// What few waiting messages have; neighbours share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    /// Subscription Identifiers.
    pub(crate) identifiers: Box<[u32]>,
    /// The shared subscription that it came through.
    pub(crate) group: Option<GroupKey>,
}

impl Queued {
    pub(crate) fn new(
        content: Content,
        (qos, retain): (QoS, bool),
        identifiers: &[u32],
        group: Option<GroupKey>,
    ) -> Self {
        let extra = (!identifiers.is_empty() || group.is_some())
            .then(|| Arc::new(Extra { identifiers: identifiers.into(), group }));
        Self { content, extra, since_secs: 0, qos, retain, may_leave: false }
    }

    /// As the log says it was queued: `since_secs` after 1970.
    pub(crate) fn since(mut self, since_secs: u64) -> Self {
        self.since_secs = u32::try_from(since_secs).unwrap_or(u32::MAX);
        self
    }

    /// What stands where nothing is known of a message.
    pub(crate) fn lost() -> Self {
        Self::new(Content::Lost, (QoS::AtLeastOnce, false), &[], None)
    }

    /// On its way back after a restart: when it was queued, in seconds since 1970.
    pub(crate) fn restored_since(&self) -> u64 {
        u64::from(self.since_secs)
    }

    /// When it was queued, in seconds since 1970.
    pub(crate) fn since_unix_secs(&self, now: Now) -> u64 {
        (now.unix_ms / 1000).saturating_sub(u64::from(super::secs(now).saturating_sub(self.since_secs)))
    }

    pub(crate) fn identifiers(&self) -> &[u32] {
        self.extra.as_ref().map_or(&[], |extra| &extra.identifiers)
    }

    pub(crate) fn group(&self) -> Option<GroupKey> {
        self.extra.as_ref()?.group
    }

    pub(crate) fn may_leave(&self) -> bool {
        self.may_leave
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.content, Content::Lost)
    }

    /// Bytes of topic, properties and payload.
    pub(crate) fn size(&self) -> usize {
        match &self.content {
            Content::Memory(message) => message.size(),
            Content::Log(stored) => stored.size as usize,
            Content::Lost => 0,
        }
    }

    /// Whether it must not be delivered any more: what is in the log only knows the second.
    pub(crate) fn is_expired(&self, now: Now) -> bool {
        match &self.content {
            Content::Memory(message) => message.as_message().is_expired(now),
            Content::Log(stored) => {
                stored.expires_secs != u32::MAX && u64::from(stored.expires_secs) * 1000 <= now.unix_ms
            }
            Content::Lost => false,
        }
    }

    /// Shares what the one before has as well.
    pub(super) fn share_extra(&mut self, before: &Queued) {
        if self.extra.is_some() && self.extra == before.extra {
            self.extra.clone_from(&before.extra);
        }
    }
}
