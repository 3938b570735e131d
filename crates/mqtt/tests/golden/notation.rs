//! How packets are written in the tests: hexadecimal, with shorthands for what only repeats what stands there anyway.
//!
//! | written | means |
//! |---|---|
//! | `10 003C` | these bytes |
//! | `'MQTT'` | a UTF-8 Encoded String: two bytes of length, then the text (which has no blanks) |
//! | `"hi"` | the text alone |
//! | `..` | the Remaining Length: a Variable Byte Integer of how many bytes follow |
//! | `[ 01 01 ]` | a block of properties: its length as a Variable Byte Integer, then the bytes |

/// The bytes that `text` means.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut tokens = text.split_ascii_whitespace();
    let written = sequence(&mut tokens);
    assert!(tokens.next().is_none(), "a block is closed twice in {text:?}");
    written
}

fn sequence<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            "]" => return out,
            ".." => {
                let rest = sequence(tokens);
                out.extend(length(rest.len()));
                out.extend(rest);
                return out;
            }
            "[" => {
                let block = sequence(tokens);
                out.extend(length(block.len()));
                out.extend(block);
            }
            _ => word(token, &mut out),
        }
    }
    out
}

fn word(token: &str, out: &mut Vec<u8>) {
    if let Some(text) = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        out.extend(text.as_bytes());
    } else if let Some(text) = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        out.extend(text.as_bytes());
    } else {
        assert!(token.len().is_multiple_of(2), "half a byte in {token:?}");
        for pair in token.as_bytes().chunks(2) {
            out.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
}

/// Written here by hand, so that a mistake of the codec's own writer cannot hide.
fn length(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let digit = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            out.push(digit);
            return out;
        }
        out.push(digit + 128);
    }
}

#[test]
fn the_notation_means_what_its_table_says() {
    assert_eq!(bytes("10 003C"), [0x10, 0x00, 0x3C]);
    assert_eq!(bytes("'MQ' \"hi\""), [0, 2, b'M', b'Q', b'h', b'i']);
    assert_eq!(bytes("E0 .. 8E [ 1F 'x' ]"), [0xE0, 6, 0x8E, 4, 0x1F, 0, 1, b'x']);
    assert_eq!(length(127), [0x7F]);
    assert_eq!(length(128), [0x80, 0x01]);
    assert_eq!(length(268_435_455), [0xFF, 0xFF, 0xFF, 0x7F]);
}
