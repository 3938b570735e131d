//! The command line clients of mosquitto: one process for each thing done.
//!
//! They are run with `-d`, which makes them print the packets they send and receive: a subscriber counts as
//! subscribed when it has printed its SUBACK.

use std::collections::VecDeque;
use std::fmt;
use std::process::Command;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::broker::Broker;
use crate::client::Version;
use crate::message::{Message, Payload, Properties};
use crate::process::Process;
use crate::tools;

/// mosquitto_pub, mosquitto_sub and mosquitto_rr in one protocol version.
pub struct Mosquitto {
    version: Version,
    broker: Arc<Broker>,
}

impl Mosquitto {
    /// The programs against the broker of this test process.
    pub fn new(version: Version) -> Self {
        Self { version, broker: Broker::shared() }
    }

    /// Publishes with mosquitto_pub and these further options, waits for its end, and returns what it printed.
    pub fn publish(&self, message: &Message, options: &[&str]) -> Vec<String> {
        let mut command = self.command("mosquitto_pub");
        command.args(["-t", &message.topic, "-q", &message.qos.to_string()]).args(options);
        if message.retain {
            command.arg("-r");
        }
        let text = String::from_utf8_lossy(&message.payload.0);
        if text.is_empty() {
            command.arg("-n")
        } else {
            command.args(["-m", &text])
        };
        let (lines, status) = Process::start("mosquitto_pub", &mut command).finish();
        assert!(status.success(), "mosquitto_pub ended with {status}:\n{}", lines.join("\n"));
        lines
    }

    /// Publishes each line as a message of its own on one connection.
    pub fn publish_lines(&self, topic: &str, qos: u8, lines: &[String]) {
        let mut command = self.command("mosquitto_pub");
        command.args(["-t", topic, "-q", &qos.to_string(), "-l"]);
        let mut process = Process::start("mosquitto_pub", &mut command);
        for line in lines {
            process.tell(line);
        }
        let (printed, status) = process.finish();
        assert!(status.success(), "mosquitto_pub ended with {status}:\n{}", printed.join("\n"));
    }

    /// Starts mosquitto_sub with these further options, and returns when its subscription is acknowledged.
    pub fn subscribe(&self, filter: &str, qos: u8, options: &[&str]) -> Subscriber {
        let mut command = self.command("mosquitto_sub");
        command.args(["-t", filter, "-q", &qos.to_string(), "-F", "%j"]).args(options);
        let mut process = Process::start("mosquitto_sub", &mut command);
        let mut early = VecDeque::new();
        let codes = process.wait_for("SUBACK", |line| {
            early.extend(parse(line));
            line.strip_prefix("Subscribed (mid: 1): ").map(str::to_owned)
        });
        assert_eq!(codes, qos.to_string(), "{filter} is granted as asked");
        Subscriber { process, early }
    }

    /// Starts mosquitto_rr, which publishes a request and prints the first response.
    pub fn request(&self, topic: &str, response_topic: &str, question: &str) -> Process {
        let mut command = self.command("mosquitto_rr");
        command.args(["-t", topic, "-e", response_topic, "-m", question]);
        Process::start("mosquitto_rr", &mut command)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = tools::line_buffered(&tools::mosquitto(program));
        let version = match self.version {
            Version::V3_1 => "mqttv31",
            Version::V3_1_1 => "mqttv311",
            Version::V5 => "mqttv5",
        };
        command.args(["-d", "-h", &self.broker.host, "-p", &self.broker.port.to_string(), "-V", version]);
        command
    }
}

/// A running mosquitto_sub.
pub struct Subscriber {
    process: Process,
    /// What a resumed session gave out before SUBACK.
    early: VecDeque<Message>,
}

impl Subscriber {
    /// The next message it prints.
    pub fn receive(&mut self) -> Message {
        self.early.pop_front().unwrap_or_else(|| self.process.wait_for("a message", parse))
    }

    /// A message that it has printed or prints within 100 ms.
    pub fn arrived(&mut self) -> Option<Message> {
        self.early.pop_front().or_else(|| self.process.line_of_this_moment().as_deref().and_then(parse))
    }

    /// Ends it without DISCONNECT.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Waits until it ends by itself, as it does after the number of messages given with `-C`.
    pub fn finish(self) {
        let (lines, status) = self.process.finish();
        assert!(status.success(), "mosquitto_sub ended with {status}:\n{}", lines.join("\n"));
    }
}

/// A line is a message, or one of the packets that `-d` shows.
fn parse(line: &str) -> Option<Message> {
    if !line.starts_with('{') {
        return None;
    }
    let printed: Printed = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
    let properties = Properties {
        payload_format: printed.properties.payload_format,
        message_expiry_secs: printed.properties.message_expiry_secs,
        content_type: printed.properties.content_type,
        response_topic: printed.properties.response_topic,
        correlation_data: printed.properties.correlation_data.map(|text| text.as_str().into()),
        user: printed.properties.user,
        subscription_identifiers: printed.properties.subscription_identifier.into_iter().collect(),
        topic_alias: None,
    };
    let payload = Payload(printed.payload.unwrap_or_default().into_bytes());
    Some(Message { topic: printed.topic, payload, qos: printed.qos, retain: printed.retain == 1, properties })
}

/// What `-F %j` prints of a message.
#[derive(Deserialize)]
struct Printed {
    topic: String,
    qos: u8,
    retain: u8,
    payload: Option<String>,
    #[serde(default)]
    properties: PrintedProperties,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct PrintedProperties {
    #[serde(rename = "payload-format-indicator")]
    payload_format: Option<u8>,
    #[serde(rename = "message-expiry-interval")]
    message_expiry_secs: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    subscription_identifier: Option<u32>,
    #[serde(rename = "user-properties", deserialize_with = "pairs")]
    user: Vec<(String, String)>,
}

/// User Properties are printed as an object in which names repeat, so a map would lose some of them.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of User Properties")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs)
}
