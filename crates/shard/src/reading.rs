//! From what the kernel says about sockets to bytes in the core.

use std::io::{ErrorKind, Read};

use mio::{Events, Token};
use tidegate_core::{ConnectionId, Input};
use tidegate_observe::EndReason;

use crate::journaling::Journaling;
use crate::shard::{FIRST_LISTENER, Shard, WAKER, end_reason};

impl Shard {
    pub(crate) fn note_events(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKER => {}
                Token(token) if token >= FIRST_LISTENER => {
                    if let Some(acceptor) = &mut self.parts.acceptor {
                        acceptor.wake(token - FIRST_LISTENER);
                    }
                }
                Token(token) => {
                    let index = token as u32;
                    let Some(socket) = self.sockets.at(index) else { continue };
                    let was_blocked = std::mem::take(&mut socket.write_blocked);
                    socket.write_blocked = was_blocked && !event.is_writable();
                    let unblocked = was_blocked && !socket.write_blocked;
                    socket.read_closed |= event.is_read_closed() || event.is_error();
                    if event.is_readable() || socket.read_closed {
                        socket.unread = true;
                        if !socket.ready {
                            socket.ready = true;
                            self.ready.push(index);
                        }
                    }
                    if unblocked && let Some(id) = self.sockets.id_at(index) {
                        self.effects.write.push(id);
                    }
                }
            }
        }
    }

    /// Whether another shard has so much unread mail of this process that nothing more should be produced for it.
    ///
    /// Nobody knows before reading whether it is a PUBLISH, so reading stops as a whole, acknowledgements and pings
    /// included. That is short: a shard takes all its mail at the beginning of each turn, whatever it reads, so the
    /// pause ends with the next turn of the shard that is behind, and two shards cannot wait for each other.
    pub(crate) fn may_not_read(&self) -> bool {
        let others_are_full =
            self.parts.mailboxes.len() > 1 && self.parts.mailboxes.iter().any(|mailbox| mailbox.is_full());
        others_are_full || self.journaling.as_ref().is_some_and(Journaling::is_full)
    }

    /// One read for each ready socket; those that may have more stay in the list.
    pub(crate) fn read_ready(&mut self) {
        if self.may_not_read() {
            return;
        }
        let mut reading = std::mem::take(&mut self.reading);
        std::mem::swap(&mut reading, &mut self.ready);
        for index in reading.drain(..) {
            if let Some(id) = self.sockets.id_at(index) {
                self.read(id);
            }
        }
        self.reading = reading;
    }

    pub(crate) fn read(&mut self, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        socket.ready = false;
        let lingering = socket.lingering;
        // The core says so again when it wants input: see `Effects::resume`.
        if !lingering && !self.parts.core.wants_input(id) {
            if socket.read_closed && !socket.half_closed {
                socket.half_closed = true;
                self.lingering.half_closed.add(id, self.now.mono_ms);
            }
            return;
        }
        match socket.stream.read(&mut self.read_buffer) {
            Ok(0) => self.on_read_end(id, EndReason::PeerClosed),
            Ok(count) => {
                // A short read has emptied the socket; the kernel tells when there is more. A signalled end is
                // read out.
                socket.unread = count == self.read_buffer.len() || socket.read_closed;
                if socket.unread {
                    socket.ready = true;
                    self.ready.push(id.index);
                }
                if !lingering {
                    let bytes = &self.read_buffer[..count];
                    let input = Input::Received { connection: id, bytes };
                    self.parts.core.handle(self.now, input, &mut self.effects);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => socket.unread = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                socket.ready = true;
                self.ready.push(id.index);
            }
            Err(error) => self.on_read_end(id, end_reason(&error)),
        }
    }

    /// The client sends no more, and has had its time to take what it is owed.
    pub(crate) fn end_half_closed(&mut self, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        socket.half_closed = false;
        if socket.lingering {
            return;
        }
        if self.parts.core.wants_input(id) {
            // It takes what it is owed after all; the end shows when it is read out.
            return;
        }
        self.on_read_end(id, EndReason::PeerClosed);
    }

    fn on_read_end(&mut self, id: ConnectionId, reason: EndReason) {
        let lingering = self.sockets.get(id).is_some_and(|socket| socket.lingering);
        self.forget(id);
        if !lingering {
            self.handle(Input::Closed { connection: id, reason });
        }
    }
}
