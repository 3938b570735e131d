//! Every bound of the core: unit, default, reason, and what happens there. The configuration sets them.

/// The named bounds. One value is shared by all organisations until they bring their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds that a client of 3.1 or 3.1.1 is held without acknowledgement when its message cannot be written to
    /// the disk. At the bound: closed. Those versions have no other way to say no.
    pub held_ms: u64,
    /// Milliseconds from accepting a connection to its CONNECT. At the bound: closed. Without it, silent
    /// connections would collect.
    pub connect_timeout_ms: u64,
    /// Bytes of a packet before a CONNECT was accepted, so that strangers cannot make the server hold memory.
    /// At the bound: 0x95 / close.
    pub packet_bytes_before_connect_max: usize,
    /// Bytes of a packet from an accepted client; announced as Maximum Packet Size. At the bound: 0x95 / close.
    pub packet_bytes_max: usize,
    /// Levels of a Topic Name or Topic Filter; deep trees cost memory and time. At the bound: 0x90 / 0x8F.
    pub topic_levels_max: usize,
    /// Filters in one SUBSCRIBE. At the bound: 0x97 for each filter beyond.
    pub filters_per_subscribe_max: usize,
    /// Subscriptions of one session; a filter counts once more for each 256 bytes and each 16 levels, so that long ones
    /// do not hide their memory. At the bound: 0x97.
    pub filters_per_session_max: usize,
    /// Filters of one session whose retained messages are still to be sent: a client that does not read could ask for
    /// them again and again. As many as it may have filters. At the bound: 0x97.
    pub replays_per_session_max: usize,
    /// Sessions of one organisation on all shards, connected or not: each costs about a kilobyte. At the bound:
    /// CONNECT is refused with 0x97, in 3.x with return code 3, unless the client has a session.
    pub sessions_per_organisation_max: usize,
    /// Subscriptions of one organisation on all shards, shared ones included, counted as those of a session; ten for
    /// each of as many sessions. At the bound: 0x97.
    pub subscriptions_per_organisation_max: usize,
    /// Share names on one filter of one organisation: each gets its own copy of a message, and services that read the
    /// same topics are few. At the bound: 0x97 for a further name.
    pub share_names_per_filter_max: usize,
    /// Share names of one organisation, counted on each filter: every shard remembers all of them, and one message
    /// may match as many. At the bound: 0x97 for a further name.
    pub share_names_per_organisation_max: usize,
    /// Unacknowledged QoS 1 and 2 messages that a 5.0 client may send; announced as Receive Maximum. At the
    /// bound: 0x93. 3.x clients know no such number and are bounded by their 65,535 identifiers.
    pub receive_maximum: u16,
    /// Unacknowledged QoS 1 and 2 messages towards one client; a client's own Receive Maximum lowers it. At
    /// the bound: messages wait in the session's queue.
    pub inflight_max: u16,
    /// Topic Aliases that a client may set; announced. At the bound: 0x94.
    pub topic_alias_maximum: u16,
    /// Topic Aliases that the server sets towards a client that allows them. At the bound: full names are sent.
    pub outbound_topic_aliases_max: u16,
    /// Messages queued for one session. At the bound: new ones are dropped and counted.
    pub queue_messages_max: usize,
    /// Bytes queued for one session. At the bound: new ones are dropped and counted.
    pub queue_bytes_max: usize,
    /// Bytes of waiting messages that each shard keeps in memory although the journal has them, with a few more for each; a
    /// message in many queues counts once. At the bound: what came last waits in the journal only and is read
    /// back before its turn. What is read ahead for connected clients comes on top.
    pub queue_cache_bytes: usize,
    /// Bytes queued for all sessions of one organisation on all shards, with a few more for each message, so that
    /// empty ones count too; sixty-four full queues. At the bound: new ones are dropped and counted. Up to an eighth
    /// of it may lie idle with shards that took it ahead.
    pub queued_bytes_per_organisation_max: usize,
    /// Seconds that a message waits for its client, as long as sessions of 3.x last by default. At the bound: dropped
    /// and counted, when its queue is looked at or by the next sweep.
    pub queued_message_age_max_secs: u32,
    /// Bytes written for one connection and not taken by the kernel. At the bound: QoS 0 is dropped and
    /// counted, QoS 1 and 2 wait in the queue, and nothing is read from a client that does not read.
    pub outbound_bytes_max: usize,
    /// Retained messages of one organisation on all shards. At the bound: new topics are not kept, and counted.
    pub retained_messages_max: usize,
    /// Bytes of retained messages of one organisation on all shards, their levels included. At the bound: as above.
    pub retained_bytes_max: usize,
    /// User Properties of one packet. At the bound: 0x82 would blame the client for a legal packet, so 0x97 or
    /// 0x95 is sent and the connection ends.
    pub user_properties_max: u32,
    /// Seconds that a session may outlive its connection; the CONNACK says when it was lowered.
    pub session_expiry_max_secs: u32,
    /// Seconds that a session of 3.1 or 3.1.1 with Clean Session 0 outlives its connection; those versions
    /// cannot ask. At the bound: the session ends.
    pub session_expiry_v3_secs: u32,
    /// The same for 5.0 with Clean Start 0 and no Session Expiry Interval, which means 0 by the specification
    /// (3.1.2.11.2) and often is not what its sender means: the CONNACK says what it got instead.
    pub session_expiry_v5_default_secs: u32,
    /// The longest Keep Alive in seconds; 0 leaves it to the client. 5.0 clients are told.
    pub keep_alive_max_secs: u16,
    /// Characters of a Client Identifier in 3.1, whose specification says 23.
    pub client_identifier_v31_chars_max: usize,
    /// Bytes of memory of the match cache of one organisation on one shard, roughly. At the bound: the older
    /// half is forgotten and matched again when needed. Small enough for the processor's caches: finding a route
    /// in main memory costs as much as matching anew.
    pub match_cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            held_ms: 10_000,
            connect_timeout_ms: 10_000,
            packet_bytes_before_connect_max: 64 * 1024,
            packet_bytes_max: 10 * 1024 * 1024,
            topic_levels_max: 200,
            filters_per_subscribe_max: 10_000,
            filters_per_session_max: 100_000,
            replays_per_session_max: 100_000,
            sessions_per_organisation_max: 1_000_000,
            subscriptions_per_organisation_max: 10_000_000,
            share_names_per_filter_max: 1_000,
            share_names_per_organisation_max: 100_000,
            receive_maximum: 1024,
            inflight_max: 1024,
            topic_alias_maximum: 64,
            outbound_topic_aliases_max: 64,
            queue_messages_max: 100_000,
            queue_bytes_max: 64 * 1024 * 1024,
            queue_cache_bytes: 64 * 1024 * 1024,
            queued_bytes_per_organisation_max: 4 * 1024 * 1024 * 1024,
            queued_message_age_max_secs: 7 * 24 * 3600,
            outbound_bytes_max: 1024 * 1024,
            retained_messages_max: 10_000_000,
            retained_bytes_max: 4 * 1024 * 1024 * 1024,
            user_properties_max: 128,
            session_expiry_max_secs: u32::MAX,
            session_expiry_v3_secs: 7 * 24 * 3600,
            session_expiry_v5_default_secs: 0,
            keep_alive_max_secs: 0,
            client_identifier_v31_chars_max: 23,
            match_cache_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Acknowledgements of one connection that wait for something to be durable. At the bound nothing is read from the
/// client until some have left. Receive Maximum does not bound them: it binds neither 3.x nor PUBREL, and a client
/// can send the same packet again and again.
pub(crate) const HELD_ACKNOWLEDGEMENTS_MAX: usize = 16 * 1024;
