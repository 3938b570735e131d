//! Properties of 5.0 (section 2.2.2): one table says each property's type, where it may stand and its legal values.
//!
//! A block of properties is checked once when its packet is decoded and then kept as its bytes: forwarding a
//! message copies them, reading one walks them. [`PropertyBuf`] builds a block.

mod buffer;

pub use buffer::PropertyBuf;

use crate::error::DecodeError;
use crate::packet::PacketType;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::writer::put_variable_byte_integer;

/// The data types that a property may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Byte,
    TwoByte,
    FourByte,
    VariableByte,
    Utf8,
    Binary,
    Pair,
}

/// What a number may be beyond its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    Any,
    /// 0 or 1, anything else is a Protocol Error.
    Flag,
    /// Zero is a Protocol Error.
    NotZero,
}

/// Packets as bits of a set; the Will has a property block of its own.
const fn bit(packet: PacketType) -> u32 {
    1 << packet as u8
}
const CONNECT: u32 = bit(PacketType::Connect);
const CONNACK: u32 = bit(PacketType::ConnAck);
const PUBLISH: u32 = bit(PacketType::Publish);
const ACKS: u32 = bit(PacketType::PubAck)
    | bit(PacketType::PubRec)
    | bit(PacketType::PubRel)
    | bit(PacketType::PubComp)
    | bit(PacketType::SubAck)
    | bit(PacketType::UnsubAck);
const SUBSCRIBE: u32 = bit(PacketType::Subscribe);
const UNSUBSCRIBE: u32 = bit(PacketType::Unsubscribe);
const DISCONNECT: u32 = bit(PacketType::Disconnect);
const AUTH: u32 = bit(PacketType::Auth);
/// Bit 0 is no packet type, so it stands for the Will properties of CONNECT.
const WILL: u32 = 1;

macro_rules! properties {
    ($( $(#[$doc:meta])* $name:ident = $id:literal, $shape:ident, $range:ident, $packets:expr; )*) => {
        /// A Property Identifier (section 2.2.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum PropertyId { $( $(#[$doc])* $name = $id, )* }

        impl PropertyId {
            /// Every property, in order of its number.
            pub const ALL: &'static [PropertyId] = &[$(PropertyId::$name),*];

            /// The property with this number, if the specification has one.
            #[must_use]
            pub fn from_u8(id: u8) -> Option<PropertyId> {
                match id { $( $id => Some(PropertyId::$name), )* _ => None }
            }

            fn shape(self) -> Shape {
                match self { $( PropertyId::$name => Shape::$shape, )* }
            }

            fn range(self) -> Range {
                match self { $( PropertyId::$name => Range::$range, )* }
            }

            fn packets(self) -> u32 {
                match self { $( PropertyId::$name => $packets, )* }
            }
        }
    };
}

properties! {
    /// Whether the payload is UTF-8 text.
    PayloadFormatIndicator = 0x01, Byte, Flag, PUBLISH | WILL;
    /// Seconds that the message lives.
    MessageExpiryInterval = 0x02, FourByte, Any, PUBLISH | WILL;
    /// What the payload is, usually a MIME type.
    ContentType = 0x03, Utf8, Any, PUBLISH | WILL;
    /// Where a response is wanted.
    ResponseTopic = 0x08, Utf8, Any, PUBLISH | WILL;
    /// What the response must carry.
    CorrelationData = 0x09, Binary, Any, PUBLISH | WILL;
    /// The number a client gave to its subscription.
    SubscriptionIdentifier = 0x0B, VariableByte, NotZero, PUBLISH | SUBSCRIBE;
    /// Seconds that a session outlives its connection.
    SessionExpiryInterval = 0x11, FourByte, Any, CONNECT | CONNACK | DISCONNECT;
    /// The Client Identifier that the server chose.
    AssignedClientIdentifier = 0x12, Utf8, Any, CONNACK;
    /// The Keep Alive that the server wants, in seconds.
    ServerKeepAlive = 0x13, TwoByte, Any, CONNACK;
    /// The name of the enhanced authentication.
    AuthenticationMethod = 0x15, Utf8, Any, CONNECT | CONNACK | AUTH;
    /// One step's data of the enhanced authentication.
    AuthenticationData = 0x16, Binary, Any, CONNECT | CONNACK | AUTH;
    /// Whether failure may be explained in packets other than PUBLISH, CONNACK and DISCONNECT.
    RequestProblemInformation = 0x17, Byte, Flag, CONNECT;
    /// Seconds to wait before the Will Message is published.
    WillDelayInterval = 0x18, FourByte, Any, WILL;
    /// Whether the client wants Response Information.
    RequestResponseInformation = 0x19, Byte, Flag, CONNECT;
    /// From what a Response Topic may be made.
    ResponseInformation = 0x1A, Utf8, Any, CONNACK;
    /// Another server to use.
    ServerReference = 0x1C, Utf8, Any, CONNACK | DISCONNECT;
    /// Why, for people.
    ReasonString = 0x1F, Utf8, Any, CONNACK | ACKS | DISCONNECT | AUTH;
    /// How many QoS 1 and 2 publications may be unacknowledged.
    ReceiveMaximum = 0x21, TwoByte, NotZero, CONNECT | CONNACK;
    /// The highest Topic Alias that is accepted.
    TopicAliasMaximum = 0x22, TwoByte, Any, CONNECT | CONNACK;
    /// A number instead of the Topic Name.
    TopicAlias = 0x23, TwoByte, NotZero, PUBLISH;
    /// The highest QoS that the server supports.
    MaximumQoS = 0x24, Byte, Flag, CONNACK;
    /// Whether the server keeps retained messages.
    RetainAvailable = 0x25, Byte, Flag, CONNACK;
    /// A name and a value of the user's own; may stand many times, in an order that is kept.
    UserProperty = 0x26, Pair, Any, CONNECT | CONNACK | PUBLISH | WILL | ACKS | SUBSCRIBE | UNSUBSCRIBE | DISCONNECT | AUTH;
    /// The largest packet that is accepted, in bytes.
    MaximumPacketSize = 0x27, FourByte, NotZero, CONNECT | CONNACK;
    /// Whether the server has wildcard subscriptions.
    WildcardSubscriptionAvailable = 0x28, Byte, Flag, CONNACK;
    /// Whether the server has Subscription Identifiers.
    SubscriptionIdentifierAvailable = 0x29, Byte, Flag, CONNACK;
    /// Whether the server has shared subscriptions.
    SharedSubscriptionAvailable = 0x2A, Byte, Flag, CONNACK;
}

/// Where a block of properties stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the variable header of this packet.
    Packet(PacketType),
    /// In the Will of a CONNECT.
    Will,
}

/// The value of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Byte, Two Byte, Four Byte or Variable Byte Integer.
    Number(u32),
    /// UTF-8 Encoded String.
    Text(&'a str),
    /// Binary Data.
    Bytes(&'a [u8]),
    /// UTF-8 String Pair.
    Pair(&'a str, &'a str),
}

/// One property: which, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Which property.
    pub id: PropertyId,
    /// Its value; the table fixes which variant an id has.
    pub value: Value<'a>,
}

/// A checked block of properties, as its bytes without the length in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    bytes: &'a [u8],
    /// Bit n is set when the property with identifier n stands in the block.
    seen: u64,
    user_properties: u32,
}

impl<'a> Properties<'a> {
    /// No properties, as in every packet of 3.1 and 3.1.1.
    pub const NONE: Properties<'static> = Properties { bytes: &[], seen: 0, user_properties: 0 };

    /// Reads the length and the block behind it, and checks every rule that the table knows.
    ///
    /// # Errors
    /// 0x81 unknown identifier, wrong place or type (2.2.2.2); 0x82 a property twice or a forbidden value;
    /// 0x94 alias 0.
    pub(crate) fn decode(reader: &mut Reader<'a>, place: Place) -> Result<Self, DecodeError> {
        let len = reader.variable_byte_integer()?;
        if len == 0 {
            return Ok(Self::NONE);
        }
        let bytes = reader.take(len as usize)?;
        Self::check(bytes, place)
    }

    fn check(bytes: &'a [u8], place: Place) -> Result<Self, DecodeError> {
        let here = match place {
            Place::Packet(packet) => bit(packet),
            Place::Will => WILL,
        };
        let mut properties = Self { bytes, seen: 0, user_properties: 0 };
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let property = read_property(&mut reader)?;
            let id = property.id;
            if id.packets() & here == 0 {
                return Err(DecodeError::malformed("a property stands in a packet that cannot have it"));
            }
            let bit = 1u64 << id as u8;
            let repeatable = id == PropertyId::UserProperty
                || (id == PropertyId::SubscriptionIdentifier && here == PUBLISH);
            if properties.seen & bit != 0 && !repeatable {
                return Err(DecodeError::protocol("a property stands twice in one packet"));
            }
            properties.seen |= bit;
            properties.user_properties += u32::from(id == PropertyId::UserProperty);
            check_range(property)?;
            check_response_topic(property)?;
        }
        // 3.1.2.11.10: data belongs to a method; the same holds where a method and data may stand elsewhere.
        if properties.has(PropertyId::AuthenticationData) && !properties.has(PropertyId::AuthenticationMethod)
        {
            return Err(DecodeError::protocol(
                "there is authentication data without an authentication method",
            ));
        }
        Ok(properties)
    }

    /// The checked bytes, without the length in front.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// How many User Properties there are; the one property that a peer may repeat without bound.
    #[must_use]
    pub fn user_property_count(self) -> u32 {
        self.user_properties
    }

    /// Whether the property is there.
    #[must_use]
    pub fn has(self, id: PropertyId) -> bool {
        self.seen & (1 << id as u8) != 0
    }

    /// Every property in the order of the packet.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> {
        let mut reader = Reader::new(self.bytes);
        // Invariant: the block was checked when it was decoded, so reading it again ends only at its end.
        std::iter::from_fn(move || if reader.is_empty() { None } else { read_property(&mut reader).ok() })
    }

    /// Every property with the bytes that it takes in the packet, identifier included.
    pub fn iter_with_bytes(self) -> impl Iterator<Item = (Property<'a>, &'a [u8])> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || {
            let before = reader.clone().take_rest();
            let property = if before.is_empty() { None } else { read_property(&mut reader).ok() }?;
            let len = before.len() - reader.clone().take_rest().len();
            Some((property, &before[..len]))
        })
    }

    fn find(self, id: PropertyId) -> Option<Value<'a>> {
        if !self.has(id) {
            return None;
        }
        self.iter().find(|p| p.id == id).map(|p| p.value)
    }

    /// The number of this property, if it is there and is a number.
    #[must_use]
    pub fn number(self, id: PropertyId) -> Option<u32> {
        match self.find(id)? {
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    /// The text of this property, if it is there and is text.
    #[must_use]
    pub fn text(self, id: PropertyId) -> Option<&'a str> {
        match self.find(id)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of this property, if it is there and is Binary Data.
    #[must_use]
    pub fn bytes(self, id: PropertyId) -> Option<&'a [u8]> {
        match self.find(id)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_variable_byte_integer(out, self.bytes.len() as u32);
        out.extend_from_slice(self.bytes);
    }
}

fn read_property<'a>(reader: &mut Reader<'a>) -> Result<Property<'a>, DecodeError> {
    // The identifier is a Variable Byte Integer, and every one that exists takes one byte (2.2.2.2).
    let id = reader.variable_byte_integer()?;
    let id = u8::try_from(id)
        .ok()
        .and_then(PropertyId::from_u8)
        .ok_or(DecodeError::malformed("a property identifier is unknown"))?;
    let value = match id.shape() {
        Shape::Byte => Value::Number(u32::from(reader.u8()?)),
        Shape::TwoByte => Value::Number(u32::from(reader.u16()?)),
        Shape::FourByte => Value::Number(reader.u32()?),
        Shape::VariableByte => Value::Number(reader.variable_byte_integer()?),
        Shape::Utf8 => Value::Text(reader.string()?),
        Shape::Binary => Value::Bytes(reader.binary()?),
        Shape::Pair => Value::Pair(reader.string()?, reader.string()?),
    };
    Ok(Property { id, value })
}

fn check_range(property: Property<'_>) -> Result<(), DecodeError> {
    let Value::Number(number) = property.value else { return Ok(()) };
    match property.id.range() {
        Range::Flag if number > 1 => {
            Err(DecodeError::protocol("a property that is 0 or 1 has another value"))
        }
        // [MQTT5-3.3.2-8]: Topic Alias 0 has a Reason Code of its own.
        Range::NotZero if number == 0 && property.id == PropertyId::TopicAlias => {
            Err(DecodeError::with_reason(ReasonCode::TopicAliasInvalid, "the topic alias is 0"))
        }
        Range::NotZero if number == 0 => Err(DecodeError::protocol("a property that cannot be 0 is 0")),
        _ => Ok(()),
    }
}

/// A Response Topic is used as a Topic Name, so it holds no wildcard [MQTT5-3.3.2-14]; that of a Will becomes
/// that of a PUBLISH.
fn check_response_topic(property: Property<'_>) -> Result<(), DecodeError> {
    match property.value {
        Value::Text(text) if property.id == PropertyId::ResponseTopic && text.contains(['+', '#']) => {
            Err(DecodeError::protocol("a response topic holds a wildcard"))
        }
        _ => Ok(()),
    }
}
