//! The thread of the echo that writes and syncs, and the desk where the two threads hand over.

use super::Message;
use crate::bare_loop::BareLoop;
use mio::Waker;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, process, thread};

/// What lies between the threads.
#[derive(Debug, Default)]
pub(super) struct Desk {
    papers: Mutex<Papers>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Papers {
    published: Vec<Message>,
    durable: Vec<Message>,
    writer_sleeps: bool,
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        // Invariant: nothing under this lock leaves the lists half changed.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer that sleeps is woken, once; a busy one looks by itself.
    pub(super) fn hand_over(&self, published: &mut Vec<Message>) {
        if published.is_empty() {
            return;
        }
        let mut papers = self.papers();
        papers.published.append(published);
        let wake = std::mem::take(&mut papers.writer_sleeps);
        drop(papers);
        if wake {
            self.came.notify_one();
        }
    }

    pub(super) fn take_durable(&self, into: &mut Vec<Message>) {
        into.append(&mut self.papers().durable);
    }

    fn wait_for_published(&self, into: &mut Vec<Message>) {
        let mut papers = self.papers();
        while papers.published.is_empty() {
            papers.writer_sleeps = true;
            papers = self.came.wait(papers).unwrap_or_else(PoisonError::into_inner);
        }
        papers.writer_sleeps = false;
        into.append(&mut papers.published);
    }
}

/// Starts the thread. When the disk fails, the program ends: a reference that acknowledges without a sync is none.
pub(super) fn start(bare: BareLoop, record_bytes: usize, desk: Arc<Desk>, waker: Waker) -> io::Result<()> {
    let work = move || {
        let Err(error) = write(bare, record_bytes, &desk, &waker);
        eprintln!("the echo ends: {error}");
        process::exit(1);
    };
    thread::Builder::new().name("echo-write".into()).spawn(work).map(drop)
}

fn write(
    mut bare: BareLoop,
    record_bytes: usize,
    desk: &Desk,
    waker: &Waker,
) -> io::Result<std::convert::Infallible> {
    let mut batch = Vec::new();
    loop {
        desk.wait_for_published(&mut batch);
        bare.append(batch.len() * record_bytes)?;
        desk.papers().durable.append(&mut batch);
        waker.wake()?;
    }
}
