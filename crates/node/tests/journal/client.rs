//! A client that says exactly what a test wants. It reads the specification for itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
/// The packet identifier of everything that is published here: a client has one message in flight.
pub(crate) const IDENTIFIER: [u8; 2] = [0, 7];

pub(crate) struct Client {
    stream: TcpStream,
    level: u8,
    pub(crate) session_present: bool,
}

/// What is published.
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, level: u8, identifier: &str, clean: bool) -> Self {
        let mut stream = TcpStream::connect(address).expect("the system allows it");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("the system allows it");
        let mut body = [&b"\0\x04MQTT"[..], &[level, u8::from(clean) << 1, 0, 0]].concat();
        body.extend((level == 5).then_some(0));
        body.extend([0, identifier.len() as u8]);
        body.extend(identifier.bytes());
        stream.write_all(&[&[0x10, body.len() as u8][..], &body].concat()).expect("the system allows it");
        let mut client = Self { stream, level, session_present: false };
        let (first, connack) = client.packet();
        assert_eq!((first, connack[1]), (0x20, 0));
        client.session_present = connack[0] == 1;
        client
    }

    /// The next packet: its first byte and its body.
    pub(crate) fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().expect("a packet comes").expect("the broker does not close the connection")
    }

    /// The next packet; `None` when the broker has closed the connection.
    pub(crate) fn try_packet(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            read => read?,
        };
        let (first, mut length) = (byte[0], 0);
        for shift in [0, 7, 14, 21] {
            self.stream.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7F) << shift;
            if byte[0] < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Some((first, body)))
    }

    pub(crate) fn send(&mut self, first: u8, body: &[u8]) {
        let mut packet = vec![first];
        let mut rest = body.len();
        while rest >= 0x80 {
            packet.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        packet.push(rest as u8);
        packet.extend(body);
        self.stream.write_all(&packet).expect("the system allows it");
    }

    /// With QoS 1.
    pub(crate) fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1];
        body.extend((self.level == 5).then_some(0));
        body.extend([0, filter.len() as u8]);
        body.extend(filter.bytes());
        body.push(1);
        self.send(0x82, &body);
        let (first, body) = self.packet();
        assert_eq!((first, body.last()), (0x90, Some(&1)));
    }

    /// Sends a PUBLISH and waits for nothing.
    pub(crate) fn publish_only(&mut self, message: &Message<'_>) {
        let Message { topic, payload, qos, retain } = *message;
        let mut body = [&[0, topic.len() as u8][..], topic.as_bytes()].concat();
        body.extend((qos > 0).then_some(IDENTIFIER).into_iter().flatten());
        body.extend((self.level == 5).then_some(0));
        body.extend(payload);
        self.send(0x30 | qos << 1 | u8::from(retain), &body);
    }

    /// QoS 1; returns when it is acknowledged.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        self.publish_only(&Message { topic, payload: payload.as_bytes(), qos: 1, retain });
        assert_eq!(self.answer(), (PUBACK, 0));
    }

    /// QoS 2 to its end; returns when the broker has completed it.
    pub(crate) fn publish_twice_acknowledged(&mut self, topic: &str, payload: &str) {
        self.publish_only(&Message { topic, payload: payload.as_bytes(), qos: 2, retain: false });
        assert_eq!(self.answer(), (PUBREC, 0));
        self.send(PUBREL, &IDENTIFIER);
        assert_eq!(self.answer(), (PUBCOMP, 0));
    }

    /// The kind of the acknowledgement that comes next, and its Reason Code.
    pub(crate) fn answer(&mut self) -> (u8, u8) {
        let (first, body) = self.packet();
        assert_eq!(body[..2], IDENTIFIER);
        (first, body.get(2).copied().unwrap_or(0))
    }

    /// The payload of the next PUBLISH, which is acknowledged if it wants to be.
    pub(crate) fn payload(&mut self) -> String {
        let (first, body) = self.packet();
        assert_eq!(first & 0xF0, 0x30);
        let mut rest = &body[2 + usize::from(body[1])..];
        if first & 0x06 != 0 {
            let (identifier, payload) = rest.split_at(2);
            self.send(PUBACK, identifier);
            rest = payload;
        }
        if self.level == 5 {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        String::from_utf8(rest.to_vec()).expect("payloads of tests are text")
    }
}
