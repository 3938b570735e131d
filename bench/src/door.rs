//! The ways into a broker: plain TCP, TLS, and WebSocket over either.

use clap::ValueEnum;
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;

/// What lies between MQTT and TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Door {
    /// Nothing.
    Tcp,
    /// WebSocket.
    #[value(name = "ws")]
    WebSocket,
    /// TLS.
    Tls,
    /// WebSocket in TLS.
    #[value(name = "wss")]
    SecureWebSocket,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::WebSocket, Self::Tls, Self::SecureWebSocket];

    /// Whether the connection is encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// Whether packets travel in frames of WebSocket.
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket)
    }
}

/// Which doors of a broker are open in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doors {
    /// Plain TCP, as most scenarios need it.
    TcpOnly,
    /// A listener for each [`Door`].
    All,
}

/// Where a client comes in.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The address of the listener.
    pub address: SocketAddr,
    /// What it speaks.
    pub door: Door,
    /// Whom a client trusts, and what it offers; only behind the doors that are encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// How a client fills records of TLS.
    pub records: Records,
}

/// How a client of TLS fills its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// With everything that it writes at once.
    Joined,
    /// With one packet, or one frame of WebSocket, each, as clients do that write packet by packet.
    OnePerPacket,
}

impl Entrance {
    /// A listener for plain TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        Self { address, door: Door::Tcp, tls: None, records: Records::Joined }
    }
}
