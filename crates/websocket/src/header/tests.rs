//! Each rule of section 5.2 that one header can break, at its first byte that shows it.

use super::*;

const MASK: [u8; 4] = [1, 2, 3, 4];

fn masked(front: &[u8]) -> Vec<u8> {
    [front, &MASK].concat()
}

#[test]
fn a_header_is_read_when_its_last_byte_is_there() {
    let cases: [(&[u8], u64); 6] = [
        (&[0x82, 0x80], 0),
        (&[0x82, 0xFD], 125),
        (&[0x82, 0xFE, 0, 126], 126),
        (&[0x82, 0xFE, 0xFF, 0xFF], 0xFFFF),
        (&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], 0x1_0000),
        (&[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], u64::MAX >> 1),
    ];
    for (front, payload_len) in cases {
        let bytes = masked(front);
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{cut} bytes of {bytes:02X?}");
        }
        let header = Header { fin: true, opcode: Opcode::Binary, mask: Mask::from_wire(MASK), payload_len };
        assert_eq!(read(&[&bytes[..], &[9]].concat()), Ok(Some((header, bytes.len()))));
    }
}

#[test]
fn what_is_wrong_is_said_before_the_rest_arrives() {
    let cases: [(&[u8], &str); 13] = [
        (&[0xC2], "a reserved bit"),
        (&[0xA2], "a reserved bit"),
        (&[0x92], "a reserved bit"),
        (&[0x83], "the opcode is reserved"),
        (&[0x87], "the opcode is reserved"),
        (&[0x8B], "the opcode is reserved"),
        (&[0x8F], "the opcode is reserved"),
        (&[0x09], "a control frame is fragmented"),
        (&[0x82, 0x05], "a frame of a client is not masked"),
        (&[0x89, 0xFE], "a control frame holds more"),
        (&[0x82, 0xFE, 0, 125], "a payload length is longer"),
        (&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], "a payload length is longer"),
        (&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], "the top bit"),
    ];
    for (bytes, text) in cases {
        let failure = read(bytes).unwrap_err();
        assert!(failure.text.starts_with(text), "{bytes:02X?}: {failure}");
        assert_eq!(failure.code.get(), 1002);
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{cut} bytes of {bytes:02X?}");
        }
    }
}

#[test]
fn a_length_is_written_in_its_shortest_form() {
    let cases: [(usize, &[u8]); 6] = [
        (0, &[0x82, 0]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
        (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (0x1234_5678, &[0x82, 127, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]),
    ];
    for (payload_len, expected) in cases {
        let mut out = Vec::new();
        write(Opcode::Binary, payload_len, &mut out);
        assert_eq!(out, expected);
    }
}
