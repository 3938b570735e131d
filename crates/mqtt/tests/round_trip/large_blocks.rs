//! Large blocks of properties: read in one pass, without recursion.

use tidegate_mqtt::frame::{self, Split};
use tidegate_mqtt::{Packet, PropertyBuf, Publish, QoS, TopicName, Version};

/// Bytes of the largest block that is tried.
const BLOCK_BYTES: usize = 256 * 1024;
/// A sixteenth of what a thread has: a call for each of the 52,000 properties, one inside the other, does not fit.
const STACK_BYTES: usize = 128 * 1024;

#[test]
fn a_block_of_256_kib_is_read_on_a_small_stack() {
    let mut properties = PropertyBuf::new();
    let mut count = 0;
    // The smallest property there is that may repeat: five bytes.
    while properties.as_properties().as_bytes().len() < BLOCK_BYTES {
        properties.user("", "");
        count += 1;
    }
    let packet = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: TopicName::new("t").ok(),
        packet_identifier: None,
        properties: properties.as_properties(),
        payload: b"x",
    };
    let mut wire = Vec::new();
    Packet::Publish(packet).encode(Version::V5, &mut wire);
    let reader = std::thread::Builder::new().stack_size(STACK_BYTES);
    let read = reader.spawn(move || {
        let Ok(Split::Frame(frame)) = frame::split(&wire, wire.len()) else { panic!("no frame") };
        let Ok(Packet::Publish(publish)) = Packet::decode(frame, Version::V5) else { panic!("no PUBLISH") };
        assert_eq!(publish.properties.iter().count(), publish.properties.user_property_count() as usize);
        publish.properties.user_property_count()
    });
    assert_eq!(read.unwrap().join().unwrap(), count);
}
