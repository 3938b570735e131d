//! One shard: the loop that brings sockets, mail and time to its core and carries its effects out.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tidegate_core::{ConnectionId, Core, Effects, Input, Now, OrganisationId, ShardId};
use tidegate_observe::{EndReason, Severity};

use crate::acceptor::Acceptor;
use crate::authenticate::{Authenticate, Reply, Verdict};
use crate::clock::Clock;
use crate::lingering::Lingering;
use crate::mailbox::{Mail, Mailbox};
use crate::sockets::Sockets;

/// What a shard is made of.
pub(crate) struct ShardParts {
    pub(crate) index: usize,
    pub(crate) poll: Poll,
    pub(crate) core: Core,
    pub(crate) clock: Clock,
    /// Of all shards, by number.
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    /// The first shard's.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) authenticator: Arc<dyn Authenticate>,
    /// Connections of the process.
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) connections_max: usize,
    pub(crate) sys_interval_ms: u64,
    pub(crate) shutdown_grace_ms: u64,
}

/// See the module.
pub(crate) struct Shard {
    parts: ShardParts,
    sockets: Sockets,
    lingering: Lingering,
    effects: Effects,
    now: Now,
    /// Slots to read from: the kernel said so, or the last read filled the buffer.
    ready: Vec<u32>,
    reading: Vec<u32>,
    mail: Vec<Mail>,
    writing: Vec<ConnectionId>,
    read_buffer: Box<[u8]>,
    next_sys_ms: Option<u64>,
    /// The end of a shutdown, whatever clients do.
    stop_at_ms: Option<u64>,
}

pub(crate) const WAKER: Token = Token(usize::MAX);
const FIRST_LISTENER: usize = usize::MAX / 2;

impl Shard {
    pub(crate) fn new(mut parts: ShardParts) -> io::Result<Self> {
        if let Some(acceptor) = &mut parts.acceptor {
            acceptor.register(parts.poll.registry(), FIRST_LISTENER)?;
        }
        let now = parts.clock.now();
        let publishes_sys = parts.acceptor.is_some() && parts.sys_interval_ms > 0;
        Ok(Self {
            effects: Effects::new(parts.mailboxes.len()),
            next_sys_ms: publishes_sys.then_some(now.mono_ms),
            parts,
            sockets: Sockets::default(),
            lingering: Lingering::default(),
            now,
            ready: Vec::new(),
            reading: Vec::new(),
            mail: Vec::new(),
            writing: Vec::new(),
            read_buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            stop_at_ms: None,
        })
    }

    /// Turn after turn until the broker is shut down.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            if let Err(error) = self.wait(&mut events) {
                tracing::error!("waiting for events failed, the shard stops: {error}");
                return;
            }
            self.now = self.parts.clock.now();
            self.read_mail();
            self.note_events(&events);
            self.accept();
            self.read_ready();
            self.pass_time();
            self.carry_out();
            if self.is_stopped() {
                return;
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let mailbox = &self.parts.mailboxes[self.parts.index];
        let accepting = self.parts.acceptor.as_ref().is_some_and(Acceptor::is_ready);
        let busy = !self.ready.is_empty() || self.has_effects() || accepting;
        let may_sleep = !busy && mailbox.begin_sleep();
        let timeout = match may_sleep {
            true => self.until_deadline(),
            // Others have too much unread from this shard: give them a moment instead of turning in circles.
            false if self.others_are_full() => Some(Duration::from_millis(1)),
            false => Some(Duration::ZERO),
        };
        let result = match self.parts.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            other => other,
        };
        if may_sleep {
            mailbox.end_sleep();
        }
        result
    }

    fn until_deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.parts.core.next_deadline(),
            self.lingering.next_deadline(),
            self.next_sys_ms,
            self.stop_at_ms,
            self.parts.acceptor.as_ref().and_then(Acceptor::next_deadline),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        let now = self.parts.clock.now();
        Some(Duration::from_millis(next.saturating_sub(now.mono_ms)))
    }

    fn read_mail(&mut self) {
        let mut mail = std::mem::take(&mut self.mail);
        self.parts.mailboxes[self.parts.index].take(&mut mail);
        for piece in mail.drain(..) {
            self.on_mail(piece);
        }
        self.mail = mail;
    }

    fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Batch { from, batch } => self.handle(Input::FromShard { from, batch }),
            // The broker stops: nobody would tell this client.
            Mail::Accepted { .. } | Mail::HandedOver { .. } if self.stop_at_ms.is_some() => {
                self.parts.connections.fetch_sub(1, Ordering::Relaxed);
            }
            Mail::Accepted { stream, peer } => self.open(stream, peer),
            Mail::HandedOver { stream, peer, handoff } => {
                if let Some(client) = handoff.client_identifier() {
                    self.hear_out(handoff.principal.organisation, client);
                }
                if let Some(connection) = self.register(stream, peer) {
                    self.handle(Input::Adopted { connection, peer, handoff: *handoff });
                }
            }
            Mail::Authenticated { connection, client_identifier, verdict } => {
                self.on_verdict(connection, &client_identifier, verdict);
            }
            Mail::Limits(limits) => self.parts.core.set_limits(*limits),
            Mail::ShutDown => {
                if let Some(acceptor) = &mut self.parts.acceptor {
                    acceptor.close(self.parts.poll.registry());
                }
                self.next_sys_ms = None;
                self.stop_at_ms = Some(self.now.mono_ms + self.parts.shutdown_grace_ms);
                self.handle(Input::ShutDown);
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.parts.core.handle(self.now, input, &mut self.effects);
    }

    fn note_events(&mut self, events: &Events) {
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
                    if (event.is_readable() || socket.read_closed) && !socket.ready {
                        socket.ready = true;
                        self.ready.push(index);
                    }
                    if unblocked && let Some(id) = self.sockets.id_at(index) {
                        self.effects.write.push(id);
                    }
                }
            }
        }
    }

    fn accept(&mut self) {
        let Some(mut acceptor) = self.parts.acceptor.take() else { return };
        let now_ms = self.now.mono_ms;
        acceptor.accept(now_ms, |shard, stream, peer| {
            let open = self.parts.connections.fetch_add(1, Ordering::Relaxed);
            if self.parts.connections_max > 0 && open >= self.parts.connections_max {
                self.parts.connections.fetch_sub(1, Ordering::Relaxed);
                tracing::warn!("connection from {peer} closed: connections_max is reached");
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

    fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        if let Some(connection) = self.register(stream, peer) {
            self.handle(Input::Opened { connection, peer });
        }
    }

    /// Interest is registered once, for both directions: the kernel tells about changes only.
    fn register(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<ConnectionId> {
        let id = self.sockets.insert(stream, peer);
        let socket = self.sockets.get(id)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let result =
            self.parts.poll.registry().register(&mut socket.stream, Token(id.index as usize), interest);
        if let Err(error) = result {
            tracing::warn!("connection from {peer} cannot be watched and is closed: {error}");
            self.forget(id);
            return None;
        }
        Some(id)
    }

    fn others_are_full(&self) -> bool {
        self.parts.mailboxes.len() > 1 && self.parts.mailboxes.iter().any(|mailbox| mailbox.is_full())
    }

    /// One read for each ready socket; those that may have more stay in the list.
    fn read_ready(&mut self) {
        if self.others_are_full() {
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

    fn read(&mut self, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        socket.ready = false;
        let lingering = socket.lingering;
        // The core says so again when it wants input: see `Effects::resume`.
        if !lingering && !self.parts.core.wants_input(id) {
            return;
        }
        match socket.stream.read(&mut self.read_buffer) {
            Ok(0) => self.on_read_end(id, EndReason::PeerClosed),
            Ok(count) => {
                // A short read has emptied the socket; the kernel tells when there is more. A signalled end is
                // read out.
                if count == self.read_buffer.len() || socket.read_closed {
                    socket.ready = true;
                    self.ready.push(id.index);
                }
                if !lingering {
                    let bytes = &self.read_buffer[..count];
                    let input = Input::Received { connection: id, bytes };
                    self.parts.core.handle(self.now, input, &mut self.effects);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                socket.ready = true;
                self.ready.push(id.index);
            }
            Err(error) => self.on_read_end(id, end_reason(&error)),
        }
    }

    fn on_read_end(&mut self, id: ConnectionId, reason: EndReason) {
        let lingering = self.sockets.get(id).is_some_and(|socket| socket.lingering);
        self.forget(id);
        if !lingering {
            self.handle(Input::Closed { connection: id, reason });
        }
    }

    fn pass_time(&mut self) {
        let now_ms = self.now.mono_ms;
        if self.parts.core.next_deadline().is_some_and(|deadline| deadline <= now_ms) {
            self.handle(Input::Time);
        }
        if self.next_sys_ms.is_some_and(|next| next <= now_ms) {
            self.next_sys_ms = Some(now_ms + self.parts.sys_interval_ms);
            self.handle(Input::PublishSys);
        }
        while let Some(id) = self.lingering.expired(now_ms) {
            self.forget(id);
        }
    }

    /// Carries out what the core wants, until it wants nothing more in this turn.
    fn carry_out(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            self.authenticate();
            self.hand_over();
            // Sessions and retained messages live in memory: what is to be durable is so at once. The journal
            // answers here when there is one.
            if let Some(up_to) = self.effects.persist.take() {
                self.handle(Input::Persisted { up_to });
            }
            for id in std::mem::take(&mut self.effects.resume) {
                if let Some(socket) = self.sockets.get(id)
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
        self.send_mail();
        self.log_facts();
    }

    /// Whether something is left to carry out. Mail and facts always leave with the turn.
    fn has_effects(&self) -> bool {
        let effects = &self.effects;
        !effects.write.is_empty()
            || !effects.close.is_empty()
            || effects.persist.is_some()
            || !effects.authenticate.is_empty()
            || !effects.hand_over.is_empty()
            || !effects.resume.is_empty()
    }

    fn hand_over(&mut self) {
        for (id, shard, handoff) in std::mem::take(&mut self.effects.hand_over) {
            let Some(mut socket) = self.sockets.remove(id) else { continue };
            // The other shard registers it with its own epoll, which then tells about everything unread.
            let _ = self.parts.poll.registry().deregister(&mut socket.stream);
            let (stream, peer) = (socket.stream, socket.peer);
            let mail = Mail::HandedOver { stream, peer, handoff: Box::new(handoff) };
            self.parts.mailboxes[usize::from(shard.0)].send(mail);
        }
    }

    fn authenticate(&mut self) {
        for request in std::mem::take(&mut self.effects.authenticate) {
            let connection = request.connection;
            let mailbox = Arc::clone(&self.parts.mailboxes[self.parts.index]);
            let client_identifier = request.client_identifier.clone();
            let reply = Reply { mailbox, connection, client_identifier };
            if let Some(verdict) = self.parts.authenticator.authenticate(&request, reply) {
                self.on_verdict(connection, &request.client_identifier, verdict);
            }
        }
    }

    fn on_verdict(&mut self, connection: ConnectionId, client_identifier: &str, verdict: Verdict) {
        if let Verdict(Ok(principal)) = &verdict {
            self.hear_out(principal.organisation, client_identifier);
        }
        self.handle(Input::Authenticated { connection, verdict: verdict.0 });
    }

    /// Reads what the client's present connection has sent, before another takes it over.
    fn hear_out(&mut self, organisation: OrganisationId, client_identifier: &str) {
        let Some(old) = self.parts.core.connection_of(organisation, client_identifier) else { return };
        for _ in 0..READS_BEFORE_TAKEOVER {
            self.read(old);
            if !self.sockets.get(old).is_some_and(|socket| socket.ready) {
                return;
            }
        }
    }

    fn write_all(&mut self) {
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
                socket.write_blocked = written < offered;
                if written == offered && offered < waiting {
                    self.effects.write.push(id);
                }
                self.handle(Input::Written { connection: id, bytes: written });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => socket.write_blocked = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => self.effects.write.push(id),
            Err(error) => {
                let reason = end_reason(&error);
                self.forget(id);
                self.handle(Input::Closed { connection: id, reason });
            }
        }
    }

    fn close_all(&mut self) {
        for id in std::mem::take(&mut self.effects.close) {
            self.write(id);
            self.parts.core.release(id);
            let Some(socket) = self.sockets.get(id) else { continue };
            let shut = socket.stream.shutdown(Shutdown::Write).is_ok();
            if shut && !socket.read_closed && self.lingering.has_room() {
                socket.lingering = true;
                if !socket.ready {
                    socket.ready = true;
                    self.ready.push(id.index);
                }
                self.lingering.add(id, self.now.mono_ms);
            } else {
                self.forget(id);
            }
        }
    }

    /// Closes the descriptor.
    fn forget(&mut self, id: ConnectionId) {
        if let Some(mut socket) = self.sockets.remove(id) {
            let _ = self.parts.poll.registry().deregister(&mut socket.stream);
            self.parts.connections.fetch_sub(1, Ordering::Relaxed);
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
        for fact in self.effects.facts.drain(..) {
            match fact.severity() {
                Severity::Info => tracing::info!("{fact}"),
                Severity::Warn => tracing::warn!("{fact}"),
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop_at_ms.is_some_and(|stop_at| self.sockets.is_empty() || stop_at <= self.now.mono_ms)
    }
}

fn end_reason(error: &io::Error) -> EndReason {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => EndReason::PeerClosed,
        _ => EndReason::Io(error.to_string()),
    }
}

/// One read takes at most so much: large enough for a batch of large messages, small enough to stay in the
/// processor's cache.
const READ_BUFFER_BYTES: usize = 128 * 1024;
/// More than a client has usually sent when it connects anew; what is beyond is lost with the connection.
const READS_BEFORE_TAKEOVER: usize = 8;
/// Events of one wait; more are told at the next.
const EVENTS_PER_TURN: usize = 1024;
/// Pieces of one vectored write; more go with the next.
const SLICES_PER_WRITE: usize = 64;
/// Carrying effects out can cause more; after so many rounds the rest waits for the next turn.
const ROUNDS_PER_TURN: usize = 8;
