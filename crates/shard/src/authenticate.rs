//! Who decides about a CONNECT. Knowing credentials may take a while (hashing, a registry), so the answer may
//! come from another thread; the connection waits, the shard does not.

use std::sync::Arc;

use tidegate_core::{AuthenticationRequest, Principal, ReasonCode};

use crate::mailbox::{Mail, Mailbox};

/// What was asked, and what is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As it was given to [`Authenticate::authenticate`].
    pub request: AuthenticationRequest,
    /// Who it is, or the Reason Code to refuse with and words for the log.
    pub verdict: Result<Principal, (ReasonCode, &'static str)>,
}

/// Decides who a client is.
pub trait Authenticate: Send + Sync {
    /// The answer if it is known at once, else `None` and later an answer through `reply`. A connection whose answer
    /// does not come within the time to CONNECT is refused.
    fn authenticate(&self, request: AuthenticationRequest, reply: Reply) -> Option<Answer>;
}

/// The way back to the shard that asked.
pub struct Reply {
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Reply {
    /// Answers from any thread. A connection that is gone meanwhile is not an error.
    pub fn answer(self, answer: Answer) {
        self.mailbox.send(Mail::Authenticated(answer));
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
    fn authenticate(&self, request: AuthenticationRequest, _reply: Reply) -> Option<Answer> {
        let verdict = match self.allowed {
            true => Ok(Principal::anonymous(request.user_name())),
            false => Err((ReasonCode::NotAuthorized, "anonymous access is off and there are no credentials")),
        };
        Some(Answer { request, verdict })
    }
}
