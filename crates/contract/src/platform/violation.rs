//! What a broken rule leads to.

use crate::source::Section;

/// What is done about a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The connection ends, with the Reason Code where the version has one.
    Disconnect,
    /// A Reason Code; clients before 5.0 get an acknowledgement, and the message is dropped.
    Refuse,
    /// Success, and the message is dropped.
    Discard,
}

/// What is done about each violation. `None`: what stands further out says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// A CONNECT that breaks a rule of its kind. Only [`Action::Refuse`] makes sense.
    pub connect: Option<Action>,
    /// A topic that no contract names, or that is none.
    pub topic: Option<Action>,
    /// No right to publish there.
    pub publish: Option<Action>,
    /// A level that does not stand for what it should.
    pub level: Option<Action>,
    /// A payload that breaks its contract.
    pub payload: Option<Action>,
    /// More than a quota allows.
    pub quota: Option<Action>,
    /// No right to subscribe there.
    pub subscribe: Option<Action>,
}

impl Violations {
    pub(super) fn read(section: Section<'_, '_>) -> Self {
        let actions =
            [("disconnect", Action::Disconnect), ("refuse", Action::Refuse), ("discard", Action::Discard)];
        let action = |key| section.choice(key, &actions);
        let read = Self {
            connect: section.choice("connect", &[("refuse", Action::Refuse)]),
            topic: action("topic"),
            publish: action("publish"),
            level: action("level"),
            payload: action("payload"),
            quota: action("quota"),
            subscribe: section
                .choice("subscribe", &[("disconnect", Action::Disconnect), ("refuse", Action::Refuse)]),
        };
        section.end();
        read
    }

    /// The same, with what is not said taken from further out.
    #[must_use]
    pub fn within(self, outer: Self) -> Self {
        Self {
            connect: self.connect.or(outer.connect),
            topic: self.topic.or(outer.topic),
            publish: self.publish.or(outer.publish),
            level: self.level.or(outer.level),
            payload: self.payload.or(outer.payload),
            quota: self.quota.or(outer.quota),
            subscribe: self.subscribe.or(outer.subscribe),
        }
    }
}
