//! A cursor over one packet's bytes that reads the data types of section 1.5.

use crate::error::DecodeError;
use crate::utf8;

/// Reads from the front; every read past the end is a malformed packet, never a panic.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

const TOO_SHORT: DecodeError = DecodeError::malformed("the packet ends in the middle of a field");

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(TOO_SHORT)?;
        self.advance(tail);
        Ok(head)
    }

    /// Every read that looks at bytes moves on through here, always forwards.
    #[inline(always)]
    fn advance(&mut self, to: &'a [u8]) {
        #[cfg(test)]
        tests::count(self.rest.len() - to.len());
        self.rest = to;
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let (&first, tail) = self.rest.split_first().ok_or(TOO_SHORT)?;
        self.advance(tail);
        Ok(first)
    }

    /// Two Byte Integer, big-endian (1.5.2).
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<2>().ok_or(TOO_SHORT)?;
        self.advance(tail);
        Ok(u16::from_be_bytes(*head))
    }

    /// Four Byte Integer, big-endian (1.5.3).
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<4>().ok_or(TOO_SHORT)?;
        self.advance(tail);
        Ok(u32::from_be_bytes(*head))
    }

    /// Variable Byte Integer (1.5.5): at most four bytes, and the shortest form [MQTT5-1.5.5-1].
    pub(crate) fn variable_byte_integer(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(DecodeError::malformed(
                        "a variable byte integer is longer than it needs to be",
                    ));
                }
                return Ok(value);
            }
        }
        Err(DecodeError::malformed("a variable byte integer has more than four bytes"))
    }

    /// Binary Data (1.5.6).
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// UTF-8 Encoded String (1.5.4).
    pub(crate) fn string(&mut self) -> Result<&'a str, DecodeError> {
        utf8::string(self.binary()?)
    }

    /// The packet must end here.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::malformed("there are bytes behind the end of the packet's content"))
        }
    }
}

#[cfg(test)]
mod tests;
