//! One shard's side of the journal: a turn's records go out as one submission, and what became of them comes back as mail.
//!
//! After a failure the journal and the shard may disagree about what is on the disk. Until images of everything that the
//! shard owns are durable, every later success counts as a failure: nobody hears of a success that a crash could undo.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use tidegate_core::{
    Fetch, Fetched, Input, Mark, Place, ReasonCode, RecordBytes, Records, Ticket, Unreadable,
};
use tidegate_journal as journal;
use tidegate_journal::{Appender, Failure, Health, Journal, Kind, Marks, Offset, Outcome, Position, Round};

use crate::mailbox::{Mail, Mailbox};
use crate::shard::Shard;

/// What the journal says to a shard.
#[derive(Debug)]
pub(crate) enum News {
    /// How submissions ended.
    Committed(Vec<Outcome>),
    /// Everything is to be written as images.
    /// What they refer to in these segments is to be written anew.
    Checkpoint(Round, Arc<[u32]>),
    /// What was asked for was read, or cannot be.
    Fetched(Vec<journal::Answer>),
    /// How the journal is. Only the first shard hears it.
    Health(Health),
}

/// The journal's hand of one shard.
pub(crate) struct Journaling {
    journal: Weak<Journal>,
    appender: Appender,
    under_way: VecDeque<Submitted>,
    /// Contents of messages in the open submission: what refused them, or where they will stand in it.
    contents: Vec<Option<(Offset, u32)>>,
    /// What is to be read and was not asked for yet.
    fetches: VecDeque<Fetch>,
    /// The checkpoint that is being written.
    round: Option<Round>,
    /// The one whose last piece goes out with the next submission, and what it refers to.
    ended: Option<(Round, Marks)>,
    /// The last that was asked for.
    last_round: Round,
    trust: Trust,
    /// The core was told that this is not durable, and has to hear when it is.
    doubted: Option<Ticket>,
}

/// A submission under way.
struct Submitted {
    ticket: journal::Ticket,
    /// What is durable in the core's order when it is.
    up_to: Option<Ticket>,
    contents: Vec<Option<(Offset, u32)>>,
}

/// How a submission ended, for the core.
struct Ended {
    places: Vec<Option<Place>>,
    up_to: Option<(Ticket, Result<(), ReasonCode>)>,
}

/// Whether a success of the journal is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// All that this shard owns is on the disk when the journal says so.
    Full,
    /// Something was lost on the way, before or in this round: only a later one makes it good.
    Lost(Round),
    /// It was written anew, as part of this submission and those before.
    Regained(journal::Ticket),
}

/// Brings the journal's words into a shard's mailbox.
struct Ear {
    mailbox: Arc<Mailbox>,
    /// What concerns all shards is told to one.
    is_first: bool,
}

impl journal::Listener for Ear {
    fn committed(&self, outcomes: &[Outcome]) {
        self.mailbox.send(Mail::Journal(News::Committed(outcomes.to_vec())));
    }

    fn fetched(&self, answers: &mut Vec<journal::Answer>) {
        self.mailbox.send(Mail::Journal(News::Fetched(std::mem::take(answers))));
    }

    fn checkpoint(&self, round: Round, evacuate: Arc<[u32]>) {
        self.mailbox.send(Mail::Journal(News::Checkpoint(round, evacuate)));
    }

    fn damaged(&self, damage: &journal::Damage) {
        if self.is_first {
            tracing::error!("the journal is damaged: {damage}. What is around it is served");
        }
    }

    fn health(&self, health: Health) {
        if !self.is_first {
            return;
        }
        self.mailbox.send(Mail::Journal(News::Health(health)));
        match health {
            Health::Good => {
                tracing::info!("the journal is written again; everything is acknowledged as usual")
            }
            Health::NearlyFull => {
                tracing::error!(
                    "the disk of the journal is nearly full: soon nothing durable can be acknowledged; make room"
                );
            }
            Health::Failing(failure) => {
                tracing::error!(
                    "the journal cannot be written: {failure}. QoS 0 goes on; what must be durable is not acknowledged \
                     until it can be written again, which is tried without further action"
                );
            }
        }
    }
}

impl Journaling {
    pub(crate) fn new(journal: &Arc<Journal>, index: usize, mailbox: &Arc<Mailbox>) -> Self {
        let stream = journal::Stream(u16::try_from(index).unwrap_or(u16::MAX));
        let ear = Ear { mailbox: Arc::clone(mailbox), is_first: index == 0 };
        Self {
            journal: Arc::downgrade(journal),
            appender: journal.appender(stream, Arc::new(ear)),
            under_way: VecDeque::new(),
            contents: Vec::new(),
            fetches: VecDeque::new(),
            round: None,
            ended: None,
            last_round: Round(0),
            trust: Trust::Full,
            doubted: None,
        }
    }

    /// So much waits for the disk that no more should be taken on.
    pub(crate) fn is_full(&self) -> bool {
        self.appender.is_full()
    }

    /// Hands over a turn's records. `up_to` comes back at once when nothing has to be waited for.
    fn submit(
        &mut self,
        records: &mut Records,
        up_to: Option<Ticket>,
    ) -> Option<(Ticket, Result<(), ReasonCode>)> {
        records.iter().for_each(|record| self.push(record));
        records.clear();
        let ended = self.ended.take().map(|(round, marks)| {
            self.appender.checkpointed(round, marks);
            round
        });
        let at_once = match (self.submit_open(up_to), self.under_way.back_mut()) {
            (true, _) => None,
            (false, Some(Submitted { up_to: last, .. })) => {
                *last = up_to.or(*last);
                None
            }
            (false, None) => up_to.map(|up_to| (up_to, self.judge(up_to))),
        };
        if let Some(round) = ended {
            self.regain_trust(round);
        }
        at_once
    }

    /// Whether there was anything to submit.
    fn submit_open(&mut self, up_to: Option<Ticket>) -> bool {
        let Some(ticket) = self.appender.submit() else { return false };
        let contents = std::mem::take(&mut self.contents);
        self.under_way.push_back(Submitted { ticket, up_to, contents });
        true
    }

    fn push(&mut self, record: RecordBytes<'_>) {
        let RecordBytes { bytes, is_content } = record;
        let kind = if is_content { Kind::Message } else { Kind::State };
        let pushed = self.appender.push(kind, bytes).or_else(|_| {
            // Full: the rest of the turn is a submission of its own.
            self.submit_open(None);
            self.appender.push(kind, bytes)
        });
        if let Err(error) = pushed {
            tracing::error!("a record of {} bytes is not written: {error}", bytes.len());
            self.lose_trust();
        }
        if is_content {
            self.contents.push(pushed.ok().map(|offset| (offset, bytes.len() as u32)));
        }
    }

    /// Asks for as much of what is to be read as the journal takes.
    fn fetch(&mut self, fetches: &mut Vec<Fetch>) {
        self.fetches.extend(fetches.drain(..));
        while let Some(Fetch { place, tag }) = self.fetches.front().copied() {
            if !self.appender.fetch(Position::from_u64(place.position()), place.length(), tag) {
                return;
            }
            self.fetches.pop_front();
        }
    }

    /// The images of a round are on their way, the last of them in the newest submission.
    fn regain_trust(&mut self, round: Round) {
        let Trust::Lost(spoiled) = self.trust else { return };
        if round <= spoiled {
            self.journal.upgrade().into_iter().for_each(|journal| journal.request_checkpoint());
            return;
        }
        self.trust = self.under_way.back().map_or(Trust::Full, |last| Trust::Regained(last.ticket));
    }

    /// What a submission's end means for the core: where contents stand, and what is durable.
    fn end(&mut self, outcome: Outcome) -> Ended {
        let Some(Submitted { ticket, up_to, contents }) = self.under_way.pop_front() else {
            return Ended { places: Vec::new(), up_to: None };
        };
        debug_assert_eq!(ticket, outcome.ticket, "outcomes come in the order of tickets");
        let place = |content: Option<(Offset, u32)>| {
            let (offset, length) = content?;
            Some(Place::new(outcome.result.ok()?.plus(offset).to_u64(), length))
        };
        let places = contents.into_iter().map(place).collect();
        let result = match outcome.result {
            Err(failure) => {
                self.lose_trust();
                self.doubted = self.doubted.max(up_to);
                Err(reason(failure))
            }
            Ok(_) if self.trust == Trust::Regained(ticket) => {
                self.trust = Trust::Full;
                // What was begun meanwhile and waits for the disk is part of the images.
                let up_to = up_to.max(self.doubted.take()).map(|up_to| (up_to, Ok(())));
                return Ended { places, up_to };
            }
            Ok(_) => up_to.map_or(Ok(()), |up_to| self.judge(up_to)),
        };
        Ended { places, up_to: up_to.map(|up_to| (up_to, result)) }
    }

    /// Whether what the disk has can be relied on.
    fn judge(&mut self, up_to: Ticket) -> Result<(), ReasonCode> {
        if self.trust == Trust::Full {
            return Ok(());
        }
        self.doubted = self.doubted.max(Some(up_to));
        Err(ReasonCode::UnspecifiedError)
    }

    fn lose_trust(&mut self) {
        self.trust = Trust::Lost(self.last_round);
    }
}

impl Shard {
    pub(crate) fn on_news(&mut self, news: News) {
        match news {
            News::Committed(outcomes) => outcomes.into_iter().for_each(|outcome| self.on_outcome(outcome)),
            News::Checkpoint(round, evacuate) => {
                self.parts.core.begin_checkpoint(&evacuate);
                if let Some(journaling) = &mut self.journaling {
                    (journaling.round, journaling.ended, journaling.last_round) = (Some(round), None, round);
                }
            }
            News::Fetched(answers) => {
                let answers = answers.into_iter().map(fetched).collect();
                self.handle(Input::Fetched { answers });
            }
            News::Health(health) => self.say_health(health),
        }
    }

    /// For `$SYS/broker/journal/health`.
    pub(crate) fn say_health(&mut self, health: Health) {
        let text = match health {
            Health::Good => "good".to_owned(),
            Health::NearlyFull => "the disk is nearly full".to_owned(),
            Health::Failing(failure) => format!("failing: {failure}"),
        };
        self.handle(Input::Said { topic: "journal/health", text: &text });
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        let Some(journaling) = &mut self.journaling else { return };
        let Ended { places, up_to } = journaling.end(outcome);
        if !places.is_empty() {
            self.handle(Input::Placed { places: &places });
        }
        self.tell_core(up_to);
    }

    fn tell_core(&mut self, ended: Option<(Ticket, Result<(), ReasonCode>)>) {
        match ended {
            Some((up_to, Ok(()))) => self.handle(Input::Persisted { up_to }),
            Some((up_to, Err(reason))) => self.handle(Input::NotPersisted { up_to, reason }),
            None => {}
        }
    }

    /// Hands the records of the turn so far to the journal. Without one, what is to be durable is so at once.
    pub(crate) fn submit(&mut self) {
        let up_to = self.effects.persist.take();
        let at_once = match &mut self.journaling {
            Some(journaling) => {
                journaling.fetch(&mut self.effects.fetches);
                journaling.submit(&mut self.effects.records, up_to)
            }
            None => {
                self.effects.records.clear();
                up_to.map(|up_to| (up_to, Ok(())))
            }
        };
        self.tell_core(at_once);
    }

    /// Writes a piece of the checkpoint under way. The disk goes first: images wait while much else does.
    pub(crate) fn continue_checkpoint(&mut self) {
        let Some(journaling) = &mut self.journaling else { return };
        if journaling.round.is_some()
            && !journaling.is_full()
            && self.parts.core.continue_checkpoint(self.now, &mut self.effects)
        {
            let marks = marks(self.parts.core.take_marks());
            journaling.ended = journaling.round.take().map(|round| (round, marks));
        }
    }

    /// Whether images are still to be written and the disk takes them.
    pub(crate) fn is_in_checkpoint(&self) -> bool {
        let takes = |journaling: &Journaling| journaling.round.is_some() && !journaling.is_full();
        self.journaling.as_ref().is_some_and(takes) && self.parts.core.wants_to_continue_checkpoint()
    }
}

fn marks(marked: Vec<Mark>) -> Marks {
    let mut marks = Marks::default();
    marked.iter().for_each(|mark| marks.add(mark.segment, mark.records, mark.bytes));
    marks
}

fn fetched(answer: journal::Answer) -> Fetched {
    let why = |unreadable| match unreadable {
        journal::Unreadable::Gone => Unreadable::Gone,
        journal::Unreadable::Damaged => Unreadable::Damaged,
        journal::Unreadable::Io(_) => Unreadable::Io,
    };
    Fetched { tag: answer.tag, result: answer.result.map_err(why) }
}

fn reason(failure: Failure) -> ReasonCode {
    match failure {
        Failure::Full => ReasonCode::QuotaExceeded,
        Failure::Io(_) | Failure::Closed => ReasonCode::UnspecifiedError,
    }
}
