//! What one publisher has in flight, and which of its messages have arrived everywhere.
//!
//! A message is in flight from its PUBLISH until every expected delivery was seen and, at QoS 1, its PUBACK
//! came. Messages of one publisher may finish out of order (a shared subscription has several members), so
//! the window keeps a ring of slots from the oldest unfinished message to the newest.

/// Largest number of messages between the oldest unfinished one and the newest.
pub const SPAN_MAX: usize = 1 << 15;

/// The messages of one publisher.
#[derive(Debug)]
pub struct Window {
    /// How many messages may be in flight.
    limit: usize,
    /// Number of the oldest unfinished message.
    oldest: u64,
    /// Number of the next message to publish.
    next: u64,
    unfinished: usize,
    slots: Box<[Slot]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    deliveries_missing: u32,
    acknowledgement_missing: bool,
    sent_at: u64,
}

impl Slot {
    fn is_finished(self) -> bool {
        self.deliveries_missing == 0 && !self.acknowledgement_missing
    }
}

/// A delivery or acknowledgement of something that is not in flight: a duplicate, or a number never used.
#[derive(Debug, PartialEq, Eq)]
pub struct Stray;

/// What a delivery or acknowledgement told.
#[derive(Debug, PartialEq, Eq)]
pub struct Noted {
    /// When it was published.
    pub sent_at: u64,
    /// Whether this made room in the window.
    pub finished: bool,
}

impl Window {
    /// A window for `limit` messages in flight.
    pub fn new(limit: usize) -> Self {
        // Out-of-order completion needs slots beyond the limit; eight times is never the brake in practice.
        let span = (limit.saturating_mul(8)).next_power_of_two().clamp(64, SPAN_MAX);
        Self {
            limit,
            oldest: 0,
            next: 0,
            unfinished: 0,
            slots: vec![Slot::default(); span].into_boxed_slice(),
        }
    }

    /// Whether another message may be published.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.unfinished < self.limit && self.next - self.oldest < self.slots.len() as u64
    }

    /// Messages in flight.
    pub fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Messages published so far.
    pub fn published(&self) -> u64 {
        self.next
    }

    /// Puts the next message in flight and returns its number.
    #[inline]
    pub fn open(&mut self, deliveries: u32, acknowledged: bool, sent_at: u64) -> u64 {
        let sequence = self.next;
        self.next += 1;
        self.unfinished += 1;
        *self.slot(sequence) =
            Slot { deliveries_missing: deliveries, acknowledgement_missing: acknowledged, sent_at };
        sequence
    }

    /// Notes one delivery.
    #[inline]
    pub fn on_delivery(&mut self, sequence: u64) -> Result<Noted, Stray> {
        let slot = self.in_flight(sequence)?;
        slot.deliveries_missing = slot.deliveries_missing.checked_sub(1).ok_or(Stray)?;
        let slot = *slot;
        self.settle(slot);
        Ok(Noted { sent_at: slot.sent_at, finished: slot.is_finished() })
    }

    /// Notes a PUBACK.
    #[inline]
    pub fn on_puback(&mut self, packet_identifier: u16) -> Result<Noted, Stray> {
        let steps =
            (u64::from(packet_identifier) + 65_535 - u64::from(packet_identifier_of(self.oldest))) % 65_535;
        let slot = self.in_flight(self.oldest + steps)?;
        if !slot.acknowledgement_missing {
            return Err(Stray);
        }
        slot.acknowledgement_missing = false;
        let slot = *slot;
        self.settle(slot);
        Ok(Noted { sent_at: slot.sent_at, finished: slot.is_finished() })
    }

    #[inline]
    fn settle(&mut self, slot: Slot) {
        if !slot.is_finished() {
            return;
        }
        self.unfinished -= 1;
        while self.oldest < self.next && self.slot(self.oldest).is_finished() {
            self.oldest += 1;
        }
    }

    #[inline]
    fn in_flight(&mut self, sequence: u64) -> Result<&mut Slot, Stray> {
        if sequence < self.oldest || sequence >= self.next { Err(Stray) } else { Ok(self.slot(sequence)) }
    }

    #[inline]
    fn slot(&mut self, sequence: u64) -> &mut Slot {
        // The number of slots is a power of two.
        let mask = self.slots.len() - 1;
        &mut self.slots[sequence as usize & mask]
    }
}

/// The packet identifier of message `sequence`: 1 to 65,535, over and over. [MQTT3-2.3.1-1]
#[inline]
pub fn packet_identifier_of(sequence: u64) -> u16 {
    (sequence % 65_535) as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_returns_when_every_subscriber_has_the_message() {
        let mut window = Window::new(1);
        let sequence = window.open(2, false, 7);
        assert!(!window.has_room());
        assert_eq!(window.on_delivery(sequence), Ok(Noted { sent_at: 7, finished: false }));
        assert!(!window.has_room());
        assert_eq!(window.on_delivery(sequence), Ok(Noted { sent_at: 7, finished: true }));
        assert!(window.has_room());
    }

    #[test]
    fn at_qos_1_room_waits_for_delivery_and_puback_in_either_order() {
        let mut window = Window::new(1);
        for puback_first in [true, false] {
            let sequence = window.open(1, true, 0);
            let identifier = packet_identifier_of(sequence);
            if puback_first {
                assert!(!window.on_puback(identifier).unwrap().finished);
                assert!(window.on_delivery(sequence).unwrap().finished);
            } else {
                assert!(!window.on_delivery(sequence).unwrap().finished);
                assert!(window.on_puback(identifier).unwrap().finished);
            }
            assert!(window.has_room());
        }
    }

    #[test]
    fn duplicates_and_unknown_numbers_are_strays() {
        let mut window = Window::new(4);
        let first = window.open(1, true, 0);
        let second = window.open(1, false, 0);
        assert!(window.on_delivery(second).is_ok());
        assert_eq!(window.on_delivery(second), Err(Stray), "a second delivery");
        assert_eq!(window.on_delivery(second + 1), Err(Stray), "never published");
        assert_eq!(window.on_puback(packet_identifier_of(second)), Err(Stray), "QoS 0 has no PUBACK");
        assert!(window.on_puback(packet_identifier_of(first)).is_ok());
        assert_eq!(window.on_puback(packet_identifier_of(first)), Err(Stray), "a second PUBACK");
        assert_eq!(window.unfinished(), 1);
    }

    #[test]
    fn packet_identifiers_wrap_without_zero_and_still_find_their_message() {
        let mut window = Window::new(2);
        for _ in 0..70_000 {
            let sequence = window.open(1, true, 0);
            assert_ne!(packet_identifier_of(sequence), 0);
            window.on_delivery(sequence).unwrap();
            assert!(window.on_puback(packet_identifier_of(sequence)).unwrap().finished);
        }
        assert_eq!(window.published(), 70_000);
    }

    #[test]
    fn one_slow_message_stops_the_publisher_before_its_slot_is_reused() {
        let mut window = Window::new(2);
        let slow = window.open(1, false, 0);
        let mut passed = 0;
        while window.has_room() {
            let sequence = window.open(1, false, 0);
            window.on_delivery(sequence).unwrap();
            passed += 1;
        }
        assert_eq!(passed, 63);
        window.on_delivery(slow).unwrap();
        assert!(window.has_room());
        assert_eq!(window.unfinished(), 0);
    }
}
