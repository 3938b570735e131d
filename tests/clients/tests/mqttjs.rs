//! The broker through MQTT.js.

use tidegate_clients::agent::Agent;
use tidegate_clients::client::Version;
use tidegate_clients::{every_version_holds, sentences_hold, version_5_holds};

mod v3_1 {
    use super::*;
    every_version_holds! { Agent::mqttjs(Version::V3_1) }
}

mod v3_1_1 {
    use super::*;
    every_version_holds! { Agent::mqttjs(Version::V3_1_1) }
}

mod v5 {
    use super::*;
    every_version_holds! { Agent::mqttjs(Version::V5) }
    version_5_holds! { Agent::mqttjs(Version::V5) }
    // Of these libraries, MQTT.js alone resolves the aliases of the Server before it gives a message out.
    sentences_hold! { Agent::mqttjs(Version::V5); topics_survive_the_aliases_of_the_server }
}
