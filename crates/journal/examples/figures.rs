//! The figures that DESIGN.md gives for the journal, taken anew: how to write, what the journal costs beside a bare loop
//! that writes and syncs the same bytes, how long a restart takes.
//!
//! `cargo run --release -p tidegate-journal --example figures -- FOLDER [seconds [ways|waiting|flowing|restart]]`

#![allow(clippy::disallowed_methods, reason = "a measurement asks for the time")]
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use tidegate_journal::{
    Answer, Damage, Journal, Kind, Level, Listener, Options, Outcome, RealDisk, Record, Replay, Round, Stream,
};

const RECORD_BYTES: usize = 256;
const FRAMED_BYTES: usize = RECORD_BYTES + 8;
const FRAME_BYTES: usize = 40;
const SEGMENT_BYTES: usize = 64 << 20;
const BLOCK: usize = 4096;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or_else(|| io::Error::other("which folder?"))?);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2);
    let length = Duration::from_secs(seconds);
    std::fs::create_dir_all(&folder)?;
    let only = arguments.next();
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    if wanted("ways") {
        ways_to_write(&folder, length)?;
    }
    if wanted("waiting") {
        waiting(&folder, length)?;
    }
    if wanted("flowing") {
        flowing(&folder, length)?;
    }
    if wanted("restart") {
        restart(&folder)?;
    }
    Ok(())
}

/// What one way of doing something took.
struct Taken {
    batches: Vec<Duration>,
    records: u64,
    wall: Duration,
    processor: Duration,
}

impl Taken {
    fn of(length: Duration, records: u64, mut batch: impl FnMut() -> io::Result<()>) -> io::Result<Self> {
        let (begin, processor) = (Instant::now(), processor_time());
        let mut batches = Vec::new();
        while begin.elapsed() < length {
            let at = Instant::now();
            batch()?;
            batches.push(at.elapsed());
        }
        let (wall, processor) = (begin.elapsed(), processor_time() - processor);
        let records = records * batches.len() as u64;
        batches.sort_unstable();
        Ok(Self { batches, records, wall, processor })
    }

    fn say(&self, what: &str) {
        let at =
            |percent: usize| self.batches[(self.batches.len() * percent / 100).min(self.batches.len() - 1)];
        println!(
            "{what:<44} p50 {:>6} µs  p99 {:>6} µs  {:>9.0} records/s  {:>8.2} µs of processor a record",
            at(50).as_micros(),
            at(99).as_micros(),
            self.records as f64 / self.wall.as_secs_f64(),
            self.processor.as_secs_f64() * 1e6 / self.records as f64,
        );
    }
}

fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A file as a segment would be, written in one of several ways.
struct Bare {
    file: File,
    at: usize,
    /// Longer than needed, so that a part of it begins at a multiple of a block.
    buffer: Vec<u8>,
    aligned: bool,
    sync: bool,
}

impl Bare {
    fn new(folder: &Path, zeroed: bool, flags: OFlags, sync: bool) -> io::Result<Self> {
        let path = folder.join("bare");
        let file = File::create(&path)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, SEGMENT_BYTES as u64)?;
        if zeroed {
            file.write_all_at(&vec![0; SEGMENT_BYTES], 0)?;
        }
        file.sync_all()?;
        let file = OpenOptions::new().write(true).custom_flags(flags.bits() as i32).open(&path)?;
        let aligned = flags.contains(OFlags::DIRECT);
        Ok(Self { file, at: 0, buffer: vec![7; 4 << 20], aligned, sync })
    }

    fn write(&mut self, bytes: usize) -> io::Result<()> {
        if self.at + bytes + BLOCK > SEGMENT_BYTES {
            self.at = 0;
        }
        let (mut from, mut to, mut begin) = (self.at, self.at + bytes, 0);
        if self.aligned {
            (from, to) = (from / BLOCK * BLOCK, to.div_ceil(BLOCK) * BLOCK);
            begin = self.buffer.as_ptr().align_offset(BLOCK);
        }
        self.file.write_all_at(&self.buffer[begin..begin + to - from], from as u64)?;
        if self.sync {
            self.file.sync_data()?;
        }
        self.at += bytes;
        Ok(())
    }
}

fn batch_bytes(records: usize) -> usize {
    FRAME_BYTES + records * FRAMED_BYTES
}

fn ways_to_write(folder: &Path, length: Duration) -> io::Result<()> {
    let none = OFlags::empty();
    let ways: [(&str, bool, OFlags, bool); 5] = [
        ("zeroed, write + fdatasync", true, none, true),
        ("allocated only, write + fdatasync", false, none, true),
        ("zeroed, O_DSYNC", true, OFlags::DSYNC, false),
        ("zeroed, O_DIRECT + fdatasync", true, OFlags::DIRECT, true),
        ("zeroed, O_DIRECT | O_DSYNC", true, OFlags::DIRECT | OFlags::DSYNC, false),
    ];
    for records in [1, 16, 256, 2048] {
        for (name, zeroed, flags, sync) in ways {
            let mut bare = Bare::new(folder, zeroed, flags, sync)?;
            let taken = Taken::of(length, records as u64, || bare.write(batch_bytes(records)))?;
            taken.say(&format!("{records:>5} · {name}"));
        }
    }
    Ok(())
}

/// Counts what is committed.
#[derive(Default)]
struct Bell {
    committed: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    fn wait_for(&self, submissions: u64) -> u64 {
        let poisoned = std::sync::PoisonError::into_inner;
        let mut committed = self.committed.lock().unwrap_or_else(poisoned);
        while *committed < submissions {
            committed = self.rung.wait(committed).unwrap_or_else(poisoned);
        }
        *committed
    }
}

impl Listener for Bell {
    fn committed(&self, outcomes: &[Outcome]) {
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "the disk failed");
        *self.committed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += outcomes.len() as u64;
        self.rung.notify_all();
    }

    fn fetched(&self, _answers: &mut Vec<Answer>) {}

    fn checkpoint(&self, _round: Round, _evacuate: Arc<[u32]>) {}
}

#[derive(Default)]
struct Count {
    records: u64,
}

impl Replay for Count {
    fn begin(&mut self) {}

    fn record(&mut self, _record: Record<'_>) {
        self.records += 1;
    }

    fn damaged(&mut self, damage: &Damage) {
        println!("{damage}");
    }
}

fn open(folder: &Path, level: Level, replay: &mut Count) -> io::Result<Journal> {
    let disk = Arc::new(RealDisk::create(folder.join("journal"))?);
    let options = Options { level, ..Options::default() };
    Ok(Journal::open(disk, options, replay).map_err(io::Error::other)?.0)
}

/// One submission at a time, answered before the next, beside the same bytes written and synced in a loop.
fn waiting(folder: &Path, length: Duration) -> io::Result<()> {
    for records in [1, 4, 16, 64, 256, 2048] {
        for turn in 0..3 {
            let mut bare = Bare::new(folder, true, OFlags::empty(), true)?;
            let taken = Taken::of(length, records as u64, || bare.write(batch_bytes(records)))?;
            taken.say(&format!("{records:>5} · bare loop, {turn}"));
            let journal = open(folder, Level::Fsync, &mut Count::default())?;
            let bell = Arc::new(Bell::default());
            let mut appender = journal.appender(Stream(1), Arc::clone(&bell) as Arc<dyn Listener>);
            let payload = [7; RECORD_BYTES];
            let mut submitted = 0;
            let taken = Taken::of(length, records as u64, || {
                for _ in 0..records {
                    appender.push(Kind::Message, &payload).map_err(io::Error::other)?;
                }
                appender.submit();
                submitted += 1;
                bell.wait_for(submitted);
                Ok(())
            })?;
            taken.say(&format!("{records:>5} · journal, append and wait, {turn}"));
            drop(journal);
            std::fs::remove_dir_all(folder.join("journal"))?;
        }
    }
    Ok(())
}

/// As many submissions as may be on their way, from one thread.
fn flowing(folder: &Path, length: Duration) -> io::Result<()> {
    for level in [Level::Fsync, Level::Os] {
        for records in [1, 16, 512] {
            let journal = open(folder, level, &mut Count::default())?;
            let bell = Arc::new(Bell::default());
            let mut appender = journal.appender(Stream(1), Arc::clone(&bell) as Arc<dyn Listener>);
            let payload = [7; RECORD_BYTES];
            let (mut submitted, mut committed) = (0, 0);
            let taken = Taken::of(length, records, || {
                while submitted - committed > 8192 / records {
                    committed = bell.wait_for(committed + 1);
                }
                for _ in 0..records {
                    appender.push(Kind::Message, &payload).map_err(io::Error::other)?;
                }
                appender.submit();
                submitted += 1;
                Ok(())
            })?;
            taken.say(&format!("{records:>5} a submission · journal, flowing, {level:?}"));
            drop(journal);
            std::fs::remove_dir_all(folder.join("journal"))?;
        }
    }
    Ok(())
}

/// Ten million small records, and how long the next start takes.
fn restart(folder: &Path) -> io::Result<()> {
    const RECORDS: u64 = 10_000_000;
    let journal = open(folder, Level::Os, &mut Count::default())?;
    let bell = Arc::new(Bell::default());
    let mut appender = journal.appender(Stream(1), Arc::clone(&bell) as Arc<dyn Listener>);
    for submission in 1..=RECORDS / 1000 {
        for _ in 0..1000 {
            appender.push(Kind::State, &[7; 64]).map_err(io::Error::other)?;
        }
        appender.submit();
        bell.wait_for(submission.saturating_sub(16));
    }
    drop(journal);
    let begin = Instant::now();
    let mut count = Count::default();
    let journal = open(folder, Level::Os, &mut count)?;
    println!("restart with {} records of 64 B: {:.2} s", count.records, begin.elapsed().as_secs_f64());
    drop(journal);
    std::fs::remove_dir_all(folder.join("journal"))
}
