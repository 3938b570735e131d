//! Everything that may enter the core.

use std::net::SocketAddr;

use crate::durable::place::Place;
use crate::durable::reading::Fetched;
use crate::effects::{AuthenticationRequest, Handoff};
use crate::identifiers::{ConnectionId, ShardId, Ticket};
use crate::principal::Principal;
use crate::shards::Batch;
use tidegate_mqtt::ReasonCode;
use tidegate_observe::EndReason;

/// Something that happened outside. Handled by `Core::handle` together with the time.
#[derive(Debug)]
pub enum Input<'a> {
    /// A socket was accepted; the shell chose a free id for it.
    Opened {
        /// Unused so far in this generation.
        connection: ConnectionId,
        /// The client's address.
        peer: SocketAddr,
    },
    /// A connection came from another shard, with its CONNECT authenticated there.
    Adopted {
        /// The id that the shell of this shard chose.
        connection: ConnectionId,
        /// The client's address.
        peer: SocketAddr,
        /// What the other shard knew.
        handoff: Handoff,
    },
    /// Bytes arrived.
    Received {
        /// From whom.
        connection: ConnectionId,
        /// In order, any number of packets and pieces of packets.
        bytes: &'a [u8],
    },
    /// The kernel took bytes of the connection's `Outbound`.
    Written {
        /// Towards whom.
        connection: ConnectionId,
        /// How many.
        bytes: usize,
    },
    /// The socket is closed: by the client, or because of an error. Not sent for connections that the core
    /// closed itself.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: EndReason,
    },
    /// The answer to `Effects::authenticate`.
    Authenticated {
        /// What was asked.
        request: AuthenticationRequest,
        /// Who it is, or the Reason Code of the refusal with words for the log.
        verdict: Result<Principal, (ReasonCode, &'static str)>,
    },
    /// The journal has everything up to here, at the configured level.
    Persisted {
        /// The highest ticket that is durable.
        up_to: Ticket,
    },
    /// The journal could not write what it was given up to here. Whether it is on the disk is unknown.
    NotPersisted {
        /// The highest ticket that this is so for.
        up_to: Ticket,
        /// What 5.0 clients are told: 0x97 when there is no space, 0x80 for other reasons.
        reason: ReasonCode,
    },
    /// Where the next contents stand that were among the turns' records, in their order: of one submission or of several, but
    /// before [`Input::Persisted`] of the last of them. `None`: it did not arrive.
    Placed {
        /// One for each.
        places: &'a [Option<Place>],
    },
    /// What was asked for by `Effects::fetches`, in any order.
    Fetched {
        /// Each is answered once.
        answers: Vec<Fetched>,
    },
    /// Something of the process that operators watch has changed. Only for the first shard.
    Said {
        /// Below `$SYS/broker/`.
        topic: &'static str,
        /// How it is now.
        text: &'a str,
    },
    /// What another shard sent.
    FromShard {
        /// Which shard.
        from: ShardId,
        /// In the order of sending.
        batch: Batch,
    },
    /// Only time passed: `Core::next_deadline` was reached.
    Time,
    /// Publish the `$SYS` topics; sent to the first shard at the configured interval.
    PublishSys,
    /// The server stops: say so to every client and end all connections.
    ShutDown,
}
