//! The part of MQTT 3.1.1 that a load generator speaks, written without a look at the broker's codec.
//!
//! Encoders append to a buffer; [`decode`] borrows from the bytes received. Quality of service 2 and MQTT 5.0
//! are left out: no scenario uses them.

/// Quality of service of a message or subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QoS {
    /// Delivered at most once, never acknowledged.
    AtMostOnce = 0,
    /// Delivered at least once, acknowledged by PUBACK.
    AtLeastOnce = 1,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionLifetime {
    /// It begins and ends with its connection.
    Connection,
    /// The server keeps it, and what waits in it, while its client is away.
    Durable,
}

/// What a server may send to this generator.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The answer to CONNECT; zero means accepted.
    Connack {
        /// Whether the server still had a session of this client.
        session_present: bool,
        /// Why the connection was refused, or zero.
        return_code: u8,
    },
    /// A message for one of our subscriptions.
    Publish(Publish<'a>),
    /// The acknowledgement of a QoS 1 message of ours.
    Puback {
        /// The identifier of the acknowledged PUBLISH.
        packet_identifier: u16,
    },
    /// The answer to SUBSCRIBE.
    Suback {
        /// How many of the filters the server refused.
        refused: usize,
    },
}

/// A message as received.
#[derive(Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Topic name; its UTF-8 is not checked.
    pub topic: &'a [u8],
    /// The application message.
    pub payload: &'a [u8],
    /// Present when the message came with QoS 1, and has to be acknowledged.
    pub packet_identifier: Option<u16>,
    /// Set when the message is a retained one, sent because of a new subscription.
    pub retain: bool,
}

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// The identifier of a QoS 1 message; none makes it QoS 0.
    pub packet_identifier: Option<u16>,
    /// Asks the server to keep the message for later subscribers.
    pub retain: bool,
}

/// The bytes are not what a 3.1.1 server may send to this client.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const DISCONNECT: u8 = 0xE0;
const RETAIN: u8 = 0x01;
const CLEAN_SESSION: u8 = 0x02;
const SESSION_PRESENT: u8 = 0x01;
const SUBSCRIPTION_REFUSED: u8 = 0x80;

/// Reads the packet at the front of `bytes` and its length; `None` while it is incomplete.
pub fn decode(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((remaining_length, width)) = decode_length(rest)? else { return Ok(None) };
    let Some(body) = rest.get(width..width + remaining_length) else { return Ok(None) };
    Ok(Some((decode_body(first, body)?, 1 + width + remaining_length)))
}

/// The packet at the front of `bytes`, whatever it is; `None` while it is incomplete.
#[inline]
pub fn first_packet(bytes: &[u8]) -> Option<&[u8]> {
    let (remaining_length, width) = decode_length(bytes.get(1..)?).ok()??;
    bytes.get(..1 + width + remaining_length)
}

#[inline]
fn decode_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut length = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed("remaining length is longer than four bytes")) }
}

#[inline]
fn decode_body(first: u8, body: &[u8]) -> Result<Packet<'_>, Malformed> {
    match (first & 0xF0, body) {
        (PUBLISH, _) => decode_publish(first, body).map(Packet::Publish),
        (PUBACK, &[high, low]) => Ok(Packet::Puback { packet_identifier: u16::from_be_bytes([high, low]) }),
        (CONNACK, &[flags, return_code]) => {
            Ok(Packet::Connack { session_present: flags & SESSION_PRESENT != 0, return_code })
        }
        (SUBACK, [_, _, codes @ ..]) => {
            Ok(Packet::Suback { refused: codes.iter().filter(|&&code| code >= SUBSCRIPTION_REFUSED).count() })
        }
        _ => Err(Malformed("a packet that this client has not asked for, or with the wrong length")),
    }
}

#[inline]
fn decode_publish(first: u8, body: &[u8]) -> Result<Publish<'_>, Malformed> {
    let (topic, rest) = split_string(body).ok_or(Malformed("a PUBLISH shorter than its topic"))?;
    let (packet_identifier, payload) = match (first >> 1) & 0x03 {
        0 => (None, rest),
        1 => {
            let (identifier, payload) =
                rest.split_first_chunk().ok_or(Malformed("a QoS 1 PUBLISH without packet identifier"))?;
            (Some(u16::from_be_bytes(*identifier)), payload)
        }
        _ => return Err(Malformed("a PUBLISH with a QoS that was never granted")),
    };
    Ok(Publish { topic, payload, packet_identifier, retain: first & RETAIN != 0 })
}

#[inline]
fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Appends a CONNECT without credentials.
pub fn encode_connect(
    out: &mut Vec<u8>,
    client_identifier: &str,
    lifetime: SessionLifetime,
    keep_alive_secs: u16,
) {
    let flags = match lifetime {
        SessionLifetime::Connection => CLEAN_SESSION,
        SessionLifetime::Durable => 0,
    };
    out.push(CONNECT);
    encode_length(out, 10 + 2 + client_identifier.len());
    out.extend_from_slice(&[0, 4, b'M', b'Q', b'T', b'T', 4, flags]);
    out.extend_from_slice(&keep_alive_secs.to_be_bytes());
    encode_string(out, client_identifier);
}

/// Appends a SUBSCRIBE for `filters`, all with the same QoS.
pub fn encode_subscribe<S: AsRef<str>>(out: &mut Vec<u8>, packet_identifier: u16, filters: &[S], qos: QoS) {
    out.push(SUBSCRIBE);
    encode_length(out, 2 + filters.iter().map(|filter| 3 + filter.as_ref().len()).sum::<usize>());
    out.extend_from_slice(&packet_identifier.to_be_bytes());
    for filter in filters {
        encode_string(out, filter.as_ref());
        out.push(qos as u8);
    }
}

/// Appends a PUBLISH up to its payload, of which `payload_bytes` have to follow.
#[inline]
pub fn encode_publish_head(out: &mut Vec<u8>, message: Outgoing<'_>, payload_bytes: usize) {
    let qos = u8::from(message.packet_identifier.is_some());
    out.push(PUBLISH | qos << 1 | u8::from(message.retain));
    encode_length(out, 2 + message.topic.len() + 2 * usize::from(qos) + payload_bytes);
    encode_string(out, message.topic);
    if let Some(packet_identifier) = message.packet_identifier {
        out.extend_from_slice(&packet_identifier.to_be_bytes());
    }
}

/// Appends a PUBACK.
#[inline]
pub fn encode_puback(out: &mut Vec<u8>, packet_identifier: u16) {
    let [high, low] = packet_identifier.to_be_bytes();
    out.extend_from_slice(&[PUBACK, 2, high, low]);
}

/// Appends a DISCONNECT.
pub fn encode_disconnect(out: &mut Vec<u8>) {
    out.extend_from_slice(&[DISCONNECT, 0]);
}

#[inline]
fn encode_length(out: &mut Vec<u8>, mut length: usize) {
    // Invariant: the plans of this crate stay far below the 256 MiB that four bytes can say.
    debug_assert!(length < 1 << 28);
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[inline]
fn encode_string(out: &mut Vec<u8>, text: &str) {
    // Invariant: topics, filters and client identifiers of this crate are built from short numbers.
    debug_assert!(u16::try_from(text.len()).is_ok());
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
