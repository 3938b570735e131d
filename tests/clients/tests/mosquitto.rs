//! The broker through mosquitto_pub, mosquitto_sub and mosquitto_rr.
//!
//! The stories are those of the libraries, told with one process for each step.

use tidegate_clients::client::Version;
use tidegate_clients::mosquitto::Mosquitto;

#[path = "mosquitto/any_version.rs"]
mod any_version;
#[path = "mosquitto/version_5.rs"]
mod version_5;

macro_rules! hold {
    ($module:ident::{$($sentence:ident)+} for $version:expr) => {
        $(
            #[test]
            fn $sentence() {
                $module::$sentence(&Mosquitto::new($version));
            }
        )+
    };
}

macro_rules! every_version_holds {
    ($version:expr) => {
        hold! { any_version::{
            a_publisher_connects_publishes_and_disconnects
            each_qos_arrives_at_the_lower_of_published_and_granted
            a_retained_message_is_replayed_to_later_subscribers
            an_empty_retained_payload_deletes_the_retained_message
            a_will_is_published_when_the_client_is_killed
            a_disconnect_discards_the_will
            queued_qos_1_and_2_messages_arrive_when_the_session_resumes
            a_clean_connect_discards_the_former_session
            a_shared_subscription_gives_each_message_to_one_member
        } for $version }
    };
}

mod v3_1 {
    use super::*;
    every_version_holds! { Version::V3_1 }
}

mod v3_1_1 {
    use super::*;
    every_version_holds! { Version::V3_1_1 }
}

mod v5 {
    use super::*;
    every_version_holds! { Version::V5 }
    hold! { version_5::{
        an_empty_client_identifier_gets_an_assigned_one
        message_properties_arrive_unaltered
        user_properties_keep_an_interleaved_order
        a_will_carries_its_properties
        a_live_message_carries_its_remaining_expiry
        an_expired_message_is_not_delivered
        a_subscription_identifier_comes_with_the_messages_of_its_subscription
        a_topic_alias_stands_for_the_topic_it_was_set_for
        puback_and_pubrec_carry_reason_codes
        a_response_finds_its_request
    } for Version::V5 }
}
