//! Everything that may happen because of an input. The shell carries it out after the turn and clears it.

use std::fmt;
use std::net::SocketAddr;

use tidegate_mqtt::Connect;
use tidegate_observe::Fact;

use crate::durable::reading::Fetch;
use crate::durable::recorder::Records;
use crate::identifiers::{ConnectionId, ShardId, Ticket};
use crate::principal::Principal;
use crate::shards::Batch;

/// What the core wants done, in no order between the fields but within each.
#[derive(Debug)]
pub struct Effects {
    /// Connections whose `Outbound` has something to write; each once.
    pub write: Vec<ConnectionId>,
    /// Connections to close after what they are owed was offered to the kernel once. The core has forgotten
    /// everything of them but their `Outbound`; confirm with `Core::release`.
    pub close: Vec<ConnectionId>,
    /// Connections that did not want input and want it again.
    pub resume: Vec<ConnectionId>,
    /// Clients to authenticate; answered by `Input::Authenticated`.
    pub authenticate: Vec<AuthenticationRequest>,
    /// Connections that belong to another shard.
    pub hand_over: Vec<(ConnectionId, ShardId, Handoff)>,
    /// The highest ticket given in this turn: when its record is durable, `Input::Persisted` is due.
    pub persist: Option<Ticket>,
    /// What the journal shall write before `persist` is due. Hand it over before anything of this turn goes to other shards.
    pub records: Records,
    /// Content to read; each is answered by `Input::Fetched`.
    pub fetches: Vec<Fetch>,
    /// What to send to each other shard, by its number.
    pub to_shards: Vec<Batch>,
    /// What happened, for the log.
    pub facts: Vec<Fact>,
}

impl Effects {
    /// No effects yet, for a process of `shards` shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            write: Vec::new(),
            close: Vec::new(),
            resume: Vec::new(),
            authenticate: Vec::new(),
            hand_over: Vec::new(),
            persist: None,
            records: Records::default(),
            fetches: Vec::new(),
            to_shards: (0..shards).map(|_| Batch::default()).collect(),
            facts: Vec::new(),
        }
    }

    pub(crate) fn to(&mut self, shard: ShardId) -> &mut Batch {
        &mut self.to_shards[usize::from(shard.0)]
    }
}

/// A CONNECT on its way to somebody who knows credentials, and back with the verdict: until then it is kept nowhere
/// else.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthenticationRequest {
    /// Whom to answer about.
    pub connection: ConnectionId,
    /// The client's address.
    pub peer: SocketAddr,
    /// From the first byte of its body; it was decoded once, so it can be again.
    pub(crate) connect_body: Box<[u8]>,
}

impl AuthenticationRequest {
    /// As CONNECT has it; may be empty.
    #[must_use]
    pub fn client_identifier(&self) -> &str {
        self.connect().map_or("", |connect| connect.client_identifier)
    }

    /// User Name, if given.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.connect()?.user_name
    }

    /// Password, if given.
    #[must_use]
    pub fn password(&self) -> Option<&[u8]> {
        self.connect()?.password
    }

    fn connect(&self) -> Option<Connect<'_>> {
        Connect::from_body(&self.connect_body).ok()
    }
}

/// Without the password.
impl fmt::Debug for AuthenticationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationRequest")
            .field("connection", &self.connection)
            .field("peer", &self.peer)
            .field("client_identifier", &self.client_identifier())
            .finish_non_exhaustive()
    }
}

/// A connection on its way to the shard that owns its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Who authenticated.
    pub principal: Principal,
    /// The body of its CONNECT, with the Client Identifier already assigned if it was empty.
    pub connect_body: Box<[u8]>,
    /// The identifier that the server chose, if it did.
    pub assigned_identifier: Option<String>,
    /// Bytes that arrived behind the CONNECT.
    pub rest: Vec<u8>,
}

impl Handoff {
    /// The identifier that the client chose or was given.
    #[must_use]
    pub fn client_identifier(&self) -> Option<&str> {
        match &self.assigned_identifier {
            Some(assigned) => Some(assigned),
            None => Some(Connect::from_body(&self.connect_body).ok()?.client_identifier),
        }
    }
}
