//! What the log says of one session's copy of a message, from where the copy is kept.

use std::borrow::Cow;

use tidegate_mqtt::QoS;

use crate::durable::place::Reference;
use crate::durable::record::Copy;
use crate::durable::recorder::Recorder;
use crate::group::GroupKey;
use crate::queue::{Content, Queued};
use crate::window::{Awaiting, Exchange};

impl Queued {
    /// Writes the content if it has to be written, and says what refers to it. `None`: there is nothing to refer to.
    pub(crate) fn copy<'q>(&'q mut self, recorder: &mut Recorder<'_>) -> Option<Copy<'q>> {
        let message = match &mut self.content {
            Content::Memory(message) => recorder.refer_to(message),
            Content::Log(stored) => recorder.refer_to_stored(*stored),
            Content::Lost => return None,
        };
        Some(Copy {
            message,
            qos: self.qos,
            retain: self.retain,
            identifiers: Cow::Borrowed(self.identifiers()),
            group: self.group().map(GroupKey::as_u64),
        })
    }
}

impl Exchange {
    /// As [`Queued::copy`].
    pub(crate) fn copy<'e>(&'e mut self, recorder: &mut Recorder<'_>) -> Copy<'e> {
        Copy {
            message: self.message.as_mut().map_or(Reference::Nothing, |message| recorder.refer_to(message)),
            qos: if self.awaiting == Awaiting::PubAck { QoS::AtLeastOnce } else { QoS::ExactlyOnce },
            retain: self.retain,
            identifiers: Cow::Borrowed(self.identifiers.as_deref().unwrap_or_default()),
            group: self.group.map(GroupKey::as_u64),
        }
    }
}
