//! Messages for durable sessions whose clients are away: what it costs to acknowledge them, to keep them and to hand them
//! out.
//!
//! A run connects the sessions, subscribes them and disconnects them; publishes at QoS 1; then connects the sessions
//! again and sees that everything acknowledged is there, once and in order. Whether the broker kept it in memory or on
//! the disk is its own affair; what a disk would allow stands beside it, from a [`BareLoop`] and, for one message at a
//! time, an [`Echo`]. Both take turns with the publishers, and are held where the broker is held.

mod account;
mod beside;
mod draining;
mod publishing;
mod queue;
mod restart;

pub(super) use queue::measure_drain;
pub(super) use restart::measure_restart;

use super::mib;
use crate::bare_loop::BareLoop;
use crate::broker::Broker;
use crate::clock;
use crate::codec::{self, QoS, SessionLifetime};
use crate::door::Door;
use crate::fault::Fault;
use crate::fleet::{self, Member};
use crate::measures::{Measures, Metric};
use crate::reactor::Reactor;
use crate::traffic::Timing;
use account::Account;
use beside::Echo;
use publishing::{Publishing, Tally};

/// Publishers, bare loop and echo take turns so often in a run, because a shared disk is fast at one moment and slow at
/// another.
const TURNS: u32 = 10;

/// The bare loop gets this part of the publishers' time.
const BARE_PART: u32 = 2;

/// Who publishes how, and for how many sessions. Each message waits in one session.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Publishing clients.
    pub publishers: usize,
    /// Messages of one publisher that may be unacknowledged.
    pub in_flight: usize,
    /// Sessions whose clients are away.
    pub sessions: usize,
    /// Length of the application message.
    pub payload_bytes: usize,
    /// Which session gets which message.
    pub route: Route,
}

/// Which session gets which message of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// All messages of publisher `n` go to session `n` modulo their number.
    Own,
    /// The first goes there, the next to the next session, and so on in turns.
    Turns,
}

impl Backlog {
    /// The session that gets this message of `publisher`.
    fn session_of(&self, publisher: usize, sequence: u64) -> usize {
        // Invariant: the rest is smaller than a number that was a usize.
        let turn = (sequence % self.step()) as usize;
        (publisher + turn) % self.sessions
    }

    /// Between two messages of a publisher in the same session.
    fn step(&self) -> u64 {
        match self.route {
            Route::Own => 1,
            Route::Turns => self.sessions as u64,
        }
    }

    /// The first message of `publisher` that goes to `session`, if one does.
    fn first_in(&self, session: usize, publisher: usize) -> Option<u64> {
        let turn = (session + self.sessions - publisher % self.sessions) % self.sessions;
        Some(turn as u64).filter(|&turn| turn < self.step())
    }

    /// How many of the first `count` messages of `publisher` go to `session`.
    fn count_in(&self, session: usize, publisher: usize, count: u64) -> u64 {
        self.first_in(session, publisher).map_or(0, |first| count.saturating_sub(first).div_ceil(self.step()))
    }

    fn has_one_in_flight(&self) -> bool {
        self.publishers * self.in_flight == 1
    }

    fn topic(session: usize) -> String {
        format!("d/{session}")
    }

    fn client_identifier(session: usize) -> String {
        format!("bench-durable-{session}")
    }

    /// Leaves the sessions at the broker. The last to disconnect does so before the first publisher connects.
    fn leave_sessions(&self, broker: &Broker) -> Result<(), Fault> {
        let member = |session| Member {
            client_identifier: Self::client_identifier(session),
            filters: vec![Self::topic(session)],
            qos: QoS::AtLeastOnce,
            lifetime: SessionLifetime::Durable,
        };
        let members: Vec<_> = (0..self.sessions).map(member).collect();
        let mut reactor = Reactor::new()?;
        fleet::assemble(&mut reactor, broker.entrance(Door::Tcp)?, &members)?;
        for id in 0..self.sessions {
            codec::encode_disconnect(reactor.outbox().queue(id));
            reactor.close(id)?;
        }
        Ok(())
    }

    fn connect_publishers(&self, broker: &Broker) -> Result<Reactor, Fault> {
        let member = |index| Member::without_filters(format!("bench-pub-{index}"));
        let members: Vec<_> = (0..self.publishers).map(member).collect();
        let mut reactor = Reactor::new()?;
        fleet::assemble(&mut reactor, broker.entrance(Door::Tcp)?, &members)?;
        Ok(reactor)
    }
}

/// Publishes for as long as `timing` says, then hands out what was acknowledged.
pub(super) fn measure(backlog: &Backlog, broker: &Broker, timing: Timing) -> Result<Measures, Fault> {
    backlog.leave_sessions(broker)?;
    let mut reactor = backlog.connect_publishers(broker)?;
    let mut bare = broker.durable_folder.as_deref().map(BareLoop::create).transpose()?;
    let resident_before = broker.resident_bytes()?;
    let mut publishing = Publishing::new(backlog, None);
    let warm_up = clock::deadline(timing.warm_up);
    let batch_bytes = Account::default().publish(broker, || publishing.run(&mut reactor, warm_up))?;
    let mut echo = match batch_bytes {
        Some(bytes) if backlog.has_one_in_flight() => Some(Echo::start(backlog, broker, bytes)?),
        _ => None,
    };
    publishing.tally = Tally::default();

    let turn = timing.measured / TURNS;
    let mut account = Account::default();
    for _ in 0..TURNS {
        let batch_bytes = account.publish(broker, || publishing.run(&mut reactor, clock::deadline(turn)))?;
        if let Some(echo) = &mut echo {
            echo.publish(turn)?;
        }
        if let Some((bare, batch_bytes)) = bare.as_mut().zip(batch_bytes) {
            broker.on_its_cores(|| {
                bare.run(batch_bytes, clock::deadline(turn / BARE_PART), &mut account.appended)
            })?;
        }
    }
    let resident_after = broker.resident_bytes()?;
    draining::drain(backlog, broker, &publishing.acknowledged())?;

    let mut measures = account.figures(&publishing.tally);
    if let Some(echo) = &echo {
        echo.add_figures(&mut measures);
    }
    measures.set(Metric::ResidentMib, resident_after.map(mib));
    let queued: u64 = publishing.acknowledged().iter().sum();
    queue::set_bytes(&mut measures, Metric::BytesPerQueued, resident_before.zip(resident_after), queued);
    Ok(measures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(route: Route) -> Backlog {
        Backlog { publishers: 7, in_flight: 1, sessions: 5, payload_bytes: 20, route }
    }

    #[test]
    fn each_message_is_expected_in_the_session_that_gets_it() {
        for backlog in [backlog(Route::Own), backlog(Route::Turns)] {
            for (publisher, count) in
                (0..7).flat_map(|publisher| [0, 1, 4, 5, 6, 23].map(|count| (publisher, count)))
            {
                let mut seen = [0_u64; 5];
                for sequence in 0..count {
                    let session = backlog.session_of(publisher, sequence);
                    let first = backlog.first_in(session, publisher).unwrap();
                    assert_eq!(sequence, first + seen[session] * backlog.step());
                    seen[session] += 1;
                }
                let expected: Vec<_> =
                    (0..5).map(|session| backlog.count_in(session, publisher, count)).collect();
                assert_eq!(seen[..], expected);
            }
        }
    }

    #[test]
    fn in_turns_every_session_gets_its_part() {
        let sessions: Vec<_> = (0..5).map(|sequence| backlog(Route::Turns).session_of(6, sequence)).collect();
        assert_eq!(sessions, [1, 2, 3, 4, 0]);
        assert!((0..5).all(|sequence| backlog(Route::Own).session_of(6, sequence) == 1));
    }
}
