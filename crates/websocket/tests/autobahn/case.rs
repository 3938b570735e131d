//! One case: a script of what a client sends and what it must hear, over a socket of its own.
//!
//! The client knows nothing of the code that it judges: it writes and reads frames itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A frame that the server sent, or that it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// Its code; nothing when it has none.
    Close(Option<u16>),
    Gone,
}

enum Step {
    Send(Vec<u8>),
    Hear(Heard),
}

pub(crate) struct Case {
    id: String,
    steps: Vec<Step>,
}

pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = FIN | 0x8;
pub(crate) const PING: u8 = FIN | 0x9;
pub(crate) const PONG: u8 = FIN | 0xA;

/// A frame as a client sends it; `first` is its whole first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0xA5, 0x0F, 0x3C, 0x99];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(0xFE);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xFF);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A Close with a code and a reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

impl Case {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), steps: Vec::new() }
    }

    /// Everything in one write.
    pub(crate) fn sends(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// A write for each `len` bytes.
    pub(crate) fn sends_chops(mut self, bytes: &[u8], len: usize) -> Self {
        self.steps.extend(bytes.chunks(len).map(|chop| Step::Send(chop.to_vec())));
        self
    }

    pub(crate) fn hears(mut self, heard: Heard) -> Self {
        self.steps.push(Step::Hear(heard));
        self
    }

    pub(crate) fn hears_text(self, text: &[u8]) -> Self {
        self.hears(Heard::Text(text.to_vec()))
    }

    /// The client says goodbye, and hears nothing before the answer to that.
    pub(crate) fn ends_well(self) -> Self {
        self.sends(close(1000, b"")).hears(Heard::Close(Some(1000))).hears(Heard::Gone)
    }

    /// The server fails the connection.
    pub(crate) fn fails(self, code: u16) -> Self {
        self.hears(Heard::Close(Some(code))).hears(Heard::Gone)
    }

    pub(crate) fn play(self, address: SocketAddr) {
        let id = self.id;
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        upgrade(&mut stream);
        for (number, step) in self.steps.into_iter().enumerate() {
            match step {
                Step::Send(bytes) => {
                    stream.write_all(&bytes).unwrap_or_else(|error| panic!("{id}, step {number}: {error}"));
                }
                Step::Hear(expected) => {
                    let heard =
                        hear(&mut stream).unwrap_or_else(|error| panic!("{id}, step {number}: {error}"));
                    // Not by `assert_eq`: a message may have a million bytes.
                    assert!(
                        heard == expected,
                        "case {id}, step {number}: {heard:.40?} is not {expected:.40?}"
                    );
                }
            }
        }
    }
}

/// Offers compression, which must be declined.
fn upgrade(stream: &mut TcpStream) {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 ") && !answer.contains("Extensions"), "{answer}");
}

fn hear(stream: &mut TcpStream) -> std::io::Result<Heard> {
    let mut first = [0];
    if stream.read(&mut first)? == 0 {
        return Ok(Heard::Gone);
    }
    let mut second = [0];
    stream.read_exact(&mut second)?;
    let len = match second[0] {
        126 => {
            let mut len = [0; 2];
            stream.read_exact(&mut len)?;
            u64::from(u16::from_be_bytes(len))
        }
        127 => {
            let mut len = [0; 8];
            stream.read_exact(&mut len)?;
            u64::from_be_bytes(len)
        }
        len => u64::from(len),
    };
    assert!(second[0] < 0x80, "a server masks nothing");
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload)?;
    Ok(match first[0] {
        0x81 => Heard::Text(payload),
        0x82 => Heard::Binary(payload),
        0x8A => Heard::Pong(payload),
        0x88 => Heard::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        other => panic!("{other:#x} is no first byte of this server"),
    })
}

const PATIENCE: Duration = Duration::from_secs(20);
