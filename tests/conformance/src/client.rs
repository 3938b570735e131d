//! One connection: sends any bytes, reads packets with a deadline.
//!
//! Packets that arrive while an acknowledgement is awaited are set aside and read later in their order; nothing that
//! the server sends is lost to a test. The `expect_*` methods are in [`crate::expect`].

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::build::{Filter, Subscribe, puback, pubcomp, pubrec, pubrel, unsubscribe};
use crate::connect::{Connect, Version};
use crate::hex::dump;
use crate::parse::{Connack, Packet, Suback, parse};
use crate::publish::Publish;
use crate::target::Target;
use crate::time::Stopwatch;

/// How long a test waits for what must come. Long, since it is only ever used up by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A blocking client without any behaviour of its own.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    version: Version,
    received: Vec<u8>,
    pub(crate) aside: VecDeque<Packet>,
    next_packet_id: u16,
    /// By packet type.
    largest: [usize; 16],
    connack: Option<Connack>,
}

/// What one attempt to read has brought.
#[derive(Debug)]
pub(crate) enum Incoming {
    Packet(Packet),
    Closed,
    Nothing,
}

impl RawClient {
    /// Opens the Network Connection and sends nothing.
    pub fn open(target: &Target, version: Version) -> Self {
        let stream = TcpStream::connect(target.address()).expect("the broker accepts connections");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write time-out can be set");
        let (received, aside) = (Vec::new(), VecDeque::new());
        Self { stream, version, received, aside, next_packet_id: 1, largest: [0; 16], connack: None }
    }

    /// Connects and demands success.
    pub fn connect(target: &Target, connect: &Connect) -> Self {
        let mut client = Self::open(target, connect.version);
        client.send(&connect.bytes());
        let connack = client.expect_connack();
        assert_eq!(connack.reason, 0, "CONNECT was refused: {connack:?}");
        client.connack = Some(connack);
        client
    }

    /// The CONNACK that [`RawClient::connect`] received.
    pub fn connack(&self) -> &Connack {
        self.connack.as_ref().expect("this client was made by RawClient::connect")
    }

    /// The size of the largest packet of this type received so far, fixed header included.
    pub fn largest(&self, packet_type: u8) -> usize {
        self.largest[usize::from(packet_type)]
    }

    /// The size of the largest packet of any type received so far.
    pub fn largest_packet(&self) -> usize {
        self.largest.into_iter().max().unwrap_or(0)
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Sends bytes, whatever they are. A connection that the server has closed already is no error here: the test
    /// learns of it when it reads.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            Err(e) => panic!("cannot send: {e}\n{}", dump(bytes)),
        }
    }

    /// Sends a PUBLISH as it is, without waiting for an answer.
    pub fn send_publish(&mut self, publish: &Publish) {
        self.send(&publish.bytes(self.version));
    }

    /// Closes the Network Connection without DISCONNECT.
    pub fn drop_connection(self) {
        // A peer that has closed first makes this fail, and then it is done.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Sends DISCONNECT with normal disconnection and waits until the server has closed.
    pub fn disconnect(mut self) {
        self.send(&crate::build::disconnect());
        self.expect_closed();
    }

    /// Sends these bytes as the last ones, and waits until the server has closed.
    pub fn disconnect_with(mut self, bytes: &[u8]) {
        self.send(bytes);
        self.expect_closed();
    }

    /// A Packet Identifier this client has not used before.
    pub fn fresh_id(&mut self) -> u16 {
        let id = self.next_packet_id;
        self.next_packet_id = id.checked_add(1).expect("a test uses fewer than 65,536 Packet Identifiers");
        id
    }

    /// Publishes and completes the QoS flow. Returns the Reason Code of the acknowledgement, 0 at QoS 0.
    pub fn publish(&mut self, publish: Publish) -> u8 {
        let mut publish = publish;
        if publish.qos > 0 && publish.packet_id.is_none() {
            publish.packet_id = Some(self.fresh_id());
        }
        self.send_publish(&publish);
        match publish.qos {
            0 => 0,
            1 => self.expect_puback(publish.packet_id()).reason,
            _ => {
                let reason = self.expect_pubrec(publish.packet_id()).reason;
                if reason < 0x80 {
                    self.send(&pubrel(publish.packet_id()));
                    self.expect_pubcomp(publish.packet_id());
                }
                reason
            }
        }
    }

    /// Completes the QoS flow of a message this client has received.
    pub fn acknowledge(&mut self, publish: &Publish) {
        match publish.qos {
            0 => {}
            1 => self.send(&puback(publish.packet_id())),
            _ => {
                self.send(&pubrec(publish.packet_id()));
                self.expect_pubrel(publish.packet_id());
                self.send(&pubcomp(publish.packet_id()));
            }
        }
    }

    /// Subscribes to one filter and demands that the QoS is granted.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Suback {
        let suback = self.subscribe_with(&Subscribe::one(Filter::new(filter, qos)));
        assert_eq!(suback.reasons, [qos], "SUBSCRIBE to {filter} was not granted as requested");
        suback
    }

    /// Subscribes and returns the SUBACK whatever it says.
    pub fn subscribe_with(&mut self, subscribe: &Subscribe) -> Suback {
        let id = self.fresh_id();
        self.send(&subscribe.bytes(id, self.version));
        self.expect_suback(id)
    }

    /// Unsubscribes and returns the UNSUBACK whatever it says.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Suback {
        let id = self.fresh_id();
        self.send(&unsubscribe(id, filters, self.version));
        self.expect_unsuback(id)
    }

    /// The next packet, or nothing when `limit` passes or the server closes first.
    pub fn receive_within(&mut self, limit: Duration) -> Option<Packet> {
        match self.next(limit) {
            Incoming::Packet(packet) => Some(packet),
            Incoming::Closed | Incoming::Nothing => None,
        }
    }

    pub(crate) fn next(&mut self, limit: Duration) -> Incoming {
        match self.aside.pop_front() {
            Some(packet) => Incoming::Packet(packet),
            None => self.next_from_wire(limit),
        }
    }

    pub(crate) fn next_from_wire(&mut self, limit: Duration) -> Incoming {
        let since = Stopwatch::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            match parse(&self.received, self.version) {
                Ok(Some((packet, size))) => {
                    let largest = &mut self.largest[usize::from(self.received[0] >> 4)];
                    *largest = size.max(*largest);
                    self.received.drain(..size);
                    return Incoming::Packet(packet);
                }
                Ok(None) => {}
                Err(why) => panic!("the server sent a malformed packet: {why}\n{}", dump(&self.received)),
            }
            let Some(left) = since.left_of(limit) else { return Incoming::Nothing };
            self.stream.set_read_timeout(Some(left)).expect("a read time-out can be set");
            match self.stream.read(&mut buffer) {
                Ok(0) => return Incoming::Closed,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Incoming::Closed,
            }
        }
    }

    /// Everything the server says until it closes, as bytes.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a read time-out can be set");
        let mut said = std::mem::take(&mut self.received);
        match self.stream.read_to_end(&mut said) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("expected the connection to be closed, got {}", dump(&said))
            }
            // A reset ends the connection as well.
            Ok(_) | Err(_) => said,
        }
    }

    /// The bytes that have arrived and do not yet make a packet, for failure messages.
    pub(crate) fn leftover(&self) -> String {
        if self.received.is_empty() {
            String::new()
        } else {
            format!("\nincomplete: {}", dump(&self.received))
        }
    }
}
