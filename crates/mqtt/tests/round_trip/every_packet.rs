//! Every packet of every version, whole, cut and in pieces.

use proptest::prelude::*;
use tidegate_mqtt::frame::{self, Split};
use tidegate_mqtt::{Packet, Version};

use crate::model::Model;
use crate::strategy;

const PACKET_BYTES_MAX: usize = 1 << 28;

fn any_packet() -> impl Strategy<Value = (Version, Model)> {
    proptest::sample::select(Version::ALL.to_vec())
        .prop_flat_map(|version| strategy::packet(version).prop_map(move |model| (version, model)))
}

fn any_stream() -> impl Strategy<Value = (Version, Vec<Model>)> {
    proptest::sample::select(Version::ALL.to_vec()).prop_flat_map(|version| {
        proptest::collection::vec(strategy::packet(version), 1..4).prop_map(move |models| (version, models))
    })
}

fn encoded(version: Version, model: &Model) -> Vec<u8> {
    let mut wire = Vec::new();
    model.lend(version, |packet| packet.encode(version, &mut wire));
    wire
}

/// Reads as a connection does: bytes arrive in `pieces`, whole packets are taken from the front.
fn read_in_pieces(pieces: &[&[u8]], version: Version, mut take: impl FnMut(Packet<'_>)) {
    let mut buffer = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let mut used = 0;
        while let Split::Frame(frame) = frame::split(&buffer[used..], PACKET_BYTES_MAX).unwrap() {
            take(Packet::decode(frame, version).unwrap());
            used += frame.len;
        }
        buffer.drain(..used);
    }
    assert!(buffer.is_empty(), "every byte belongs to a packet");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_decodes_to_the_same_packet((version, model) in any_packet()) {
        let wire = encoded(version, &model);
        let Ok(Split::Frame(frame)) = frame::split(&wire, wire.len()) else { panic!("{wire:02X?} is no frame") };
        prop_assert_eq!(frame.len, wire.len());
        model.lend(version, |packet| {
            assert_eq!(Packet::decode(frame, version).as_ref(), Ok(packet));
            assert_eq!(frame.packet_type, packet.packet_type());
        });
    }

    #[test]
    fn a_packet_of_exactly_the_maximum_is_accepted_and_one_byte_more_is_not((version, model) in any_packet()) {
        let wire = encoded(version, &model);
        prop_assert!(matches!(frame::split(&wire, wire.len()), Ok(Split::Frame(_))));
        prop_assert!(frame::split(&wire, wire.len() - 1).is_err());
    }

    #[test]
    fn a_cut_packet_is_never_a_packet((version, model) in any_packet()) {
        let wire = encoded(version, &model);
        for cut in 0..wire.len() {
            match frame::split(&wire[..cut], PACKET_BYTES_MAX) {
                Ok(Split::NeedHeader) => assert!(cut < 5),
                Ok(Split::NeedBytes { len }) => assert_eq!(len, wire.len()),
                other => panic!("{cut} of {} bytes are {other:?}", wire.len()),
            }
        }
    }

    #[test]
    fn a_shortened_packet_is_refused_or_another_packet((version, model) in any_packet(), share in 0.0..1.0) {
        // The Remaining Length is made to fit what is left, so that the cut is inside the packet's fields.
        let wire = encoded(version, &model);
        let Ok(Split::Frame(frame)) = frame::split(&wire, wire.len()) else { panic!("no frame") };
        let body = &frame.body[..(frame.body.len() as f64 * share) as usize];
        prop_assume!(body.len() < frame.body.len());
        let mut shorter = vec![wire[0]];
        tidegate_mqtt::put_variable_byte_integer(&mut shorter, body.len() as u32);
        shorter.extend_from_slice(body);
        let Ok(Split::Frame(short_frame)) = frame::split(&shorter, shorter.len()) else { panic!("no frame") };
        if let Ok(read) = Packet::decode(short_frame, version) {
            // Where the cut leaves whole fields (a payload, a list, a code that may be left out) the bytes are a packet,
            // and not the one that was sent. In 3.1 a CONNECT may end before its user name.
            model.lend(version, |packet| assert_ne!(&read, packet));
            let mut again = Vec::new();
            read.encode(version, &mut again);
            let Ok(Split::Frame(again)) = frame::split(&again, again.len()) else { panic!("no frame") };
            prop_assert_eq!(Packet::decode(again, version), Ok(read));
        }
    }

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut(
        seeds in proptest::collection::vec(any::<u16>(), 0..6),
        (version, models) in any_stream(),
    ) {
        let wire: Vec<u8> = models.iter().flat_map(|model| encoded(version, model)).collect();
        let mut cuts: Vec<usize> = seeds.iter().map(|&seed| usize::from(seed) % (wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        let mut expected = models.iter();
        read_in_pieces(&pieces, version, |packet| {
            expected.next().unwrap().lend(version, |wanted| assert_eq!(&packet, wanted));
        });
        prop_assert!(expected.next().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packet_split_at_every_byte_is_read_at_its_last((version, model) in any_packet()) {
        let wire = encoded(version, &model);
        prop_assume!(wire.len() < 2_000);
        for at in 1..wire.len() {
            let mut packets = 0;
            read_in_pieces(&[&wire[..at], &wire[at..]], version, |_| packets += 1);
            prop_assert_eq!(packets, 1);
        }
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        let mut packets = 0;
        read_in_pieces(&bytes, version, |packet| {
            model.lend(version, |wanted| assert_eq!(&packet, wanted));
            packets += 1;
        });
        prop_assert_eq!(packets, 1);
    }
}
