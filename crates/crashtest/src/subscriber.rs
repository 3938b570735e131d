//! A client with a durable session that wants everything. It may acknowledge at once or slowly, come late and leave early; what
//! it has received it hands to the ledger.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidegate_mqtt::{
    Acknowledgement, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, Properties, PropertyBuf,
    PropertyId, Publish, QoS, ReasonCode, Subscribe, SubscribeFilters, SubscriptionOptions, Version,
};

use crate::clock::now;
use crate::connection::{Connection, Outgoing};
use crate::ledger::{Ledger, Seen};
use crate::payload::Label;
use crate::random::Random;

pub(crate) struct Subscriber {
    pub(crate) connection: Option<Connection>,
    state: State,
    habit: Habit,
    visit: Visit,
    backlog_max: u64,
    /// So much waits for it when it comes to take it, whatever its habit is.
    comes_for: u64,
    catching_up: bool,
}

/// What a subscriber mostly does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Prompt,
    Slow,
    Away,
}

/// What it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Alone,
    /// Its share of everything.
    Member,
}

/// When it is there in this round.
#[derive(Clone, Copy, Debug)]
struct Visit {
    arrives_at: Option<Instant>,
    leaves_at: Option<Instant>,
}

struct State {
    name: String,
    role: Role,
    version: Version,
    receive_maximum: Option<u16>,
    /// The broker has said that it subscribed.
    subscribed: bool,
    slow: bool,
    seen: Vec<Seen>,
    /// QoS 2: received and not released.
    unreleased: HashMap<u16, Label>,
    /// Acknowledgements that wait for their time, in order.
    later: VecDeque<(Instant, Answer)>,
    random: Random,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// PUBACK.
    Acknowledge(PacketIdentifier),
    /// PUBREC.
    Received(PacketIdentifier),
    /// PUBCOMP.
    Complete(PacketIdentifier),
}

impl Subscriber {
    pub(crate) fn new(
        index: usize,
        habit: Habit,
        role: Role,
        streams: usize,
        backlog_max: u64,
        seed: u64,
    ) -> Self {
        let version = if index.is_multiple_of(2) { Version::V5 } else { Version::V311 };
        let noun = if role == Role::Member { "member" } else { "subscriber" };
        let state = State {
            name: format!("{}-{noun}-{index}", format!("{habit:?}").to_lowercase()),
            role,
            version,
            receive_maximum: (habit == Habit::Slow && version.is_v5()).then_some(40),
            subscribed: false,
            slow: false,
            seen: vec![Seen::default(); streams],
            unreleased: HashMap::new(),
            later: VecDeque::new(),
            random: Random::new(seed ^ index as u64),
            buffer: Vec::new(),
        };
        let visit = Visit { arrives_at: None, leaves_at: None };
        let (comes_for, catching_up) = (backlog_max / 2, false);
        Self { connection: None, state, habit, visit, backlog_max, comes_for, catching_up }
    }

    pub(crate) fn name(&self) -> &str {
        &self.state.name
    }

    /// How much it has still to get.
    pub(crate) fn backlog(&self, ledger: &Ledger) -> u64 {
        match self.state.role {
            Role::Alone => ledger.missing(&self.state.seen),
            Role::Member => ledger.missing_in_group(),
        }
    }

    /// It takes a long backlog from the broker at this moment.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.catching_up && self.connection.is_some()
    }

    /// Everything has come that will.
    pub(crate) fn conclude(&self, ledger: &mut Ledger) {
        if self.state.role == Role::Alone {
            ledger.conclude(&self.state.name, &self.state.seen);
        }
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        self.state.subscribed
    }

    /// Chooses what to do in a round that begins now.
    pub(crate) fn begin_round(&mut self) {
        if self.catching_up {
            return self.stay();
        }
        let (state, now) = (&mut self.state, now());
        let mut soon = |most_ms: u64| now + Duration::from_micros(state.random.of(0..most_ms * 1000));
        let (arrives_at, leaves_at) = (soon(50), soon(400));
        let short = Visit { arrives_at: Some(arrives_at), leaves_at: Some(leaves_at) };
        self.visit = match (self.habit, state.random.of(0..6)) {
            (Habit::Away, 0) => short,
            (Habit::Away, _) => Visit { arrives_at: None, leaves_at: None },
            (_, 0) => short,
            _ => Visit { arrives_at: Some(now), leaves_at: None },
        };
        state.slow = self.habit == Habit::Slow || state.random.one_in(8);
    }

    /// One with too much waiting for it comes, stays and is quick until little is left, so that publishers need not pause.
    fn mind_the_backlog(&mut self, ledger: &Ledger) {
        let backlog = self.backlog(ledger);
        if !self.catching_up && backlog >= self.comes_for {
            self.catching_up = true;
            self.stay();
        } else if self.catching_up && backlog <= self.backlog_max / 50 {
            self.catching_up = false;
            self.comes_for = self.state.random.of(self.backlog_max / 8..self.backlog_max * 3 / 4);
        }
    }

    /// From here on it is there and takes what comes.
    pub(crate) fn stay(&mut self) {
        self.visit = Visit { arrives_at: Some(now()), leaves_at: None };
        self.state.slow = false;
    }

    /// Comes and goes as it has chosen.
    pub(crate) fn come_and_go(&mut self, address: SocketAddr, ledger: &Ledger) -> std::io::Result<()> {
        self.mind_the_backlog(ledger);
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now());
        if is_past(self.visit.leaves_at) {
            self.visit = Visit { arrives_at: None, leaves_at: None };
            if let Some(mut connection) = self.connection.take() {
                let goodbye = Disconnect { reason: ReasonCode::Success, properties: Properties::NONE };
                connection.outgoing.send(&Packet::Disconnect(goodbye));
                connection.flush();
                self.disconnected();
            }
        } else if self.connection.is_none() && is_past(self.visit.arrives_at) {
            let mut connection = Connection::open(address, self.state.version)?;
            self.state.connect(&mut connection.outgoing);
            self.connection = Some(connection);
        }
        Ok(())
    }

    /// Handles what the broker has sent.
    pub(crate) fn receive(&mut self, ledger: &mut Ledger) {
        let Some(connection) = &mut self.connection else { return };
        let state = &mut self.state;
        if let Err(why) = connection.receive(|packet, out| state.on_packet(&packet, out, ledger)) {
            ledger.findings.add(format!("{}: the broker {why}", self.state.name));
        }
    }

    /// Sends the acknowledgements whose time has come.
    pub(crate) fn acknowledge(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(&(at, answer)) = self.state.later.front()
            && (at <= now() || !self.state.slow)
        {
            self.state.later.pop_front();
            answer.send(&mut connection.outgoing);
        }
    }

    /// The connection is gone, and what has arrived was handled. The broker will send again what was not acknowledged.
    pub(crate) fn disconnected(&mut self) {
        self.connection = None;
        self.state.later.clear();
    }
}

impl State {
    fn connect(&self, out: &mut Outgoing) {
        let mut properties = PropertyBuf::new();
        if self.version.is_v5() {
            properties.number(PropertyId::SessionExpiryInterval, u32::MAX);
        }
        if let Some(maximum) = self.receive_maximum {
            properties.number(PropertyId::ReceiveMaximum, u32::from(maximum));
        }
        out.send(&Packet::Connect(Connect {
            version: self.version,
            clean_start: false,
            keep_alive_secs: 0,
            properties: properties.as_properties(),
            client_identifier: &self.name,
            will: None,
            user_name: None,
            password: None,
        }));
    }

    fn on_packet(&mut self, packet: &Packet<'_>, out: &mut Outgoing, ledger: &mut Ledger) {
        let wrong = match packet {
            Packet::ConnAck(connack) => self.on_connack(connack, out),
            Packet::SubAck(suback) if suback.codes == [QoS::ExactlyOnce as u8] => {
                self.subscribed = true;
                None
            }
            Packet::Publish(publish) => self.on_publish(publish, out, ledger),
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_identifier.get());
                self.answer(Answer::Complete(ack.packet_identifier), out);
                None
            }
            other => Some(format!("sent {other:?}")),
        };
        if let Some(wrong) = wrong {
            ledger.findings.add(format!("{}: the broker {wrong}", self.name));
        }
    }

    fn on_connack(&mut self, connack: &ConnAck<'_>, out: &mut Outgoing) -> Option<String> {
        if connack.reason != ReasonCode::Success {
            return Some(format!("refused the connection: {:?}", connack.reason));
        }
        if self.subscribed {
            return (!connack.session_present)
                .then(|| "has lost the session: session_present is false".into());
        }
        let mut buffer = Vec::new();
        let filter = match self.role {
            Role::Alone => "crashtest/#",
            Role::Member => "$share/crew/crashtest/#",
        };
        let wanted = [(filter, SubscriptionOptions::of_qos(QoS::ExactlyOnce))];
        let filters = SubscribeFilters::build(&wanted, self.version, &mut buffer);
        let packet_identifier = PacketIdentifier::new(1)?;
        out.send(&Packet::Subscribe(Subscribe { packet_identifier, properties: Properties::NONE, filters }));
        None
    }

    fn on_publish(
        &mut self,
        publish: &Publish<'_>,
        out: &mut Outgoing,
        ledger: &mut Ledger,
    ) -> Option<String> {
        let Some(label) = Label::read(publish.payload, &mut self.buffer) else {
            return Some(format!("sent a payload that is not as it was published, on {:?}", publish.topic));
        };
        let expected = ledger.streams.get(label.stream as usize).map(|stream| stream.topic.as_str());
        if publish.topic.is_none_or(|topic| Some(topic.as_str()) != expected) {
            return Some(format!("sent {label:?} on {:?}", publish.topic));
        }
        let Some(identifier) = publish.packet_identifier else {
            return Some(format!("sent {label:?} with QoS 0"));
        };
        if publish.qos == QoS::AtLeastOnce {
            self.deliver(label, publish.qos, ledger);
            self.answer(Answer::Acknowledge(identifier), out);
            return None;
        }
        match self.unreleased.get(&identifier.get()) {
            Some(known) if *known == label => {}
            Some(known) => {
                return Some(format!(
                    "sent {label:?} under identifier {}, which {known:?} has and which was not released",
                    identifier.get()
                ));
            }
            None => {
                self.unreleased.insert(identifier.get(), label);
                self.deliver(label, publish.qos, ledger);
            }
        }
        self.answer(Answer::Received(identifier), out);
        None
    }

    fn deliver(&mut self, label: Label, qos: QoS, ledger: &mut Ledger) {
        match self.role {
            Role::Alone => ledger.deliver(&self.name, &mut self.seen, label, qos),
            Role::Member => ledger.deliver_to_group(&self.name, label, qos),
        }
    }

    /// At once, or later and in order.
    fn answer(&mut self, answer: Answer, out: &mut Outgoing) {
        if !self.slow && self.later.is_empty() {
            return answer.send(out);
        }
        let delay = Duration::from_micros(self.random.of(0..SLOW_MICROS_MAX));
        let not_before = self.later.back().map(|&(at, _)| at);
        let at = now() + delay;
        self.later.push_back((not_before.map_or(at, |before| before.max(at)), answer));
    }
}

impl Answer {
    fn send(self, out: &mut Outgoing) {
        out.send(&match self {
            Self::Acknowledge(identifier) => Packet::PubAck(Acknowledgement::success(identifier)),
            Self::Received(identifier) => Packet::PubRec(Acknowledgement::success(identifier)),
            Self::Complete(identifier) => Packet::PubComp(Acknowledgement::success(identifier)),
        });
    }
}

const SLOW_MICROS_MAX: u64 = 30_000;
