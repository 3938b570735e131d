//! One client of the echo: as much of MQTT as a publisher at QoS 1 needs to hear.

use crate::codec;
use mio::net::TcpStream;
use std::io::{self, Read, Write};

const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

pub(super) struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
    answers: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new(), answers: Vec::new() }
    }

    /// Reads what is there, by way of `buffer`, and calls `published` with each packet identifier.
    pub(super) fn read(&mut self, buffer: &mut [u8], published: impl FnMut(u16)) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                // A client that left needs nothing more; its place stays.
                Ok(0) => break,
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    // A shorter read shows that the socket is empty.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.take_packets(published);
        Ok(())
    }

    fn take_packets(&mut self, mut published: impl FnMut(u16)) {
        let mut start = 0;
        while let Some(packet) = codec::first_packet(&self.received[start..]) {
            match packet[0] & 0xF0 {
                CONNECT => self.answers.extend_from_slice(&CONNACK),
                PUBLISH => packet_identifier(packet).into_iter().for_each(&mut published),
                _ => {}
            }
            start += packet.len();
        }
        self.received.drain(..start);
    }

    pub(super) fn acknowledge(&mut self, packet_identifier: u16) {
        codec::encode_puback(&mut self.answers, packet_identifier);
    }

    /// Answers are small and few, so the socket takes them at once.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.answers.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.answers)?;
        self.answers.clear();
        Ok(())
    }
}

/// That of a PUBLISH with QoS 1: it follows the topic.
fn packet_identifier(packet: &[u8]) -> Option<u16> {
    let width = packet.iter().skip(1).take_while(|&&byte| byte & 0x80 != 0).count() + 1;
    let (topic, rest) = packet.get(1 + width..)?.split_first_chunk()?;
    let identifier = rest.get(usize::from(u16::from_be_bytes(*topic))..)?.first_chunk()?;
    Some(u16::from_be_bytes(*identifier))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Outgoing;

    #[test]
    fn the_packet_identifier_follows_the_topic_whatever_the_length_takes() {
        for payload_bytes in [0, 5, 300, 20_000] {
            let mut packet = Vec::new();
            let message = Outgoing { topic: "d/17", packet_identifier: Some(0x1234), retain: false };
            codec::encode_publish_head(&mut packet, message, payload_bytes);
            packet.resize(packet.len() + payload_bytes, 0);
            assert_eq!(packet_identifier(&packet), Some(0x1234));
            assert_eq!(codec::first_packet(&packet), Some(&packet[..]));
            assert_eq!(codec::first_packet(&packet[..packet.len() - 1]), None);
        }
    }
}
