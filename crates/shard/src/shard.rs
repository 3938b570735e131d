//! One shard: the loop that brings sockets, mail and time to its core and carries its effects out.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use tidegate_core::{ConnectionId, Core, Effects, Input, Now, Restored};
use tidegate_journal::Health;
use tidegate_observe::{EndReason, Throttle};

use crate::acceptor::Acceptor;
use crate::authenticate::Authenticate;
use crate::clock::Clock;
use crate::doorkeeper::Doorkeeper;
use crate::journaling::Journaling;
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
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    pub(crate) sys_interval_ms: u64,
    pub(crate) shutdown_grace_ms: u64,
}

/// See the module.
pub(crate) struct Shard {
    pub(crate) parts: ShardParts,
    pub(crate) sockets: Sockets,
    pub(crate) lingering: Lingering,
    pub(crate) effects: Effects,
    /// `None`: nothing is written down.
    pub(crate) journaling: Option<Journaling>,
    pub(crate) now: Now,
    /// Slots to read from: the kernel said so, or the last read filled the buffer.
    pub(crate) ready: Vec<u32>,
    pub(crate) reading: Vec<u32>,
    mail: Vec<Mail>,
    pub(crate) writing: Vec<ConnectionId>,
    pub(crate) read_buffer: Box<[u8]>,
    pub(crate) throttle: Throttle,
    next_sys_ms: Option<u64>,
    /// The end of a shutdown, whatever clients do.
    stop_at_ms: Option<u64>,
}

pub(crate) const WAKER: Token = Token(usize::MAX);
pub(crate) const FIRST_LISTENER: usize = usize::MAX / 2;

impl Shard {
    pub(crate) fn new(mut parts: ShardParts, journaling: Option<Journaling>) -> io::Result<Self> {
        if let Some(acceptor) = &mut parts.acceptor {
            acceptor.register(parts.poll.registry(), FIRST_LISTENER)?;
        }
        let now = parts.clock.now();
        let publishes_sys = parts.acceptor.is_some() && parts.sys_interval_ms > 0;
        Ok(Self {
            effects: Effects::new(parts.mailboxes.len()),
            next_sys_ms: publishes_sys.then_some(now.mono_ms),
            journaling,
            parts,
            sockets: Sockets::default(),
            lingering: Lingering::new(),
            now,
            ready: Vec::new(),
            reading: Vec::new(),
            mail: Vec::new(),
            writing: Vec::new(),
            read_buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            throttle: Throttle::new(WARNINGS_PER_SECOND_MAX),
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
            // Messages of other shards have waited a turn already: they leave before this one's own are read.
            self.write_all();
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
        let busy = !self.ready.is_empty() || self.has_effects() || accepting || self.is_in_checkpoint();
        let may_sleep = !busy && mailbox.begin_sleep();
        let timeout = match may_sleep {
            true => self.until_deadline(),
            // Others, or the disk, have too much unread from this shard: give them a moment instead of turning in circles.
            false if self.may_not_read() => Some(Duration::from_millis(1)),
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
            self.throttle.next_deadline(),
            self.parts.acceptor.as_ref().and_then(Acceptor::next_deadline),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        let now = self.parts.clock.now();
        Some(Duration::from_millis(next.saturating_sub(now.mono_ms)))
    }

    /// Takes over what was there before a restart. To be called for every shard before [`Shard::settle`].
    pub(crate) fn restore(&mut self, restored: Restored) {
        self.parts.core.restore(self.now, restored, &mut self.effects);
        self.carry_out();
    }

    /// What operators can see of the journal from the first moment on.
    pub(crate) fn say_journal(&mut self, damages: u64) {
        self.say_health(Health::Good);
        self.handle(Input::Said { topic: "journal/damaged", text: &damages.to_string() });
        self.carry_out();
    }

    /// Reads what other shards sent and answers, before there is a thread for it. Whether there was anything.
    pub(crate) fn settle(&mut self) -> bool {
        let had_mail = self.read_mail();
        self.carry_out();
        had_mail
    }

    /// Every shard knows what the others want: Wills that a crash held up may be published.
    pub(crate) fn publish_restored_wills(&mut self) {
        self.parts.core.publish_restored_wills(self.now, &mut self.effects);
        self.carry_out();
    }

    /// Whether there was any.
    fn read_mail(&mut self) -> bool {
        let mut mail = std::mem::take(&mut self.mail);
        self.parts.mailboxes[self.parts.index].take(&mut mail);
        let any = !mail.is_empty();
        for piece in mail.drain(..) {
            self.on_mail(piece);
        }
        self.mail = mail;
        any
    }

    fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Batch { from, batch } => self.handle(Input::FromShard { from, batch }),
            // The broker stops: nobody would tell this client.
            Mail::Accepted { peer, .. } | Mail::HandedOver { peer, .. } if self.stop_at_ms.is_some() => {
                self.parts.doorkeeper.leave(peer.ip());
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
            Mail::Authenticated(answer) => self.on_answer(answer),
            Mail::Journal(news) => self.on_news(news),
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

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.parts.core.handle(self.now, input, &mut self.effects);
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
        while let Some(id) = self.lingering.expired_closed(now_ms) {
            self.forget(id);
        }
        while let Some(id) = self.lingering.expired_half_closed(now_ms) {
            self.end_half_closed(id);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop_at_ms.is_some_and(|stop_at| self.sockets.is_empty() || stop_at <= self.now.mono_ms)
    }
}

pub(crate) fn end_reason(error: &io::Error) -> EndReason {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => EndReason::PeerClosed,
        _ => EndReason::Io(error.to_string()),
    }
}

/// Events of one wait; more are told at the next.
const EVENTS_PER_TURN: usize = 1024;
/// One read takes at most so much: large enough for a batch of large messages, small enough to stay in the
/// processor's cache.
const READ_BUFFER_BYTES: usize = 128 * 1024;
/// Lines of one shard about refused or misbehaving peers, for each reason; the rest is counted and said in one line.
const WARNINGS_PER_SECOND_MAX: u32 = 10;
