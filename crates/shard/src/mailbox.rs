//! What other threads put before a shard: one queue per shard, so that the order of sending is the order of
//! reading whoever the senders are. The core's cross-shard protocol relies on that.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;
use mio::net::TcpStream;
use tidegate_core::{Batch, Handoff, Limits, ShardId};

use crate::authenticate::Answer;
use crate::journaling::News;

/// One piece of mail.
#[derive(Debug)]
pub(crate) enum Mail {
    /// The messages of another shard's turn.
    Batch { from: ShardId, batch: Batch },
    /// A socket that was accepted for this shard.
    Accepted { stream: TcpStream, peer: SocketAddr },
    /// A connection whose session belongs here.
    HandedOver { stream: TcpStream, peer: SocketAddr, handoff: Box<Handoff> },
    /// Somebody who knows credentials has decided.
    Authenticated(Answer),
    /// The journal has something to say.
    Journal(News),
    /// The configuration was read again.
    Limits(Box<Limits>),
    /// End all connections, then the thread.
    ShutDown,
}

/// The queue of one shard. It is bounded by its senders: a shard reads from no socket while a mailbox that it
/// writes to is over [`MAIL_BYTES_MAX`].
pub(crate) struct Mailbox {
    mail: Mutex<Vec<Mail>>,
    bytes: AtomicUsize,
    sleeping: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        let (bytes, sleeping) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { mail: Mutex::new(Vec::new()), bytes, sleeping, waker })
    }

    /// Adds one piece and wakes the shard if it sleeps; a running one finds it at its next turn.
    pub(crate) fn send(&self, mail: Mail) {
        if let Mail::Batch { batch, .. } = &mail {
            self.bytes.fetch_add(batch.size(), Ordering::Relaxed);
        }
        self.lock().push(mail);
        if self.sleeping.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!("a shard cannot be woken: {error}");
        }
    }

    /// Whether senders should produce no more for the moment.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > MAIL_BYTES_MAX
    }

    /// Moves everything into `into`, which must be empty.
    pub(crate) fn take(&self, into: &mut Vec<Mail>) {
        std::mem::swap(&mut *self.lock(), into);
        if !into.is_empty() {
            self.bytes.store(0, Ordering::Relaxed);
        }
    }

    /// The shard is about to sleep; `false` if there is mail, so that it must not.
    pub(crate) fn begin_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.lock().is_empty() {
            return true;
        }
        self.end_sleep();
        false
    }

    pub(crate) fn end_sleep(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Mail>> {
        // The queue is whole even if a holder panicked: pushes and swaps do not stop halfway.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one shard may have unread from others before they stop reading from their clients.
const MAIL_BYTES_MAX: usize = 64 * 1024 * 1024;
