//! The data types of section 1.5, written by hand and byte by byte.
//!
//! Nothing is checked here: a test must be able to write what the specification forbids.

/// A growing row of bytes in MQTT's encodings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire(Vec<u8>);

impl Wire {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte.
    #[must_use]
    pub fn byte(self, value: u8) -> Self {
        self.raw(&[value])
    }

    /// Two Byte Integer.
    #[must_use]
    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four Byte Integer.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Variable Byte Integer in the fewest bytes.
    #[must_use]
    pub fn varint(self, value: u32) -> Self {
        self.raw(&varint(value))
    }

    /// Two bytes of length, then the bytes: Binary Data, or a UTF-8 Encoded String when they are one.
    #[must_use]
    pub fn data(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let length = u16::try_from(bytes.len()).expect("a string or binary field has at most 65,535 bytes");
        self.u16(length).raw(bytes)
    }

    /// The bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// What was written.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A Variable Byte Integer in the fewest bytes.
pub fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4);
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::varint;

    #[test]
    fn a_variable_byte_integer_grows_at_each_power_of_128() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [0x7f]);
        assert_eq!(varint(128), [0x80, 0x01]);
        assert_eq!(varint(16_383), [0xff, 0x7f]);
        assert_eq!(varint(2_097_152), [0x80, 0x80, 0x80, 0x01]);
        assert_eq!(varint(268_435_455), [0xff, 0xff, 0xff, 0x7f]);
    }
}
