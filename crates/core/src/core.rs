//! The core of one shard: its state, and the one function through which everything enters.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::num::NonZeroU32;

use foldhash::fast::FixedState;
use tidegate_mqtt::PropertyBuf;
use tidegate_observe::Counters;

use crate::barriers::Barriers;
use crate::connection::{Connections, OwnedWill};
use crate::delivery::Encoder;
use crate::durable::evacuation::Evacuation;
use crate::durable::image::Imaging;
use crate::durable::reading::Reading;
use crate::durable::recorder::{Numbers, Recorder, recorder};
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId, ShardId, Ticket};
use crate::input::Input;
use crate::limits::Limits;
use crate::organisation::Organisation;
use crate::outbound::{BufferPool, Outbound};
use crate::queue::cache::QueueCache;
use crate::shards::ReceiptAddress;
use crate::sweep::Sweep;
use crate::sys::Sys;
use crate::time::Now;
use crate::tree::NodeId;
use crate::unanswered::Unanswered;
use crate::usage::SharedUsage;
use crate::wheel::Wheel;

/// What a core is told when it is made.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Which shard this is.
    pub shard: ShardId,
    /// How many there are, 1 to [`ShardId::COUNT_MAX`].
    pub shards: u8,
    /// The bounds.
    pub limits: Limits,
    /// What organisations use of the bounds that hold for all shards together: the same for all of them.
    pub usage: SharedUsage,
    /// Unpredictable for peers and the same for all shards of a process: seeds the hashes and the Client
    /// Identifiers that the server assigns.
    pub seed: u64,
    /// When the process started.
    pub started: Now,
    /// Whether what is durable is written down ([`Effects::records`]).
    pub records: bool,
}

/// What a timer is for. Whoever handles it looks whether it still means anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// No CONNECT in time.
    Connect(ConnectionId),
    /// Look whether the client was heard.
    KeepAlive(ConnectionId),
    /// The session's time without its client is over; the number tells absences apart.
    SessionExpiry(OrganisationId, SessionId, u32),
    /// The Will Delay Interval is over.
    Will(OrganisationId, SessionId, u32),
    /// A client of 3.x was held long enough for something that cannot be made durable.
    Held(ConnectionId),
    /// What could not be read is asked for again.
    Reading(OrganisationId, SessionId),
    /// A retained message may be expired.
    Retained(OrganisationId, NodeId, NonZeroU32),
}

/// One shard's broker. See the crate's documentation.
pub struct Core {
    pub(crate) shard: ShardId,
    pub(crate) shards: u8,
    pub(crate) limits: Limits,
    usage: SharedUsage,
    pub(crate) seed: u64,
    pub(crate) connections: Connections,
    /// One value per organisation; nothing refers from one to another.
    pub(crate) organisations: Vec<Organisation>,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) pool: BufferPool,
    pub(crate) encoder: Encoder,
    /// Reused by every PUBLISH with properties that are not forwarded as they are.
    pub(crate) property_scratch: PropertyBuf,
    /// Reused for the topic of every PUBLISH with a Topic Alias.
    pub(crate) topic_scratch: String,
    pub(crate) last_ticket: Ticket,
    pub(crate) numbers: Numbers,
    /// Everything up to here is durable.
    pub(crate) persisted: Ticket,
    /// Sessions with messages of QoS 2 whose identifiers are not durable yet, in order of the tickets.
    pub(crate) awaiting_identifiers: VecDeque<(Ticket, OrganisationId, SessionId)>,
    /// The checkpoint under way.
    pub(crate) imaging: Option<Imaging>,
    pub(crate) evacuation: Evacuation,
    pub(crate) reading: Reading,
    pub(crate) queue_cache: QueueCache,
    /// Wills that came back from the log and wait until every shard is there.
    pub(crate) restored_wills: Vec<(OrganisationId, OwnedWill)>,
    /// Connections with acknowledgements that wait for a ticket, in order of the tickets.
    pub(crate) awaiting_journal: VecDeque<(Ticket, ConnectionId)>,
    /// Receipts that wait for a ticket, in order of the tickets.
    pub(crate) receipts_owed: VecDeque<(Ticket, ReceiptAddress)>,
    pub(crate) unanswered: Unanswered,
    pub(crate) barriers: Barriers,
    pub(crate) sys: Sys,
    pub(crate) identifiers_assigned: u64,
    /// Number of the last search for retained messages that this shard asked for.
    pub(crate) walks_asked: u64,
    due: Vec<Timer>,
    pub(crate) sweep: Sweep,
}

impl Core {
    /// A core without connections, with one organisation.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        let shares = (&config.usage, config.shards);
        let first = Organisation::new(OrganisationId::FIRST, config.seed, &config.limits, shares);
        Self {
            shard: config.shard,
            shards: config.shards,
            seed: config.seed,
            connections: Connections::default(),
            organisations: vec![first],
            wheel: Wheel::new(),
            pool: BufferPool::default(),
            encoder: Encoder::default(),
            property_scratch: PropertyBuf::new(),
            topic_scratch: String::new(),
            last_ticket: Ticket(0),
            numbers: Numbers::new(config.records, config.shard),
            persisted: Ticket(0),
            awaiting_identifiers: VecDeque::new(),
            imaging: None,
            evacuation: Evacuation::default(),
            reading: Reading::default(),
            queue_cache: QueueCache::default(),
            restored_wills: Vec::new(),
            awaiting_journal: VecDeque::new(),
            receipts_owed: VecDeque::new(),
            unanswered: Unanswered::default(),
            barriers: Barriers::default(),
            sys: Sys::new(config.started),
            identifiers_assigned: 0,
            walks_asked: 0,
            due: Vec::new(),
            sweep: Sweep::default(),
            limits: config.limits,
            usage: config.usage,
        }
    }

    /// Lets one input happen at `now`. Effects are added to `effects`; nothing else leaves.
    pub fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        match input {
            Input::Received { connection, bytes } => self.on_received(now, connection, bytes, effects),
            Input::Written { connection, bytes } => self.on_written(now, connection, bytes, effects),
            Input::FromShard { from, batch } => self.on_batch(now, from, &batch, effects),
            Input::Persisted { up_to } => {
                self.on_persisted(now, up_to, effects);
                self.pay_receipts(up_to, effects);
            }
            Input::NotPersisted { up_to, reason } => {
                self.on_not_persisted(now, up_to, reason, effects);
                self.deny_receipts(up_to, reason, effects);
            }
            Input::Placed { places } => self.on_placed(now, places),
            Input::Fetched { answers } => self.on_fetched(now, answers, effects),
            Input::Said { topic, text } => {
                self.publish_sys(now, &format!("$SYS/broker/{topic}"), text, effects)
            }
            Input::Opened { connection, peer } => {
                self.connections.open(connection, peer, now.mono_ms);
                self.wheel.arm(now.mono_ms + self.limits.connect_timeout_ms, Timer::Connect(connection));
                self.organisations[0].counters.sockets_opened += 1;
            }
            Input::Adopted { connection, peer, handoff } => {
                self.connections.open(connection, peer, now.mono_ms);
                self.on_adopted(now, connection, handoff, effects);
            }
            Input::Closed { connection, reason } => self.on_closed(now, connection, reason, effects),
            Input::Authenticated { request, verdict } => {
                self.on_authenticated(now, request, verdict, effects);
            }
            Input::Time => {}
            Input::PublishSys => self.on_publish_sys(now, effects),
            Input::ShutDown => self.on_shut_down(now, effects),
        }
        self.fire_timers(now, effects);
        self.read_ahead(now, effects);
    }

    /// When [`Input::Time`] is due at the latest, in monotonic milliseconds.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let sweep = self.has_queued().then_some(self.sweep.due_ms);
        self.wheel.next_deadline().into_iter().chain(sweep).min()
    }

    /// Whether the shell should read from this connection: not while its CONNECT is being authenticated, and
    /// not from a client that does not take what it is owed.
    pub fn wants_input(&mut self, connection: ConnectionId) -> bool {
        let bytes_max = self.limits.outbound_bytes_max;
        let Some(connection) = self.connections.get(connection) else { return false };
        connection.paused = !connection.wants_input(bytes_max);
        !connection.paused
    }

    /// The connection of a client, if it is connected here. Before another takes its session over, the shell reads
    /// out what it has sent: its DISCONNECT may be waiting in the socket, and then its Will must not be published.
    pub fn connection_of(
        &mut self,
        organisation: OrganisationId,
        client_identifier: &str,
    ) -> Option<ConnectionId> {
        let own = self.organisations.get_mut(organisation.0 as usize)?;
        let session = own.sessions.find(client_identifier)?;
        own.sessions.get_mut(session)?.connection
    }

    /// What the connection is owed.
    pub fn outbound(&mut self, connection: ConnectionId) -> Option<&Outbound> {
        self.connections.get(connection).map(|connection| &connection.outbound)
    }

    /// The shell is about to write: the connection may be listed again.
    pub fn begin_write(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.connections.get(connection) {
            connection.dirty = false;
        }
    }

    /// Whether the client said DISCONNECT: it sends no more, so its socket can be closed at once.
    pub fn said_goodbye(&mut self, connection: ConnectionId) -> bool {
        self.connections.get(connection).is_some_and(|connection| connection.said_goodbye)
    }

    /// The shell closed a connection that the core wanted closed.
    pub fn release(&mut self, connection: ConnectionId) {
        if let Some(mut connection) = self.connections.remove(connection) {
            connection.outbound.clear(&mut self.pool);
        }
    }

    /// The configuration was read again; connections keep what they were granted.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The running totals of an organisation on this shard, with the gauges of this moment.
    #[must_use]
    pub fn counters(&self, organisation: OrganisationId) -> Option<Counters> {
        let organisation = self.organisations.iter().find(|other| other.id == organisation)?;
        Some(organisation.counters())
    }

    /// Writes records, and gives tickets for what has to wait for them.
    pub(crate) fn recorder<'a>(&'a mut self, effects: &'a mut Effects) -> Recorder<'a> {
        recorder!(self, effects)
    }

    /// A new place in this shard's order of durable records.
    pub(crate) fn ticket(&mut self, effects: &mut Effects) -> Ticket {
        self.recorder(effects).ticket()
    }

    /// The same for an answer that repeats what was done before, if that may be on its way to the disk still.
    pub(crate) fn ticket_of_repeated(&mut self, effects: &mut Effects) -> Option<Ticket> {
        (self.last_ticket > self.persisted).then(|| self.ticket(effects))
    }

    /// Which shard owns the sessions of a Client Identifier.
    pub(crate) fn owner_of_client(&self, organisation: OrganisationId, client_identifier: &str) -> ShardId {
        owner_of_client(self.seed, self.shards, organisation, client_identifier)
    }

    /// Which shard keeps the retained message of a topic.
    #[inline]
    pub(crate) fn owner_of_topic(&self, organisation: OrganisationId, topic: &str) -> ShardId {
        owner_of_topic(self.seed, self.shards, organisation, topic)
    }

    pub(crate) fn other_shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        let own = self.shard;
        (0..self.shards).map(ShardId).filter(move |&shard| shard != own)
    }

    /// The organisation of this number. Numbers come from the registry by way of principals, never from a peer.
    #[inline]
    pub(crate) fn organisation(&mut self, id: OrganisationId) -> &mut Organisation {
        let index = id.0 as usize;
        if index >= self.organisations.len() {
            self.make_organisations(index);
        }
        &mut self.organisations[index]
    }

    #[cold]
    fn make_organisations(&mut self, last: usize) {
        while self.organisations.len() <= last {
            let next = OrganisationId(self.organisations.len() as u32);
            let seed = self.seed.wrapping_add(u64::from(next.0));
            let shares = (&self.usage, self.shards);
            self.organisations.push(Organisation::new(next, seed, &self.limits, shares));
        }
    }

    /// Sends a session what waits for it, as far as there is room.
    pub(crate) fn pump(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: u32,
        effects: &mut Effects,
    ) {
        self.pump_queue(now, organisation, session, effects);
        self.continue_replay(now, organisation, session, effects);
    }

    /// What was sent before and is unfinished, and what is queued; not the retained messages.
    pub(crate) fn pump_queue(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: u32,
        effects: &mut Effects,
    ) {
        self.courier(now, organisation, effects).pump(session);
    }

    fn fire_timers(&mut self, now: Now, effects: &mut Effects) {
        if self.sweep.due_ms <= now.mono_ms {
            self.sweep_queues(now);
        }
        let mut due = std::mem::take(&mut self.due);
        self.wheel.fire(now.mono_ms, &mut due);
        for timer in due.drain(..) {
            match timer {
                Timer::Connect(connection) => self.on_connect_timeout(now, connection, effects),
                Timer::Held(connection) => self.end_not_durable(now, connection, None, effects),
                Timer::KeepAlive(connection) => self.on_keep_alive_timer(now, connection, effects),
                Timer::SessionExpiry(organisation, session, absence) => {
                    self.on_session_expiry(now, organisation, session, absence, effects);
                }
                Timer::Will(organisation, session, absence) => {
                    self.on_will_due(now, organisation, session, absence, effects);
                }
                Timer::Reading(organisation, session) => self.read_again(organisation, session),
                Timer::Retained(organisation, node, timer) => {
                    self.on_retained_timer(now, (organisation, node, timer));
                }
            }
        }
        self.due = due;
    }

    fn on_retained_timer(
        &mut self,
        now: Now,
        (organisation, node, timer): (OrganisationId, NodeId, NonZeroU32),
    ) {
        if let Some(at) = self.organisation(organisation).retained.expire(node, timer, now) {
            let deadline = now.mono_ms + at.saturating_sub(now.unix_ms);
            self.arm(now, deadline, Timer::Retained(organisation, node, timer));
        }
    }

    /// Arms a timer whose handler looks whether its time has come and arms it again if not. Timers are not
    /// cancelled: without the bound on how far ahead they are, a client that comes and goes with a Keep Alive of 18
    /// hours or a Session Expiry of a century would leave one behind each time.
    pub(crate) fn arm(&mut self, now: Now, deadline_ms: u64, timer: Timer) {
        self.wheel.arm(deadline_ms.min(now.mono_ms + TIMER_AHEAD_MAX_MS), timer);
    }
}

/// See [`Core::owner_of_client`].
pub(crate) fn owner_of_client(
    seed: u64,
    shards: u8,
    organisation: OrganisationId,
    client_identifier: &str,
) -> ShardId {
    owner(seed ^ 1, shards, organisation, client_identifier)
}

/// See [`Core::owner_of_topic`].
#[inline]
pub(crate) fn owner_of_topic(seed: u64, shards: u8, organisation: OrganisationId, topic: &str) -> ShardId {
    owner(seed ^ 2, shards, organisation, topic)
}

#[inline]
fn owner(seed: u64, shards: u8, organisation: OrganisationId, text: &str) -> ShardId {
    if shards == 1 {
        return ShardId(0);
    }
    let hash = FixedState::with_seed(seed).hash_one((organisation, text));
    // The high bits of a product spread evenly over any number of shards.
    ShardId(((u128::from(hash) * u128::from(shards)) >> 64) as u8)
}

/// Rare enough to cost nothing, near enough that what is gone is soon forgotten.
const TIMER_AHEAD_MAX_MS: u64 = 60_000;
