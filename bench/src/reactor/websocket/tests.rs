use super::*;

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

fn open() -> WebSocket {
    WebSocket { answer: None, ..WebSocket::default() }
}

/// Everything that comes out of `bytes` when they come in pieces of `piece` bytes.
fn unframed(websocket: &mut WebSocket, bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let (mut out, mut replies) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let count = websocket.unframe(&mut piece, &mut replies)?;
        out.extend_from_slice(&piece[..count]);
    }
    Ok(out)
}

#[test]
fn each_packet_has_a_masked_frame_of_its_own() {
    let (mut websocket, mut out) = (open(), Vec::new());
    let mut packets = Vec::new();
    codec::encode_puback(&mut packets, 7);
    codec::encode_puback(&mut packets, 0x0102);
    websocket.frame(&packets, &mut out);
    assert_eq!(out.len(), 2 * (2 + 4 + 4));
    for (frame, packet) in out.chunks(10).zip([b"\x40\x02\x00\x07", b"\x40\x02\x01\x02"]) {
        assert_eq!(frame[..2], [0x82, 0x84]);
        let unmasked: Vec<_> = frame[6..].iter().zip(&frame[2..6]).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, packet);
    }
    assert_ne!(out[2..6], out[12..16], "each frame has a key of its own");
}

#[test]
fn lengths_take_one_three_or_nine_bytes() {
    for (payload, header) in [
        (125, &[0x82, 0x80 | 125][..]),
        (126, &[0x82, 0xFE, 0, 126]),
        (65_535, &[0x82, 0xFE, 0xFF, 0xFF]),
        (65_536, &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = Vec::new();
        open().append(BINARY, &vec![0; payload], &mut out);
        assert_eq!(out[..header.len()], *header);
        assert_eq!(out.len(), header.len() + 4 + payload);
    }
}

#[test]
fn masking_is_the_same_for_every_length() {
    let key = [1, 2, 4, 8];
    for length in 0..40 {
        let mut masked: Vec<u8> = (0..length).collect();
        mask(&mut masked, key);
        let expected: Vec<_> = (0..length).map(|byte| byte ^ key[usize::from(byte) % 4]).collect();
        assert_eq!(masked, expected);
    }
}

#[test]
fn what_frames_hold_is_joined_however_it_is_cut() {
    let mut bytes = ANSWER.as_bytes().to_vec();
    bytes.extend_from_slice(b"\x02\x03abc\x80\x02de\x82\x7E\x00\x7E");
    bytes.extend_from_slice(&[b'x'; 126]);
    bytes.extend_from_slice(b"\x82\x00\x82\x01!");
    let expected = ["abcde", &"x".repeat(126), "!"].concat().into_bytes();
    for piece in 1..bytes.len() {
        assert_eq!(unframed(&mut WebSocket::default(), &bytes, piece).unwrap(), expected, "{piece}");
    }
}

#[test]
fn a_ping_is_answered_and_is_no_part_of_the_stream() {
    for ping in [&b"\x89\x00"[..], b"\x89\x02hi"] {
        let (mut websocket, mut replies) = (open(), Vec::new());
        let mut bytes = [b"\x82\x01a", ping, b"\x82\x01b"].concat();
        assert_eq!(websocket.unframe(&mut bytes, &mut replies).unwrap(), 2);
        assert_eq!(bytes[..2], *b"ab");
        assert_eq!(replies[..2], [0x8A, 0x80 | (ping.len() as u8 - 2)]);
        assert_eq!(replies.len(), 6 + ping.len() - 2);
    }
}

#[test]
fn refusals_and_what_a_server_must_not_send_are_errors() {
    for bad in [
        "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned(),
        ANSWER.replace("s3pP", "AAAA"),
        format!("{ANSWER}\u{2}\u{fe}"),
    ] {
        assert!(unframed(&mut WebSocket::default(), bad.as_bytes(), 1000).is_err(), "{bad}");
    }
    for bad in [&b"\x88\x00"[..], b"\x81\x01a", b"\x82\x81aaaaa"] {
        assert!(unframed(&mut open(), bad, 1000).is_err(), "{bad:?}");
    }
}
