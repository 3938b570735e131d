//! Bytes that nobody promised anything about. What must hold for them is said once, in the fuzz targets' library.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_mqtt::Version;

use crate::strategy;

#[path = "../../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library there, a module here")]
pub(crate) mod check;

/// A whole frame of any type with a body of random bytes: random bytes alone rarely get past the fixed header.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), vec(any::<u8>(), 0..120)).prop_map(|(first, body)| {
        let mut wire = vec![first];
        tidegate_mqtt::put_variable_byte_integer(&mut wire, body.len() as u32);
        wire.extend(body);
        wire
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for version in Version::ALL {
            check::packets(&bytes, version);
        }
    }

    #[test]
    fn random_bodies_never_panic(bytes in framed()) {
        for version in Version::ALL {
            check::packets(&bytes, version);
        }
    }

    #[test]
    fn a_damaged_packet_never_panics(
        (version, mut wire) in proptest::sample::select(Version::ALL.to_vec()).prop_flat_map(|version| {
            strategy::packet(version).prop_map(move |model| {
                let mut wire = Vec::new();
                model.lend(version, |packet| packet.encode(version, &mut wire));
                (version, wire)
            })
        }),
        damage in vec((any::<u16>(), any::<u8>()), 1..4),
    ) {
        for (at, byte) in damage {
            let at = usize::from(at) % wire.len();
            wire[at] = byte;
        }
        check::packets(&wire, version);
        // And read as a packet of another version.
        for other in Version::ALL {
            check::packets(&wire, other);
        }
    }
}
