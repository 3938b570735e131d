//! The threads of a journal: loops around what the workers do in steps.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock::Clock;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::steward::{Next, Steward};
use crate::writer::Writer;

use super::Workers;

#[derive(Debug, Default)]
pub(super) struct Threads {
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(super) fn start(shared: &Arc<Shared>, workers: Workers) -> io::Result<Self> {
        let clock = Clock::start();
        let Workers { writer, steward, reader } = workers;
        let [for_writer, for_steward, for_reader] = [(); 3].map(|()| Arc::clone(shared));
        let mut threads = Self::default();
        threads.add("journal-write", move || write(&for_writer, writer, clock))?;
        threads.add("journal-tend", move || tend(&for_steward, steward, clock))?;
        threads.add("journal-read", move || read(&for_reader, reader))?;
        Ok(threads)
    }

    fn add(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.handles.push(Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }

    pub(super) fn join(&mut self) {
        for handle in self.handles.drain(..) {
            // A panic was printed where it happened; there is nothing left to save here.
            let _ = handle.join();
        }
    }
}

fn write(shared: &Shared, mut writer: Writer, clock: Clock) {
    while shared.inbox.wait() {
        while writer.turn(clock.now_ms()) {}
    }
    writer.seal();
}

fn read(shared: &Shared, mut reader: Reader) {
    while shared.requests.wait() {
        reader.turn();
    }
}

fn tend(shared: &Shared, mut steward: Steward, clock: Clock) {
    loop {
        let next = steward.turn(clock.now_ms());
        let mut table = shared.table();
        while !table.changed && !table.closed && next != Next::Again {
            let Next::At(at) = next else {
                table = shared.changed.wait(table).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = Duration::from_millis(at.saturating_sub(clock.now_ms()));
            if left.is_zero() {
                break;
            }
            let waited = shared.changed.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        table.changed = false;
        if table.closed {
            return;
        }
    }
}
