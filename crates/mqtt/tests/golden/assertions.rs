//! What the golden tests assert of bytes, packets and refusals.

use tidegate_mqtt::frame::{self, Frame, Split};
use tidegate_mqtt::{DecodeError, Fault, Packet, ReasonCode, Version};

use crate::notation::bytes;

pub(crate) const ALL: &[Version] = &Version::ALL;
pub(crate) const V31: &[Version] = &[Version::V31];
pub(crate) const V311: &[Version] = &[Version::V311];
pub(crate) const V5: &[Version] = &[Version::V5];
/// The versions without properties.
pub(crate) const BEFORE_5: &[Version] = &[Version::V31, Version::V311];
/// The versions that give reserved bits a value.
pub(crate) const SINCE_311: &[Version] = &[Version::V311, Version::V5];

const PACKET_BYTES_MAX: usize = 1 << 28;

/// `text` is exactly this packet, both ways; and nothing shorter is a packet.
#[track_caller]
pub(crate) fn same(versions: &[Version], text: &str, packet: &Packet<'_>) {
    reads(versions, text, packet);
    let wire = bytes(text);
    for &version in versions {
        let mut encoded = b"before".to_vec();
        packet.encode(version, &mut encoded);
        assert_eq!(encoded.strip_prefix(b"before"), Some(&wire[..]), "{} encodes {packet:?}", version.name());
    }
    for cut in 0..wire.len() {
        let split = frame::split(&wire[..cut], PACKET_BYTES_MAX).unwrap();
        let header = wire.iter().skip(1).take_while(|&&byte| byte >= 0x80).count() + 2;
        let want = if cut < header { Split::NeedHeader } else { Split::NeedBytes { len: wire.len() } };
        assert_eq!(split, want, "{cut} bytes of {text}");
    }
}

/// `text` is read as this packet; it may be encoded in another form, which is read as the same packet again.
#[track_caller]
pub(crate) fn reads(versions: &[Version], text: &str, packet: &Packet<'_>) {
    let wire = bytes(text);
    for &version in connection_versions(&wire, versions) {
        let frame = frame_of(&wire).unwrap();
        assert_eq!(frame.len, wire.len(), "{text} is one packet");
        let decoded = Packet::decode(frame, version);
        assert_eq!(decoded.as_ref(), Ok(packet), "{} reads {text}", version.name());
        assert_eq!(packet.packet_type() as u8, wire[0] >> 4);
        let mut encoded = Vec::new();
        packet.encode(version, &mut encoded);
        let again = Packet::decode(frame_of(&encoded).unwrap(), version);
        assert_eq!(again.as_ref(), Ok(packet), "{} reads its own {encoded:02X?}", version.name());
    }
}

/// A Malformed Packet: 0x81.
#[track_caller]
pub(crate) fn malformed(versions: &[Version], text: &str) {
    refused(versions, text, Fault::Malformed, ReasonCode::MalformedPacket);
}

/// A Protocol Error: 0x82.
#[track_caller]
pub(crate) fn protocol_error(versions: &[Version], text: &str) {
    refused(versions, text, Fault::ProtocolError, ReasonCode::ProtocolError);
}

/// Refused with a Reason Code of its own.
#[track_caller]
pub(crate) fn refused(versions: &[Version], text: &str, fault: Fault, reason: ReasonCode) {
    let wire = bytes(text);
    for &version in connection_versions(&wire, versions) {
        let error = decode(&wire, version)
            .expect_err(&format!("{} accepts {text}, wanted {fault:?} {reason}", version.name()));
        assert_eq!((error.fault, error.reason), (fault, reason), "{} {text}: {error}", version.name());
    }
}

/// What becomes of `wire`, which is whole, on a connection of `version`.
pub(crate) fn decode(wire: &[u8], version: Version) -> Result<Packet<'_>, DecodeError> {
    Packet::decode(frame_of(wire)?, version)
}

fn frame_of(wire: &[u8]) -> Result<Frame<'_>, DecodeError> {
    match frame::split(wire, PACKET_BYTES_MAX)? {
        Split::Frame(frame) => Ok(frame),
        other => panic!("{wire:02X?} is not whole: {other:?}"),
    }
}

/// A CONNECT names its version, so it must not matter which one the connection was thought to have.
fn connection_versions<'a>(wire: &[u8], versions: &'a [Version]) -> &'a [Version] {
    if wire[0] >> 4 == 1 { ALL } else { versions }
}
