//! The broker through rumqttc, which has one client for 3.1.1 and another for 5.0.

use tidegate_clients::{every_version_holds, sentences_hold, version_5_holds};

#[path = "rumqttc/v3_1_1.rs"]
mod client_v3_1_1;
#[path = "rumqttc/v5.rs"]
mod client_v5;

mod v3_1_1 {
    use super::*;
    every_version_holds! { client_v3_1_1::Rumqttc::new() }
}

mod v5 {
    use super::*;
    every_version_holds! { client_v5::Rumqttc::new() }
    version_5_holds! { client_v5::Rumqttc::new() }
    sentences_hold! { client_v5::Rumqttc::new(); user_properties_keep_an_interleaved_order }
}
