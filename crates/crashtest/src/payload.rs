//! What the messages say: who sent them and which it is, then bytes that follow from that, so that a message that was
//! mixed up or cut is noticed.

use crate::random::Random;

/// One message of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Index of the stream.
    pub(crate) stream: u32,
    /// Counts from 1 within the stream.
    pub(crate) number: u64,
}

impl Label {
    /// Writes the payload into `out`.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.stream.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        let mut random = Random::new(self.number.rotate_left(32) ^ u64::from(self.stream));
        // Mostly small, and now and then more than a packet of the network.
        let most = if random.one_in(200) { 20_000 } else { 400 };
        let length = HEAD + random.of(8..most) as usize;
        while out.len() < length {
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        out.truncate(length);
    }

    /// Reads it back; `None` if a byte is not as it was sent.
    pub(crate) fn read(payload: &[u8], buffer: &mut Vec<u8>) -> Option<Self> {
        let stream = u32::from_le_bytes(payload.get(..4)?.try_into().ok()?);
        let number = u64::from_le_bytes(payload.get(4..HEAD)?.try_into().ok()?);
        let label = Self { stream, number };
        label.write(buffer);
        (buffer == payload).then_some(label)
    }
}

const HEAD: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_label_and_each_changed_byte_is_noticed() {
        let (label, mut payload, mut buffer) = (Label { stream: 3, number: 77 }, Vec::new(), Vec::new());
        label.write(&mut payload);
        assert_eq!(Label::read(&payload, &mut buffer), Some(label));
        for at in 0..payload.len() {
            payload[at] ^= 1;
            assert_eq!(Label::read(&payload, &mut buffer), None, "byte {at}");
            payload[at] ^= 1;
        }
        assert_eq!(Label::read(&payload[..payload.len() - 1], &mut buffer), None);
    }
}
