//! How a connection comes to its shard: accepted, authenticated, handed over; and how its descriptor goes.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Token};
use tidegate_core::{ConnectionId, Input, OrganisationId};
use tidegate_observe::{EndReason, Fact};

use crate::authenticate::{Answer, Reply};
use crate::mailbox::Mail;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn accept(&mut self) {
        let Some(mut acceptor) = self.parts.acceptor.take() else { return };
        let now_ms = self.now.mono_ms;
        acceptor.accept(now_ms, |shard, stream, peer| {
            if let Err(bound) = self.parts.doorkeeper.admit(peer.ip()) {
                let reason = EndReason::Refused(bound);
                self.effects.facts.push(Fact::Ended { client: None, peer, reason });
                return;
            }
            if shard == self.parts.index {
                self.open(stream, peer);
            } else {
                self.parts.mailboxes[shard].send(Mail::Accepted { stream, peer });
            }
        });
        self.parts.acceptor = Some(acceptor);
    }

    pub(crate) fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        if let Some(connection) = self.register(stream, peer) {
            self.handle(Input::Opened { connection, peer });
        }
    }

    /// Interest is registered once: the kernel tells about changes only. Room to write is of interest when there was
    /// none (`carrying_out`).
    pub(crate) fn register(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<ConnectionId> {
        let id = self.sockets.insert(stream, peer);
        let socket = self.sockets.get(id)?;
        let token = Token(id.index as usize);
        let result = self.parts.poll.registry().register(&mut socket.stream, token, Interest::READABLE);
        if let Err(error) = result {
            if self.throttle.admits(CANNOT_WATCH, self.now.mono_ms) {
                tracing::warn!("connection from {peer} ended: {CANNOT_WATCH}: {error}");
            }
            self.forget(id);
            return None;
        }
        Some(id)
    }

    pub(crate) fn hand_over(&mut self) {
        for (id, shard, handoff) in std::mem::take(&mut self.effects.hand_over) {
            let Some(mut socket) = self.sockets.remove(id) else { continue };
            // The other shard registers it with its own epoll, which then tells about everything unread.
            let _ = self.parts.poll.registry().deregister(&mut socket.stream);
            let (stream, peer) = (socket.stream, socket.peer);
            let mail = Mail::HandedOver { stream, peer, handoff: Box::new(handoff) };
            self.parts.mailboxes[usize::from(shard.0)].send(mail);
        }
    }

    pub(crate) fn authenticate(&mut self) {
        for request in std::mem::take(&mut self.effects.authenticate) {
            let reply = Reply { mailbox: Arc::clone(&self.parts.mailboxes[self.parts.index]) };
            if let Some(answer) = self.parts.authenticator.authenticate(request, reply) {
                self.on_answer(answer);
            }
        }
    }

    pub(crate) fn on_answer(&mut self, answer: Answer) {
        let Answer { request, verdict } = answer;
        if let Ok(principal) = &verdict {
            self.hear_out(principal.organisation, request.client_identifier());
        }
        self.handle(Input::Authenticated { request, verdict });
    }

    /// Reads what the client's present connection has sent, before another takes it over.
    pub(crate) fn hear_out(&mut self, organisation: OrganisationId, client_identifier: &str) {
        let Some(old) = self.parts.core.connection_of(organisation, client_identifier) else { return };
        for _ in 0..READS_BEFORE_TAKEOVER {
            self.read(old);
            if !self.sockets.get(old).is_some_and(|socket| socket.ready) {
                return;
            }
        }
    }

    /// Closes the descriptor.
    pub(crate) fn forget(&mut self, id: ConnectionId) {
        // The kernel forgets its interest with it: nobody else holds the descriptor.
        if let Some(socket) = self.sockets.remove(id) {
            self.parts.doorkeeper.leave(socket.peer.ip());
        }
    }
}

/// More than a client has usually sent when it connects anew; what is beyond is lost with the connection.
const READS_BEFORE_TAKEOVER: usize = 8;
/// For the log.
const CANNOT_WATCH: &str = "the kernel does not watch another socket";
