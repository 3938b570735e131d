//! What must hold in every version of MQTT.

use tidegate_clients::message::Message;
use tidegate_clients::mosquitto::{Mosquitto, Subscriber};
use tidegate_clients::names::Names;

/// CONNACK 0, the acknowledgement of each QoS, and exit status 0.
pub(crate) fn a_publisher_connects_publishes_and_disconnects(mosquitto: &Mosquitto) {
    let names = Names::new();
    for (qos, acknowledgement) in [(0, "sending DISCONNECT"), (1, "received PUBACK"), (2, "received PUBCOMP")]
    {
        let id = names.client("c");
        let lines = mosquitto.publish(&Message::new(&names.topic("t"), "x", qos), &["-i", &id]);
        for wanted in [&format!("Client {id} received CONNACK (0)"), acknowledgement] {
            assert!(lines.iter().any(|line| line.contains(wanted)), "no `{wanted}` in {lines:#?}");
        }
    }
}

/// All nine pairs of published and granted QoS.
pub(crate) fn each_qos_arrives_at_the_lower_of_published_and_granted(mosquitto: &Mosquitto) {
    let names = Names::new();
    for granted in 0..=2 {
        let topic = names.topic(&format!("granted/{granted}"));
        let mut subscriber = mosquitto.subscribe(&topic, granted, &[]);
        for published in 0..=2 {
            mosquitto.publish(&Message::new(&topic, "21.5 °C", published), &[]);
            assert_eq!(subscriber.receive(), Message::new(&topic, "21.5 °C", published.min(granted)));
        }
    }
}

/// RETAIN is 0 for a subscription that existed before the message and 1 for one made afterwards.
pub(crate) fn a_retained_message_is_replayed_to_later_subscribers(mosquitto: &Mosquitto) {
    let names = Names::new();
    for qos in 0..=2 {
        let topic = names.topic(&format!("state/{qos}"));
        let mut before = mosquitto.subscribe(&topic, 2, &[]);
        mosquitto.publish(&Message::new(&topic, "on", qos).retained(), &[]);
        assert_eq!(before.receive(), Message::new(&topic, "on", qos));

        let mut after = mosquitto.subscribe(&topic, 2, &[]);
        assert_eq!(after.receive(), Message::new(&topic, "on", qos).retained());
    }
}

/// Nothing is replayed after `mosquitto_pub -r -n`.
pub(crate) fn an_empty_retained_payload_deletes_the_retained_message(mosquitto: &Mosquitto) {
    let names = Names::new();
    let topic = names.topic("state");
    mosquitto.publish(&Message::new(&topic, "on", 1).retained(), &[]);
    mosquitto.publish(&Message::new(&topic, "", 1).retained(), &[]);

    let mut subscriber = mosquitto.subscribe(&topic, 1, &[]);
    mosquitto.publish(&Message::new(&topic, "marker", 1), &[]);

    assert_eq!(subscriber.receive(), Message::new(&topic, "marker", 1));
}

/// A process that is killed sends no DISCONNECT.
pub(crate) fn a_will_is_published_when_the_client_is_killed(mosquitto: &Mosquitto) {
    let names = Names::new();
    for qos in 0..=2_u8 {
        let gone = names.topic("gone");
        let mut watcher = mosquitto.subscribe(&gone, 2, &[]);
        let will = ["--will-topic", &gone, "--will-payload", "power cut", "--will-qos", &qos.to_string()];
        let device = mosquitto.subscribe(&names.topic("commands"), 0, &will);

        device.kill();

        assert_eq!(watcher.receive(), Message::new(&gone, "power cut", qos));
    }
}

/// mosquitto_sub sends DISCONNECT when it has the number of messages it was asked for.
pub(crate) fn a_disconnect_discards_the_will(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (gone, id) = (names.topic("gone"), names.client("d"));
    let mut watcher = mosquitto.subscribe(&gone, 1, &[]);
    let will = ["-i", &id, "-C", "1", "--will-topic", &gone, "--will-payload", "power cut"];
    let device = mosquitto.subscribe(&names.topic("commands"), 1, &will);

    mosquitto.publish(&Message::new(&names.topic("commands"), "stop", 1), &[]);
    device.finish();

    // A new connection of the same client is accepted only after the former has ended, will or no will.
    mosquitto.publish(&Message::new(&gone, "marker", 1), &["-i", &id]);
    assert_eq!(watcher.receive(), Message::new(&gone, "marker", 1));
}

/// What was published while the client was away arrives at its QoS and, within one QoS, in order.
pub(crate) fn queued_qos_1_and_2_messages_arrive_when_the_session_resumes(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (topic, id) = (names.topic("queue"), names.client("s"));
    leave_a_session(mosquitto, &topic, &id);
    let messages: Vec<_> = (0..4).map(|n| Message::new(&topic, &format!("{n}"), 1 + n % 2)).collect();
    for message in &messages {
        mosquitto.publish(message, &[]);
    }

    let mut client = mosquitto.subscribe(&topic, 2, &["-i", &id, "-c"]);

    let arrived: Vec<_> = messages.iter().map(|_| client.receive()).collect();
    for qos in 1..=2 {
        let of_qos = |all: &[Message]| all.iter().filter(|m| m.qos == qos).cloned().collect::<Vec<_>>();
        assert_eq!(of_qos(&arrived), of_qos(&messages));
    }
}

/// The session, its subscription and its queue end with the next clean connection.
pub(crate) fn a_clean_connect_discards_the_former_session(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (topic, id) = (names.topic("queue"), names.client("s"));
    leave_a_session(mosquitto, &topic, &id);
    mosquitto.publish(&Message::new(&topic, "queued in vain", 1), &[]);

    mosquitto.publish(&Message::new(&names.topic("other"), "a clean connection", 1), &["-i", &id]);

    let mut client = mosquitto.subscribe(&topic, 1, &["-i", &id, "-c"]);
    mosquitto.publish(&Message::new(&topic, "marker", 1), &[]);
    assert_eq!(client.receive(), Message::new(&topic, "marker", 1));
}

/// Each message goes to exactly one member, in order, and an ordinary subscriber still gets all.
pub(crate) fn a_shared_subscription_gives_each_message_to_one_member(mosquitto: &Mosquitto) {
    let names = Names::new();
    let (topic, group) = (names.topic("jobs"), format!("$share/workers/{}", names.topic("jobs")));
    let mut outsider = mosquitto.subscribe(&topic, 1, &[]);
    let mut members = [mosquitto.subscribe(&group, 1, &[]), mosquitto.subscribe(&group, 1, &[])];
    let jobs: Vec<_> = (0..JOBS).map(|n| format!("job {n:02}")).collect();

    mosquitto.publish_lines(&topic, 1, &jobs);

    for job in &jobs {
        assert_eq!(outsider.receive(), Message::new(&topic, job, 1));
    }
    let shares = receive_together(&mut members);
    for share in &shares {
        assert!(share.is_sorted() && !share.is_empty(), "each member has a share, in order: {shares:?}");
    }
    let mut done = shares.concat();
    done.sort();
    assert_eq!(done, jobs, "each job was given to one member");
}

fn leave_a_session(mosquitto: &Mosquitto, topic: &str, id: &str) {
    mosquitto.subscribe(topic, 2, &["-i", id, "-c", "-E"]).finish();
}

/// Takes from whichever member has something until there are `JOBS` messages in all.
fn receive_together(members: &mut [Subscriber; 2]) -> [Vec<String>; 2] {
    let mut shares = [Vec::new(), Vec::new()];
    for _ in 0..TURNS_MAX {
        if shares.iter().map(Vec::len).sum::<usize>() >= JOBS {
            break;
        }
        for (member, share) in members.iter_mut().zip(&mut shares) {
            share.extend(member.arrived().map(|job| String::from_utf8_lossy(&job.payload.0).into_owned()));
        }
    }
    shares
}

const JOBS: usize = 20;
/// A line is a turn, of which a message takes three; a turn without any takes 2 x 100 ms.
const TURNS_MAX: usize = 100 + 3 * JOBS;
