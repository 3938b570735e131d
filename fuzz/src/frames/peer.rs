//! The client's side of what we send: a kernel that takes a few bytes at a time, and a check of what came out.

use tidegate_websocket::WebSocket;

use super::Heard;

pub(super) struct Peer {
    /// How many bytes the kernel takes in one turn.
    take: usize,
    /// Everything that was sent.
    wire: Vec<u8>,
    /// Payload that was handed over, and payload that waits. Its bytes count up, so that none can be lost unseen.
    payload_sent: usize,
    payload_waits: usize,
}

impl Peer {
    pub(super) fn new(take: u8) -> Self {
        Self { take: usize::from(take % 32), wire: Vec::new(), payload_sent: 0, payload_waits: 0 }
    }

    /// A turn in which some payload is produced, and the kernel takes some bytes.
    pub(super) fn take_some(&mut self, socket: &mut WebSocket) {
        self.payload_waits += self.take / 2;
        self.take(socket, self.take);
    }

    /// A turn without payload in which the kernel takes everything.
    pub(super) fn take_all(&mut self, socket: &mut WebSocket) {
        while socket.is_owed() {
            self.take(socket, usize::MAX);
        }
    }

    pub(super) fn finish(&mut self, socket: &mut WebSocket) {
        while socket.is_owed() || (self.payload_waits > 0 && !socket.is_closing()) {
            let before = self.wire.len();
            self.take(socket, usize::MAX);
            assert!(self.wire.len() > before, "what is owed is offered");
        }
    }

    fn take(&mut self, socket: &mut WebSocket, most: usize) {
        let offer = socket.offer(self.payload_waits);
        assert!(offer.payload <= self.payload_waits);
        let first = self.payload_sent;
        let payload = (first..first + offer.payload).map(|i| i as u8);
        let before = self.wire.len();
        self.wire.extend(offer.head.iter().copied().chain(payload).take(most));
        let sent = socket.sent(self.wire.len() - before);
        self.payload_sent += sent;
        self.payload_waits -= sent;
    }

    /// What was sent is whole frames, each payload byte once and in order, and the control frames that are owed.
    pub(super) fn check(&self, heard: &Heard, every_pong: bool) {
        let (mut rest, mut payload, mut pongs, mut closes) = (&self.wire[..], 0, Vec::new(), Vec::new());
        while let [first, second, behind @ ..] = rest {
            assert!(closes.is_empty(), "nothing is sent after Close");
            let len = usize::from(*second);
            assert!(len <= 126, "short, and without a mask");
            let (len, behind) = match (len, behind) {
                (126, [high, low, behind @ ..]) => (usize::from(*high) << 8 | usize::from(*low), behind),
                _ => (len, behind),
            };
            let (body, behind) = behind.split_at(len);
            match first {
                0x82 => {
                    assert!(body.iter().zip(payload..).all(|(byte, i)| *byte == i as u8));
                    payload += len;
                }
                0x88 => closes.push(body),
                0x8A => pongs.push(body),
                other => panic!("{other:#x} is nothing we send"),
            }
            rest = behind;
        }
        assert!(rest.is_empty());
        assert_eq!(payload, self.payload_sent);
        let close = heard.end.map(|end| end.code);
        let sent = closes.first().map(|body| body.first_chunk::<2>().map(|code| u16::from_be_bytes(*code)));
        assert_eq!(sent, close, "a Close is answered with its code, a failure told");
        if every_pong {
            assert_eq!(pongs, heard.pings);
        }
        assert_eq!(
            pongs.last().copied(),
            heard.pings.last().map(Vec::as_slice),
            "the newest Ping is answered"
        );
        let mut pings = heard.pings.iter();
        assert!(pongs.iter().all(|pong| pings.any(|ping| ping == pong)), "Pongs are in the order of Pings");
    }
}
