//! Bytes of a server to packets. Strict: what the specification does not allow a server to send is an error.

use crate::connect::Version;
use crate::property::Properties;
use crate::publish::Publish;

/// A packet that a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the specification's own names")]
pub enum Packet {
    Connack(Connack),
    Publish(Publish),
    Puback(Ack),
    Pubrec(Ack),
    Pubrel(Ack),
    Pubcomp(Ack),
    Suback(Suback),
    Unsuback(Suback),
    Pingresp,
    Disconnect { reason: u8, properties: Properties },
    Auth { reason: u8, properties: Properties },
}

/// A CONNACK. Before 5.0 the Reason Code is the return code and there are no properties.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Connack {
    pub session_present: bool,
    pub reason: u8,
    pub properties: Properties,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Ack {
    pub packet_id: u16,
    pub reason: u8,
    pub properties: Properties,
}

/// SUBACK or UNSUBACK. An UNSUBACK before 5.0 has no Reason Codes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's own names")]
pub struct Suback {
    pub packet_id: u16,
    pub properties: Properties,
    pub reasons: Vec<u8>,
}

/// Takes one packet from the front of `bytes`: the packet and its size, or nothing while it is incomplete.
pub fn parse(bytes: &[u8], version: Version) -> Result<Option<(Packet, usize)>, String> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let mut length = 0usize;
    for (index, &byte) in bytes[1..].iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err("Remaining Length is not in the fewest bytes".to_owned());
            }
            let start = index + 2;
            let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
            return packet(first, body, version).map(|packet| Some((packet, start + length)));
        }
        if index == 3 {
            return Err("Remaining Length has more than four bytes".to_owned());
        }
    }
    Ok(None)
}

fn packet(first: u8, body: &[u8], version: Version) -> Result<Packet, String> {
    let (packet_type, flags) = (first >> 4, first & 0x0f);
    let flags_wanted = if packet_type == 6 { 2 } else { 0 };
    // [MQTT 2.1.3] In 3.1 the flags of these packets are unused, not zero.
    if packet_type != 3 && flags != flags_wanted && version != Version::V31 {
        return Err(format!("reserved flags are {flags:#06b} in a packet of type {packet_type}"));
    }
    let v5 = version == Version::V5;
    let mut reader = Reader::new(body);
    let packet = match packet_type {
        2 => Packet::Connack(connack(&mut reader, v5)?),
        3 => Packet::Publish(publish(&mut reader, flags, v5)?),
        4 => Packet::Puback(ack(&mut reader, packet_type, v5)?),
        5 => Packet::Pubrec(ack(&mut reader, packet_type, v5)?),
        6 => Packet::Pubrel(ack(&mut reader, packet_type, v5)?),
        7 => Packet::Pubcomp(ack(&mut reader, packet_type, v5)?),
        9 => Packet::Suback(suback(&mut reader, packet_type, v5)?),
        11 => Packet::Unsuback(suback(&mut reader, packet_type, v5)?),
        13 => Packet::Pingresp,
        14 if v5 => {
            let (reason, properties) = reason_and_properties(&mut reader, packet_type)?;
            Packet::Disconnect { reason, properties }
        }
        15 if v5 => {
            let (reason, properties) = reason_and_properties(&mut reader, packet_type)?;
            Packet::Auth { reason, properties }
        }
        other => return Err(format!("a server of this version never sends packet type {other}")),
    };
    if !reader.is_empty() {
        return Err(format!("{} bytes are left over behind {packet:?}", reader.0.len()));
    }
    Ok(packet)
}

fn connack(reader: &mut Reader<'_>, v5: bool) -> Result<Connack, String> {
    let flags = reader.byte()?;
    if flags & !1 != 0 {
        return Err(format!("Connect Acknowledge Flags are {flags:#010b}: bits 7-1 are reserved"));
    }
    let reason = reader.byte()?;
    let properties = if v5 { Properties::read(reader, 2)? } else { Properties::default() };
    Ok(Connack { session_present: flags == 1, reason, properties })
}

fn publish(reader: &mut Reader<'_>, flags: u8, v5: bool) -> Result<Publish, String> {
    let qos = (flags >> 1) & 3;
    if qos == 3 {
        return Err("PUBLISH with QoS 3".to_owned());
    }
    let topic = reader.string()?;
    if topic.contains(['#', '+']) {
        return Err(format!("PUBLISH with a wildcard in the Topic Name {topic:?}"));
    }
    let packet_id = if qos > 0 { Some(reader.packet_id()?) } else { None };
    let properties = if v5 { Properties::read(reader, 3)? } else { Properties::default() };
    if topic.is_empty() && properties.topic_alias().is_none() {
        return Err("PUBLISH with neither Topic Name nor Topic Alias".to_owned());
    }
    let (dup, retain) = (flags & 8 != 0, flags & 1 != 0);
    let payload = reader.rest().to_vec();
    Ok(Publish { dup, qos, retain, topic: topic.into_bytes(), packet_id, properties, payload })
}

fn ack(reader: &mut Reader<'_>, packet_type: u8, v5: bool) -> Result<Ack, String> {
    let packet_id = reader.packet_id()?;
    let (reason, properties) =
        if v5 { reason_and_properties(reader, packet_type)? } else { (0, Properties::default()) };
    Ok(Ack { packet_id, reason, properties })
}

fn suback(reader: &mut Reader<'_>, packet_type: u8, v5: bool) -> Result<Suback, String> {
    let packet_id = reader.packet_id()?;
    let properties = if v5 { Properties::read(reader, packet_type)? } else { Properties::default() };
    Ok(Suback { packet_id, properties, reasons: reader.rest().to_vec() })
}

/// The tail that may be left out: no Reason Code means success, no Property Length means no properties.
fn reason_and_properties(reader: &mut Reader<'_>, packet_type: u8) -> Result<(u8, Properties), String> {
    let reason = if reader.is_empty() { 0 } else { reader.byte()? };
    let properties =
        if reader.is_empty() { Properties::default() } else { Properties::read(reader, packet_type)? };
    Ok((reason, properties))
}

/// A position in the bytes of one packet.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (head, tail) = self.0.split_at_checked(count).ok_or("the packet ends inside a field")?;
        self.0 = tail;
        Ok(head)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A byte that may only be 0 or 1.
    pub(crate) fn boolean(&mut self) -> Result<u8, String> {
        match self.byte()? {
            value @ 0..=1 => Ok(value),
            other => Err(format!("a byte that may be 0 or 1 is {other}")),
        }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn packet_id(&mut self) -> Result<u16, String> {
        match self.u16()? {
            0 => Err("Packet Identifier 0".to_owned()),
            id => Ok(id),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn varint(&mut self) -> Result<u32, String> {
        let mut value = 0u32;
        for index in 0..4 {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return if byte == 0 && index > 0 {
                    Err("a Variable Byte Integer is not in the fewest bytes".to_owned())
                } else {
                    Ok(value)
                };
            }
        }
        Err("a Variable Byte Integer has more than four bytes".to_owned())
    }

    pub(crate) fn data(&mut self) -> Result<&'a [u8], String> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(crate) fn string(&mut self) -> Result<String, String> {
        let text = std::str::from_utf8(self.data()?).map_err(|e| format!("a string is not UTF-8: {e}"))?;
        if text.contains('\0') {
            return Err("a string contains U+0000".to_owned());
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Packet, parse};
    use crate::{Property, Publish, Version};

    #[test]
    fn a_publish_survives_the_way_out_and_back() {
        let sent = Publish::new("a/b", "x").qos(2).id(7).retained().dup().property(Property::user("k", "v"));
        let bytes = sent.bytes(Version::V5);
        assert_eq!(parse(&bytes, Version::V5), Ok(Some((Packet::Publish(sent), bytes.len()))));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], Version::V5), Ok(None), "complete after {cut} bytes");
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_an_error() {
        let wrong: [(&str, &[u8]); 7] = [
            ("reserved flags", &[0x41, 2, 0, 1]),
            ("Packet Identifier 0", &[0x40, 2, 0, 0]),
            ("long form of a length", &[0x40, 0x82, 0x00, 0, 1]),
            ("reserved CONNACK flags", &[0x20, 3, 2, 0, 0]),
            ("QoS 3", &[0x36, 6, 0, 1, b'a', 0, 1, 0]),
            ("a property twice", &[0x40, 14, 0, 1, 0x10, 10, 0x1f, 0, 2, b'a', b'b', 0x1f, 0, 2, b'a', b'b']),
            ("a property of another packet", &[0x40, 7, 0, 1, 0x10, 3, 0x21, 0, 1]),
        ];
        for (what, bytes) in wrong {
            assert!(parse(bytes, Version::V5).is_err(), "{what} was accepted");
        }
    }
}
