//! The server's side of WebSocket (RFC 6455), for MQTT: bytes in, bytes out.
//!
//! This crate does no I/O, reads no clock and knows nothing of MQTT but the names of its subprotocols (section 6 of
//! MQTT 5.0). Rules that need a socket or a timer are kept by whoever owns them: how long a client may take for its
//! request, and that the server closes the TCP connection after the last byte.
//!
//! The way of the bytes: [`Upgrade`] reads the HTTP request and writes the answer → [`WebSocket::receive_stream`]
//! takes the frames off in the caller's own buffer → [`WebSocket::offer`] and [`WebSocket::sent`] put one frame
//! around what is sent in one write. Nothing is copied on the way out, nothing allocated for a frame.
//!
//! ```
//! use tidegate_websocket::{Options, Progress, Rules, Upgrade, WebSocket};
//!
//! let rules = Rules::default();
//! let mut upgrade = Upgrade::default();
//! let request = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Protocol: mqtt\r\n\r\n\x82\x82\0\0\0\0\xC0\0";
//!
//! // What is appended to `answer` goes to the client, also when it is refused.
//! let mut answer = Vec::new();
//! let Ok(Progress::Accepted { used, .. }) = upgrade.receive(&rules, request, &mut answer) else { panic!() };
//! assert!(answer.starts_with(b"HTTP/1.1 101 "));
//!
//! // Frames may stand behind the request in the same read.
//! let mut buffer = request[used..].to_vec();
//! let mut socket = WebSocket::new(Options::default());
//! let received = socket.receive_stream(&mut buffer);
//! assert_eq!(received.payload, [0xC0, 0]);
//! assert!(received.end.is_none());
//!
//! // One write: a head of ours, then the payload. Here the kernel takes three bytes, then the rest.
//! let payload = [0xD0, 0];
//! let offer = socket.offer(payload.len());
//! assert_eq!((offer.head, offer.payload), (&[0x82, 2][..], 2));
//! assert_eq!(socket.sent(3), 1);
//! let offer = socket.offer(payload.len() - 1);
//! assert_eq!((offer.head, offer.payload), (&[][..], 1));
//! assert_eq!(socket.sent(1), 1);
//! ```

mod close;
mod decoder;
mod header;
mod mask;
mod sender;
mod upgrade;
mod utf8;
mod websocket;

pub use close::{CloseCode, Failure};
pub use sender::Offer;
pub use upgrade::{Origins, Progress, Refusal, Rules, Subprotocol, Upgrade};
pub use websocket::{End, Event, MessageKind, Options, Received, TextMessages, WebSocket};
