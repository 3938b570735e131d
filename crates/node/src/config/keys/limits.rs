//! The rows of `[limits]`: how much a client may ask for, and what happens when it asks for more.
//!
//! Defaults are for one machine that serves devices nobody has vetted. A number here says why it is that number
//! only where that is not plain from its unit.

use super::super::key::{Field, Key, Number, Reload};

/// The largest packet the specification can express: a Remaining Length of 268,435,455 after five bytes of header.
const PACKET_BYTES_CEILING: u64 = 268_435_460;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;
const DAY_SECS: u64 = 86_400;

/// A row. A changed limit holds for whatever happens after SIGHUP; what was announced to a client before stands.
const fn limit(
    name: &'static str,
    at: Number,
    (default, min, max): (u64, u64, u64),
    doc: &'static str,
    at_bound: &'static str,
) -> Key {
    let field = Field::Number { at, default, min, max };
    Key { name, field, doc, at_bound: Some(at_bound), reload: Reload::OnSighup }
}

/// A row whose value is read once, when the shards start.
const fn at_restart(key: Key) -> Key {
    Key { reload: Reload::AtRestart, ..key }
}

pub(super) const LIMITS: &[Key] = &[
    at_restart(limit(
        "limits.connections_max",
        Number::U32(|c| &mut c.limits.connections_max),
        (0, 0, 10_000_000),
        "Connections at one time; 0 is as many as the operating system allows in descriptors.",
        "further connections are closed as soon as they are accepted",
    )),
    // Above what one machine of devices or one NAT has, below what exhausts the descriptors of a usual process.
    at_restart(limit(
        "limits.connections_per_address_max",
        Number::U32(|c| &mut c.limits.connections_per_address_max),
        (10_000, 0, 10_000_000),
        "Connections at one time from one IPv4 address or one /64 of IPv6; 0 does not count them. Behind a proxy all \
         clients come from its address.",
        "further connections from there are closed as soon as they are accepted",
    )),
    limit(
        "limits.connect_timeout_secs",
        Number::U32(|c| &mut c.limits.connect_timeout_secs),
        (10, 1, 3_600),
        "Seconds from the connection to a complete CONNECT, and from there to the answer about its credentials.",
        "the connection is closed; a client that waits for the answer is refused with 0x88",
    ),
    limit(
        "limits.packet_bytes_before_connect_max",
        Number::U32(|c| &mut c.limits.packet_bytes_before_connect_max),
        (64 * KIB, KIB, PACKET_BYTES_CEILING),
        "Size of a CONNECT, the only packet of a client that has not said who it is; unless set, no more than \
         `packet_bytes_max`.",
        "the connection is closed before the packet is read",
    ),
    limit(
        "limits.packet_bytes_max",
        Number::U32(|c| &mut c.limits.packet_bytes_max),
        (10 * MIB, KIB, PACKET_BYTES_CEILING),
        "Size of any other packet from a client; 5.0 clients are told it as the Maximum Packet Size.",
        "the client is disconnected with 0x95 before the packet is read",
    ),
    limit(
        "limits.topic_levels_max",
        Number::U16(|c| &mut c.limits.topic_levels_max),
        (200, 1, 65_535),
        "Levels of a Topic Name or Topic Filter.",
        "a PUBLISH is refused with 0x90, a filter with 0x8F",
    ),
    limit(
        "limits.user_properties_max",
        Number::U32(|c| &mut c.limits.user_properties_max),
        (128, 1, 100_000),
        "User Properties of one packet.",
        "the client is disconnected with 0x97",
    ),
    limit(
        "limits.filters_per_subscribe_max",
        Number::U32(|c| &mut c.limits.filters_per_subscribe_max),
        (10_000, 1, 1_000_000),
        "Topic Filters of one SUBSCRIBE.",
        "the filters beyond it are refused with 0x97",
    ),
    limit(
        "limits.filters_per_session_max",
        Number::U32(|c| &mut c.limits.filters_per_session_max),
        (100_000, 1, 10_000_000),
        "Topic Filters of one session; one counts once more for each 256 bytes and each 16 levels.",
        "further filters are refused with 0x97",
    ),
    limit(
        "limits.replays_per_session_max",
        Number::U32(|c| &mut c.limits.replays_per_session_max),
        (100_000, 1, 10_000_000),
        "Topic Filters of one session whose retained messages are still to be sent.",
        "further filters that ask for retained messages are refused with 0x97",
    ),
    limit(
        "limits.sessions_per_organisation_max",
        Number::U32(|c| &mut c.limits.sessions_per_organisation_max),
        (1_000_000, 1, u32::MAX as u64),
        "Sessions of one organisation, connected or not; each takes about a kilobyte.",
        "a client that has no session is refused with 0x97, in 3.x with return code 3",
    ),
    limit(
        "limits.subscriptions_per_organisation_max",
        Number::U32(|c| &mut c.limits.subscriptions_per_organisation_max),
        (10_000_000, 1, u32::MAX as u64),
        "Subscriptions of one organisation, shared ones included, counted as the filters of a session.",
        "further filters are refused with 0x97",
    ),
    limit(
        "limits.share_names_per_filter_max",
        Number::U32(|c| &mut c.limits.share_names_per_filter_max),
        (1_000, 1, u32::MAX as u64),
        "Share names on one Topic Filter; each gets its own copy of a message.",
        "a further name is refused with 0x97",
    ),
    limit(
        "limits.share_names_per_organisation_max",
        Number::U32(|c| &mut c.limits.share_names_per_organisation_max),
        (100_000, 1, u32::MAX as u64),
        "Share names of one organisation, counted on each Topic Filter; every shard remembers all of them.",
        "a further name is refused with 0x97",
    ),
    limit(
        "limits.receive_maximum",
        Number::U16(|c| &mut c.limits.receive_maximum),
        (1_024, 1, 65_535),
        "QoS 1 and 2 messages that a client may have unacknowledged towards the broker; 5.0 clients are told it.",
        "a 5.0 client is disconnected with 0x93",
    ),
    limit(
        "limits.inflight_max",
        Number::U16(|c| &mut c.limits.inflight_max),
        (1_024, 1, 65_535),
        "QoS 1 and 2 messages that the broker has unacknowledged towards a client that allows as many.",
        "further messages wait in the session's queue",
    ),
    limit(
        "limits.topic_alias_maximum",
        Number::U16(|c| &mut c.limits.topic_alias_maximum),
        (64, 0, 65_535),
        "Topic aliases that a 5.0 client may set; 0 allows none.",
        "a higher alias disconnects the client with 0x94",
    ),
    limit(
        "limits.outbound_alias_max",
        Number::U16(|c| &mut c.limits.outbound_alias_max),
        (64, 0, 65_535),
        "Topic aliases that the broker sets towards a 5.0 client that allows as many; 0 uses none.",
        "further topics are sent by name",
    ),
    limit(
        "limits.outbound_bytes_max",
        Number::U64(|c| &mut c.limits.outbound_bytes_max),
        (MIB, 4 * KIB, GIB),
        "Bytes waiting to be written to one connection.",
        "QoS 0 is dropped and counted, QoS 1 and 2 wait in the queue, and nothing more is read from the client",
    ),
    limit(
        "limits.queue_messages_max",
        Number::U32(|c| &mut c.limits.queue_messages_max),
        (100_000, 1, 100_000_000),
        "Messages waiting in one session.",
        "further messages for this session are dropped and counted",
    ),
    limit(
        "limits.queue_bytes_max",
        Number::U64(|c| &mut c.limits.queue_bytes_max),
        (64 * MIB, KIB, TIB),
        "Bytes of the messages waiting in one session.",
        "further messages for this session are dropped and counted",
    ),
    limit(
        "limits.queued_bytes_per_organisation_max",
        Number::U64(|c| &mut c.limits.queued_bytes_per_organisation_max),
        (4 * GIB, KIB, 16 * TIB),
        "Bytes of the messages waiting in all sessions of one organisation, with 64 more for each message; up to an \
         eighth may lie idle with shards that took it ahead.",
        "further messages that would have to wait are dropped and counted",
    ),
    limit(
        "limits.queue_cache_bytes",
        Number::U64(|c| &mut c.limits.queue_cache_bytes),
        (64 * MIB, 0, TIB),
        "Bytes of waiting messages that each shard keeps in memory although the journal has them; what is read ahead for \
         connected clients comes on top.",
        "what came last waits in the journal only, and is read back before its turn",
    ),
    limit(
        "limits.queued_message_age_max_secs",
        Number::U32(|c| &mut c.limits.queued_message_age_max_secs),
        (7 * DAY_SECS, 1, u32::MAX as u64),
        "Seconds that a message waits in a session for its client, whatever its own expiry says.",
        "the message is dropped and counted, soon after",
    ),
    limit(
        "limits.retained_messages_max",
        Number::U32(|c| &mut c.limits.retained_messages_max),
        (10_000_000, 1, 1_000_000_000),
        "Retained messages of one organisation.",
        "a message for a further topic is delivered but not retained, and counted",
    ),
    limit(
        "limits.retained_bytes_max",
        Number::U64(|c| &mut c.limits.retained_bytes_max),
        (4 * GIB, KIB, 16 * TIB),
        "Bytes of the retained messages of one organisation, with their topics.",
        "a message that does not fit is delivered but not retained, and counted",
    ),
    limit(
        "limits.session_expiry_max_secs",
        Number::U32(|c| &mut c.limits.session_expiry_max_secs),
        (u32::MAX as u64, 0, u32::MAX as u64),
        "Longest Session Expiry Interval in seconds; 4294967295 is for ever, which is as the client asks.",
        "a longer one is shortened, and the 5.0 client is told",
    ),
    limit(
        "limits.session_expiry_v3_secs",
        Number::U32(|c| &mut c.limits.session_expiry_v3_secs),
        (7 * DAY_SECS, 0, u32::MAX as u64),
        "Seconds that the session of a 3.1 or 3.1.1 client without Clean Session outlives its connection; unless set, \
         no more than `session_expiry_max_secs`.",
        "the session ends",
    ),
    limit(
        "limits.session_expiry_v5_default_secs",
        Number::U32(|c| &mut c.limits.session_expiry_v5_default_secs),
        (0, 0, u32::MAX as u64),
        "Seconds that the session of a 5.0 client outlives its connection when its CONNECT has Clean Start 0 and no \
         Session Expiry Interval, as MQTT.js sends it; the CONNACK tells the client. 0 is what the specification says.",
        "the session ends",
    ),
    limit(
        "limits.keep_alive_max_secs",
        Number::U16(|c| &mut c.limits.keep_alive_max_secs),
        (0, 0, 65_535),
        "Longest Keep Alive in seconds, which also holds for clients that ask for none; 0 leaves it to them.",
        "a longer one is shortened, and the 5.0 client is told",
    ),
    at_restart(limit(
        "limits.match_cache_bytes",
        Number::U64(|c| &mut c.limits.match_cache_bytes),
        (8 * MIB, 0, TIB),
        "Memory of each shard for the recipients of topics it has seen; 0 computes them for each message.",
        "the older half is forgotten and computed again when needed",
    )),
];
