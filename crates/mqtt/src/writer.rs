//! Appends the data types of section 1.5 to a buffer.

/// The largest Variable Byte Integer (1.5.5), and so the largest Remaining Length: 268,435,455.
pub const VARIABLE_BYTE_INTEGER_MAX: u32 = 0x0FFF_FFFF;

/// How many bytes the Variable Byte Integer of `value` takes: 1 to 4.
#[must_use]
pub const fn variable_byte_integer_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Appends `value` in its shortest form [MQTT5-1.5.5-1]. Values above [`VARIABLE_BYTE_INTEGER_MAX`] cannot be
/// written; callers bound their packets first, so a larger value is cut here rather than panicking.
pub fn put_variable_byte_integer(out: &mut Vec<u8>, value: u32) {
    let mut rest = value & VARIABLE_BYTE_INTEGER_MAX;
    loop {
        let low = (rest & 0x7F) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Binary Data or UTF-8 Encoded String: two bytes of length, then the bytes. Longer input is cut at 65,535
/// bytes: every string that gets here was read from such a field or is one of our own short texts.
pub(crate) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    put_u16(out, len);
    out.extend_from_slice(&bytes[..usize::from(len)]);
}

pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    // Cut between characters: half a character would make the whole packet malformed.
    put_binary(out, &text.as_bytes()[..text.floor_char_boundary(usize::from(u16::MAX))]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_between_two_characters() {
        // Two bytes each, so that byte 65,535 is the middle of a character.
        let text = "é".repeat(40_000);
        let mut out = Vec::new();
        put_string(&mut out, &text);
        assert_eq!(out[..2], 65_534u16.to_be_bytes());
        assert_eq!(std::str::from_utf8(&out[2..]), Ok(&text[..65_534]));
    }

    #[test]
    fn the_length_of_a_variable_byte_integer_is_that_of_its_bytes() {
        for value in [0, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1F_FFFF, 0x20_0000, VARIABLE_BYTE_INTEGER_MAX] {
            let mut out = Vec::new();
            put_variable_byte_integer(&mut out, value);
            assert_eq!(out.len(), variable_byte_integer_len(value), "{value}");
        }
    }
}
