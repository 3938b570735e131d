//! Why a message, or a copy of one, was not delivered. No loss is silent: each has a reason that is counted.

macro_rules! drop_reasons {
    ($( $(#[$doc:meta])* $name:ident = $label:literal; )*) => {
        /// Why a message was dropped; one counter each, in `$SYS/broker/dropped/<label>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum DropReason { $( $(#[$doc])* $name, )* }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name),*];

            /// The last level of the `$SYS` topic, and the value of the metric's label.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $( DropReason::$name => $label, )* }
            }
        }
    };
}

drop_reasons! {
    /// The subscriber does not read fast enough and its outbound buffer is full (QoS 0).
    SlowReader = "slow-reader";
    /// The session's queue is full by count.
    QueueMessages = "queue-messages";
    /// The session's queue is full by bytes.
    QueueBytes = "queue-bytes";
    /// The queues of the organisation are full by bytes, all together.
    OrganisationQueueBytes = "organisation-queue-bytes";
    /// The message waited too long in its session's queue.
    QueueAge = "queue-age";
    /// The message expired before it could be sent.
    Expired = "expired";
    /// The message is larger than the client's Maximum Packet Size. [MQTT5-3.1.2-25]
    PacketTooLarge = "packet-too-large";
    /// A shared subscription has members, and none can take the message now or later.
    NoReader = "no-reader";
    /// The session ended with messages still queued.
    SessionEnded = "session-ended";
    /// The client rejected the message with a Reason Code of 0x80 or above.
    Rejected = "rejected";
    /// The publisher has no right to that topic.
    NotAuthorized = "not-authorized";
    /// The retained message was not kept: the store is full by count or bytes.
    RetainedFull = "retained-full";
    /// The message waited in the journal only, and is damaged there.
    Unreadable = "unreadable";
}
