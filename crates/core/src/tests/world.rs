//! A small world: one core per shard, clients that speak packets, a clock that stands still until it is moved.
//! Every effect is carried out as the shell would, until nothing more happens.

mod clients;
mod crash;
mod got;
mod log;
mod reads;
mod seen;
mod shell;

use std::collections::HashMap;

use tidegate_mqtt::Version;
use tidegate_observe::Fact;

pub(crate) use clients::{ConnectOptions, v3, v5};
pub(crate) use got::Got;

use self::log::Log;
use crate::shards::ShardMessage;
use crate::{
    AuthenticationRequest, Batch, ConnectionId, Core, CoreConfig, Effects, Fetch, Input, Limits, Now,
    ShardId, SharedUsage, Ticket,
};

pub(crate) struct World {
    pub(super) cores: Vec<Core>,
    effects: Vec<Effects>,
    pub(super) now: Now,
    next_index: u32,
    clients: HashMap<String, Client>,
    /// Nobody is told who a client is.
    authentication_stalled: bool,
    unanswered: Vec<(usize, AuthenticationRequest)>,
    /// The journal answers only when it is told to.
    journal_stalled: bool,
    /// Mail between shards waits until it is let go.
    shards_delayed: bool,
    delayed: Vec<(usize, usize, Batch)>,
    /// Tickets that wait for the log to be durable up to a turn.
    unpersisted: Vec<(usize, Ticket, usize)>,
    log: Log,
    /// Nothing that was asked for is read.
    reads_stalled: bool,
    unread: Vec<(usize, Fetch)>,
    /// Content may be found unreadable.
    pub(crate) may_lose: bool,
    limits: Limits,
    pub(crate) facts: Vec<Fact>,
    /// Bytes that the kernel takes from each write; `None` takes all.
    pub(crate) write_bytes_max: Option<usize>,
}

struct Client {
    shard: usize,
    connection: ConnectionId,
    version: Version,
    received: Vec<u8>,
    open: bool,
    /// The client takes nothing from its socket.
    stalled: bool,
    next_identifier: u16,
}

impl World {
    pub(crate) fn new(shards: u8) -> Self {
        Self::with_limits(shards, Limits::default())
    }

    pub(crate) fn with_limits(shards: u8, limits: Limits) -> Self {
        let now = Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 };
        Self {
            cores: cores(shards, &limits, now),
            log: Log::default(),
            reads_stalled: false,
            unread: Vec::new(),
            may_lose: false,
            limits,
            effects: (0..shards).map(|_| Effects::new(usize::from(shards))).collect(),
            now,
            next_index: 0,
            clients: HashMap::new(),
            authentication_stalled: false,
            unanswered: Vec::new(),
            journal_stalled: false,
            shards_delayed: false,
            delayed: Vec::new(),
            unpersisted: Vec::new(),
            facts: Vec::new(),
            write_bytes_max: None,
        }
    }

    /// Time passes.
    pub(crate) fn advance_secs(&mut self, secs: u64) {
        self.advance_ms(secs * 1000);
    }

    /// Time passes, a tenth of a second at a time.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now.mono_ms += 100;
            self.now.unix_ms += 100;
            for shard in 0..self.cores.len() {
                self.input(shard, Input::Time);
            }
        }
    }

    /// Time jumps.
    pub(crate) fn skip_secs(&mut self, secs: u64) {
        self.now.mono_ms += secs * 1000;
        self.now.unix_ms += secs * 1000;
        self.advance_ms(100);
    }

    /// Time jumps, and nobody has noticed yet.
    pub(crate) fn jump_secs(&mut self, secs: u64) {
        self.now.mono_ms += secs * 1000;
        self.now.unix_ms += secs * 1000;
    }

    /// When one of the shards wants to be woken.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.cores.iter().filter_map(Core::next_deadline).min()
    }

    /// Mail between shards waits, or arrives in the order in which it was sent.
    pub(crate) fn delay_shards(&mut self, delayed: bool) {
        self.shards_delayed = delayed;
        if !delayed {
            for (from, to, batch) in std::mem::take(&mut self.delayed) {
                // What this leads to is sent later, so it arrives later.
                self.handle(to, Input::FromShard { from: ShardId(from as u8), batch });
            }
            self.settle();
        }
    }

    /// Delivers the mail that waits, and lets what it leads to wait in turn.
    pub(crate) fn deliver_mail_once(&mut self) {
        for (from, to, batch) in std::mem::take(&mut self.delayed) {
            self.handle(to, Input::FromShard { from: ShardId(from as u8), batch });
        }
        self.settle();
    }

    /// How many messages of a kind wait in the mail between shards.
    pub(crate) fn mail_count(&self, kind: fn(&ShardMessage) -> bool) -> usize {
        self.delayed.iter().flat_map(|(_, _, batch)| &batch.messages).filter(|message| kind(message)).count()
    }

    pub(crate) fn authentication_stalls(&mut self) {
        self.authentication_stalled = true;
    }

    /// Everybody who waits is let in.
    pub(crate) fn authentication_goes_on(&mut self) {
        self.authentication_stalled = false;
        for (shard, request) in std::mem::take(&mut self.unanswered) {
            self.answer(shard, request);
            self.settle();
        }
    }

    pub(crate) fn journal_stalls(&mut self) {
        self.journal_stalled = true;
    }

    pub(crate) fn journal_goes_on(&mut self) {
        self.journal_stalled = false;
        self.journal_writes(usize::MAX);
    }

    /// So many turns more are durable, while the journal stalls.
    pub(crate) fn journal_writes(&mut self, turns: usize) {
        for (shard, places) in self.log.write(turns) {
            self.input(shard, Input::Placed { places: &places });
        }
        let waiting = std::mem::take(&mut self.unpersisted);
        let (due, waiting) = waiting.into_iter().partition(|&(_, _, turns)| turns <= self.log.durable);
        self.unpersisted = waiting;
        for (shard, up_to, _) in due {
            self.input(shard, Input::Persisted { up_to });
        }
        self.trim();
    }

    /// The `$SYS` interval is over.
    pub(crate) fn publish_sys(&mut self) {
        self.input(0, Input::PublishSys);
    }
}

fn cores(shards: u8, limits: &Limits, now: Now) -> Vec<Core> {
    let usage = SharedUsage::default();
    let core = |shard| {
        Core::new(CoreConfig {
            shard: ShardId(shard),
            shards,
            limits: limits.clone(),
            usage: usage.clone(),
            seed: 99,
            started: now,
            records: true,
        })
    };
    (0..shards).map(core).collect()
}
