//! What the log says of one session's copy of a message, from where the copy is kept.

use std::borrow::Cow;

use tidegate_mqtt::QoS;

use crate::durable::record::Copy;
use crate::durable::recorder::Recorder;
use crate::group::GroupKey;
use crate::queue::Queued;
use crate::window::{Awaiting, Exchange};

impl Queued {
    /// Writes the content if it was not written, and says what refers to it.
    pub(crate) fn copy<'q>(&'q mut self, recorder: &mut Recorder<'_>) -> Copy<'q> {
        Copy {
            message: recorder.message(&mut self.message),
            qos: self.qos,
            retain: self.retain,
            received: false,
            identifiers: borrowed(self.identifiers.as_deref()),
            group: self.group.map(GroupKey::as_u64),
        }
    }
}

impl Exchange {
    /// As [`Queued::copy`].
    pub(crate) fn copy<'e>(&'e mut self, recorder: &mut Recorder<'_>) -> Copy<'e> {
        Copy {
            message: self.message.as_mut().map_or(0, |message| recorder.message(message)),
            qos: if self.awaiting == Awaiting::PubAck { QoS::AtLeastOnce } else { QoS::ExactlyOnce },
            retain: self.retain,
            received: self.awaiting == Awaiting::PubComp,
            identifiers: borrowed(self.identifiers.as_deref()),
            group: self.group.map(GroupKey::as_u64),
        }
    }
}

fn borrowed(identifiers: Option<&[u32]>) -> Cow<'_, [u32]> {
    Cow::Borrowed(identifiers.unwrap_or_default())
}
