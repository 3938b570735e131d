//! "No allocation per record on the steady append path", counted: once buffers have grown, pushing, submitting and
//! writing ask for no memory, neither on the owner's thread nor on the writer's.
//!
//! Alone in its file because it counts for the whole program.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it; this one only counts and forwards"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tidegate_journal::{
    Answer, Damage, Journal, Kind, Level, Listener, Options, Outcome, RealDisk, Record, Replay, Round, Stream,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Wakes who waits for an answer.
#[derive(Default)]
struct Bell {
    answered: Mutex<u64>,
    rung: Condvar,
}

impl Listener for Bell {
    fn committed(&self, outcomes: &[Outcome]) {
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        *self.answered.lock().unwrap() += outcomes.len() as u64;
        self.rung.notify_all();
    }

    fn fetched(&self, _answers: &mut Vec<Answer>) {}

    fn checkpoint(&self, _round: Round, _evacuate: Arc<[u32]>) {}
}

struct Deaf;

impl Replay for Deaf {
    fn begin(&mut self) {}

    fn record(&mut self, _record: Record<'_>) {}

    fn damaged(&mut self, _damage: &Damage) {}
}

#[test]
fn appending_allocates_nothing_once_buffers_have_grown() {
    const WARM_UP: u64 = 200;
    const SUBMISSIONS: u64 = 1000;
    const RECORDS: u64 = 64;
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::create(folder.path()).unwrap());
    let options = Options { level: Level::Os, segment_bytes: 256 << 20, ..Options::default() };
    let (journal, _) = Journal::open(disk, options, &mut Deaf).unwrap();
    let bell = Arc::new(Bell::default());
    let mut appender = journal.appender(Stream(1), Arc::clone(&bell) as Arc<dyn Listener>);
    let mut before = 0;
    for number in 1..=WARM_UP + SUBMISSIONS {
        if number == WARM_UP + 1 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        for _ in 0..RECORDS {
            appender.record(Kind::Message, |to| to.extend_from_slice(&[7; 256])).unwrap();
        }
        appender.submit();
        let mut answered = bell.answered.lock().unwrap();
        while *answered < number {
            answered = bell.rung.wait(answered).unwrap();
        }
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    // The steward may prepare a segment meanwhile; that is a handful for 64,000 records.
    assert!(allocations < 50, "{allocations} allocations for {} records", SUBMISSIONS * RECORDS);
}
