//! The facts that a log line is written for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client sent DISCONNECT.
    Disconnect,
    /// The client closed the connection without DISCONNECT.
    PeerClosed,
    /// Reading or writing failed; the operating system's words.
    Io(String),
    /// No packet for one and a half times the Keep Alive.
    KeepAliveTimeout,
    /// No CONNECT within the time for it.
    ConnectTimeout,
    /// The same Client Identifier connected again.
    TakenOver,
    /// The server stops.
    ShuttingDown,
    /// The client broke the protocol: what it did.
    Violation(&'static str),
    /// The server refused the CONNECT: why.
    Refused(&'static str),
    /// What the client was owed an acknowledgement for cannot be written to the disk.
    NotDurable,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::Disconnect => f.write_str("client disconnected"),
            EndReason::PeerClosed => f.write_str("client closed the connection without DISCONNECT"),
            EndReason::Io(error) => write!(f, "connection failed: {error}"),
            EndReason::KeepAliveTimeout => f.write_str("nothing heard for 1.5 times the keep alive"),
            EndReason::ConnectTimeout => f.write_str("no CONNECT in time"),
            EndReason::TakenOver => f.write_str("another connection took the session over"),
            EndReason::ShuttingDown => f.write_str("server is shutting down"),
            EndReason::Violation(what) => write!(f, "protocol violation: {what}"),
            EndReason::Refused(why) => write!(f, "refused: {why}"),
            EndReason::NotDurable => {
                f.write_str("the server's disk takes nothing, so nothing can be acknowledged")
            }
        }
    }
}

/// Something that happened and that an operator can read about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A CONNECT was accepted.
    Connected {
        /// Which organisation's.
        organisation: u32,
        /// The Client Identifier, assigned ones included.
        client: Arc<str>,
        /// Where from.
        peer: SocketAddr,
        /// Protocol version, as people write it.
        version: &'static str,
        /// As the client gave it.
        user_name: Option<Arc<str>>,
        /// Whether the session existed.
        session_present: bool,
        /// In seconds, as granted.
        keep_alive_secs: u16,
    },
    /// A connection ended; before CONNECT was accepted `client` is empty.
    Ended {
        /// The Client Identifier, if there was an accepted CONNECT.
        client: Option<Arc<str>>,
        /// Where from.
        peer: SocketAddr,
        /// Why.
        reason: EndReason,
    },
}

impl Fact {
    /// What somebody should look at, in words that are the same each time: a peer misbehaves or was refused. `None` is
    /// normal life.
    #[must_use]
    pub fn complaint(&self) -> Option<&'static str> {
        match self {
            Fact::Ended { reason: EndReason::Violation(what) | EndReason::Refused(what), .. } => Some(what),
            _ => None,
        }
    }
}

/// A peer's text with control characters escaped, so that it cannot forge log lines.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Connected {
                client, peer, version, user_name, session_present, keep_alive_secs, ..
            } => {
                write!(f, "client {} connected from {peer} with MQTT {version}", Quoted(client))?;
                if let Some(user) = user_name {
                    write!(f, ", user {}", Quoted(user))?;
                }
                let session = if *session_present { "resumed" } else { "new" };
                write!(f, ", session {session}, keep alive {keep_alive_secs} s")
            }
            Fact::Ended { client: Some(client), peer, reason } => {
                write!(f, "client {} from {peer} is gone: {reason}", Quoted(client))
            }
            Fact::Ended { client: None, peer, reason } => {
                write!(f, "connection from {peer} ended before it was accepted: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_identifier_cannot_forge_a_log_line() {
        let fact = Fact::Ended {
            client: Some("a\nclient \"b\" connected".into()),
            peer: "127.0.0.1:1".parse().unwrap(),
            reason: EndReason::PeerClosed,
        };
        assert_eq!(fact.to_string().lines().count(), 1);
    }
}
