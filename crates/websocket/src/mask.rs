//! The mask over what a client sends (section 5.3).

/// The four bytes of a mask, turned so that the next byte of payload meets the lowest one.
///
/// A payload that arrives in parts goes on where the last part ended, at any of the four bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(u32);

impl Mask {
    pub(crate) fn from_wire(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// Takes the mask off the next bytes of the payload, in place.
    #[inline]
    pub(crate) fn take_off(&mut self, payload: &mut [u8]) {
        let wide = u64::from(self.0) << 32 | u64::from(self.0);
        // In words: the compiler makes vectors of them, which it does not of bytes under a mask of four.
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= mask;
        }
        self.0 = self.0.rotate_right(8 * (payload.len() as u32 & 3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_i_of_the_payload_meets_byte_i_mod_4_of_the_mask_however_it_is_cut() {
        let bytes: Vec<u8> = (0u8..61).map(|i| i.wrapping_mul(7)).collect();
        let mask = [0x12, 0x34, 0x56, 0x78];
        let expected: Vec<u8> = bytes.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut payload = bytes.clone();
                let mut state = Mask::from_wire(mask);
                for part in [0..first, first..second, second..bytes.len()] {
                    state.take_off(&mut payload[part]);
                }
                assert_eq!(payload, expected, "cut at {first} and {second}");
            }
        }
    }
}
