//! What the core wants done: written, closed, sent to other shards, said in the log.

use std::io::{ErrorKind, IoSlice, Write};
use std::net::Shutdown;

use mio::{Interest, Token};
use tidegate_core::{ConnectionId, Input, ShardId};

use crate::mailbox::Mail;
use crate::shard::{Shard, end_reason};

impl Shard {
    /// Carries out what the core wants, until it wants nothing more in this turn.
    pub(crate) fn carry_out(&mut self) {
        self.continue_checkpoint();
        for _ in 0..ROUNDS_PER_TURN {
            self.authenticate();
            self.hand_over();
            // Before anything else leaves: while the disk works, the sockets are written.
            self.submit();
            for id in std::mem::take(&mut self.effects.resume) {
                // Usually the last read has shown that nothing is left.
                if let Some(socket) = self.sockets.get(id)
                    && socket.unread
                    && !socket.ready
                {
                    socket.ready = true;
                    self.ready.push(id.index);
                }
            }
            self.write_all();
            self.close_all();
            if !self.has_effects() {
                break;
            }
        }
        // Another shard may write about what it learns from this one: the log must have it in this order.
        self.submit();
        self.send_mail();
        self.log_facts();
    }

    /// Whether something is left to carry out. Mail and facts always leave with the turn.
    pub(crate) fn has_effects(&self) -> bool {
        let effects = &self.effects;
        !effects.write.is_empty()
            || !effects.close.is_empty()
            || effects.persist.is_some()
            || !effects.fetches.is_empty()
            || !effects.authenticate.is_empty()
            || !effects.hand_over.is_empty()
            || !effects.resume.is_empty()
    }

    pub(crate) fn write_all(&mut self) {
        let mut writing = std::mem::take(&mut self.writing);
        std::mem::swap(&mut writing, &mut self.effects.write);
        for id in writing.drain(..) {
            self.parts.core.begin_write(id);
            self.write(id);
        }
        self.writing = writing;
    }

    fn write(&mut self, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        if socket.write_blocked || socket.lingering {
            return;
        }
        let Some(outbound) = self.parts.core.outbound(id) else { return };
        let waiting = outbound.len();
        if waiting == 0 {
            return;
        }
        let (offered, result) = match outbound.single() {
            Some(bytes) => (bytes.len(), socket.stream.write(bytes)),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
                let used = outbound.fill(&mut slices);
                let offered = slices[..used].iter().map(|slice| slice.len()).sum();
                (offered, socket.stream.write_vectored(&slices[..used]))
            }
        };
        match result {
            Ok(written) => {
                if written < offered {
                    self.await_room(id);
                } else if offered < waiting {
                    self.effects.write.push(id);
                }
                self.handle(Input::Written { connection: id, bytes: written });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.await_room(id),
            Err(error) if error.kind() == ErrorKind::Interrupted => self.effects.write.push(id),
            Err(error) => {
                let reason = end_reason(&error);
                self.forget(id);
                self.handle(Input::Closed { connection: id, reason });
            }
        }
    }

    /// The kernel took less than it was given: it tells when there is room. Asking for that at the beginning would
    /// cost every connection an event that says nothing, so it is asked for once, when it is first needed.
    fn await_room(&mut self, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        socket.write_blocked = true;
        if std::mem::replace(&mut socket.watches_room, true) {
            return;
        }
        let (token, both) = (Token(id.index as usize), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.parts.poll.registry().reregister(&mut socket.stream, token, both) {
            let reason = end_reason(&error);
            self.forget(id);
            self.handle(Input::Closed { connection: id, reason });
        }
    }

    fn close_all(&mut self) {
        for id in std::mem::take(&mut self.effects.close) {
            self.write(id);
            let said_goodbye = self.parts.core.said_goodbye(id);
            self.parts.core.release(id);
            let Some(socket) = self.sockets.get(id) else { continue };
            // Nothing is on its way that a reset could answer.
            let is_over = said_goodbye && !socket.unread;
            let shut = !is_over && socket.stream.shutdown(Shutdown::Write).is_ok();
            if shut && !socket.read_closed && self.lingering.has_room() {
                socket.lingering = true;
                if !socket.ready {
                    socket.ready = true;
                    self.ready.push(id.index);
                }
                self.lingering.closed.add(id, self.now.mono_ms);
            } else {
                self.forget(id);
            }
        }
    }

    fn send_mail(&mut self) {
        let from = ShardId(self.parts.index as u8);
        for (batch, mailbox) in self.effects.to_shards.iter_mut().zip(&self.parts.mailboxes) {
            if !batch.is_empty() {
                mailbox.send(Mail::Batch { from, batch: std::mem::take(batch) });
            }
        }
    }

    fn log_facts(&mut self) {
        let now_ms = self.now.mono_ms;
        for (what, count) in self.throttle.withheld(now_ms) {
            tracing::warn!("{count} more lines like this were left out: {what}");
        }
        for fact in self.effects.facts.drain(..) {
            match fact.complaint() {
                None => tracing::info!("{fact}"),
                Some(complaint) if self.throttle.admits(complaint, now_ms) => tracing::warn!("{fact}"),
                Some(_) => {}
            }
        }
    }
}

/// Pieces of one vectored write; more go with the next.
const SLICES_PER_WRITE: usize = 64;
/// Carrying effects out can cause more; after so many rounds the rest waits for the next turn.
const ROUNDS_PER_TURN: usize = 8;
