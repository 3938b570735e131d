//! What lies between the packets of a connection and its socket, when it is not plain TCP: TLS, WebSocket, or both.
//!
//! Bytes go through it in both directions; it knows no socket and no packet. The client's work here is on the
//! generator's core and in no figure.

use super::websocket::WebSocket;
use crate::certificate::SERVER_NAME;
use crate::codec;
use crate::door::{Entrance, Records};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::io::{self, Read, Write};

#[derive(Debug)]
pub(super) struct Layers {
    tls: Option<ClientConnection>,
    websocket: Option<WebSocket>,
    records: Records,
    /// Frames that are not encrypted yet; empty between two calls.
    frames: Vec<u8>,
    /// What the socket has to be given.
    pub(super) wire: Vec<u8>,
    /// So much of it has left.
    pub(super) written: usize,
}

impl Layers {
    /// None for plain TCP. The first bytes of the others are on the wire at once.
    pub(super) fn of(entrance: &Entrance) -> io::Result<Option<Box<Self>>> {
        let tls = entrance.tls.as_ref().filter(|_| entrance.door.is_tls()).map(|config| {
            let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
            let mut tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
            // The windows of the scenarios bound what waits here.
            tls.set_buffer_limit(None);
            Ok::<_, io::Error>(tls)
        });
        if entrance.door.is_tls() && tls.is_none() {
            return Err(io::Error::other("nobody said whom to trust"));
        }
        let (tls, websocket) = (tls.transpose()?, entrance.door.is_websocket().then(WebSocket::default));
        if tls.is_none() && websocket.is_none() {
            return Ok(None);
        }
        let records = entrance.records;
        let mut layers = Self { tls, websocket, records, frames: Vec::new(), wire: Vec::new(), written: 0 };
        if layers.websocket.is_some() {
            WebSocket::ask(&mut layers.frames);
            layers.encrypt()?;
        }
        layers.collect()?;
        Ok(Some(Box::new(layers)))
    }

    /// Takes whole packets for the wire; leaves them while the other side has not agreed to the WebSocket.
    #[inline]
    pub(super) fn send(&mut self, packets: &mut Vec<u8>) -> io::Result<()> {
        if self.websocket.as_ref().is_some_and(|websocket| !websocket.is_open()) {
            return self.collect();
        }
        match self.records {
            Records::Joined => self.send_record(packets)?,
            Records::OnePerPacket => {
                let mut rest = &packets[..];
                while let Some(packet) = codec::first_packet(rest) {
                    self.send_record(packet)?;
                    rest = &rest[packet.len()..];
                }
            }
        }
        packets.clear();
        self.collect()
    }

    #[inline]
    fn send_record(&mut self, packets: &[u8]) -> io::Result<()> {
        match &mut self.websocket {
            Some(websocket) => websocket.frame(packets, &mut self.frames),
            None => self.frames.extend_from_slice(packets),
        }
        self.encrypt()
    }

    /// Unwraps what was `read` from the socket into the front of `stream`, and returns how much it is.
    #[inline]
    pub(super) fn receive(&mut self, read: &[u8], stream: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.tls {
            Some(tls) => decrypt(tls, read, stream)?,
            None => {
                stream[..read.len()].copy_from_slice(read);
                read.len()
            }
        };
        match &mut self.websocket {
            Some(websocket) => {
                let count = websocket.unframe(&mut stream[..count], &mut self.frames)?;
                self.encrypt()?;
                Ok(count)
            }
            None => Ok(count),
        }
    }

    fn encrypt(&mut self) -> io::Result<()> {
        if self.frames.is_empty() {
            return Ok(());
        }
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(&self.frames)?,
            None => self.wire.extend_from_slice(&self.frames),
        }
        self.frames.clear();
        Ok(())
    }

    fn collect(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.wire)?;
            }
        }
        Ok(())
    }
}

fn decrypt(tls: &mut ClientConnection, mut read: &[u8], stream: &mut [u8]) -> io::Result<usize> {
    let mut end = 0;
    while !read.is_empty() {
        tls.read_tls(&mut read)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let ready = state.plaintext_bytes_to_read();
        tls.reader().read_exact(&mut stream[end..end + ready])?;
        end += ready;
        if state.peer_has_closed() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(end)
}
