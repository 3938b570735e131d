//! Whether text that arrives in parts is UTF-8 (section 8.1), said as early as can be known.

/// The beginning of a character whose end has not arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    begun: [u8; 4],
    len: u8,
}

/// The bytes can never become UTF-8, whatever follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl Utf8 {
    /// Checks the next part of a text.
    pub(crate) fn check(&mut self, mut part: &[u8]) -> Result<(), Invalid> {
        while self.len > 0 {
            let Some((&byte, rest)) = part.split_first() else { return Ok(()) };
            part = rest;
            self.begun[usize::from(self.len)] = byte;
            self.len += 1;
            match std::str::from_utf8(&self.begun[..usize::from(self.len)]) {
                Ok(_) => self.len = 0,
                // Without a length the error says that the character may still become a good one.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Invalid),
            }
        }
        match std::str::from_utf8(part) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let begun = &part[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.len = begun.len() as u8;
                Ok(())
            }
            Err(_) => Err(Invalid),
        }
    }

    /// Whether the text may end here.
    pub(crate) fn is_whole(self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_judged_alike_however_it_is_cut() {
        let texts: [&[u8]; 6] = [
            "κόσμε, 𝄞 and plain".as_bytes(),
            b"\xF4\x8F\xBF\xBF",
            b"ab\xED\xA0\x80",
            b"\xC0\xAF",
            b"\xF4\x90\x80\x80",
            b"\xE2\x82",
        ];
        for text in texts {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut utf8 = Utf8::default();
                    let valid = [&text[..first], &text[first..second], &text[second..]]
                        .into_iter()
                        .all(|part| utf8.check(part).is_ok());
                    let ends = valid && utf8.is_whole();
                    assert_eq!(ends, std::str::from_utf8(text).is_ok(), "{text:02X?} at {first}, {second}");
                }
            }
        }
    }

    #[test]
    fn a_byte_that_nothing_can_mend_is_refused_when_it_arrives() {
        // Beyond U+10FFFF, a surrogate, a character longer than it needs to be: each known at its second byte.
        for [first, second] in [[0xF4, 0x90], [0xED, 0xA0], [0xE0, 0x80], [0xF0, 0x80]] {
            let mut utf8 = Utf8::default();
            assert_eq!(utf8.check(&[b'a', first]), Ok(()));
            assert_eq!(utf8.check(&[second]), Err(Invalid));
        }
        assert_eq!(Utf8::default().check(&[0xF5]), Err(Invalid));
    }
}
