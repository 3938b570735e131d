//! With its threads, on a real disk.

use std::sync::{Arc, Condvar, Mutex};

use crate::*;

use super::world::{Heard, small_options};

/// Counts answers and wakes who waits for them.
#[derive(Default)]
struct Counter {
    answered: Mutex<u64>,
    came: Condvar,
}

impl Counter {
    fn wait_for(&self, answers: u64) {
        let mut answered = self.answered.lock().unwrap();
        while *answered < answers {
            answered = self.came.wait(answered).unwrap();
        }
    }
}

impl Listener for Counter {
    fn committed(&self, outcomes: &[Outcome]) {
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        *self.answered.lock().unwrap() += outcomes.len() as u64;
        self.came.notify_all();
    }

    fn fetched(&self, _answers: &mut Vec<Answer>) {}

    fn checkpoint(&self, _round: Round, _evacuate: Arc<[u32]>) {}
}

#[test]
fn several_threads_append_and_each_finds_its_own_in_order() {
    const STREAMS: u16 = 4;
    const SUBMISSIONS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::create(folder.path()).unwrap());
    let options = Options { level: Level::Os, ..small_options() };
    let (journal, _) = Journal::open(disk(), options.clone(), &mut Heard::default()).unwrap();
    std::thread::scope(|scope| {
        for stream in 0..STREAMS {
            let counter = Arc::new(Counter::default());
            let mut appender = journal.appender(Stream(stream), Arc::clone(&counter) as Arc<dyn Listener>);
            scope.spawn(move || {
                for number in 0..SUBMISSIONS {
                    appender.push(Kind::State, &number.to_le_bytes()).unwrap();
                    appender.submit();
                    if number % 50 == 49 {
                        counter.wait_for(number + 1);
                    }
                }
            });
        }
    });
    drop(journal);
    let mut heard = Heard::default();
    Journal::open(disk(), options, &mut heard).unwrap();
    for stream in 0..STREAMS {
        let own = heard.records.iter().filter(|(_, whose, ..)| *whose == Stream(stream));
        let numbers: Vec<_> =
            own.map(|(.., bytes)| u64::from_le_bytes(bytes[..].try_into().unwrap())).collect();
        assert!(numbers.into_iter().eq(0..SUBMISSIONS));
    }
}
