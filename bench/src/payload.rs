//! The label at the front of every payload: who published it, and its number in that publisher's sequence.
//!
//! It is all that the generator needs to tell a delivery from a loss or a duplicate.

/// Bytes taken by the label; no scenario publishes less.
pub const LABEL_BYTES: usize = 12;

/// Identity of one published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Index of the publisher.
    pub publisher: u32,
    /// Number of the message among those of its publisher, from zero.
    pub sequence: u64,
}

impl Label {
    /// The bytes that open the payload.
    #[inline]
    pub fn to_bytes(self) -> [u8; LABEL_BYTES] {
        let mut bytes = [0; LABEL_BYTES];
        bytes[..4].copy_from_slice(&self.publisher.to_le_bytes());
        bytes[4..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// Reads the label back; `None` when the payload is too short to be ours.
    #[inline]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let (publisher, rest) = payload.split_first_chunk()?;
        let (sequence, _) = rest.split_first_chunk()?;
        Some(Self { publisher: u32::from_le_bytes(*publisher), sequence: u64::from_le_bytes(*sequence) })
    }
}

/// Appends a payload of `length` bytes that opens with `label`.
#[inline]
pub fn encode(out: &mut Vec<u8>, label: Label, length: usize) {
    let end = out.len() + length;
    out.extend_from_slice(&label.to_bytes());
    out.resize(end, b'.');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_survives_the_payload() {
        let label = Label { publisher: 499, sequence: u64::MAX - 1 };
        let mut payload = Vec::new();
        encode(&mut payload, label, 64);
        assert_eq!(payload.len(), 64);
        assert_eq!(Label::from_payload(&payload), Some(label));
        assert_eq!(Label::from_payload(&payload[..LABEL_BYTES - 1]), None);
    }
}
