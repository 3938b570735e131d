//! Why a request is not accepted: what the client is told, and what a person in front of a browser should do.

use std::fmt;

/// A request that was refused. Always the fault of the client, or of who configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no HTTP request.
    NotHttp,
    /// The request is HTTP/2 or something else that is not 1.x.
    HttpVersion,
    /// The request is HTTP/1.0.
    OldHttp,
    /// The head is larger than this listener reads.
    HeadTooLarge,
    /// The head has more fields than this listener reads.
    TooManyFields,
    /// Nothing is served at this path.
    Path,
    /// The method is not GET.
    Method,
    /// There is no Host, or more than one.
    Host,
    /// A body is announced: nobody could tell where the frames begin.
    Body,
    /// The request does not ask for WebSocket, as when a person opens the address in a browser.
    NoUpgrade,
    /// `Upgrade` is there, and `Connection` does not name it.
    Connection,
    /// The version of WebSocket is not 13.
    Version,
    /// The key is missing, there twice, or not 16 bytes in Base64.
    Key,
    /// The client offers subprotocols, and none is MQTT.
    Subprotocol,
    /// A web page of another site wants to connect.
    Origin,
}

impl Refusal {
    /// The status, with its reason phrase.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::NotHttp
            | Self::OldHttp
            | Self::Host
            | Self::Body
            | Self::Connection
            | Self::Key
            | Self::Subprotocol => "400 Bad Request",
            Self::Origin => "403 Forbidden",
            Self::Path => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::NoUpgrade | Self::Version => "426 Upgrade Required",
            Self::HeadTooLarge | Self::TooManyFields => "431 Request Header Fields Too Large",
            Self::HttpVersion => "505 HTTP Version Not Supported",
        }
    }

    /// The header fields that belong to the status, each with its line end.
    pub(super) const fn fields(self) -> &'static str {
        match self {
            // RFC 9110, section 15.5.6.
            Self::Method => "Allow: GET\r\n",
            // RFC 9110, section 15.5.22; RFC 6455, section 4.4.
            Self::NoUpgrade | Self::Version => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        }
    }

    /// One sentence, and what to do. Never holds bytes of the peer.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotHttp => "This is no HTTP request. help: connect with MQTT over WebSocket.",
            Self::HttpVersion | Self::OldHttp => {
                "WebSocket needs HTTP/1.1. help: let a proxy speak HTTP/1.1 to this port."
            }
            Self::HeadTooLarge => {
                "The header of the request is too large. help: send fewer or smaller cookies."
            }
            Self::TooManyFields => "The request has too many header fields. help: send at most 64.",
            Self::Path => "Nothing is served at this path. help: most MQTT clients use /mqtt.",
            Self::Method => "WebSocket begins with GET. help: connect with MQTT over WebSocket.",
            Self::Host => "The request needs exactly one Host. help: check the proxy in between.",
            Self::Body => "A request for WebSocket has no body. help: check the proxy in between.",
            Self::NoUpgrade => {
                "This is an MQTT broker that speaks WebSocket, not a web page. help: point an MQTT client here, as \
                 ws:// or wss://; if you did, let the proxy in between pass the header fields Upgrade and Connection."
            }
            Self::Connection => {
                "Connection does not name Upgrade. help: let the proxy in between pass the header fields Upgrade and \
                 Connection."
            }
            Self::Version => "Only version 13 of WebSocket is served. help: update the client.",
            Self::Key => {
                "Sec-WebSocket-Key must be there once and hold 16 bytes in Base64. help: update the client."
            }
            Self::Subprotocol => {
                "Only the subprotocols mqtt and mqttv3.1 are served. help: let the client offer mqtt in \
                 Sec-WebSocket-Protocol, or none."
            }
            Self::Origin => {
                "Web pages of this origin may not connect. help: add the origin of the page to the listener's \
                 websocket origins."
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status(), self.text())
    }
}

impl std::error::Error for Refusal {}
