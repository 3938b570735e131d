//! The forms that records are made of: numbers, texts, copies, Wills.

use tidegate_mqtt::QoS;

use super::{Copy, Presence, SessionKey, WillParts};
use crate::durable::place::{Place, Reference, Stored};
use crate::message::Message;

/// QoS, RETAIN, and a bit that each record has its own use for.
pub(super) fn flags(qos: QoS, retain: bool, more: bool) -> u8 {
    qos as u8 | u8::from(retain) << 2 | u8::from(more) << 3
}

/// Appends.
pub(super) struct Encode<'o>(pub(super) &'o mut Vec<u8>);

impl Encode<'_> {
    pub(super) fn tag(&mut self, tag: u8) -> &mut Self {
        self.byte(tag)
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn of_identifier(&mut self, tag: u8, key: SessionKey, identifier: u16) {
        self.tag(tag).number(key).number(u64::from(identifier));
    }

    pub(super) fn presence(&mut self, presence: Presence) {
        self.number(u64::from(presence.expiry_secs));
        self.number(presence.left_at_ms.map_or(0, |at| at.saturating_add(1)));
    }

    pub(super) fn message(&mut self, message: &Message<'_>) {
        self.byte(flags(message.qos, message.retain, false));
        self.number(message.expires_at_ms.map_or(0, |at| at.saturating_add(1)));
        self.bytes(message.topic.as_bytes()).bytes(message.properties).bytes(message.payload);
    }

    pub(super) fn copy(&mut self, copy: &Copy<'_>) {
        let reference = match copy.message {
            Reference::Nothing => 1,
            Reference::Number(_) => 0,
            Reference::Place(_) => 8,
        };
        let more = u8::from(copy.group.is_some()) << 1 | u8::from(!copy.identifiers.is_empty()) << 2;
        self.byte(flags(copy.qos, copy.retain, false) | (more | reference) << 3);
        match copy.message {
            Reference::Nothing => {}
            Reference::Number(number) => _ = self.number(number),
            Reference::Place(Stored { place, size, expires_secs }) => {
                self.number(place.position()).number(u64::from(place.length())).number(u64::from(size));
                // `u32::MAX`, the usual, becomes 0.
                self.number(u64::from(expires_secs.wrapping_add(1)));
            }
        }
        if let Some(group) = copy.group {
            self.0.extend_from_slice(&group.to_le_bytes());
        }
        if !copy.identifiers.is_empty() {
            self.number(copy.identifiers.len() as u64);
            copy.identifiers.iter().for_each(|&identifier| _ = self.number(u64::from(identifier)));
        }
    }

    pub(super) fn will(&mut self, will: &WillParts<'_>) {
        self.byte(flags(will.qos, will.retain, will.expiry_secs.is_some()))
            .number(u64::from(will.delay_secs));
        self.number(u64::from(will.expiry_secs.unwrap_or(0)));
        self.bytes(will.topic.as_bytes()).bytes(will.properties).bytes(will.payload);
    }
}

/// Takes from the front.
pub(super) struct Decode<'a>(pub(super) &'a [u8]);

impl<'a> Decode<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    pub(super) fn identifier(&mut self) -> Option<u16> {
        let identifier = self.number()?.try_into().ok()?;
        (identifier != 0).then_some(identifier)
    }

    /// How many shards there are.
    pub(super) fn shards(&mut self) -> Option<u8> {
        self.byte().filter(|shards| (1..=64).contains(shards))
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?.try_into().ok()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// QoS, RETAIN, and the bits above them.
    pub(super) fn flags(&mut self) -> Option<(QoS, bool, u8)> {
        let flags = self.byte()?;
        Some((QoS::from_u8(flags & 3)?, flags & 4 != 0, flags >> 3))
    }

    pub(super) fn time(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(super) fn presence(&mut self) -> Option<Presence> {
        Some(Presence { expiry_secs: self.small()?, left_at_ms: self.time()? })
    }

    pub(super) fn message(&mut self) -> Option<Message<'a>> {
        let (qos, retain, _) = self.flags()?;
        let expires_at_ms = self.time()?;
        let (topic, properties, payload) = (self.text()?, self.bytes()?, self.bytes()?);
        Some(Message { topic, properties, payload, qos, retain, expires_at_ms })
    }

    pub(super) fn copy(&mut self) -> Option<Copy<'a>> {
        let (qos, retain, more) = self.flags()?;
        let message = match more & (1 | 8) {
            0 => Reference::Number(self.number()?),
            1 => Reference::Nothing,
            8 => {
                let place = Place::new(self.number()?, self.small()?);
                let (size, expires_secs) = (self.small()?, self.small()?.wrapping_sub(1));
                Reference::Place(Stored { place, size, expires_secs })
            }
            _ => return None,
        };
        let group = match more & 2 {
            0 => None,
            _ => Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
        };
        let mut identifiers = Vec::new();
        if more & 4 != 0 {
            for _ in 0..self.small()? {
                identifiers.push(self.small()?);
            }
        }
        Some(Copy { message, qos, retain, identifiers: identifiers.into(), group })
    }

    pub(super) fn will(&mut self) -> Option<WillParts<'a>> {
        let (qos, retain, more) = self.flags()?;
        let (delay_secs, expiry_secs) = (self.small()?, self.small()?);
        let expiry_secs = (more & 1 != 0).then_some(expiry_secs);
        let (topic, properties, payload) = (self.text()?, self.bytes()?, self.bytes()?);
        Some(WillParts { topic, payload, properties, qos, retain, delay_secs, expiry_secs })
    }
}
