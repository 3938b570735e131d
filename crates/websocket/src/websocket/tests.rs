//! One connection, in both directions: what is answered, and how it ends.

use super::*;
use crate::mask::Mask;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::header::write(Opcode::Binary, payload.len(), &mut bytes);
    bytes[0] = first;
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&MASK);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    Mask::from_wire(MASK).take_off(&mut bytes[start..]);
    bytes
}

/// The payload of one read, and its end.
fn stream(socket: &mut WebSocket, bytes: &[u8]) -> (Vec<u8>, Option<End>) {
    let mut buffer = bytes.to_vec();
    let received = socket.receive_stream(&mut buffer);
    (received.payload.to_vec(), received.end)
}

/// Everything that is to be written when no payload waits, taken by the kernel.
fn owed(socket: &mut WebSocket) -> Vec<u8> {
    let mut bytes = Vec::new();
    while socket.is_owed() {
        let offer = socket.offer(0);
        assert!(!offer.head.is_empty() && offer.payload == 0);
        bytes.extend_from_slice(offer.head);
        let count = offer.head.len();
        assert_eq!(socket.sent(count), 0);
    }
    bytes
}

fn new() -> WebSocket {
    WebSocket::new(Options::default())
}

#[test]
fn packets_are_whole_however_the_client_cuts_them_into_frames() {
    let mut socket = new();
    let bytes = [
        frame(BINARY, b"one"),
        frame(PING | FIN, b"ping"),
        frame(0, b""),
        frame(FIN, b" and two"),
        frame(BINARY | FIN, b"; thr"),
        frame(BINARY | FIN, b"ee"),
    ]
    .concat();
    assert_eq!(stream(&mut socket, &bytes), (b"one and two; three".to_vec(), None));
    assert_eq!(owed(&mut socket), b"\x8A\x04ping");
}

#[test]
fn the_payload_of_one_frame_stays_where_it_arrived() {
    let mut buffer = frame(BINARY | FIN, b"a packet");
    let end = buffer.as_ptr_range().end;
    assert_eq!(new().receive_stream(&mut buffer).payload.as_ptr_range().end, end);
}

#[test]
fn who_asks_for_events_sees_where_messages_end() {
    let bytes = [frame(BINARY, b"ab"), frame(0, b""), frame(FIN, b""), frame(BINARY | FIN, b"c")].concat();
    let mut buffer = bytes;
    let (mut socket, mut unread) = (new(), &mut buffer[..]);
    let mut events = Vec::new();
    while let Some(event) = socket.receive(&mut unread) {
        let Event::Payload { bytes, kind, ends_message } = event else { panic!("{event:?}") };
        assert_eq!(kind, MessageKind::Binary);
        events.push((bytes.to_vec(), ends_message));
    }
    assert_eq!(events, [(b"ab".to_vec(), false), (Vec::new(), true), (b"c".to_vec(), true)]);
    assert!(unread.is_empty());
}

#[test]
fn a_payload_is_yielded_as_it_arrives() {
    let bytes = frame(BINARY | FIN, b"abcdefgh");
    let (mut socket, mut seen) = (new(), Vec::new());
    for byte in bytes {
        let (payload, end) = stream(&mut socket, &[byte]);
        assert_eq!(end, None);
        seen.push(payload.len());
    }
    assert_eq!(seen, [[0; 6].as_slice(), &[1; 8]].concat());
}

#[test]
fn text_is_refused_with_1003_unless_it_is_served() {
    let text = frame(0x1 | FIN, b"x");
    let (payload, end) = stream(&mut new(), &text);
    assert_eq!((payload.len(), end), (0, Some(End::Failed(Failure::TEXT_REFUSED))));
    let mut socket = new();
    stream(&mut socket, &text);
    assert_eq!(owed(&mut socket)[..4], [0x88, 51, 0x03, 0xEB]);
    let mut socket = WebSocket::new(Options { text: TextMessages::Accepted, ..Options::default() });
    assert_eq!(stream(&mut socket, &text), (b"x".to_vec(), None));
}

#[test]
fn a_message_over_the_bound_is_refused_by_the_header_that_exceeds_it() {
    let mut socket = WebSocket::new(Options { message_bytes_max: 8, ..Options::default() });
    let first = [frame(BINARY | FIN, b"12345678"), frame(BINARY, b"12345")].concat();
    assert_eq!(stream(&mut socket, &first), (b"1234567812345".to_vec(), None));
    let header = &frame(FIN, b"6789")[..6];
    assert_eq!(stream(&mut socket, header), (Vec::new(), Some(End::Failed(Failure::TOO_BIG))));
}

#[test]
fn a_close_is_answered_with_its_code_and_nothing_is_heard_or_sent_afterwards() {
    let mut socket = new();
    let bytes = [
        frame(BINARY | FIN, b"last"),
        frame(CLOSE | FIN, b"\x03\xE9bye"),
        frame(BINARY | FIN, b"x"),
        frame(PING | FIN, b"y"),
    ]
    .concat();
    assert_eq!(
        stream(&mut socket, &bytes),
        (b"last".to_vec(), Some(End::Closed(Some(CloseCode::GOING_AWAY))))
    );
    assert!(socket.is_closing());
    assert_eq!(stream(&mut socket, &frame(PING | FIN, b"z")), (Vec::new(), None));
    socket.close(CloseCode::NORMAL, "");
    assert_eq!(owed(&mut socket), b"\x88\x02\x03\xE9");
    assert_eq!(socket.offer(5), Offer { head: b"", payload: 0 });
}

#[test]
fn a_close_without_a_code_is_answered_without_one() {
    let mut socket = new();
    assert_eq!(stream(&mut socket, &frame(CLOSE | FIN, b"")).1, Some(End::Closed(None)));
    assert_eq!(owed(&mut socket), b"\x88\x00");
}

#[test]
fn after_our_close_only_the_close_of_the_client_counts() {
    let mut socket = new();
    socket.close(CloseCode::NORMAL, "done");
    assert_eq!(owed(&mut socket), b"\x88\x06\x03\xE8done");
    let bytes = [frame(BINARY | FIN, b"late"), frame(PING | FIN, b"")].concat();
    assert_eq!(stream(&mut socket, &bytes), (Vec::new(), None));
    let close = frame(CLOSE | FIN, b"\x03\xE8");
    assert_eq!(stream(&mut socket, &close), (Vec::new(), Some(End::Closed(Some(CloseCode::NORMAL)))));
    assert!(!socket.is_owed());
}

#[test]
fn a_reason_is_cut_at_a_character() {
    let mut socket = new();
    socket.close(CloseCode::NORMAL, &"€".repeat(42));
    let bytes = owed(&mut socket);
    assert_eq!(bytes[1], 125);
    assert_eq!(&bytes[4..], "€".repeat(41).as_bytes());
}

#[test]
fn each_ping_is_answered_in_order() {
    let mut socket = new();
    let pings: Vec<u8> = (b'0'..=b'9').flat_map(|i| frame(PING | FIN, &[i])).collect();
    for byte in pings {
        stream(&mut socket, &[byte]);
    }
    let pongs: Vec<u8> = (b'0'..=b'9').flat_map(|i| [PONG | FIN, 1, i]).collect();
    assert_eq!(owed(&mut socket), pongs);
}

#[test]
fn a_client_that_reads_no_pongs_is_owed_the_newest() {
    let mut socket = new();
    let ping = |i: u32| frame(PING | FIN, &[&i.to_be_bytes()[..], &[0; 100]].concat());
    for i in 0..1000 {
        stream(&mut socket, &ping(i));
        // A kernel that takes nothing.
        assert!(socket.offer(0).head.len() <= 1024);
        assert_eq!(socket.sent(0), 0);
    }
    let owed = owed(&mut socket);
    assert!(owed.len() <= 2 * 1024, "{}", owed.len());
    let newest = owed.len() - 104;
    assert_eq!(owed[newest..newest + 4], 999u32.to_be_bytes());
}

#[test]
fn pongs_of_clients_are_ignored() {
    let mut socket = new();
    assert_eq!(stream(&mut socket, &frame(PONG | FIN, b"unasked")), (Vec::new(), None));
    assert!(!socket.is_owed());
}

#[test]
fn a_pong_waits_for_the_end_of_the_frame_that_was_begun() {
    let mut socket = new();
    assert_eq!(socket.offer(4), Offer { head: &[0x82, 4], payload: 4 });
    assert_eq!(socket.sent(3), 1);
    stream(&mut socket, &frame(PING | FIN, b"p"));
    // More payload has come meanwhile; it belongs to the next frame.
    assert_eq!(socket.offer(10), Offer { head: b"", payload: 3 });
    assert_eq!(socket.sent(3), 3);
    assert_eq!(socket.offer(7), Offer { head: b"\x8A\x01p\x82\x07", payload: 7 });
    assert_eq!(socket.sent(4), 0);
    assert_eq!(socket.offer(7), Offer { head: &[7], payload: 7 });
    assert_eq!(socket.sent(8), 7);
    assert!(!socket.is_owed());
}

#[test]
fn a_close_waits_for_the_end_of_the_frame_that_was_begun_and_goes_before_the_next() {
    let mut socket = new();
    socket.offer(4);
    assert_eq!(socket.sent(2), 0);
    socket.close(CloseCode::GOING_AWAY, "");
    assert_eq!(socket.offer(9), Offer { head: b"", payload: 4 });
    assert_eq!(socket.sent(4), 4);
    assert_eq!(socket.offer(5), Offer { head: b"\x88\x02\x03\xE9", payload: 0 });
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<WebSocket>() <= 168, "{}", size_of::<WebSocket>());
}
