//! The messages of QoS 1 and 2 that one client has and has not finished acknowledging (section 4.3, 4.4).
//!
//! Identifiers are given in rising order, so the exchanges form a window over them:
//!
//! ```text
//! first = 7        7         8          9        10
//!              [puback?] [finished] [pubrec?] [pubcomp?]
//! ```
//! An acknowledgement finds its exchange by subtraction; finished ones leave when they reach the front.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;

use tidegate_mqtt::{PacketIdentifier, QoS};

use crate::group::GroupKey;
use crate::identifiers::Ticket;
use crate::message::StoredMessage;

/// What an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaiting {
    /// QoS 1: PUBACK.
    PubAck,
    /// QoS 2: PUBREC.
    PubRec,
    /// QoS 2: PUBREL was sent, PUBCOMP.
    PubComp,
    /// Nothing; the slot leaves when it is at the front.
    Nothing,
}

/// One message that was sent with a Packet Identifier.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) awaiting: Awaiting,
    pub(crate) retain: bool,
    /// Whether it was sent on the present connection; only these count against Receive Maximum.
    sent: bool,
    /// Whether it was sent on any connection: from then on it is sent with DUP. [MQTT5-3.3.1-1]
    pub(crate) sent_before: bool,
    /// It must not be sent before this is durable; 0 is nothing.
    pub(crate) after: Ticket,
    /// The message, if it may have to be sent again: the session outlives its connection, or it came through a
    /// shared subscription. A session that ends with its connection keeps none, and costs nothing per message.
    pub(crate) message: Option<Arc<StoredMessage>>,
    /// Subscription Identifiers to send again with it.
    pub(crate) identifiers: Option<Box<[u32]>>,
    /// The shared subscription that it came through.
    pub(crate) group: Option<GroupKey>,
}

impl Exchange {
    /// A message that is about to be sent for the first time with QoS 1 or 2.
    pub(crate) fn new(qos: QoS, retain: bool) -> Self {
        let awaiting = if qos == QoS::ExactlyOnce { Awaiting::PubRec } else { Awaiting::PubAck };
        Self {
            awaiting,
            retain,
            sent: true,
            sent_before: true,
            after: Ticket(0),
            message: None,
            identifiers: None,
            group: None,
        }
    }
}

/// See the module's drawing.
#[derive(Debug)]
pub(crate) struct Window {
    exchanges: VecDeque<Exchange>,
    /// Identifier of the first exchange, or of the next one when there is none.
    first: NonZeroU16,
    /// Exchanges sent on this connection and unfinished: what Receive Maximum bounds. [MQTT5-3.3.4-9]
    in_flight: u16,
    /// Bytes of the messages that are kept to be sent again.
    kept_bytes: usize,
    /// Exchanges that were not sent on this connection yet stand at `resend_from` and behind it.
    resend_from: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            exchanges: VecDeque::new(),
            first: NonZeroU16::MIN,
            in_flight: 0,
            kept_bytes: 0,
            resend_from: 0,
        }
    }
}

impl Window {
    /// How many exchanges are not finished.
    #[cfg(test)]
    pub(crate) fn unfinished(&self) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.awaiting != Awaiting::Nothing).count()
    }

    /// Whether another message may be sent: fewer than `maximum` are unfinished, they do not keep too many bytes, no
    /// older one waits to be sent, and an identifier is free.
    pub(crate) fn has_room(&self, maximum: u16) -> bool {
        self.in_flight < maximum
            && self.kept_bytes < KEPT_BYTES_MAX
            && self.resend_from >= self.exchanges.len()
            && self.exchanges.len() < usize::from(u16::MAX) - 1
    }

    /// Whether exchanges of an earlier connection still have to be sent again, or new ones for the first time.
    pub(crate) fn awaits_sending(&self) -> bool {
        self.resend_from < self.exchanges.len()
    }

    /// The identifier that the next exchange gets.
    pub(crate) fn next_identifier(&self) -> PacketIdentifier {
        PacketIdentifier(nth_after(self.first, self.exchanges.len()))
    }

    /// Whether another exchange may be begun that is sent in its turn, behind those that wait to be sent.
    pub(crate) fn may_begin(&self, maximum: u16) -> bool {
        let unsent = self.exchanges.len().saturating_sub(self.resend_from);
        usize::from(self.in_flight) + unsent < usize::from(maximum)
            && self.kept_bytes < KEPT_BYTES_MAX
            && self.exchanges.len() < usize::from(u16::MAX) - 1
    }

    /// Begins an exchange with the next identifier. Ask [`Window::has_room`] first.
    pub(crate) fn begin(&mut self, exchange: Exchange) -> PacketIdentifier {
        let identifier = nth_after(self.first, self.exchanges.len());
        self.kept_bytes += exchange.kept_bytes();
        self.exchanges.push_back(exchange);
        self.in_flight += 1;
        self.resend_from = self.exchanges.len();
        PacketIdentifier(identifier)
    }

    /// Begins an exchange whose message waits until its identifier is durable; [`Window::next_to_send`] gives it then.
    pub(crate) fn begin_unsent(&mut self, exchange: Exchange, after: Ticket) {
        self.kept_bytes += exchange.kept_bytes();
        self.exchanges.push_back(Exchange { sent: false, sent_before: false, after, ..exchange });
    }

    /// The exchanges that are not finished, with their identifiers, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PacketIdentifier, &mut Exchange)> {
        let first = self.first;
        let numbered = self.exchanges.iter_mut().enumerate();
        numbered
            .filter(|(_, exchange)| exchange.awaiting != Awaiting::Nothing)
            .map(move |(at, exchange)| (PacketIdentifier(nth_after(first, at)), exchange))
    }

    /// A window as it was before a restart: exchanges in their order, none of them sent on a connection. What has an
    /// identifier that cannot follow the one before is left out, since only damage can bring it.
    pub(crate) fn restored(exchanges: impl IntoIterator<Item = (PacketIdentifier, Exchange)>) -> Self {
        let mut window = Self::default();
        for (identifier, exchange) in exchanges {
            if window.exchanges.is_empty() {
                window.first = identifier.0;
            }
            let at = distance(window.first, identifier.0);
            if at < window.exchanges.len() {
                continue;
            }
            window.exchanges.resize_with(at, Exchange::nothing);
            window.kept_bytes += exchange.kept_bytes();
            window.exchanges.push_back(Exchange { sent: false, sent_before: true, ..exchange });
        }
        window
    }

    /// The exchange of an identifier that the client acknowledges, if it is under way.
    pub(crate) fn get_mut(&mut self, identifier: PacketIdentifier) -> Option<&mut Exchange> {
        let at = distance(self.first, identifier.0);
        self.exchanges.get_mut(at).filter(|exchange| exchange.awaiting != Awaiting::Nothing)
    }

    /// Ends an exchange and frees its identifier.
    pub(crate) fn finish(&mut self, identifier: PacketIdentifier) -> Option<Exchange> {
        let at = distance(self.first, identifier.0);
        let exchange =
            self.exchanges.get_mut(at).filter(|exchange| exchange.awaiting != Awaiting::Nothing)?;
        let finished = exchange.clone_out();
        self.kept_bytes -= finished.kept_bytes();
        if finished.sent {
            self.in_flight -= 1;
        }
        while self.exchanges.front().is_some_and(|front| front.awaiting == Awaiting::Nothing) {
            self.exchanges.pop_front();
            self.first = nth_after(self.first, 1);
            self.resend_from = self.resend_from.saturating_sub(1);
        }
        Some(finished)
    }

    /// The client has the QoS 2 message of an identifier: from here on only the identifier is kept. `false`: there is no
    /// such exchange.
    pub(crate) fn received(&mut self, identifier: PacketIdentifier) -> bool {
        let exchange = self.get_mut(identifier).filter(|exchange| exchange.awaiting != Awaiting::PubAck);
        let Some(exchange) = exchange else { return false };
        let kept_bytes = exchange.kept_bytes();
        exchange.awaiting = Awaiting::PubComp;
        exchange.message = None;
        exchange.identifiers = None;
        self.kept_bytes -= kept_bytes;
        true
    }

    /// What an exchange has to send next must not be sent before this is durable.
    pub(crate) fn send_after(&mut self, identifier: PacketIdentifier, ticket: Ticket) {
        if let Some(exchange) = self.get_mut(identifier) {
            exchange.after = ticket;
        }
    }

    /// The connection is gone: everything unfinished has to be sent again on the next. [MQTT5-4.4.0-1]
    pub(crate) fn disconnect(&mut self) {
        self.in_flight = 0;
        self.resend_from = 0;
        self.exchanges.iter_mut().for_each(|exchange| exchange.sent = false);
        if self.exchanges.is_empty() {
            self.exchanges = VecDeque::new();
        }
    }

    /// The next exchange to send: again on a new connection, in the order of first sending [MQTT5-4.6.0-1], or for the
    /// first time because what it waited for is durable; if `maximum` allows one more.
    pub(crate) fn next_to_send(
        &mut self,
        maximum: u16,
        persisted: Ticket,
    ) -> Option<(PacketIdentifier, &mut Exchange)> {
        while self.exchanges.get(self.resend_from)?.awaiting == Awaiting::Nothing {
            self.resend_from += 1;
        }
        if self.in_flight >= maximum || self.exchanges[self.resend_from].after > persisted {
            return None;
        }
        let at = self.resend_from;
        self.resend_from += 1;
        self.in_flight += 1;
        let identifier = PacketIdentifier(nth_after(self.first, at));
        let exchange = &mut self.exchanges[at];
        exchange.sent = true;
        Some((identifier, exchange))
    }

    /// Everything unfinished, in order: for a session that ends.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Exchange> {
        self.in_flight = 0;
        self.resend_from = 0;
        self.kept_bytes = 0;
        std::mem::take(&mut self.exchanges)
            .into_iter()
            .filter(|exchange| exchange.awaiting != Awaiting::Nothing)
    }

    /// Memory of a burst is given back.
    pub(crate) fn shrink(&mut self) {
        if self.exchanges.is_empty() && self.exchanges.capacity() > 1024 {
            self.exchanges = VecDeque::new();
        }
    }
}

impl Exchange {
    fn kept_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.size())
    }

    /// Leaves `Nothing` behind.
    fn clone_out(&mut self) -> Exchange {
        std::mem::replace(self, Self::nothing())
    }

    fn nothing() -> Self {
        Self {
            awaiting: Awaiting::Nothing,
            retain: false,
            sent: false,
            sent_before: false,
            after: Ticket(0),
            message: None,
            identifiers: None,
            group: None,
        }
    }
}

/// Identifiers run 1, 2, … 65,535, 1: zero is none.
fn nth_after(first: NonZeroU16, count: usize) -> NonZeroU16 {
    let zero_based = (usize::from(first.get()) - 1 + count) % usize::from(u16::MAX);
    NonZeroU16::new(zero_based as u16 + 1).unwrap_or(NonZeroU16::MIN)
}

/// How far `identifier` is ahead of `first`.
fn distance(first: NonZeroU16, identifier: NonZeroU16) -> usize {
    let period = usize::from(u16::MAX);
    (usize::from(identifier.get()) + period - usize::from(first.get())) % period
}

/// Bytes of messages that one client may leave unacknowledged; beyond, the next ones wait in its queue. As much as
/// waits there by default.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn puback() -> Exchange {
        Exchange::new(QoS::AtLeastOnce, false)
    }

    #[test]
    fn identifiers_run_through_65535_and_never_are_zero_or_in_use() {
        let mut window = Window::default();
        let mut open = VecDeque::new();
        for _ in 0..200_000 {
            let identifier = window.begin(puback());
            // [MQTT5-2.2.1-4] [MQTT3-2.3.1-4]
            assert!(!open.contains(&identifier));
            open.push_back(identifier);
            if open.len() > 5 {
                // Out of order on purpose: the second oldest, and the oldest now and then.
                let at = usize::from(identifier.get() % 7 != 0);
                let identifier = open.remove(at).unwrap();
                assert!(window.finish(identifier).is_some());
                assert!(window.finish(identifier).is_none());
            }
        }
    }

    #[test]
    fn a_message_that_is_never_acknowledged_stops_the_window_before_its_identifier_comes_round() {
        let mut window = Window::default();
        let first = window.begin(puback());
        while window.has_room(u16::MAX) {
            let identifier = window.begin(puback());
            assert_ne!(identifier, first);
            window.finish(identifier);
        }
        window.finish(first);
        assert!(window.has_room(u16::MAX));
    }

    #[test]
    fn a_window_is_full_at_the_maximum_and_has_room_after_an_acknowledgement() {
        let mut window = Window::default();
        let first = window.begin(puback());
        window.begin(puback());
        // [MQTT5-3.3.4-9]
        assert!(!window.has_room(2));
        window.finish(first);
        assert!(window.has_room(2));
    }

    #[test]
    fn after_a_reconnect_the_unfinished_are_sent_again_in_order_within_the_maximum() {
        let mut window = Window::default();
        let ids: Vec<_> = (0..4).map(|_| window.begin(puback())).collect();
        window.finish(ids[1]);
        window.disconnect();
        // [MQTT5-4.6.0-1] [MQTT3-4.6.0-1]
        assert_eq!(window.next_to_send(2, Ticket(0)).map(|(id, _)| id), Some(ids[0]));
        assert_eq!(window.next_to_send(2, Ticket(0)).map(|(id, _)| id), Some(ids[2]));
        assert!(window.next_to_send(2, Ticket(0)).is_none());
        assert!(!window.has_room(3), "a new message must not overtake one that is to be sent again");
        window.finish(ids[0]);
        assert_eq!(window.next_to_send(2, Ticket(0)).map(|(id, _)| id), Some(ids[3]));
        window.finish(ids[2]);
        assert!(window.has_room(2));
    }
}
