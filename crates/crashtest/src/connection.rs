//! A socket, and packets in both directions. It blocks nobody: who it belongs to polls.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tidegate_mqtt::frame::{Split, split};
use tidegate_mqtt::{Packet, Version};

pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    incoming: Vec<u8>,
    pub(crate) outgoing: Outgoing,
    /// The broker sends nothing more.
    pub(crate) closed: bool,
}

/// Packets on their way to the socket.
pub(crate) struct Outgoing {
    version: Version,
    bytes: Vec<u8>,
}

impl Outgoing {
    pub(crate) fn send(&mut self, packet: &Packet<'_>) {
        packet.encode(self.version, &mut self.bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, version: Version) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let outgoing = Outgoing { version, bytes: Vec::new() };
        Ok(Self { socket, incoming: Vec::new(), outgoing, closed: false })
    }

    /// Writes what the kernel takes.
    pub(crate) fn flush(&mut self) {
        while !self.outgoing.bytes.is_empty() {
            match self.socket.write(&self.outgoing.bytes) {
                Ok(written) => _ = self.outgoing.bytes.drain(..written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The broker is gone. What it has sent before can still be read.
                Err(_) => self.outgoing.bytes.clear(),
            }
        }
    }

    /// Reads what is there and gives each packet to `on_packet`, with the way to answer it.
    pub(crate) fn receive(
        &mut self,
        mut on_packet: impl FnMut(Packet<'_>, &mut Outgoing),
    ) -> Result<(), String> {
        self.read();
        let mut at = 0;
        loop {
            match split(&self.incoming[at..], PACKET_BYTES_MAX) {
                Ok(Split::Frame(frame)) => {
                    let packet = Packet::decode(frame, self.outgoing.version);
                    let packet = packet.map_err(|error| format!("sent what is no packet: {error:?}"))?;
                    on_packet(packet, &mut self.outgoing);
                    at += frame.len;
                }
                Ok(_) => break,
                Err(error) => return Err(format!("sent what is no packet: {error:?}")),
            }
        }
        self.incoming.drain(..at);
        Ok(())
    }

    fn read(&mut self) {
        let mut buffer = [0; 64 * 1024];
        // Bounded, so that one connection keeps no other waiting.
        for _ in 0..16 {
            match self.socket.read(&mut buffer) {
                Ok(0) => return self.closed = true,
                Ok(read) => self.incoming.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.closed = true,
            }
        }
    }
}

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Far more than is ever published here.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
