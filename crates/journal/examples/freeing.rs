//! How much of the disk the journal takes over a long run of messages of which few survive, and what keeping it small costs.
//!
//! `cargo run --release -p tidegate-journal --example freeing -- FOLDER [megabytes [one in so many survives [survivors]]]`

#![allow(clippy::disallowed_methods, reason = "a measurement asks for the time")]
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tidegate_journal::{
    Answer, Appender, Damage, Journal, Kind, Level, Listener, Marks, Offset, Options, Outcome, Position,
    RealDisk, Record, Replay, Round, Stream,
};

const MESSAGE_BYTES: u32 = 1024;
const MESSAGES: u64 = 256;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or_else(|| io::Error::other("which folder?"))?);
    let mut number = |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (megabytes, one_in, survivors) = (number(2048_u64), number(2000_u64), number(1000_u64));
    let disk = Arc::new(RealDisk::create(folder.join("journal"))?);
    let options = Options { level: Level::Os, ..Options::default() };
    let (journal, _) = Journal::open(disk, options, &mut Deaf).map_err(io::Error::other)?;
    let ear = Arc::new(Ear::default());
    let appender = journal.appender(Stream(1), Arc::clone(&ear) as Arc<dyn Listener>);
    journal.restored();
    let mut keeper = Keeper { appender, ear, held: VecDeque::new(), moved: 0, rounds: 0 };
    let (begin, mut most, mut written) = (Instant::now(), 0, 0);
    while written < megabytes << 10 {
        let survives = written / one_in != (written + MESSAGES) / one_in;
        keeper.publish(survives, survivors as usize)?;
        keeper.checkpoint()?;
        written += MESSAGES;
        most = journal.usage().bytes.max(most);
        if written % (256 << 10) == 0 {
            let usage = journal.usage();
            println!(
                "{:>6} MiB written: {:>5} MiB in {:>3} segments and {} that wait, {:>7} KiB alive, {} rounds, {} moved",
                written >> 10,
                usage.bytes >> 20,
                usage.segments,
                usage.spare_segments,
                usage.live_bytes >> 10,
                keeper.rounds,
                keeper.moved,
            );
        }
    }
    println!(
        "at most {} MiB, {:.0} messages/s, {} of {} written again",
        most >> 20,
        written as f64 / begin.elapsed().as_secs_f64(),
        keeper.moved,
        written,
    );
    let mut lookup = journal.lookup();
    let lost = keeper.held.iter().filter(|held| lookup.read(**held, MESSAGE_BYTES).is_err()).count();
    println!("{} survivors, {lost} of them lost", keeper.held.len());
    drop((journal, keeper));
    std::fs::remove_dir_all(folder.join("journal"))
}

/// Holds on to a message now and then; the oldest goes.
struct Keeper {
    appender: Appender,
    ear: Arc<Ear>,
    held: VecDeque<Position>,
    moved: u64,
    rounds: u64,
}

impl Keeper {
    fn push(&mut self) -> io::Result<Offset> {
        self.appender.push(Kind::Message, &[7; MESSAGE_BYTES as usize]).map_err(io::Error::other)
    }

    fn publish(&mut self, survives: bool, survivors: usize) -> io::Result<()> {
        let first = self.push()?;
        for _ in 1..MESSAGES {
            self.push()?;
        }
        self.appender.forgot(MESSAGES * u64::from(MESSAGE_BYTES));
        self.appender.submit();
        let position = self.ear.wait().plus(first);
        if survives {
            self.held.push_back(position);
            if self.held.len() > survivors {
                self.held.pop_front();
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let Some((round, evacuate)) = self.ear.lock().round.take() else { return Ok(()) };
        let (mut marks, mut moving) = (Marks::default(), Vec::new());
        for at in 0..self.held.len() {
            if evacuate.contains(&self.held[at].segment()) {
                moving.push((at, self.push()?));
            } else {
                marks.mark(self.held[at], MESSAGE_BYTES);
            }
        }
        self.appender.push(Kind::State, b"image").map_err(io::Error::other)?;
        self.appender.checkpointed(round, marks);
        self.appender.submit();
        let base = self.ear.wait();
        self.rounds += 1;
        self.moved += moving.len() as u64;
        moving.into_iter().for_each(|(at, offset)| self.held[at] = base.plus(offset));
        Ok(())
    }
}

#[derive(Default)]
struct Heard {
    committed: VecDeque<Position>,
    round: Option<(Round, Arc<[u32]>)>,
}

#[derive(Default)]
struct Ear {
    heard: Mutex<Heard>,
    came: Condvar,
}

impl Ear {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the next submission stands.
    fn wait(&self) -> Position {
        let mut heard = self.lock();
        loop {
            if let Some(position) = heard.committed.pop_front() {
                return position;
            }
            heard = self.came.wait(heard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Listener for Ear {
    fn committed(&self, outcomes: &[Outcome]) {
        let positions = outcomes.iter().filter_map(|outcome| outcome.result.ok());
        let mut heard = self.lock();
        heard.committed.extend(positions);
        assert_eq!(heard.committed.len(), outcomes.len(), "the disk failed");
        self.came.notify_one();
    }

    fn fetched(&self, _answers: &mut Vec<Answer>) {}

    fn checkpoint(&self, round: Round, evacuate: Arc<[u32]>) {
        self.lock().round = Some((round, evacuate));
    }
}

struct Deaf;

impl Replay for Deaf {
    fn begin(&mut self) {}

    fn record(&mut self, _record: Record<'_>) {}

    fn damaged(&mut self, damage: &Damage) {
        println!("{damage}");
    }
}
