//! The broker through paho-mqtt for Python.

use tidegate_clients::agent::Agent;
use tidegate_clients::client::Version;
use tidegate_clients::{every_version_holds, sentences_hold, version_5_holds};

mod v3_1 {
    use super::*;
    every_version_holds! { Agent::paho(Version::V3_1) }
}

mod v3_1_1 {
    use super::*;
    every_version_holds! { Agent::paho(Version::V3_1_1) }
}

mod v5 {
    use super::*;
    every_version_holds! { Agent::paho(Version::V5) }
    version_5_holds! { Agent::paho(Version::V5) }
    sentences_hold! { Agent::paho(Version::V5); user_properties_keep_an_interleaved_order }
}
