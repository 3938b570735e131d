//! A journal on a simulated disk, and ears that remember.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use crate::simulation::SimulatedDisk;
use crate::*;

/// Small, so that a test sees many segments.
pub(super) fn small_options() -> Options {
    Options { segment_bytes: 4096, batch_bytes_max: 2048, ..Options::default() }
}

/// A listener that keeps what it hears.
#[derive(Default)]
pub(super) struct Ear {
    pub(super) outcomes: Mutex<Vec<Outcome>>,
    pub(super) answers: Mutex<Vec<Answer>>,
    /// Each with the segments that should be emptied.
    pub(super) rounds: Mutex<Vec<(Round, Arc<[u32]>)>>,
    pub(super) healths: Mutex<Vec<Health>>,
    pub(super) damages: Mutex<Vec<Damage>>,
    /// Who is woken when it has heard something.
    thread: OnceLock<Thread>,
}

impl Ear {
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes.lock().unwrap())
    }

    /// The round that was asked for last, and what should be emptied in it. It is asked for once.
    pub(super) fn round(&self) -> Option<(Round, Arc<[u32]>)> {
        self.rounds.lock().unwrap().drain(..).next_back()
    }

    /// From now on the calling thread is woken.
    pub(super) fn wakes_this_thread(&self) {
        self.thread.set(std::thread::current()).unwrap();
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The position of the only submission that was answered.
    pub(super) fn position(&self) -> Position {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes[0].result.unwrap()
    }
}

impl Listener for Ear {
    fn committed(&self, outcomes: &[Outcome]) {
        self.outcomes.lock().unwrap().extend_from_slice(outcomes);
        self.wake();
    }

    fn fetched(&self, answers: &mut Vec<Answer>) {
        self.answers.lock().unwrap().append(answers);
        self.wake();
    }

    fn checkpoint(&self, round: Round, evacuate: Arc<[u32]>) {
        self.rounds.lock().unwrap().push((round, evacuate));
        self.wake();
    }

    fn damaged(&self, damage: &Damage) {
        self.damages.lock().unwrap().push(damage.clone());
    }

    fn health(&self, health: Health) {
        self.healths.lock().unwrap().push(health);
    }
}

/// A replay that keeps what it is told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) begins: u32,
    pub(super) records: Vec<(Position, Stream, Kind, Vec<u8>)>,
    pub(super) damages: Vec<Damage>,
}

impl Heard {
    pub(super) fn texts(&self) -> Vec<&str> {
        self.records.iter().map(|(.., bytes)| std::str::from_utf8(bytes).unwrap()).collect()
    }
}

impl Replay for Heard {
    fn begin(&mut self) {
        self.begins += 1;
        self.records.clear();
    }

    fn record(&mut self, record: Record<'_>) {
        self.records.push((record.position, record.stream, record.kind, record.bytes.to_vec()));
    }

    fn damaged(&mut self, damage: &Damage) {
        self.damages.push(damage.clone());
    }
}

/// Who writes, and hears what becomes of it.
pub(super) type Owner = (Appender, Arc<Ear>);

/// One life of a journal.
pub(super) struct World {
    pub(super) disk: SimulatedDisk,
    pub(super) journal: Journal,
    pub(super) driver: Driver,
    pub(super) report: Report,
    pub(super) heard: Heard,
    pub(super) now_ms: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::on(SimulatedDisk::new(1), small_options())
    }

    pub(super) fn on(disk: SimulatedDisk, options: Options) -> Self {
        let mut heard = Heard::default();
        let (journal, driver, report) =
            Journal::open_manual(Arc::new(disk.clone()), options, &mut heard).unwrap();
        Self { disk, journal, driver, report, heard, now_ms: 0 }
    }

    /// The next life, after whatever was done to the disk.
    pub(super) fn again(self) -> Self {
        let Self { disk, journal, driver, .. } = self;
        drop((journal, driver));
        Self::on(disk, small_options())
    }

    pub(super) fn after_power_cut(self) -> Self {
        self.disk.lose_power();
        self.again()
    }

    pub(super) fn after_kill(self) -> Self {
        self.disk.kill();
        self.again()
    }

    pub(super) fn closed_and_opened(mut self) -> Self {
        self.driver.seal();
        self.again()
    }

    pub(super) fn stream(&self, number: u16) -> Owner {
        let ear = Arc::new(Ear::default());
        (self.journal.appender(Stream(number), Arc::clone(&ear) as Arc<dyn Listener>), ear)
    }

    /// Submits one State record and says where it is.
    pub(super) fn append(&mut self, stream: &mut Owner, text: &str) -> Position {
        stream.0.push(Kind::State, text.as_bytes()).unwrap();
        stream.0.submit().unwrap();
        self.write();
        stream.1.position()
    }

    /// Submits one Message record and says where it is.
    pub(super) fn message(&mut self, owner: &mut Owner, bytes: &[u8]) -> Position {
        owner.0.push(Kind::Message, bytes).unwrap();
        owner.0.submit().unwrap();
        self.write();
        owner.1.position()
    }

    /// Some segments of State records.
    pub(super) fn fill(&mut self, owner: &mut Owner) {
        for number in 0..12 {
            self.append(owner, &format!("{number:0>1000}"));
        }
    }

    /// Writes all batches that are waiting.
    pub(super) fn write(&mut self) {
        while self.driver.write(self.now_ms) {}
    }

    pub(super) fn run(&mut self) {
        self.driver.run(self.now_ms);
    }

    pub(super) fn segments(&self) -> Vec<String> {
        self.disk.names().into_iter().filter(|name| name.ends_with(".log")).collect()
    }
}
