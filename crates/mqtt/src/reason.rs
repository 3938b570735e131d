//! Reason Codes of MQTT 5.0, and the CONNACK return codes that 3.1 and 3.1.1 have for them.

use crate::packet::PacketType;

/// Declares the catalogue: one row per code with its name, meaning and the packets that may carry it.
/// Where the specification gives one number several names (0x00), the row carries the most general.
macro_rules! reason_codes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, $text:literal, in [$($packet:ident),*]; )*) => {
        /// A Reason Code of MQTT 5.0 (section 2.4). Codes of 0x80 and above report failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode { $( $(#[$doc])* $name = $code, )* }

        impl ReasonCode {
            /// Every Reason Code of the specification, in order of its number.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$name),*];

            /// The code with this number, if the specification has one.
            #[must_use]
            pub fn from_u8(code: u8) -> Option<ReasonCode> {
                match code { $( $code => Some(ReasonCode::$name), )* _ => None }
            }

            /// What the code says, in a few words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $( ReasonCode::$name => $text, )* }
            }

            /// Whether the specification lists this code for that packet (section 2.4, table of reason codes).
            #[must_use]
            pub fn is_valid_in(self, packet: PacketType) -> bool {
                let packets: &[PacketType] = match self { $( ReasonCode::$name => &[$(PacketType::$packet),*], )* };
                packets.contains(&packet)
            }
        }
    };
}

reason_codes! {
    /// Success, Normal disconnection or Granted QoS 0.
    Success = 0x00, "success", in [ConnAck, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Auth, Disconnect];
    /// The subscription is accepted with maximum QoS 1.
    GrantedQoS1 = 0x01, "granted QoS 1", in [SubAck];
    /// The subscription is accepted with maximum QoS 2.
    GrantedQoS2 = 0x02, "granted QoS 2", in [SubAck];
    /// The client leaves but wants its Will Message published.
    DisconnectWithWillMessage = 0x04, "disconnect with will message", in [Disconnect];
    /// Accepted, but there was no subscriber.
    NoMatchingSubscribers = 0x10, "no matching subscribers", in [PubAck, PubRec];
    /// There was no such subscription to remove.
    NoSubscriptionExisted = 0x11, "no subscription existed", in [UnsubAck];
    /// The next step of an enhanced authentication.
    ContinueAuthentication = 0x18, "continue authentication", in [Auth];
    /// The client starts a re-authentication.
    ReAuthenticate = 0x19, "re-authenticate", in [Auth];
    /// The receiver does not want to say why.
    UnspecifiedError = 0x80, "unspecified error", in [ConnAck, PubAck, PubRec, SubAck, UnsubAck, Disconnect];
    /// The packet could not be parsed.
    MalformedPacket = 0x81, "malformed packet", in [ConnAck, Disconnect];
    /// The packet could be parsed but breaks the protocol.
    ProtocolError = 0x82, "protocol error", in [ConnAck, Disconnect];
    /// Valid, but this receiver does not accept it.
    ImplementationSpecificError = 0x83, "implementation specific error", in [ConnAck, PubAck, PubRec, SubAck, UnsubAck, Disconnect];
    /// The server does not speak the requested version.
    UnsupportedProtocolVersion = 0x84, "unsupported protocol version", in [ConnAck];
    /// The Client Identifier is not allowed.
    ClientIdentifierNotValid = 0x85, "client identifier not valid", in [ConnAck];
    /// The credentials are not accepted.
    BadUserNameOrPassword = 0x86, "bad user name or password", in [ConnAck];
    /// The client has no right to do this.
    NotAuthorized = 0x87, "not authorized", in [ConnAck, PubAck, PubRec, SubAck, UnsubAck, Disconnect];
    /// The server cannot serve now.
    ServerUnavailable = 0x88, "server unavailable", in [ConnAck];
    /// The server is busy; try again later.
    ServerBusy = 0x89, "server busy", in [ConnAck, Disconnect];
    /// The client is banned.
    Banned = 0x8A, "banned", in [ConnAck];
    /// The server is shutting down.
    ServerShuttingDown = 0x8B, "server shutting down", in [Disconnect];
    /// The authentication method is unknown or not the one in use.
    BadAuthenticationMethod = 0x8C, "bad authentication method", in [ConnAck, Disconnect];
    /// Nothing was heard for one and a half times the Keep Alive.
    KeepAliveTimeout = 0x8D, "keep alive timeout", in [Disconnect];
    /// Another connection took over the session.
    SessionTakenOver = 0x8E, "session taken over", in [Disconnect];
    /// The Topic Filter is not accepted.
    TopicFilterInvalid = 0x8F, "topic filter invalid", in [SubAck, UnsubAck, Disconnect];
    /// The Topic Name is not accepted.
    TopicNameInvalid = 0x90, "topic name invalid", in [ConnAck, PubAck, PubRec, Disconnect];
    /// The Packet Identifier is already in use.
    PacketIdentifierInUse = 0x91, "packet identifier in use", in [PubAck, PubRec, SubAck, UnsubAck];
    /// The Packet Identifier is not known.
    PacketIdentifierNotFound = 0x92, "packet identifier not found", in [PubRel, PubComp];
    /// More unacknowledged messages than Receive Maximum allows.
    ReceiveMaximumExceeded = 0x93, "receive maximum exceeded", in [Disconnect];
    /// The Topic Alias is zero, too large or not set.
    TopicAliasInvalid = 0x94, "topic alias invalid", in [Disconnect];
    /// The packet is larger than the receiver accepts.
    PacketTooLarge = 0x95, "packet too large", in [ConnAck, Disconnect];
    /// Data arrives too fast.
    MessageRateTooHigh = 0x96, "message rate too high", in [Disconnect];
    /// A limit of the server or the organisation is reached.
    QuotaExceeded = 0x97, "quota exceeded", in [ConnAck, PubAck, PubRec, SubAck, Disconnect];
    /// An operator closed the connection.
    AdministrativeAction = 0x98, "administrative action", in [Disconnect];
    /// The payload is not what was announced.
    PayloadFormatInvalid = 0x99, "payload format invalid", in [ConnAck, PubAck, PubRec, Disconnect];
    /// The server keeps no retained messages.
    RetainNotSupported = 0x9A, "retain not supported", in [ConnAck, Disconnect];
    /// The server does not support that QoS.
    QoSNotSupported = 0x9B, "QoS not supported", in [ConnAck, Disconnect];
    /// Use another server, for now.
    UseAnotherServer = 0x9C, "use another server", in [ConnAck, Disconnect];
    /// Use another server, for good.
    ServerMoved = 0x9D, "server moved", in [ConnAck, Disconnect];
    /// The server has no shared subscriptions.
    SharedSubscriptionsNotSupported = 0x9E, "shared subscriptions not supported", in [SubAck, Disconnect];
    /// Too many connections in a short time.
    ConnectionRateExceeded = 0x9F, "connection rate exceeded", in [ConnAck, Disconnect];
    /// The connection was authorised for a limited time only.
    MaximumConnectTime = 0xA0, "maximum connect time", in [Disconnect];
    /// The server has no subscription identifiers.
    SubscriptionIdentifiersNotSupported = 0xA1, "subscription identifiers not supported", in [SubAck, Disconnect];
    /// The server has no wildcard subscriptions.
    WildcardSubscriptionsNotSupported = 0xA2, "wildcard subscriptions not supported", in [SubAck, Disconnect];
}

impl ReasonCode {
    /// The byte on the wire.
    #[must_use]
    pub fn as_u8(self) -> u8 {
        self as u8
    }

    /// Failure codes are 0x80 and above (2.4).
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.as_u8() >= 0x80
    }

    /// The CONNACK return code of 3.1 and 3.1.1 that says the same, where one exists. Without one the server
    /// closes the connection and sends no CONNACK. [MQTT3-3.2.2-6]
    #[must_use]
    pub fn connect_return_code(self) -> Option<u8> {
        match self {
            ReasonCode::Success => Some(0),
            ReasonCode::UnsupportedProtocolVersion => Some(1),
            ReasonCode::ClientIdentifierNotValid => Some(2),
            ReasonCode::ServerUnavailable | ReasonCode::ServerBusy | ReasonCode::QuotaExceeded => Some(3),
            ReasonCode::BadUserNameOrPassword => Some(4),
            ReasonCode::NotAuthorized | ReasonCode::Banned => Some(5),
            _ => None,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{:02X} {}", self.as_u8(), self.text())
    }
}
