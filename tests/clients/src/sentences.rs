//! Which sentences are tests, by protocol version. A sentence is the name of a function in [`crate::scenario`].

/// One test for each named sentence, held against a fresh `$program`.
#[macro_export]
macro_rules! sentences_hold {
    ($program:expr; $($sentence:ident)+) => {
        $(
            #[test]
            fn $sentence() {
                $crate::scenario::$sentence(&$program);
            }
        )+
    };
}

/// The sentences that hold in every version of MQTT.
#[macro_export]
macro_rules! every_version_holds {
    ($program:expr) => {
        $crate::sentences_hold! { $program;
            a_clean_connect_finds_no_session
            a_second_connection_with_the_same_client_identifier_ends_the_first
            each_qos_arrives_at_the_lower_of_published_and_granted
            payloads_arrive_unchanged_and_in_order
            an_unsubscribed_filter_receives_nothing_more
            a_retained_message_is_replayed_to_later_subscribers
            the_newest_retained_message_replaces_the_former
            an_empty_retained_payload_deletes_the_retained_message
            a_will_is_published_when_the_client_vanishes
            a_retained_will_is_replayed_to_later_subscribers
            a_disconnect_discards_the_will
            queued_qos_1_and_2_messages_arrive_when_the_session_resumes
            a_resumed_session_keeps_its_subscriptions
            a_clean_connect_discards_the_former_session
            a_shared_subscription_gives_each_message_to_one_member
            a_shared_subscription_skips_members_that_are_gone
        }
    };
}

/// The sentences that hold in MQTT 5.0 only.
#[macro_export]
macro_rules! version_5_holds {
    ($program:expr) => {
        $crate::sentences_hold! { $program;
            an_empty_client_identifier_gets_an_assigned_one
            a_session_without_expiry_ends_with_its_connection
            a_connection_that_is_taken_over_is_told_so
            message_properties_arrive_unaltered
            a_retained_message_keeps_its_properties
            a_will_carries_its_properties
            user_properties_keep_their_order
            a_live_message_carries_its_remaining_expiry
            an_expired_message_is_not_delivered
            subscription_identifiers_name_the_matching_subscriptions
            a_topic_alias_stands_for_the_topic_it_was_set_for
            a_response_finds_its_request
            no_local_keeps_own_messages_away
            suback_and_unsuback_carry_reason_codes
            puback_and_pubrec_carry_reason_codes
        }
    };
}
