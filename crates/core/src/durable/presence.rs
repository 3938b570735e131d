//! What is written down when clients come and go: their sessions, and the Wills that a crash must not swallow.

use crate::connection::OwnedWill;
use crate::core::Core;
use crate::durable::record::{Presence, Record, WillParts};
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId};
use crate::time::Now;
use crate::will::PendingWill;

impl Core {
    /// A client is tied to its session: from here on the session is written down, or no longer.
    pub(crate) fn write_bound(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        cancelled: Option<&PendingWill>,
        effects: &mut Effects,
    ) {
        if let Some(cancelled) = cancelled {
            self.write_will_gone(&cancelled.will, effects);
        }
        let new_key = self.recorder(effects).new_number();
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return };
        let presence = Presence { expiry_secs: session.expiry.0, left_at_ms: None };
        let known = session.key;
        session.key = match session.is_durable() {
            true => known.or(new_key),
            // What waits in the log only stays there until it is sent.
            false => known.filter(|_| session.queue.is_in_log()),
        };
        let client_identifier = &*std::sync::Arc::clone(&session.client_identifier);
        let record = match (known, session.key) {
            (None, Some(key)) => {
                Record::Session { key, organisation: organisation.0, client_identifier, presence }
            }
            (Some(key), Some(_)) => Record::Presence { key, presence },
            (Some(key), None) => Record::Ended { key },
            (None, None) => return,
        };
        self.recorder(effects).write(&record);
    }

    /// A client left its session.
    pub(crate) fn write_left(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        discarded: Option<&OwnedWill>,
        effects: &mut Effects,
    ) {
        if let Some(discarded) = discarded {
            self.write_will_gone(discarded, effects);
        }
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(session) else { return };
        let presence = Presence { expiry_secs: session.expiry.0, left_at_ms: Some(now.unix_ms) };
        if let Some(key) = session.key {
            self.recorder(effects).write(&Record::Presence { key, presence });
        }
    }

    /// A Will that the server has promised to publish.
    pub(crate) fn write_will(
        &mut self,
        organisation: OrganisationId,
        client_identifier: &str,
        will: &mut OwnedWill,
        effects: &mut Effects,
    ) {
        let mut recorder = self.recorder(effects);
        will.number = recorder.new_number();
        let Some(number) = will.number else { return };
        let parts = will.parts();
        let organisation = organisation.0;
        recorder.write(&Record::Will { number, organisation, client_identifier, will: parts });
    }

    /// A Will was published or discarded.
    pub(crate) fn write_will_gone(&mut self, will: &OwnedWill, effects: &mut Effects) {
        if let Some(number) = will.number {
            self.recorder(effects).write(&Record::WillGone { number });
        }
    }
}

impl OwnedWill {
    /// As the log has it.
    pub(crate) fn parts(&self) -> WillParts<'_> {
        WillParts {
            topic: &self.topic,
            payload: &self.payload,
            properties: &self.properties,
            qos: self.qos,
            retain: self.retain,
            delay_secs: self.delay_secs,
            expiry_secs: self.expiry_secs,
        }
    }

    /// As it was before a restart.
    pub(crate) fn of_parts(number: u64, parts: &WillParts<'_>) -> Self {
        Self {
            number: Some(number),
            topic: parts.topic.into(),
            payload: parts.payload.into(),
            properties: parts.properties.into(),
            qos: parts.qos,
            retain: parts.retain,
            delay_secs: parts.delay_secs,
            expiry_secs: parts.expiry_secs,
        }
    }
}
