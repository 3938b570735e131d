//! What a [`Recovery`] holds, for people to look at: sessions, messages, retained messages, Wills. It only shows; what
//! becomes of them is the business of `restore`.

use tidegate_mqtt::{QoS, RetainHandling, SubscriptionOptions, Version};

use crate::durable::record::AWAITS_RETAINED;
use crate::durable::recovery::{Recovery, SessionDraft};
use crate::queue::{Content, Queued};
use crate::session::SessionExpiry;

/// A session that outlives its connection.
#[derive(Clone, Copy)]
pub struct SessionReport<'r>(&'r SessionDraft);

/// A subscription of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionReport<'r> {
    /// With its `$share` prefix if it has one.
    pub filter: &'r str,
    /// The highest QoS that messages are sent with.
    pub qos: QoS,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
    /// Messages of the client's own are not sent back to it.
    pub no_local: bool,
    /// Messages keep their RETAIN flag.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
    /// Retained messages are still to be sent for it.
    pub awaits_retained: bool,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageReport<'r> {
    /// Topic Name.
    pub topic: &'r str,
    /// The QoS that it was published with, or is sent with.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Application message.
    pub payload: &'r [u8],
    /// Bytes of topic, properties and payload.
    pub bytes: usize,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// A message that waits for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingReport<'r> {
    /// Since when, in seconds since 1970.
    pub since_secs: u64,
    /// Bytes of topic, properties and payload.
    pub bytes: usize,
    /// Which; `None` if it was not [read](Recovery::read_all).
    pub message: Option<MessageReport<'r>>,
}

/// A message that was sent, and whose exchange is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightReport<'r> {
    /// Packet Identifier.
    pub identifier: u16,
    /// `None`: PUBREC came, and only the identifier counts; or it was not [read](Recovery::read).
    pub message: Option<MessageReport<'r>>,
}

/// A Will that was promised: of a connected client, or one that waits for its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WillReport<'r> {
    /// The number of the organisation.
    pub organisation: u32,
    /// Whose.
    pub client_identifier: &'r str,
    /// Will Delay Interval.
    pub delay_secs: u32,
    /// What will be published.
    pub message: MessageReport<'r>,
}

impl Recovery {
    /// All sessions, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionReport<'_>> {
        self.known_sessions().map(SessionReport)
    }

    /// All retained messages with the numbers of their organisations, in no order.
    pub fn retained(&self) -> impl Iterator<Item = (u32, MessageReport<'_>)> {
        let retained = self.retained_messages();
        retained.map(|(organisation, message)| (organisation, message.as_message().into()))
    }

    /// All Wills, the oldest first.
    pub fn wills(&self) -> impl Iterator<Item = WillReport<'_>> {
        self.promised_wills().map(|draft| WillReport {
            organisation: draft.organisation.0,
            client_identifier: &draft.client_identifier,
            delay_secs: draft.will.delay_secs,
            message: MessageReport {
                topic: &draft.will.topic,
                qos: draft.will.qos,
                retain: draft.will.retain,
                payload: &draft.will.payload,
                bytes: draft.will.topic.len() + draft.will.properties.len() + draft.will.payload.len(),
                expires_at_ms: None,
            },
        })
    }
}

impl<'r> SessionReport<'r> {
    /// The number of the organisation.
    #[must_use]
    pub fn organisation(self) -> u32 {
        self.0.organisation.0
    }

    /// Client Identifier.
    #[must_use]
    pub fn client_identifier(self) -> &'r str {
        &self.0.client_identifier
    }

    /// How long it waits for its client, in seconds; `None` is for ever.
    #[must_use]
    pub fn expiry_secs(self) -> Option<u32> {
        let expiry = SessionExpiry(self.0.presence.expiry_secs);
        (!expiry.never()).then_some(expiry.0)
    }

    /// When its client left, in milliseconds since 1970; `None`: it is connected.
    #[must_use]
    pub fn left_at_ms(self) -> Option<u64> {
        self.0.presence.left_at_ms
    }

    /// By filter.
    #[must_use]
    pub fn subscriptions(self) -> Vec<SubscriptionReport<'r>> {
        let all = self.0.subscriptions.iter().map(|(filter, (options, identifier))| {
            let known = SubscriptionOptions::from_u8(options & !AWAITS_RETAINED, Version::V5);
            let known = known.unwrap_or(SubscriptionOptions::of_qos(QoS::AtMostOnce));
            SubscriptionReport {
                filter,
                qos: known.qos,
                identifier: (*identifier != 0).then_some(*identifier),
                no_local: known.no_local,
                retain_as_published: known.retain_as_published,
                retain_handling: known.retain_handling,
                awaits_retained: options & AWAITS_RETAINED != 0,
            }
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|subscription| subscription.filter);
        all
    }

    /// What waits for its client, the oldest first.
    pub fn waiting(self) -> impl Iterator<Item = WaitingReport<'r>> {
        let waiting = self.0.queue.messages.iter().filter(|copy| !copy.is_lost());
        waiting.map(|copy| WaitingReport {
            since_secs: copy.restored_since(),
            bytes: copy.size(),
            message: message_of(copy),
        })
    }

    /// What was sent and is not acknowledged to its end, in the order of sending.
    pub fn in_flight(self) -> impl Iterator<Item = InFlightReport<'r>> {
        let window = self.0.window.iter();
        window.map(|(identifier, copy)| InFlightReport {
            identifier: *identifier,
            message: copy.as_ref().and_then(message_of),
        })
    }

    /// Packet Identifiers of QoS 2 messages that the client has sent and not released.
    #[must_use]
    pub fn awaiting_release(self) -> Vec<u16> {
        let taken = self.0.awaiting_release.iter().chain(self.0.half_taken.keys());
        let mut identifiers: Vec<u16> = taken.copied().collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        identifiers
    }
}

fn message_of(copy: &Queued) -> Option<MessageReport<'_>> {
    let Content::Memory(message) = &copy.content else { return None };
    Some(MessageReport { qos: copy.qos, retain: copy.retain, ..message.as_message().into() })
}

impl<'m> From<crate::message::Message<'m>> for MessageReport<'m> {
    fn from(message: crate::message::Message<'m>) -> Self {
        Self {
            topic: message.topic,
            qos: message.qos,
            retain: message.retain,
            payload: message.payload,
            bytes: message.size(),
            expires_at_ms: message.expires_at_ms,
        }
    }
}

#[cfg(test)]
mod tests;
