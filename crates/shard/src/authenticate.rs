//! Who decides about a CONNECT. Knowing credentials may take a while (hashing, a registry), so the answer may
//! come from another thread; the connection waits, the shard does not.

use std::sync::Arc;

use tidegate_core::{AuthenticationRequest, ConnectionId, Principal};

use crate::mailbox::{Mail, Mailbox};

/// Who it is, or the Reason Code to refuse with and words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict(pub Result<Principal, (tidegate_core::ReasonCode, &'static str)>);

/// Decides who a client is.
pub trait Authenticate: Send + Sync {
    /// The verdict if it is known at once, else `None` and later an answer through `reply`.
    fn authenticate(&self, request: &AuthenticationRequest, reply: Reply) -> Option<Verdict>;
}

/// The way back to the shard that asked.
pub struct Reply {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) connection: ConnectionId,
    pub(crate) client_identifier: String,
}

impl Reply {
    /// Answers from any thread. A connection that is gone meanwhile is not an error.
    pub fn answer(self, verdict: Verdict) {
        let Reply { mailbox, connection, client_identifier } = self;
        mailbox.send(Mail::Authenticated { connection, client_identifier, verdict });
    }
}

/// Lets everybody in and believes every user name: there are no credentials yet. The configuration allows it
/// on loopback only, unless the operator says otherwise in words.
#[derive(Clone, Copy, Debug)]
pub struct Anonymous {
    /// Whether clients are let in at all.
    pub allowed: bool,
}

impl Authenticate for Anonymous {
    fn authenticate(&self, request: &AuthenticationRequest, _reply: Reply) -> Option<Verdict> {
        Some(Verdict(if self.allowed {
            Ok(Principal::anonymous(request.user_name.as_deref()))
        } else {
            Err((
                tidegate_core::ReasonCode::NotAuthorized,
                "anonymous access is off and there are no credentials",
            ))
        }))
    }
}
