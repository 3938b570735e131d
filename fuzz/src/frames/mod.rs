//! What a client sends after its upgrade: judged by a second decoder, which sees all bytes at once and knows no state.
//!
//! The first four bytes of an input say what is accepted and how the rest is cut; the rest is the client's.

use tidegate_websocket::{End, Event, MessageKind, Options, TextMessages, WebSocket};

mod peer;
mod second;

use peer::Peer;

/// What a client was heard to say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    messages: Vec<Message>,
    pings: Vec<Vec<u8>>,
    end: Option<Ending>,
}

#[derive(Debug, PartialEq, Eq)]
struct Message {
    kind: MessageKind,
    bytes: Vec<u8>,
    ended: bool,
}

/// The code of a Close, and whether it was the client's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ending {
    code: Option<u16>,
    failed: bool,
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Closed(code) => Self { code: code.map(|code| code.get()), failed: false },
            End::Failed(failure) => Self { code: Some(failure.code.get()), failed: true },
        }
    }
}

impl Heard {
    fn payload(&mut self, bytes: &[u8], kind: MessageKind, ends: bool) {
        match self.messages.last_mut() {
            Some(last) if !last.ended => {
                assert_eq!(last.kind, kind, "a message is of one kind");
                last.bytes.extend_from_slice(bytes);
                last.ended = ends;
            }
            _ if ends || !bytes.is_empty() => {
                self.messages.push(Message { kind, bytes: bytes.to_vec(), ended: ends });
            }
            _ => {}
        }
    }

    /// How much of a text is handed out before it turns out not to be one depends on how it came; it is not compared.
    fn without_broken_text(mut self) -> Self {
        let broken = self.end.is_some_and(|end| end.failed && end.code == Some(1007));
        if broken && self.messages.last().is_some_and(|last| last.kind == MessageKind::Text && !last.ended) {
            self.messages.pop();
        }
        self
    }
}

/// How the client's bytes are cut into reads.
#[derive(Clone, Copy, Debug)]
enum Cuts {
    Whole,
    EachByte,
    Seeded(u8),
}

impl Cuts {
    fn next(&mut self, left: usize) -> usize {
        let len = match self {
            Self::Whole => left,
            Self::EachByte => 1,
            Self::Seeded(seed) => {
                *seed = seed.wrapping_mul(29).wrapping_add(17);
                usize::from(*seed >> 3)
            }
        };
        len.min(left)
    }
}

/// Reads `input` in three ways, each as messages and as a stream.
///
/// # Panics
/// When the ways differ from each other or from the second decoder, or when what is sent back is not what is owed.
pub fn frames(input: &[u8]) {
    let Some((&[flags, seed, take, bound], bytes)) = input.split_first_chunk::<4>() else { return };
    let options = Options {
        text: if flags & 1 == 0 { TextMessages::Refused } else { TextMessages::Accepted },
        message_bytes_max: if flags & 2 == 0 { 0 } else { u64::from(bound) },
    };
    let expected = second::decode(bytes, options).without_broken_text();
    for cuts in [Cuts::Whole, Cuts::EachByte, Cuts::Seeded(seed)] {
        let mut peer = Peer::new(take);
        let mut heard = as_messages(bytes, options, cuts, &mut peer).without_broken_text();
        // Whoever reads byte by byte and takes all that is sent gets each Pong; otherwise the newest are enough.
        peer.check(&expected, matches!(cuts, Cuts::EachByte));
        heard.pings = expected.pings.clone();
        assert_eq!(heard, expected, "{cuts:?} {options:?}");
        as_stream(bytes, options, cuts, &expected);
    }
}

fn as_messages(bytes: &[u8], options: Options, mut cuts: Cuts, peer: &mut Peer) -> Heard {
    let (mut socket, mut heard, mut rest) = (WebSocket::new(options), Heard::default(), bytes);
    loop {
        let (part, behind) = rest.split_at(cuts.next(rest.len()));
        let mut buffer = part.to_vec();
        let mut unread = &mut buffer[..];
        while let Some(event) = socket.receive(&mut unread) {
            assert_eq!(heard.end, None, "nothing comes after the end");
            match event {
                Event::Payload { bytes, kind, ends_message } => heard.payload(bytes, kind, ends_message),
                Event::End(end) => heard.end = Some(end.into()),
            }
        }
        assert!(unread.is_empty());
        match cuts {
            Cuts::EachByte => peer.take_all(&mut socket),
            _ => peer.take_some(&mut socket),
        }
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    peer.finish(&mut socket);
    heard
}

fn as_stream(bytes: &[u8], options: Options, mut cuts: Cuts, expected: &Heard) {
    let (mut socket, mut payload, mut end, mut rest) = (WebSocket::new(options), Vec::new(), None, bytes);
    while !rest.is_empty() {
        let len = cuts.next(rest.len()).max(1);
        let (part, behind) = rest.split_at(len);
        let mut buffer = part.to_vec();
        let received = socket.receive_stream(&mut buffer);
        payload.extend_from_slice(received.payload);
        assert!(received.end.is_none() || end.is_none(), "a connection ends once");
        end = end.or(received.end.map(Ending::from));
        rest = behind;
    }
    assert_eq!(end, expected.end);
    let whole: Vec<u8> = expected.messages.iter().flat_map(|message| &message.bytes).copied().collect();
    assert!(payload.starts_with(&whole), "the payload of all messages, in order");
    let broken_text = end.is_some_and(|end| end.failed && end.code == Some(1007));
    assert!(payload.len() == whole.len() || broken_text, "and nothing else");
}
