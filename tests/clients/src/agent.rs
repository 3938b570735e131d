//! A client library of another language, driven through a script.
//!
//! One request is one line of JSON on the script's standard input, `{"do": STEP, "client": NAME, …}`. One reply is
//! one line on its standard output that starts with `> `: `{"ok": …}` or `{"error": "…"}`. Every other line is the
//! library's own talk and only shown when a test fails. The script hosts any number of clients by name and ends
//! when its input ends.

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::client::{Client, Connack, Connect, Program, Subscription, Version};
use crate::message::Message;
use crate::process::Process;
use crate::tools;

/// A running script.
pub struct Agent {
    version: Version,
    script: RefCell<Process>,
    clients: Cell<u32>,
    _broker: Arc<Broker>,
}

impl Agent {
    /// paho-mqtt for Python.
    pub fn paho(version: Version) -> Self {
        let mut command = Command::new(tools::python());
        command.arg("-B").arg(tools::package_dir().join("python/agent.py"));
        Self::start("paho-mqtt", version, command)
    }

    /// MQTT.js.
    pub fn mqttjs(version: Version) -> Self {
        let mut command = Command::new(tools::node());
        command.arg(tools::package_dir().join("node/agent.js"));
        Self::start("MQTT.js", version, command)
    }

    fn start(name: &str, version: Version, mut command: Command) -> Self {
        let broker = Broker::shared();
        command.arg(&broker.host).arg(broker.port.to_string()).arg(protocol_level(version).to_string());
        let script = RefCell::new(Process::start(name, &mut command));
        Self { version, script, clients: Cell::new(0), _broker: broker }
    }

    fn ask<T: DeserializeOwned>(&self, step: &str, client: &str, arguments: Value) -> T {
        let request = json!({"do": step, "client": client, "with": arguments});
        let mut script = self.script.borrow_mut();
        script.tell(&request.to_string());
        let reply = script.wait_for("its reply", |line| line.strip_prefix("> ").map(str::to_owned));
        let mut reply: Value =
            serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{e} in reply {reply}"));
        if let Some(error) = reply.get("error") {
            panic!("{step} of client {client}: {error}\nrequest {request}\n{}", script.said());
        }
        serde_json::from_value(reply["ok"].take()).unwrap_or_else(|e| panic!("{step}: {e} in reply {reply}"))
    }
}

impl Program for Agent {
    fn version(&self) -> Version {
        self.version
    }

    fn client(&self) -> Box<dyn Client + '_> {
        self.clients.set(self.clients.get() + 1);
        Box::new(AgentClient { agent: self, name: self.clients.get().to_string() })
    }
}

struct AgentClient<'a> {
    agent: &'a Agent,
    name: String,
}

impl AgentClient<'_> {
    fn ask<T: DeserializeOwned>(&self, step: &str, arguments: Value) -> T {
        self.agent.ask(step, &self.name, arguments)
    }
}

impl Client for AgentClient<'_> {
    fn connect(&mut self, connect: &Connect) -> Connack {
        self.ask("connect", json!(connect))
    }

    fn subscribe(&mut self, subscription: &Subscription) -> u8 {
        self.ask("subscribe", json!(subscription))
    }

    fn unsubscribe(&mut self, filter: &str) -> Option<u8> {
        self.ask("unsubscribe", json!({ "filter": filter }))
    }

    fn publish(&mut self, message: &Message) -> Option<u8> {
        self.ask("publish", json!(message))
    }

    fn receive(&mut self) -> Message {
        self.ask("receive", Value::Null)
    }

    fn arrived(&mut self) -> Option<Message> {
        self.ask("arrived", Value::Null)
    }

    fn ended(&mut self) -> Option<u8> {
        self.ask("ended", Value::Null)
    }

    fn disconnect(&mut self) {
        self.ask("disconnect", Value::Null)
    }

    fn vanish(&mut self) {
        self.ask("vanish", Value::Null)
    }
}

/// The Protocol Level byte of CONNECT, which both libraries name their versions by.
fn protocol_level(version: Version) -> u8 {
    match version {
        Version::V3_1 => 3,
        Version::V3_1_1 => 4,
        Version::V5 => 5,
    }
}
